// Package acceptor implements the gateway's side of RFC 1961, and a realm without a KDC, for tests.
package acceptor

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/go-krb5/krb5/crypto"
	"github.com/go-krb5/krb5/iana/asn1apptag"
	"github.com/go-krb5/krb5/iana/keyusage"
	"github.com/go-krb5/krb5/iana/msgtype"
	"github.com/go-krb5/krb5/messages"
	"github.com/go-krb5/krb5/types"

	"github.com/sockslib/sockslib/socks/gssapi/internal/krb5"
)

// Method is GSS-API, RFC 1928, section 3.
const Method = 1

// Acceptor accepts contexts as a realm's service. With zero fields other than Realm, it follows the RFC.
type Acceptor struct {
	Realm  *Realm
	Subkey int32                                // encryption type of the acceptor's subkey; zero: no subkey
	Level  func(asked byte) byte                // returns the protection to answer; nil: the requested one
	NEC    bool                                 // negotiate the protection in clear text
	Rotate int                                  // RRC of the tokens of data
	Chunk  int                                  // bytes in a message of data; zero: 32 KiB
	Bend   func(mtyp byte, token []byte) []byte // returns the token to send, or nil to end the connection; nil: the token itself
	Refuse int32                                // code of the KRB-ERROR to answer to the first token; zero: accept it
	Anyone bool                                 // accept requests with other flags than this module's too
	Raw    func(mtyp byte, msg []byte) []byte   // returns the message to send; nil: the message itself
}

// The types of messages (RFC 1961).
const (
	Token      = 1
	Protection = 2
	Data       = 3
)

// The levels of protection.
const (
	Clear           = 0
	Integrity       = 1
	Confidentiality = 2
)

// Negotiate is a func for a testgw.Gateway's Methods. It returns the protected connection and the user's name.
func (a *Acceptor) Negotiate(_ context.Context, c net.Conn) (net.Conn, string, error) {
	context, user, err := a.establish(c)
	if err != nil {
		return nil, "", err
	}
	level, err := a.agree(c, context)
	if err != nil || level == Clear {
		return c, user, err
	}
	return a.newConn(c, context, level == Confidentiality), user, nil
}

func (a *Acceptor) establish(c net.Conn) (*krb5.Context, string, error) {
	token, err := receive(c, Token)
	if err != nil {
		return nil, "", err
	}
	if a.Refuse != 0 {
		e := messages.NewKRBError(principal(Service), RealmName, a.Refuse, "no")
		b, err := e.Marshal()
		return nil, "", errors.Join(errors.New("refused"), err, a.send(c, Token, krb5.AppendToken(nil, krb5.TokenKRBError, b)))
	}
	answer, e, user, err := a.Accept(token)
	if err != nil {
		_, _ = c.Write([]byte{1, 0xFF})
		return nil, "", err
	}
	if err := a.send(c, Token, answer); err != nil {
		return nil, "", err
	}
	context, err := krb5.NewContext(e, true)
	return context, user, err
}

// Accept verifies an initiator's token, and returns the answer, the context and the user's name.
func (a *Acceptor) Accept(token []byte) (answer []byte, e krb5.Established, user string, err error) {
	req, err := a.open(token)
	if err != nil {
		return nil, e, "", err
	}
	auth := req.Authenticator
	e = krb5.Established{Key: auth.SubKey, InitiatorSeq: uint64(auth.SeqNumber), AcceptorSeq: 1 << 31}
	if a.Subkey != 0 {
		e.Key, e.AcceptorSubkey = Key(a.Subkey), true
	}
	answer, err = answerTo(auth, req.Ticket.DecryptedEncPart.Key, e)
	return answer, e, auth.CName.PrincipalNameString(), err
}

// open decrypts and verifies the AP-REQ in a token.
func (a *Acceptor) open(token []byte) (*messages.APReq, error) {
	id, message, err := krb5.ParseToken(token)
	if err != nil || id != krb5.TokenAPReq {
		return nil, fmt.Errorf("token %#x: %v", id, err)
	}
	req := new(messages.APReq)
	if err := req.Unmarshal(message); err != nil {
		return nil, err
	}
	ok, err := req.Verify(a.Realm.keytab, 5*time.Minute, types.HostAddress{}, nil)
	sum := req.Authenticator.Cksum
	switch asOurs := bytes.Equal(sum.Checksum, requested) && types.IsFlagSet(&req.APOptions, 2); {
	case err != nil:
	case !ok || sum.CksumType != 0x8003:
		err = errors.New("not valid")
	case !asOurs && !a.Anyone:
		err = fmt.Errorf("it asks for % x", sum.Checksum)
	}
	return req, err
}

// requested is the expected checksum (RFC 4121, section 4.1.1): mutual authentication, replay and sequence
// detection, confidentiality and integrity, and no delegation.
var requested = append(append([]byte{16, 0, 0, 0}, make([]byte, 16)...), 2|4|8|16|32, 0, 0, 0)

// answerTo returns the token with an AP-REP (RFC 4120, section 5.5.2).
func answerTo(auth types.Authenticator, session types.EncryptionKey, e krb5.Established) ([]byte, error) {
	part := messages.EncAPRepPart{CTime: auth.CTime, Cusec: auth.Cusec, SequenceNumber: int64(e.AcceptorSeq)}
	if e.AcceptorSubkey {
		part.Subkey = e.Key
	}
	b, err := krb5.Marshal(part, asn1apptag.EncAPRepPart)
	if err != nil {
		return nil, err
	}
	sealed, err := crypto.GetEncryptedData(b, session, keyusage.AP_REP_ENCPART, 0)
	if err != nil {
		return nil, err
	}
	b, err = krb5.Marshal(messages.APRep{PVNO: 5, MsgType: msgtype.KRB_AP_REP, EncPart: sealed}, asn1apptag.APREP)
	return krb5.AppendToken(nil, krb5.TokenAPRep, b), err
}

func (a *Acceptor) agree(c net.Conn, context *krb5.Context) (byte, error) {
	token, err := receive(c, Protection)
	if err != nil {
		return 0, err
	}
	if !a.NEC {
		if token, err = context.UnwrapNext(token, false); err != nil {
			return 0, err
		}
	}
	if len(token) != 1 {
		return 0, fmt.Errorf("protection of %d bytes", len(token))
	}
	level := token[0]
	if a.Level != nil {
		level = a.Level(level)
	}
	answer := []byte{level}
	if !a.NEC {
		answer = context.Wrap(nil, answer, false)
	}
	return level, a.send(c, Protection, answer)
}

// send sends a message, after Bend and Raw. It closes c if the message is nil.
func (a *Acceptor) send(c net.Conn, mtyp byte, token []byte) error {
	msg := a.message(mtyp, token)
	if msg == nil {
		return errors.Join(errors.New("bent to nothing"), c.Close())
	}
	_, err := c.Write(msg)
	return err
}

func (a *Acceptor) message(mtyp byte, token []byte) []byte {
	if a.Bend != nil {
		if token = a.Bend(mtyp, token); token == nil {
			return nil
		}
	}
	msg := binary.BigEndian.AppendUint16([]byte{1, mtyp}, uint16(len(token)))
	msg = append(msg, token...)
	if a.Raw != nil {
		msg = a.Raw(mtyp, msg)
	}
	return msg
}

func receive(c net.Conn, mtyp byte) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return nil, err
	}
	if head[0] != 1 || head[1] != mtyp {
		return nil, fmt.Errorf("message % x", head)
	}
	token := make([]byte, binary.BigEndian.Uint16(head[2:]))
	_, err := io.ReadFull(c, token)
	return token, err
}
