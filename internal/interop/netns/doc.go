// Package netns has only tests. They run RFC 3089's four combinations of address families (section 2) and its
// chains (section 4) on real networks: every node is a network namespace with a process in it, and has routes to
// its neighbours only. They need root and iproute2.
//
// A test is written in a small vocabulary:
//
//	lab          a network of nodes; newLab makes one, and it ends with the test
//	node         a namespace and a process in it, this test binary once more, which offers services by net/rpc
//	families     v4, v6 or dual: the addresses that a node or a link has
//	link, end    a veth pair between two nodes, and one node's side of it
//	call, try    run a method of a node's service; call requires that it succeeds
//	triple       C–G–D of section 2: client, gateway, destination
//	chain        C–G1–G2–…–D of section 4
//	form         a way in which the application gives the destination: a name, a fake address, a literal …
//	Ask          what the client is to do: a command for a destination in one form
//	Outcome      what the application sees of it
//	Asked, Seen  what a gateway was asked for, and who connected to the destination
//	expectation  what the three must be for an Ask
//
// The services of a node are Client, Gateway, Destination, Nameserver and Capture. So a test reads
//
//	x := newTriple(t, v4, v6)                       // an IPv4 client, an IPv6 destination
//	call[none](t, x.g, "Gateway.Start", config)     // the gateway between them
//	o := call[Outcome](t, x.c, "Client.Do", ask)    // the client does something
//	x.checkOutcome(t, ask, o)                       // it saw what it should have seen
//
// and Capture proves that no packet went anywhere but to the gateway.
package netns
