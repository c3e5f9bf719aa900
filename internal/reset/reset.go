// Package reset tells the end of a stream from a reset that the system has told of already.
//
// A system tells of a reset once: on Linux the call that comes first, a write as well as a read, fails with
// ECONNRESET, and a read after that returns EOF as if the peer had ended the stream. A relay that reads in one
// goroutine and writes in another would pass that EOF on as an end.
package reset

import "net"

// Told reports whether the TCP connection beneath c is gone and has no error left to tell. After a read that
// returned EOF it means one of two things. Either the connection was shut down in both directions, or an
// error was returned by a write: that write has returned or is about to, and its error says whether the EOF is
// real. ECONNRESET says that it is not. EPIPE says that the peer ended the stream before it reset the connection.
//
// Told reports false for a connection that lives, for one without a TCP socket, and on systems other than
// Linux.
func Told(c net.Conn) bool {
	for {
		wrapped, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return told(c)
		}
		c = wrapped.NetConn()
	}
}
