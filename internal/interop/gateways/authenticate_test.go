package gateways

import (
	"testing"

	"github.com/sockslib/sockslib/socks"
)

// authenticates tests a gateway that requires a username and a password, with right, wrong and missing ones.
func (a against) authenticates(t *testing.T) {
	offer := func(request string, want error, auth ...socks.Auth) {
		a := a
		a.auth = auth
		if want != nil {
			a.fails(t, request, want, connecting(a.server(name4)))
			return
		}
		a.connect(t, request, name4)
	}
	right := socks.UserPass(user, password)
	offer("CONNECT, user/password offered", nil, right)
	offer("CONNECT, user/password and none offered", nil, right, socks.NoAuth)
	offer("CONNECT, none and user/password offered", nil, socks.NoAuth, right)
	offer("CONNECT, wrong password", socks.ErrAuthFailed, socks.UserPass(user, "open simsim"))
	offer("CONNECT, unknown user", socks.ErrAuthFailed, socks.UserPass("nobody-here", password))
	offer("CONNECT, none offered", socks.ErrNoAcceptableAuth, socks.NoAuth)
}

// wantsNoPassword offers only a method that the gateway does not accept.
func (a against) wantsNoPassword(t *testing.T, want error) {
	a.auth = []socks.Auth{socks.UserPass(user, password)}
	a.fails(t, "CONNECT, only user/password offered", want, connecting(a.server(name4)))
}
