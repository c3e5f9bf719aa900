// Package seccomp catches a program's network by seccomp user notification, for machines that allow no namespaces.
// A filter stops the calls that could reach the network; the supervisor looks at each, and acts on a duplicate of
// the program's own socket: it is connected to a relay of ours on the loopback device, and the relay to the gateway.
//
// Stream sockets are the program's own. Datagram sockets are made by the supervisor, bound to the loopback device,
// and numbered so that the filter can tell them; they reach our name server and this machine, and nothing else.
// A program that wants to get around this can; none does by mistake.
package seccomp
