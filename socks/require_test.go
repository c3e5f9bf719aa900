package socks_test

// This file has the requests and credentials of table tests, and the assertions about errors and printed secrets.

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/socks"
)

// commands are the requests that a Client can send.
var commands = map[string]func(ctx context.Context, c *socks.Client) error{
	"CONNECT": func(ctx context.Context, c *socks.Client) error {
		conn, err := c.DialContext(ctx, "tcp", "name.example:80")
		return closing(conn, err)
	},
	"BIND": func(ctx context.Context, c *socks.Client) error {
		l, err := c.Listen(ctx, "tcp", "")
		return closing(l, err)
	},
	"UDP ASSOCIATE": func(ctx context.Context, c *socks.Client) error {
		p, err := c.ListenPacket(ctx, "udp", "")
		return closing(p, err)
	},
	"RESOLVE": func(ctx context.Context, c *socks.Client) error {
		_, err := c.Resolve(ctx, "name.example")
		return err
	},
}

// closing closes c unless err is an error.
func closing(c interface{ Close() error }, err error) error {
	if err != nil {
		return err
	}
	return c.Close()
}

// credentials are the credentials of a Client and of its gateway.
var credentials = map[string]struct {
	auth  []socks.Auth
	users map[string]string
	sends int // number of bytes that the gateway sends before the request
}{
	"NoAuth":   {nil, nil, 2},
	"UserPass": {[]socks.Auth{socks.UserPass("user", "pass")}, map[string]string{"user": "pass"}, 2 + 2},
}

// atOnce is the bound of an act that takes no time. It is generous, because the machine may be busy.
const atOnce = 2 * time.Second

// classes are the errors that errors of this package may match.
var classes = []error{
	socks.ErrGateway, socks.ErrProtocol, socks.ErrNoAcceptableAuth, socks.ErrAuthFailed,
	socks.ErrGeneralFailure, socks.ErrNotAllowed, socks.ErrNetworkUnreachable, socks.ErrHostUnreachable,
	socks.ErrConnectionRefused, socks.ErrTTLExpired, socks.ErrCommandNotSupported, socks.ErrAddressTypeNotSupported,
	context.Canceled, context.DeadlineExceeded,
	syscall.EACCES, syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ECONNREFUSED, syscall.ETIMEDOUT, errors.ErrUnsupported,
}

// requireClasses requires that err matches the given errors and no others of classes.
func requireClasses(t testing.TB, err error, want ...error) {
	t.Helper()
	require.Error(t, err)
	for _, class := range append(want, classes...) {
		var expected bool
		for _, w := range want {
			expected = expected || w == class
		}
		require.Equal(t, expected, errors.Is(err, class), "%v: %v", class, err)
	}
}

// requireOpError requires that err is a *net.OpError with the given fields.
func requireOpError(t testing.TB, err error, op, network, gateway, dst string) {
	t.Helper()
	oe, ok := err.(*net.OpError) //nolint:errorlint // the error itself is one, as package net's are
	require.True(t, ok, "%T", err)
	require.Equal(t, op, oe.Op)
	require.Equal(t, network, oe.Net)
	require.Equal(t, gateway, oe.Source.String())
	require.Equal(t, dst, oe.Addr.String())
}

// dialOnce requires that a dial succeeds, and closes the connection.
func dialOnce(t *testing.T, c *socks.Client) {
	t.Helper()
	conn, err := c.Dial("tcp", "x.example:80")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

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
