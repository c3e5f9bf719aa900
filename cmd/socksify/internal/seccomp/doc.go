// Package seccomp sends a program's connections through the gateway by seccomp user notification, on machines that
// forbid namespaces. A filter stops the system calls that could reach the network. The supervisor handles each of
// them on its own descriptor of the program's socket: it connects the socket to a relay on the loopback device,
// and the relay to the gateway.
//
// If pidfd_getfd is allowed, the program makes its stream sockets, and the supervisor duplicates them. Otherwise
// the supervisor makes them; see custody. The supervisor always makes datagram sockets. They are bound to the
// loopback device, and the filter recognizes them by their numbers. They reach only the name server and this
// machine.
//
// A program can bypass the filter on purpose, but not by mistake.
package seccomp
