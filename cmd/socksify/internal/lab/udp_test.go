package lab

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// datagrams sends a datagram with each system call, and prints the results.
const datagrams = `
import errno, socket, sys
to = (socket.gethostbyname("www.test"), 7)
def connected():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(to)
    s.send(b"x")
def sendto():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", to)
def sendmsg():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendmsg([b"x"], [], 0, to)
def mapped():
    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"x", ("::ffff:10.88.0.1", 7))
for f in connected, sendto, sendmsg, mapped:
    try:
        f()
        print(f.__name__, "sent")
    except OSError as e:
        print(f.__name__, errno.errorcode[e.errno])
`

// The seccomp way refuses UDP: each call fails at once with ENETUNREACH, and the log has the reason. Names are still
// resolved, and no packet leaves.
func TestSeccompRefusesUDPAtOnce(t *testing.T) {
	for _, way := range []string{"seccomp", byContainer} {
		for _, user := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, ordinary user: %v", way, user), func(t *testing.T) {
				w := newWorld(t)
				res := run{way: way, flags: []string{"-v"}, user: user}.do(w, need(t, "python3", "python3"), "-c", datagrams)
				require.Equal(t, "connected ENETUNREACH\nsendto ENETUNREACH\nsendmsg ENETUNREACH\nmapped ENETUNREACH\n", res.stdout, res.stderr)
				require.Regexp(t, `(?s)(python3\[\d+\]: udp www\.test:7 → refused: UDP needs -by namespace\n.*){3}`, res.stderr)
				require.Contains(t, res.stderr, "udp "+serverIP+":7 → refused: UDP needs -by namespace")
				require.Empty(t, w.gateway.Requests())
				w.requireNoLeak()
			})
		}
	}
}
