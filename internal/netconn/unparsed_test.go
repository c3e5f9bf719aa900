package netconn

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

var _ net.Addr = UnparsedAddr{}

func TestUnparsedAddrIsQuotedIfItCouldCorruptALog(t *testing.T) {
	for text, want := range map[string]string{
		"name.example:80":  "name.example:80",
		"":                 "",
		"a\nb":             `"a\nb"`,
		"\x1b[2J":          `"\x1b[2J"`,
		"bücher.example:1": `"b\u00fccher.example:1"`,
		`a"b`:              `"a\"b"`,
	} {
		a := UnparsedAddr{"tcp", text}
		require.Equal(t, want, a.String())
		require.Equal(t, "tcp", a.Network())
	}
}
