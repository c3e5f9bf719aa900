// Package netns tests RFC 3089's four combinations of address families (section 2) and its chains (section 4) on
// real networks: every node is a network namespace with a process in it, and has routes to its neighbours only.
// The tests need root and iproute2.
//
// A test is written in a small vocabulary:
//
//	lab          a network of nodes; newLab makes one, and it ends with the test
//	node         a namespace and a process in it, which runs this test binary and offers services by net/rpc
//	families     v4, v6 or dual: the addresses that a node or a link has
//	link, end    a veth pair between two nodes, and one node's side of it
//	call, try    run a method of a node's service; call requires that it succeeds
//	triple       C–G–D of section 2: client, gateway, destination
//	chain        C–G1–G2–…–D of section 4
//	form         a way in which the application gives the destination: a name, a fake address, a literal …
//	Ask          what the client is to do: a command for a destination in one form
//	Outcome      the addresses that the application sees
//	Asked, Seen  the requests to a gateway, and the peers of the destination
//	expectation  the required Outcome, Asked and Seen for an Ask
//
// The services of a node are Client, Gateway, Destination, Nameserver and Capture. A test looks like this:
//
//	x := newTriple(t, v4, v6)                       // an IPv4 client, an IPv6 destination
//	call[none](t, x.g, "Gateway.Start", config)     // the gateway between them
//	o := call[Outcome](t, x.c, "Client.Do", ask)    // the client makes a request
//	x.checkOutcome(t, ask, o)                       // the outcome is as expected
//
// and Capture checks that the client sends packets to the gateway only.
package netns
