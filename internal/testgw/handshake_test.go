package testgw

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMethodIsChosenFromTheOffer(t *testing.T) {
	users := map[string]string{"alice": "secret"}
	for name, c := range map[string]struct {
		gateway          *Gateway
		greeting, answer string
	}{
		"none":                     {&Gateway{}, "\x05\x01\x00", "\x05\x00"},
		"none of curl's":           {&Gateway{}, "\x05\x02\x00\x01", "\x05\x00"},
		"none, not offered":        {&Gateway{}, "\x05\x01\x02", "\x05\xff"},
		"password":                 {&Gateway{Users: users}, "\x05\x01\x02", "\x05\x02"},
		"password, both offered":   {&Gateway{Users: users}, "\x05\x02\x00\x02", "\x05\x02"},
		"password, not offered":    {&Gateway{Users: users}, "\x05\x01\x00", "\x05\xff"},
		"optional, both offered":   {&Gateway{Users: users, Optional: true}, "\x05\x02\x00\x02", "\x05\x02"},
		"optional, none offered":   {&Gateway{Users: users, Optional: true}, "\x05\x01\x00", "\x05\x00"},
		"optional, GSSAPI offered": {&Gateway{Users: users, Optional: true}, "\x05\x01\x01", "\x05\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			g := Start(t, c.gateway)
			r := dialRaw(t, g)
			r.send(c.greeting)
			r.expect(c.answer)
			if c.answer == "\x05\xff" {
				r.expectEnd("")
			}
		})
	}
}

func TestPasswordIsChecked(t *testing.T) {
	g := Start(t, &Gateway{Users: map[string]string{"alice": "secret", "empty": ""}})
	for message, status := range map[string]string{
		alice:                     "\x01\x00",
		"\x01\x05empty\x00":       "\x01\x00",
		"\x01\x05alice\x06Secret": "\x01\x01",
		"\x01\x05alice\x00":       "\x01\x01",
		"\x01\x07mallory\x00":     "\x01\x01",
	} {
		r := dialRaw(t, g)
		r.send(userPass)
		r.expect("\x05\x02")
		r.send(message)
		r.expect(status)
		if status == "\x01\x01" {
			r.expectEnd("")
		}
	}
}

func TestOtherProtocolsAreHungUpOn(t *testing.T) {
	g := Start(t, &Gateway{})
	for _, text := range []string{"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", "GET / HTTP/1.1\r\n\r\n"} {
		r := dialRaw(t, g)
		r.send(text)
		r.expectEnd("")
	}
	r := dialRaw(t, g)
	r.send(noAuth)
	r.expect("\x05\x00")
	r.send("\x04\x01\x00\x01\x7f\x00\x00\x01\x00\x50")
	r.expectEnd("")
	require.Empty(t, g.Requests())
}

func TestUnknownCommandAndAddressTypeAreRefused(t *testing.T) {
	g := Start(t, &Gateway{})
	const nowhere = "\x00\x01\x00\x00\x00\x00\x00\x00"
	for request, answer := range map[string]string{
		"\x05\x09\x00\x01\x7f\x00\x00\x01\x00\x50": "\x05\x07" + nowhere,
		"\x05\x01\x00\x02\x7f\x00\x00\x01\x00\x50": "\x05\x08" + nowhere,
	} {
		r := dialRaw(t, g)
		r.send(noAuth)
		r.expect("\x05\x00")
		r.send(request)
		r.expectEnd(answer)
	}
}
