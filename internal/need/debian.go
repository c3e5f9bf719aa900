package need

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// testedVersions has the prefixes of the versions whose behavior and messages the tests expect, by Debian package.
var testedVersions = map[string]string{
	"curl":           "7.88.",
	"dante-client":   "1.4.",
	"dante-server":   "1.4.",
	"microsocks":     "1.0.",
	"netcat-openbsd": "1.219-",
	"openssh-server": "1:9.2",
	"proxychains4":   "4.16",
	"python3-socks":  "1.7.",
	"tnftp":          "20210827",
	"tor":            "0.4.",
	"torsocks":       "2.4.",
	"vsftpd":         "3.0.",
}

// Version returns the version of an installed Debian package, or an error if it is missing or unknown to the tests.
func Version(debian string) (string, error) {
	return probeOnce(debian, func() (string, error) { return installedVersion(debian) })
}

func installedVersion(debian string) (string, error) {
	query, err := find("dpkg-query", "dpkg")
	if err != nil {
		return "", err
	}
	out, err := exec.Command(query, "-W", "-f", "${db:Status-Status} ${Version}", debian).Output()
	version, ok := strings.CutPrefix(string(out), "installed ")
	if err != nil || !ok {
		return "", fmt.Errorf("the Debian package %s", debian)
	}
	if want := testedVersions[debian]; !strings.HasPrefix(version, want) {
		return "", fmt.Errorf("%s %s, has %s, whose messages the tests do not know", debian, want, version)
	}
	return version, nil
}

// DebianVersion is like Version, but skips t instead of returning an error.
func DebianVersion(t testing.TB, debian string) string {
	t.Helper()
	version, err := Version(debian)
	All(t, err)
	return version
}
