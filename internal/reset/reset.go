// Package reset distinguishes the end of a stream from a reset that the system has already reported.
//
// The system reports a reset once: on Linux the first call after it, a write or a read, fails with ECONNRESET, and
// a later read returns EOF as if the peer had ended the stream. A relay that reads in one goroutine and writes in
// another would pass that EOF on as the end of the stream.
package reset

import "net"

// Reported returns true if the TCP connection of c is closed and has no pending error. If it does so after a read
// has returned EOF, then either the connection was shut down in both directions, or a write has returned an error
// or is about to. ECONNRESET from the write means that the EOF is false; EPIPE means that the peer ended the
// stream before it reset the connection.
//
// Reported returns false for an open connection, for a connection without a TCP socket, and on systems other than
// Linux. It looks through wrapped connections by their NetConn methods.
func Reported(c net.Conn) bool {
	for {
		wrapped, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return reported(c)
		}
		c = wrapped.NetConn()
	}
}
