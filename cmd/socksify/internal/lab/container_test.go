package lab

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// byContainer is the way that auto chooses in a container with Docker's defaults: seccomp, with sockets that the
// supervisor makes.
const byContainer = "container"

// madeSockets is the log line of byContainer.
const madeSockets = "by seccomp, with sockets that it makes for the program, since pidfd_getfd is forbidden here"

// dockerCapabilities are the capabilities that root has under Docker, as an argument of setpriv.
const dockerCapabilities = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap"

// contained returns the command line that runs a program under the profile of a container engine, "docker" or
// "podman", and, if root runs it, with a container's capabilities.
func contained(engine string, user bool) []string {
	wrap := []string{built("client"), "confined", engine}
	if !user {
		wrap = append(wrap, "setpriv", "--inh-caps", "-all", "--bounding-set", dockerCapabilities)
	}
	return wrap
}

// The supervisor reads the program's memory in another way if process_vm_readv is forbidden.
func TestMemoryIsReadUnderPodmansProfile(t *testing.T) {
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
