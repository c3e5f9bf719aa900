package gateways

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/sockslib/sockslib/socks"
)

// sentinels are the errors that users compare with errors.Is, the most specific first.
var sentinels = []struct {
	err  error
	name string
}{
	{socks.ErrGateway, "socks.ErrGateway"},
	{socks.ErrNoAcceptableAuth, "socks.ErrNoAcceptableAuth"},
	{socks.ErrAuthFailed, "socks.ErrAuthFailed"},
	{socks.ErrProtocol, "socks.ErrProtocol"},
	{socks.ErrGeneralFailure, "socks.ErrGeneralFailure"},
	{socks.ErrNotAllowed, "socks.ErrNotAllowed"},
	{socks.ErrNetworkUnreachable, "socks.ErrNetworkUnreachable"},
	{socks.ErrHostUnreachable, "socks.ErrHostUnreachable"},
	{socks.ErrConnectionRefused, "socks.ErrConnectionRefused"},
	{socks.ErrTTLExpired, "socks.ErrTTLExpired"},
	{socks.ErrCommandNotSupported, "socks.ErrCommandNotSupported"},
	{socks.ErrAddressTypeNotSupported, "socks.ErrAddressTypeNotSupported"},
	{socks.ErrOnionNotFound, "socks.ErrOnionNotFound"},
	{socks.ErrOnionBadAddress, "socks.ErrOnionBadAddress"},
	{context.DeadlineExceeded, "context.DeadlineExceeded"},
	{os.ErrDeadlineExceeded, "os.ErrDeadlineExceeded"},
	{net.ErrClosed, "net.ErrClosed"},
	{syscall.EACCES, "syscall.EACCES"},
	{syscall.ENETUNREACH, "syscall.ENETUNREACH"},
	{syscall.EHOSTUNREACH, "syscall.EHOSTUNREACH"},
	{syscall.ECONNREFUSED, "syscall.ECONNREFUSED"},
	{errors.ErrUnsupported, "errors.ErrUnsupported"},
}

// matches lists the sentinels that an error matches.
func matches(err error) string {
	var all []string
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			all = append(all, s.name)
		}
	}
	if len(all) == 0 {
		return "*" + err.Error() + "*"
	}
	return "*" + strings.Join(all, ", ") + "*"
}
