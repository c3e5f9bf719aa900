// Package seccomp catches a program's network by seccomp user notification, for machines that allow no namespaces.
// A filter stops the calls that could reach the network. The supervisor looks at each, and acts on its own descriptor of
// the program's socket: it connects the socket to a relay on the loopback device, and the relay to the gateway.
//
// Where pidfd_getfd is allowed, stream sockets are the program's own, and the supervisor duplicates them. Elsewhere the
// supervisor makes them; see custody. It makes the datagram sockets in any case: they are bound to the loopback device,
// and their numbers tell them to the filter. They reach the name server and this machine, and nothing else.
//
// A program that tries to get around this can; none does by mistake.
package seccomp
