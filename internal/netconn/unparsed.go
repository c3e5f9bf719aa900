package netconn

import "strconv"

// UnparsedAddr is an address as the application gave it, for an error about an address that cannot be parsed. It
// is a net.Addr.
type UnparsedAddr struct{ Net, Text string }

// Network returns the network that the application gave.
func (a UnparsedAddr) Network() string { return a.Net }

// String returns the text, quoted if it has a character that could corrupt a log.
func (a UnparsedAddr) String() string {
	if quoted := strconv.QuoteToASCII(a.Text); quoted != `"`+a.Text+`"` {
		return quoted
	}
	return a.Text
}
