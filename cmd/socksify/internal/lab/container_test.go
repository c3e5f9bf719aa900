package lab

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// byContainer is the way that auto finds in a container of default Docker: seccomp, with sockets that the supervisor
// makes.
const byContainer = "container"

// madeSockets is what socksify says of it.
const madeSockets = "by seccomp, with sockets that it makes for the program, since pidfd_getfd is forbidden here"

// dockerCapabilities are those that Docker leaves to root, for setpriv.
const dockerCapabilities = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap"

// contained returns what starts a program under the profile of a container engine, "docker" or "podman", and as root
// with the capabilities that there are in a container.
func contained(engine string, user bool) []string {
	wrap := []string{built("client"), "confined", engine}
	if !user {
		wrap = append(wrap, "setpriv", "--inh-caps", "-all", "--bounding-set", dockerCapabilities)
	}
	return wrap
}

// The memory of a program is read by another way where process_vm_readv is forbidden.
func TestPodman(t *testing.T) {
	w := newWorld(t)
	serveOddly(t)
	script := testdata("python3", "python3", "semantics.py")(t, w)
	var seen []result
	for _, user := range []bool{false, true} {
		res := run{wrap: contained("podman", user), flags: []string{"-v"}, user: user}.do(w, append(script, "www.test")...)
		require.Contains(t, res.stderr, madeSockets)
		seen = append(seen, res)
	}
	w.requireNoLeak()
	native := run{bare: true}.do(w, append(script, serverIP)...)
	for _, res := range seen {
		require.Equal(t, native.stdout, res.stdout, res.stderr)
	}
}
