package testgw

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func quirky(t *testing.T, g *Gateway) raw {
	t.Helper()
	return dialRaw(t, Start(t, g))
}

func TestOneRecvTakesOneMessagePerRead(t *testing.T) {
	l, to := listenOn(t, ip4)
	g := Start(t, &Gateway{Users: users, Quirks: Quirks{OneRecv: true}})
	step := func(c raw, message, answer string) {
		c.send(message)
		c.expect(answer)
	}
	c := dialRaw(t, g) // one message per read works
	step(c, userPass, "\x05\x02")
	step(c, alice, "\x01\x00")
	c.send(connectTo(at(to)))
	accept(t, l)
	c.expectReply()

	c = dialRaw(t, g) // bytes after a message are lost
	c.send(userPass + alice)
	c.expectSilence("\x05\x02")

	c = dialRaw(t, g) // a part of a message is refused
	c.send(userPass[:2])
	c.expectEnd("\x05\xff")
	c = dialRaw(t, g)
	step(c, userPass, "\x05\x02")
	c.send(alice[:4])
	c.expectEnd("\x01\x01")
	c = dialRaw(t, g)
	step(c, userPass, "\x05\x02")
	step(c, alice, "\x01\x00")
	c.send(connectTo(at(to))[:5])
	c.expectEnd("\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00")
}

func TestMissingMethodReplyNeedsPipelinedMessages(t *testing.T) {
	l, to := listenOn(t, ip4)
	g := Start(t, &Gateway{Users: users, Optional: true, Quirks: Quirks{MissingMethodReply: true}})

	c := dialRaw(t, g) // all messages and data in one segment
	c.send(userPass + alice + connectTo(at(to)) + "early")
	d := accept(t, l)
	c.expect("\x01\x00")
	c.expectReply()
	d.expect("early")
	c.send("late")
	d.expect("late")

	c = dialRaw(t, g)
	c.send(userPass + alice + "\x05\x09\x00" + at(to))
	c.expectEnd("\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00")
	c = dialRaw(t, g)
	c.send(userPass + "\x01\x05alice\x00" + connectTo(at(to)))
	c.expectEnd("\x01\x01")

	c = dialRaw(t, g) // stepwise, or without a password, no answer is missing
	c.send(userPass)
	c.expect("\x05\x02")
	c.send(alice)
	c.expect("\x01\x00")
	c.send(connectTo(at(to)))
	accept(t, l)
	c.expectReply()
	c = dialRaw(t, g)
	c.send(noAuth + connectTo(at(to)))
	accept(t, l)
	c.expect("\x05\x00")
	c.expectReply()
}

func TestMethod0IsSelectedUnoffered(t *testing.T) {
	c := quirky(t, &Gateway{Users: users, Quirks: Quirks{Method0Unoffered: true}})
	c.send(userPass)
	c.expect("\x05\x00")
}

func TestErrorRepliesDeviate(t *testing.T) {
	closed := closedPort(t, ip4)
	for name, c := range map[string]struct {
		quirks      Quirks
		dst, answer string
	}{
		"none":          {Quirks{NoReplyOnError: true}, at(closed), ""},
		"a name":        {Quirks{NameInErrorReply: true}, atName("no.test", 80), "\x05\x04\x00" + atName("no.test", 0)},
		"an empty name": {Quirks{NameInErrorReply: true}, at(closed), "\x05\x05\x00\x03\x00\x00\x00"},
		"3 bytes":       {Quirks{ShortErrorReply: 3}, at(closed), "\x05\x05\x00"},
		"4 bytes":       {Quirks{ShortErrorReply: 4}, at(closed), "\x05\x05\x00\x01"},
		"2 of a name":   {Quirks{ShortErrorReply: 2, NameInErrorReply: true}, at(closed), "\x05\x05"},
	} {
		t.Run(name, func(t *testing.T) {
			r := quirky(t, &Gateway{Quirks: c.quirks})
			r.send(noAuth + connectTo(c.dst))
			r.expectEnd("\x05\x00" + c.answer)
		})
	}
	r := quirky(t, &Gateway{Quirks: Quirks{NoReplyOnError: true}})
	r.send(userPass)
	r.expectEnd("")
}

func TestBoundAddressIsUnspecified(t *testing.T) {
	_, to := listenOn(t, ip4)
	g := Start(t, &Gateway{Quirks: Quirks{UnspecifiedBound: true}, Hosts: map[string][]netip.Addr{"a.test": {ip4}}})
	for request, ip := range map[string]netip.Addr{
		connectTo(at(to)):                    netip.IPv4Unspecified(),
		bindFor(anywhere4):                   netip.IPv4Unspecified(),
		associateFor(anywhere4):              netip.IPv4Unspecified(),
		"\x05\xf0\x00" + atName("a.test", 0): ip4,
	} {
		c := dialRaw(t, g)
		c.send(noAuth + request)
		c.expect("\x05\x00")
		bound := c.expectReply()
		require.Equal(t, ip, bound.Addr())
		require.Equal(t, request == bindFor(anywhere4) || request == associateFor(anywhere4), bound.Port() != 0)
	}
}

func TestReplyIsSentInTwoWrites(t *testing.T) {
	require.Equal(t, [][]byte{{5, 0, 0}, {1, 2}}, Quirks{ReplyInTwoWrites: true}.writes(StageReply, []byte{5, 0, 0, 1, 2}))
	require.Equal(t, [][]byte{{5, 0}}, Quirks{ReplyInTwoWrites: true}.writes(StageMethod, []byte{5, 0}))
	_, to := listenOn(t, ip4)
	c := quirky(t, &Gateway{Quirks: Quirks{ReplyInTwoWrites: true}})
	c.send(noAuth + connectTo(at(to)))
	c.expect("\x05\x00")
	require.Equal(t, ip4, c.expectReply().Addr())
}

func TestSecondDestinationIsLost(t *testing.T) {
	d, c := listenPackets(t, ip4), listenPackets(t, ip4)
	g := Start(t, &Gateway{Quirks: Quirks{OneDestination: true}, Hosts: map[string][]netip.Addr{"one.test": {ip4}, "two.test": {ip4}}})
	_, relay := startAssociation(t, g, anywhere4)
	for _, name := range []string{"one.test", "two.test", "one.test"} {
		c.sendTo(relay, "\x00\x00\x00"+atName(name, d.addr().Port())+name)
	}
	d.expect("one.test")
	d.expect("one.test")
}

func TestAnswerHasTheNameAsSender(t *testing.T) {
	d, c := listenPackets(t, ip4), listenPackets(t, ip4)
	g := Start(t, &Gateway{Quirks: Quirks{AnswerWithName: true}, Hosts: map[string][]netip.Addr{"udp.test": {ip4}}})
	_, relay := startAssociation(t, g, anywhere4)
	c.sendTo(relay, "\x00\x00\x00"+atName("udp.test", d.addr().Port())+"x")
	d.sendTo(d.expect("x"), "y")
	c.expect("\x00\x00\x00" + atName("udp.test", d.addr().Port()) + "y")
}
