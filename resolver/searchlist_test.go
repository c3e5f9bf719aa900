package resolver

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSearchListIsReadAsByPackageNet(t *testing.T) {
	own := []string{"own.test"}
	for conf, want := range map[string]searchList{
		"search corp.example example\n":                 {[]string{"corp.example", "example"}, 1},
		"search a.example\nsearch Corp.Example.\n":      {[]string{"corp.example"}, 1},
		"domain corp.example\noptions ndots:5\n":        {[]string{"corp.example"}, 5},
		"# search a.example\nsearch b.example\n":        {[]string{"b.example"}, 1},
		"search . corp.example\noptions ndots:99\n":     {[]string{"corp.example"}, 15},
		"nameserver 192.0.2.53\n":                       {own, 1},
		"search .\n":                                    {own, 1},
		"options rotate ndots:0\nsearch corp.example\n": {[]string{"corp.example"}, 0},
	} {
		file := filepath.Join(t.TempDir(), "resolv.conf")
		require.NoError(t, os.WriteFile(file, []byte(conf), 0o644))
		require.Equal(t, &want, readSearchList(file, "vm.own.test", false), conf)
	}
	require.Equal(t, &searchList{own, 1}, readSearchList(filepath.Join(t.TempDir(), "none"), "vm.own.test", false))
}

// glibc takes "search ." for an empty list.
func TestStrictSearchListTakesTheRootForAnEmptyList(t *testing.T) {
	for conf, want := range map[string][]string{
		"search .\n":              nil,
		"domain .\n":              nil,
		"search . corp.example\n": {"corp.example"},
		"nameserver 192.0.2.53\n": {"own.test"},
	} {
		file := filepath.Join(t.TempDir(), "resolv.conf")
		require.NoError(t, os.WriteFile(file, []byte(conf), 0o644))
		require.Equal(t, want, readSearchList(file, "vm.own.test", true).domains, conf)
	}
}

func TestMachineListFollowsItsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	require.NoError(t, os.WriteFile(file, []byte("search a.example\n"), 0o644))
	synctest.Test(t, func(t *testing.T) {
		m := &machineList{path: file}
		require.Equal(t, []string{"a.example"}, m.load().domains)
		require.NoError(t, os.WriteFile(file, []byte("search corp.example\n"), 0o644))
		require.Equal(t, []string{"a.example"}, m.load().domains, "the file is not checked again yet")
		time.Sleep(recheck)
		require.Equal(t, []string{"corp.example"}, m.load().domains)
	})
}
