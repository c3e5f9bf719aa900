// Package namespace runs a program in a user, a network and a mount namespace whose only route is a TUN device.
// Behind the device, a TCP/IP stack in user space terminates each connection and dials its destination by a
// policy.Policy. The program does not notice the stack and cannot bypass it.
//
// The supervisor calls [Start], which clones the shim. The shim (see [Shim]) sets up the namespaces from inside,
// sends descriptors to the supervisor, and executes the program.
package namespace
