package socks_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

func TestSecretsNeverPrint(t *testing.T) {
	require.Contains(t, fmt.Sprintf("%x", secretPassword), secretTraces[8+2], "a print leaves these traces")
	auth := socks.UserPass(secretUser, secretPassword)
	parsed, err := socks.ParseURL("socks5://zaphod-user:p4ss%2Fw0rd%3F%25%23@127.0.0.1:1080")
	require.NoError(t, err)
	var traced []any
	c := clientOf(t, &testgw.Gateway{Users: map[string]string{secretUser: secretPassword}, Dial: toSilence})
	c.Auth = []socks.Auth{auth}
	c.Trace = &socks.Trace{
		GatewayConnected: func(gateway net.Addr, took time.Duration, err error) { traced = append(traced, gateway, took, err) },
		MethodChosen:     func(method byte) { traced = append(traced, method) },
		Authenticated:    func(method byte, err error) { traced = append(traced, method, err) },
		RequestSent:      func(command string, dst *socks.Addr) { traced = append(traced, command, dst) },
		Replied: func(command string, dst, bound *socks.Addr, err error) {
			traced = append(traced, command, dst, bound, err)
		},
	}
	conn, err := c.Dial("tcp", "name.example:80")
	require.NoError(t, err)
	defer conn.Close()
	require.NotEmpty(t, traced)

	things := []any{auth, []socks.Auth{auth}, c, parsed, parsed.Auth, conn, traced}
	for _, g := range []*testgw.Gateway{
		{Users: map[string]string{secretUser: "another"}},
		{Quirks: testgw.Quirks{Method0Unoffered: true}},
		{Users: map[string]string{secretUser: secretPassword}, Misbehave: answering(testgw.StageStatus, secretUser+secretPassword)},
		{Users: map[string]string{secretUser: secretPassword}, Misbehave: func(int) testgw.Fault { return testgw.Fault{End: testgw.RST, After: 2} }},
		{Users: map[string]string{secretUser: secretPassword}},
		{},
	} {
		failing := clientOf(t, g)
		failing.Auth = []socks.Auth{auth}
		_, err := failing.Dial("tcp", "name.example:80")
		require.Error(t, err)
		things = append(things, err, failing)
	}
	for _, invalid := range []socks.Auth{socks.UserPass(secretUser, secretPassword+longest), socks.UserPass(secretUser+longest, secretPassword)} {
		bad := &socks.Client{Addr: "127.0.0.1:1", Auth: []socks.Auth{invalid}}
		_, err := bad.Dial("tcp", "name.example:80")
		require.Error(t, err)
		things = append(things, invalid, bad, err)
	}
	for _, thing := range things {
		for _, printed := range printings(thing) {
			requireNoSecret(t, printed)
		}
	}
	require.Equal(t, "socks.UserPass(…)", fmt.Sprint(auth), "the placeholder is printed")
	require.Equal(t, "socks.NoAuth", fmt.Sprint(socks.NoAuth))
}
