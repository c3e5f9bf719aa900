// Package udpsegment sends and receives many UDP datagrams by one system call on Linux: the system splits a sent
// buffer into datagrams (UDP_SEGMENT), and joins received datagrams (UDP_GRO). On other systems CanSplit and Join
// return false.
package udpsegment

const (
	// Most is the largest number of datagrams that one send is split into.
	Most = 64
	// MaxBytes is the maximum length of such a send, in bytes: the payload of the longest UDP datagram over IPv4.
	MaxBytes = 65507
)
