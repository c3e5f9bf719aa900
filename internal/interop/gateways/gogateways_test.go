package gateways

import (
	"strings"
	"testing"

	"github.com/sockslib/sockslib/internal/interop/peers"
	"github.com/sockslib/sockslib/socks"
)

// goGateway is a gateway in Go, with its known behavior.
type goGateway struct {
	module  string
	replies connectReplies
	bind    bool
	half    bool // closing one direction leaves the other one open
}

func TestThingsGoServesConnectAndAssociate(t *testing.T) {
	testGoGateway(t, goGateway{module: peers.ThingsGo, half: true, replies: connectReplies{
		refused:         socks.ErrConnectionRefused,
		hostUnreachable: socks.ErrHostUnreachable,
		netUnreachable:  socks.ErrNetworkUnreachable,
		prohibited:      socks.ErrHostUnreachable,
		unknownName:     socks.ErrHostUnreachable,
	}})
}

func TestWzshimingServesEveryCommand(t *testing.T) {
	testGoGateway(t, goGateway{module: peers.Wzshiming, bind: true, replies: connectReplies{
		refused:         socks.ErrConnectionRefused,
		hostUnreachable: socks.ErrHostUnreachable,
		netUnreachable:  socks.ErrNetworkUnreachable,
		prohibited:      socks.ErrHostUnreachable,
		unknownName:     socks.ErrHostUnreachable,
	}})
}

func TestTxthinkingServesConnectAndAssociate(t *testing.T) {
	testGoGateway(t, goGateway{module: peers.Txthinking, replies: connectReplies{
		refused:         socks.ErrHostUnreachable,
		hostUnreachable: socks.ErrHostUnreachable,
		netUnreachable:  socks.ErrHostUnreachable,
		prohibited:      socks.ErrHostUnreachable,
		unknownName:     socks.ErrHostUnreachable,
	}})
}

func testGoGateway(t *testing.T, g goGateway) {
	w := newWorld(t)
	gateway := peers.GoGateway{Node: w.node, Module: g.module}.Start(t)
	a := against{world: w, name: strings.TrimPrefix(g.module, "github.com/"), gateway: gateway, handshakes: anyHandshake}
	a.connects(t)
	if g.half {
		a.halfCloses(t)
	}
	a.refuses(t, g.replies)
	a.waits(t)
	if g.bind {
		a.binds(t, "BIND for anyone", "")
		a.bindsInVain(t)
	} else {
		a.fails(t, "BIND", socks.ErrCommandNotSupported, listening)
	}
	a.associates(t)
	a.fails(t, "RESOLVE", socks.ErrCommandNotSupported, resolving(name4))
	a.wantsNoPassword(t, socks.ErrNoAcceptableAuth)
	a.endsAssociation(t)
	a.ends(t)

	a.name += ", user/password"
	a.gateway = peers.GoGateway{Node: w.node, Module: g.module, User: user, Password: password}.Start(t)
	a.authenticates(t)
	a.auth = []socks.Auth{socks.UserPass(user, password)}
	a.associate(t, destinations[0])
}
