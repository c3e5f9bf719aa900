package gssapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/sockslib/sockslib/socks"
	"github.com/sockslib/sockslib/socks/gssapi/internal/krb5"
)

// Auth is method 1 of SOCKS 5, GSS-API with Kerberos 5 (RFC 1961). It is safe for concurrent use, and must not be
// changed or copied after first use. It keeps one ticket for the gateway, which it gets with the first dial. It
// needs no Close.
type Auth struct {
	Service     string      // the gateway's principal: "rcmd/gw.example.com" for Dante, "socks/gw.example.com" by RFC 1961; with "@REALM" if no mapping of domains has the realm; required
	Credentials Credentials // the user's; zero: Cache("")
	Protection  Protection  // the minimum that is accepted; zero: Confidentiality
	Config      string      // path of krb5.conf; empty: $KRB5_CONFIG, then /etc/krb5.conf
	NEC         bool        // negotiate the protection in clear text, as NEC's implementation does; false: as in RFC 1961

	tickets tickets
}

// Protection is the level of protection of the data after the negotiation (RFC 1961, section 4). A lower value
// protects more.
type Protection int

const (
	Confidentiality Protection = iota // data can be neither read nor changed on the path
	Integrity                         // data can be read, but not changed on the path
	None                              // authentication only: Dante's "clear", which is not in the RFC
)

var protections = [...]struct {
	name  string
	level byte // on the wire
}{
	Confidentiality: {"confidentiality", 2},
	Integrity:       {"integrity", 1},
	None:            {"none", 0},
}

// String returns "confidentiality", "integrity" or "none".
func (p Protection) String() string {
	if p.valid() {
		return protections[p].name
	}
	return fmt.Sprintf("gssapi.Protection(%d)", int(p))
}

func (p Protection) valid() bool { return p >= 0 && int(p) < len(protections) }

// ErrCredentials reports that there is no ticket for the gateway: the cache is missing or has expired, the
// password is wrong, the principal or the service is unknown, no KDC can be reached, or clocks differ. The error's
// text and its chain have the cause.
var ErrCredentials = errors.New("no Kerberos ticket for the gateway")

var _ socks.Auth = (*Auth)(nil)

// Method returns 1, the number of GSS-API in RFC 1928, section 3.
func (*Auth) Method() byte { return 1 }

// Negotiate establishes a security context with the gateway and agrees on a protection. It returns a connection
// that protects the data that follows; if the protection is None, that is c. Canceling ctx ends the wait for a
// ticket. The error matches [ErrCredentials] if there is no ticket; [socks.ErrAuthFailed] if the gateway refuses;
// [socks.ErrGateway] if the gateway hangs up or the network fails; or [socks.ErrProtocol] if a message of the
// gateway is malformed or fails verification, or the gateway's protection is less than Protection. Without a
// Service, or with an unknown Protection, it is another error.
func (a *Auth) Negotiate(ctx context.Context, c net.Conn) (net.Conn, error) {
	if a.Service == "" {
		return nil, errors.New("gssapi: the Auth has no Service")
	}
	if !a.Protection.valid() {
		return nil, fmt.Errorf("gssapi: the Auth's Protection is %s", a.Protection)
	}
	ticket, err := a.tickets.get(ctx, a.ticket)
	if err != nil {
		return nil, err
	}
	conn, err := a.negotiate(c, ticket)
	if errors.Is(err, socks.ErrAuthFailed) || hungUp(err) {
		a.tickets.drop(ticket) // the gateway may have a new key
	}
	return conn, err
}

func (a *Auth) ticket() (*krb5.Ticket, error) {
	get := a.Credentials.ticket
	if get == nil {
		get = Cache("").ticket
	}
	t, err := get(a.configFile(), a.Service)
	if err != nil {
		return nil, fmt.Errorf("%w (%s): %w", ErrCredentials, a.Service, err)
	}
	return t, nil
}

func (a *Auth) negotiate(c net.Conn, ticket *krb5.Ticket) (net.Conn, error) {
	gss, err := a.establish(c, ticket)
	if err != nil {
		return nil, err
	}
	protection, err := a.agree(c, gss)
	switch {
	case err != nil:
		return nil, err
	case protection == None:
		return c, nil
	}
	return newConn(c, gss, protection == Confidentiality), nil
}

// establish exchanges the tokens of RFC 1961, section 3. Kerberos needs one in each direction.
func (a *Auth) establish(c net.Conn, ticket *krb5.Ticket) (*krb5.Context, error) {
	initiator, token, err := ticket.Initiate()
	if err != nil {
		return nil, err
	}
	answer, err := exchange(c, msgToken, token)
	if err != nil {
		return nil, because(err, fmt.Sprintf("after the token: %q may not be its principal, its keytab may not have the KDC's key, or the clocks may differ", a.Service))
	}
	gss, err := initiator.Finish(answer)
	if refusal := new(krb5.Refusal); errors.As(err, &refusal) {
		return nil, fmt.Errorf("%w: %w", socks.ErrAuthFailed, refusal)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: its token: %w", socks.ErrProtocol, err)
	}
	return gss, nil
}

// agree negotiates the protection (RFC 1961, section 4).
func (a *Auth) agree(c net.Conn, gss *krb5.Context) (Protection, error) {
	token := []byte{protections[a.Protection].level}
	if !a.NEC {
		token = gss.Wrap(nil, token, false)
	}
	answer, err := exchange(c, msgProtection, token)
	if err != nil {
		return 0, because(err, fmt.Sprintf("after the protection: it may not allow %s", a.Protection))
	}
	if !a.NEC {
		if answer, err = gss.UnwrapNext(answer, false); err != nil {
			return 0, fmt.Errorf("%w: its protection: %w", socks.ErrProtocol, err)
		}
	}
	if len(answer) == 1 {
		for p, known := range protections {
			if known.level == answer[0] && Protection(p) <= a.Protection {
				return Protection(p), nil
			}
		}
	}
	return 0, fmt.Errorf("%w: it answered %s with the protection % x", socks.ErrProtocol, a.Protection, answer)
}

// exchange sends a token and returns the token of the gateway's answer.
func exchange(c net.Conn, mtyp byte, token []byte) ([]byte, error) {
	msg, err := appendMessage(nil, mtyp, token)
	if err != nil {
		return nil, err
	}
	if _, err := c.Write(msg); err != nil {
		return nil, fmt.Errorf("%w: %w", socks.ErrGateway, err)
	}
	answer, err := readMessage(c, mtyp)
	if err == nil || errors.Is(err, socks.ErrProtocol) || errors.Is(err, socks.ErrAuthFailed) {
		return answer, err
	}
	return nil, fmt.Errorf("%w: %w", socks.ErrGateway, err)
}

// because adds the likely reasons to err if the gateway has refused or hung up.
func because(err error, reason string) error {
	if errors.Is(err, socks.ErrAuthFailed) || hungUp(err) {
		return fmt.Errorf("%w %s", err, reason)
	}
	return err
}

// hungUp reports whether the other side has ended the connection.
func hungUp(err error) bool {
	for _, end := range []error{io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}
