package peers

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// accounts returns an /etc/passwd and an /etc/shadow with one more user, who cannot log in with an empty password.
// Without a user it returns none.
func accounts(t testing.TB, user, password string) map[string]string {
	t.Helper()
	if user == "" {
		return nil
	}
	needMounts(t)
	crypted := "*"
	if password != "" {
		out, err := exec.Command(Program(t, "perl", "perl-base"), "-e", `print crypt($ARGV[0], q{$6$sockslib$})`, password).Output()
		if err != nil {
			t.Fatal(err)
		}
		crypted = string(out)
	}
	files := make(map[string]string)
	for path, entry := range map[string]string{
		"/etc/passwd": user + ":x:65533:65534::/nonexistent:/bin/false",
		"/etc/shadow": user + ":" + crypted + ":19000:0:99999:7:::",
	} {
		was, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[path] = strings.TrimRight(string(was), "\n") + "\n" + entry + "\n"
	}
	return files
}
