package noproxy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDirectAppliesTheList(t *testing.T) {
	const list = "example.test, .sub.test, dot.test.,192.0.2.0/24 ,port.test:81,dotted.test.:82,[2001:db8::1],2001:db8::2,[2001:db8::3]:83,2001:db8:1::/48"
	direct := Direct(list)
	for address, want := range map[string]bool{
		"example.test:80":      true,
		"www.example.test:80":  true,
		"notexample.test:80":   false,
		"sub.test:80":          false,
		"a.sub.test:80":        true,
		"dot.test:80":          true,
		"a.dot.test:80":        true,
		"192.0.2.9:1":          true,
		"192.0.3.9:1":          false,
		"port.test:81":         true,
		"port.test:80":         false,
		"dotted.test:82":       true,
		"dotted.test:80":       false,
		"[2001:db8::1]:80":     true,
		"[2001:db8::2]:80":     true,
		"[2001:db8::3]:83":     true,
		"[2001:db8::3]:80":     false,
		"[2001:db8::4]:80":     false,
		"[2001:db8:1::9]:80":   true,
		"other.test:80":        false,
		"localhost:80":         true,
		"db.localhost:80":      true,
		"notlocalhost:80":      false,
		"127.0.0.9:80":         true,
		"[::1]:80":             true,
		"no port":              false,
		"db.localhost":         false, // no port
		"db.localhost.test:80": false,
	} {
		require.Equal(t, want, direct("tcp", address), address)
		require.Equal(t, want, direct("udp", address), address)
	}
}

func TestMalformedEntryMakesNothingElseDirect(t *testing.T) {
	for _, list := range []string{"[*]", "*.", "[*", "[]", "[", ".", "[2001:db8::/32]", "[::ffff:192.0.2.1]", "*.:80", "2001:db8::/129"} {
		direct := Direct(list + ",EXAMPLE.test")
		require.True(t, direct("tcp", "www.Example.Test:80"), list)
		for _, address := range []string{"other.test:80", "192.0.2.9:80", "[2001:db8::1]:80"} {
			require.False(t, direct("tcp", address), "%s: %s", list, address)
		}
	}
}

func TestEmptyListLeavesLoopbackDirect(t *testing.T) {
	for _, list := range []string{"", " ", ","} {
		direct := Direct(list)
		require.True(t, direct("tcp", "localhost:80"))
		require.True(t, direct("tcp", "db.localhost:80"))
		require.True(t, direct("tcp", "127.0.0.1:80"))
		require.False(t, direct("tcp", "example.test:80"))
	}
}

func TestAsteriskMakesAllDirect(t *testing.T) {
	for _, address := range []string{"any.test:1", "192.0.2.1:1", "[2001:db8::1]:1"} {
		require.True(t, Direct("*")("tcp", address))
	}
}

// FuzzDirect shows that no list and no address panics, and that space around a list is ignored.
func FuzzDirect(f *testing.F) {
	f.Add("example.test", "www.example.test:80")
	f.Add("[2001:db8::1]:80", "[2001:db8::1]:80")
	f.Add(".,[],[.]:,*", ":")
	f.Fuzz(func(t *testing.T, list, address string) {
		got := Direct(list)("tcp", address)
		require.Equal(t, got, Direct(" "+list+" ")("tcp", address))
	})
}
