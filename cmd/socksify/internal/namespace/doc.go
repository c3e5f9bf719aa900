// Package namespace catches a program's network by giving it one of its own: a user, a network and a mount
// namespace whose only way out is a TUN device. Behind the device a TCP/IP stack in user space ends every
// connection and dials it anew by a policy.Policy. The program cannot tell, and cannot get around it.
//
// The supervisor calls [Start], which clones the shim. The shim (see [Shim]) sets the namespaces up from inside,
// hands out the descriptors that the supervisor needs, and executes the program.
package namespace
