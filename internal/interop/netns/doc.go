// Package netns holds tests alone. They run RFC 3089's four combinations (section 2) and its chains
// (section 4) on real networks: every node is a network namespace with a process in it, and has a route to
// its neighbours and to nobody else. They need root and iproute2.
package netns
