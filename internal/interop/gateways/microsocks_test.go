package gateways

import (
	"testing"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/socks"
)

func TestMicrosocksServesConnect(t *testing.T) {
	w := newWorld(t)
	a := against{world: w, name: "microsocks", gateway: peers.Microsocks{Node: w.node}.Start(t), handshakes: notTogether}
	a.connects(t)
	a.refuses(t, connectReplies{
		refused:         socks.ErrConnectionRefused,
		hostUnreachable: socks.ErrHostUnreachable,
		netUnreachable:  socks.ErrNetworkUnreachable,
		prohibited:      socks.ErrGeneralFailure,
		unknownName:     socks.ErrGeneralFailure,
	})
	a.waits(t)
	a.fails(t, "BIND", socks.ErrCommandNotSupported, listening)
	a.fails(t, "UDP ASSOCIATE", socks.ErrCommandNotSupported, associating)
	a.fails(t, "RESOLVE", socks.ErrCommandNotSupported, resolving(name4))
	a.wantsNoPassword(t, socks.ErrNoAcceptableAuth)
	a.ends(t)
}

func TestMicrosocksAuthenticates(t *testing.T) {
	w := newWorld(t)
	gateway := peers.Microsocks{Node: w.node, User: user, Password: password}.Start(t)
	a := against{world: w, name: "microsocks, user/password", gateway: gateway, handshakes: notTogether}
	a.authenticates(t)
}
