// Package udpsegment sends and receives many UDP datagrams by one system call on Linux: the system splits what is sent
// (UDP_SEGMENT), and joins what is received (UDP_GRO). On other systems CanSplit and Join return false.
package udpsegment

const (
	// Most is the largest number of datagrams that one send is split into.
	Most = 64
	// MaxBytes is the longest such send, the payload of the longest UDP datagram over IPv4.
	MaxBytes = 65507
)
