package gateways

import (
	"testing"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/socks"
)

func TestDantedServesEveryCommand(t *testing.T) {
	w := newWorld(t)
	gateway := peers.Danted{Node: w.node, External: []string{"lo", peers.SilentInterface}}.Start(t)
	a := against{world: w, name: "danted", gateway: gateway, handshakes: anyHandshake}
	a.connects(t)
	a.halfCloses(t)
	a.refuses(t, connectReplies{
		refused:         socks.ErrConnectionRefused,
		hostUnreachable: socks.ErrHostUnreachable,
		netUnreachable:  socks.ErrNetworkUnreachable,
		prohibited:      socks.ErrGeneralFailure,
		unknownName:     socks.ErrHostUnreachable,
	})
	a.waits(t)
	a.binds(t, "BIND for anyone", "")
	a.binds(t, "BIND for a peer", "127.0.0.1:0")
	a.bindsInVain(t)
	a.bindsForAnother(t, socks.ErrNotAllowed)
	a.associates(t)
	a.fails(t, "RESOLVE", socks.ErrGateway, resolving(name4))
	a.wantsNoPassword(t, socks.ErrNoAcceptableAuth)

	over6 := a
	over6.name, over6.addr = "danted, reached over IPv6", gateway.Addrs[1].String()
	over6.connects(t)
	over6.binds(t, "BIND for anyone", "")
	over6.binds(t, "BIND for a peer", "[::1]:0")
	over6.associates(t)

	a.endsAssociation(t)
	a.ends(t)
}

func TestDantedAuthenticates(t *testing.T) {
	w := newWorld(t)
	gateway := peers.Danted{Node: w.node, User: user, Password: password}.Start(t)
	a := against{world: w, name: "danted, user/password", gateway: gateway, handshakes: anyHandshake}
	a.authenticates(t)
	a.auth = []socks.Auth{socks.UserPass(user, password)}
	a.binds(t, "BIND for anyone", "")
	a.associate(t, destinations[0])
}
