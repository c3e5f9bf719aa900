package socks_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/socks"
)

const (
	secretUser     = "zaphod-user"
	secretPassword = "p4ss/w0rd?%#"
)

// secretTraces are the encodings in which a secret could be printed.
var secretTraces = func() []string {
	var all []string
	for _, s := range []string{secretUser, secretPassword} {
		all = append(all, s, fmt.Sprintf("%q", s)[1:len(s)], hex.EncodeToString([]byte(s)), strings.ToUpper(hex.EncodeToString([]byte(s))),
			base64.StdEncoding.EncodeToString([]byte(s))[:8], strings.Trim(fmt.Sprint([]byte(s)), "[]"), fmt.Sprintf("% x", s), strings.Trim(fmt.Sprintf("%#v", []byte(s)), "[]byte{}"))
	}
	return all
}()

func requireNoSecret(t testing.TB, printed string) {
	t.Helper()
	for _, trace := range secretTraces {
		require.NotContains(t, printed, trace)
	}
}

// printings are the ways in which a program may print a value.
func printings(v any) []string {
	type hidden struct{ v any } // fmt does not call methods of values in unexported fields
	type Shown struct{ V any }
	var all []string
	for _, verb := range strings.Fields("%v %+v %#v %s %q %x %X %d %T %p %t %o %b %c %U %e %% %# x %10.3s") {
		for _, arg := range []any{v, &v, hidden{v}, &hidden{v}, Shown{v}, []any{v}, map[string]any{"k": v}} {
			all = append(all, fmt.Sprintf(verb, arg))
		}
	}
	for _, arg := range []any{v, Shown{v}, []any{v}, map[string]any{"k": v}} {
		b, err := json.Marshal(arg)
		all = append(all, string(b), fmt.Sprint(err))
		b, err = xml.Marshal(arg)
		all = append(all, string(b), fmt.Sprint(err))
		var log bytes.Buffer
		for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
			slog.New(handler).With("with", arg).WithGroup("group").Info("message", "arg", arg, slog.Group("g", "arg", arg))
		}
		all = append(all, log.String())
	}
	return all
}

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
