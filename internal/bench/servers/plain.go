package servers

import (
	"io"
	"net"
	"net/netip"
)

// The prelude of the plain relay has as many bytes as a greeting, a request and their answers, and no meaning. TCP
// is slower for a while on a connection that began with an exchange.
const (
	greetingLen = 3
	requestLen  = 22
	choiceLen   = 2
	replyLen    = 10
)

// Talk does the client's part of the prelude.
func Talk(c net.Conn) error {
	var buf [greetingLen + requestLen]byte
	if _, err := c.Write(buf[:]); err != nil {
		return err
	}
	_, err := io.ReadFull(c, buf[:choiceLen+replyLen])
	return err
}

// plain does the server's part of the prelude and relays to an address.
func plain(c *net.TCPConn, address string) {
	var buf [requestLen]byte
	if _, err := io.ReadFull(c, buf[:greetingLen]); err != nil {
		return
	}
	if _, err := c.Write(buf[:choiceLen]); err != nil {
		return
	}
	if _, err := io.ReadFull(c, buf[:requestLen]); err != nil {
		return
	}
	relayTo(c, address, func(netip.AddrPort) error {
		_, err := c.Write(buf[:replyLen])
		return err
	})
}
