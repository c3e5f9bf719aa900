// Package udpsegment is what Linux has for many datagrams by one system call: one send that it splits
// (UDP_SEGMENT), and one read of what it has joined (UDP_GRO). Elsewhere it can do neither, and says so.
package udpsegment

const (
	// Most is how many datagrams one send is split into at most.
	Most = 64
	// MaxBytes is how long that may be: what a UDP datagram over IPv4 carries.
	MaxBytes = 65507
)
