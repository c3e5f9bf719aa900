package gateways

import (
	"testing"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/socks"
)

// ssh -D hangs up instead of sending an error reply.
func TestSSHServesConnect(t *testing.T) {
	w := newWorld(t)
	a := against{world: w, name: "ssh -D", gateway: peers.SSH{Node: w.node}.Start(t), handshakes: anyHandshake}
	a.connects(t)
	a.halfCloses(t)
	a.refuses(t, connectReplies{
		refused:         socks.ErrGateway,
		hostUnreachable: socks.ErrGateway,
		netUnreachable:  socks.ErrGateway,
		prohibited:      socks.ErrGateway,
		unknownName:     socks.ErrGateway,
	})
	a.waits(t)
	a.fails(t, "BIND", socks.ErrGateway, listening)
	a.fails(t, "UDP ASSOCIATE", socks.ErrGateway, associating)
	a.fails(t, "RESOLVE", socks.ErrGateway, resolving(name4))
	a.wantsNoPassword(t, socks.ErrGateway)
	a.ends(t)
}
