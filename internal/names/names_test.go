package names

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCanonicalReturnsOneForm(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	name253 := strings.Repeat(label63+".", 3) + strings.Repeat("b", 61)
	for in, want := range map[string]string{
		"example.com":            "example.com",
		"EXAMPLE.com.":           "example.com",
		"db":                     "db",
		"_sip._tcp.example":      "_sip._tcp.example",
		"a-b.example":            "a-b.example",
		"1.2.3.example":          "1.2.3.example",
		"3com":                   "3com",
		"a.9b":                   "a.9b",
		label63:                  label63,
		"0xyz":                   "0xyz",
		"Bücher.example":         "xn--bcher-kva.example",
		"XN--BCHER-KVA.ExAmPle":  "xn--bcher-kva.example",
		"bücher。example":         "xn--bcher-kva.example",
		"bücher．example｡":        "xn--bcher-kva.example",
		"x。onion":                "x.onion",
		"ｌｏｃａｌｈｏｓｔ":              "localhost",
		"foo_bar.bücher.example": "foo_bar.xn--bcher-kva.example",
		"_sip._tcp.münchen.de.":  "_sip._tcp.xn--mnchen-3ya.de",
		"10-0-0-1.ns.pod.c1":     "10-0-0-1.ns.pod.c1",
		name253:                  name253,
		name253 + ".":            name253,
	} {
		got, err := Canonical(in)
		require.NoError(t, err, "%q", in)
		require.Equal(t, want, got)
		require.Equal(t, in == want, isCanonical(in), "%q", in)
		again, err := Canonical(got)
		require.NoError(t, err)
		require.Equal(t, got, again, "the canonical form is its own")
	}
}

func TestCanonicalRefusesWhatIsNoName(t *testing.T) {
	for in, reason := range map[string]string{
		"":                              "empty name",
		".":                             "empty label",
		"a..b":                          "empty label",
		"a..":                           "empty label",
		".a":                            "empty label",
		"a b":                           `' '`,
		"a\x00b":                        `'\x00'`,
		"a\r\nHost: b":                  `'\r'`,
		"a%eth0":                        `'%'`,
		"a/b":                           `'/'`,
		"user@host":                     `'@'`,
		"fe80::1":                       `':'`,
		"\x7f":                          `'\x7f'`,
		"\xff\xfe":                      "UTF-8",
		"a\x80":                         "UTF-8",
		"a.0":                           "number",
		"a.9":                           "number",
		"münchen.de..":                  "empty label",
		"münchen..de":                   "empty label",
		"münchen.de.。":                  "empty label",
		"。":                             "empty label",
		"\u00ad.example":                "internationalized", // a soft hyphen maps to nothing
		"a\u2024b.example":              "internationalized", // a one dot leader maps to a dot
		"１２７.０.０.１":                     "number",
		"ü_b.example":                   "internationalized",
		"ü b":                           "internationalized",
		"-a.example":                    "hyphen",
		"a-.example":                    "hyphen",
		"1.2.3":                         "number",
		"127.0.0.1":                     "number",
		"2130706433":                    "number",
		"0x7f.1":                        "number",
		"a.0x7F":                        "number",
		"0x":                            "number",
		strings.Repeat("a", 64):         "label of 64 bytes",
		strings.Repeat("a.", 127) + "a": "255 bytes",
		strings.Repeat("a", 300):        "300 bytes",
		strings.Repeat("ü", 300):        "",
	} {
		_, err := Canonical(in)
		require.Error(t, err, "%q", in)
		require.False(t, isCanonical(in), "%q", in)
		require.ErrorContains(t, err, reason, "%q", in)
	}
}

func TestCanonicalAllocatesNothing(t *testing.T) {
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := Canonical("www.example.com"); err != nil {
			t.Fatal(err)
		}
	}))
}

// FuzzCanonical checks that a canonical name is unchanged by Canonical, and that isCanonical agrees with check.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{"example.com", "EXAMPLE.com.", "Bücher.example", "1.2.3", "a..b", "\xff", "xn--", "faß.de", "☕.example"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := Canonical(in)
		if err != nil {
			require.False(t, isCanonical(in))
			return
		}
		require.NoError(t, check(got))
		require.True(t, isCanonical(got))
		require.Equal(t, got == in, isCanonical(in))
		again, err := Canonical(got)
		require.NoError(t, err)
		require.Equal(t, got, again)
	})
}
