package krb5

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/go-krb5/krb5/asn1tools"
	"github.com/go-krb5/krb5/iana/asn1apptag"
	"github.com/go-krb5/krb5/iana/errorcode"
	"github.com/go-krb5/krb5/iana/flags"
	"github.com/go-krb5/krb5/iana/keyusage"
	"github.com/go-krb5/krb5/messages"
	"github.com/go-krb5/krb5/types"
	"github.com/go-krb5/x/encoding/asn1"
)

// checksumGSS is the type of an Authenticator's checksum that carries the flags of a context (RFC 4121, section
// 4.1.1).
const checksumGSS = 0x8003

// The requested flags of a context (RFC 4121, section 4.1.1.1). Delegation is not among them, although RFC 1961,
// section 3.2, asks for it: it would give the gateway the user's ticket-granting ticket.
const (
	flagMutual   = 2
	flagReplay   = 4
	flagSequence = 8
	flagConf     = 16
	flagInteg    = 32
)

// Initiator is the side that requests a context, between its token and the answer.
type Initiator struct {
	session types.EncryptionKey // the ticket's session key
	subkey  types.EncryptionKey
	ctime   time.Time
	cusec   int
	seq     uint64
}

// Initiate returns the token that requests a context from the ticket's service.
func (t *Ticket) Initiate() (in *Initiator, token []byte, err error) {
	defer recovered(&err)
	auth, err := types.NewAuthenticator(t.realm, t.client) // with a random sequence number
	if err != nil {
		return nil, nil, err
	}
	session := t.key()
	auth.SubKey = types.EncryptionKey{KeyType: session.KeyType, KeyValue: make([]byte, len(session.KeyValue))}
	_, _ = rand.Read(auth.SubKey.KeyValue) // never fails
	auth.Cksum = types.Checksum{CksumType: checksumGSS, Checksum: contextFlags()}
	req, err := messages.NewAPReq(t.ticket, session, auth)
	if err != nil {
		return nil, nil, err
	}
	types.SetFlag(&req.APOptions, flags.APOptionMutualRequired)
	message, err := req.Marshal()
	if err != nil {
		return nil, nil, err
	}
	in = &Initiator{
		session: session, subkey: auth.SubKey,
		ctime: auth.CTime.Truncate(time.Second), cusec: auth.Cusec, seq: uint64(auth.SeqNumber),
	}
	return in, AppendToken(nil, TokenAPReq, message), nil
}

// contextFlags returns the checksum of RFC 4121, section 4.1.1, without channel bindings.
func contextFlags() []byte {
	const bindings = 16
	b := make([]byte, 4+bindings, 4+bindings+4)
	binary.LittleEndian.PutUint32(b, bindings)
	return binary.LittleEndian.AppendUint32(b, flagMutual|flagReplay|flagSequence|flagConf|flagInteg)
}

// Refusal is the error for a KRB-ERROR that a service answered. It is not authenticated.
type Refusal struct {
	Code int32
	Text string // the service's text, or ""
}

// Error returns the code, its name and the service's text.
func (r *Refusal) Error() string {
	s := "KRB-ERROR " + errorcode.Lookup(r.Code) // which begins with the code
	if r.Text != "" {
		s += fmt.Sprintf(", %q", r.Text)
	}
	return s
}

// Finish verifies the answer to the token, and returns the context. The error for a KRB-ERROR is a *Refusal.
func (in *Initiator) Finish(token []byte) (c *Context, err error) {
	defer recovered(&err)
	id, message, err := ParseToken(token)
	if err != nil {
		return nil, err
	}
	switch id {
	case TokenAPRep:
		part, err := in.openAPRep(message)
		if err != nil {
			return nil, fmt.Errorf("AP-REP: %w", err)
		}
		return in.establish(part)
	case TokenKRBError:
		var e messages.KRBError
		if err := e.Unmarshal(message); err != nil {
			return nil, err
		}
		return nil, &Refusal{e.ErrorCode, e.EText}
	}
	return nil, fmt.Errorf("token %#04x, where an AP-REP is due", id)
}

// tagAPRepPart is the tag of the encrypted part of an AP-REP (RFC 4120, section 5.10).
const tagAPRepPart = application0 | asn1apptag.EncAPRepPart

// Marshal encodes a Kerberos message with its application tag.
func Marshal(message any, tag int) ([]byte, error) {
	b, err := asn1.Marshal(message, asn1.WithMarshalSlicePreserveTypes(true), asn1.WithMarshalSliceAllowStrings(true))
	if err != nil {
		return nil, err
	}
	return asn1tools.AddASNAppTag(b, tag), nil
}

// openAPRep decrypts an AP-REP, and checks that it answers this initiator's token (RFC 4120, section 3.2.4).
func (in *Initiator) openAPRep(message []byte) (*messages.EncAPRepPart, error) {
	rep, err := parseAPRep(message)
	if err != nil {
		return nil, err
	}
	if rep.PVNO != 5 || rep.EncPart.EType != in.session.KeyType {
		return nil, errors.New("another version or encryption type")
	}
	c, err := newCryptor(in.session, keyusage.AP_REP_ENCPART)
	if err != nil {
		return nil, err
	}
	plain, err := c.open(rep.EncPart.Cipher)
	if err != nil {
		return nil, err
	}
	if _, err := contents(plain, tagAPRepPart); err != nil {
		return nil, err
	}
	part := new(messages.EncAPRepPart)
	if err := part.Unmarshal(plain); err != nil {
		return nil, err
	}
	if !part.CTime.Equal(in.ctime) || part.Cusec != in.cusec {
		return nil, errors.New("it answers another request")
	}
	return part, nil
}

// parseAPRep decodes an AP-REP. It is stricter than the library, which accepts some malformed messages.
func parseAPRep(message []byte) (*messages.APRep, error) {
	rep := new(messages.APRep)
	if err := rep.Unmarshal(message); err != nil {
		return nil, err
	}
	if again, err := Marshal(*rep, asn1apptag.APREP); err != nil || !bytes.Equal(again, message) {
		return nil, errors.New("malformed")
	}
	return rep, nil
}

func (in *Initiator) establish(part *messages.EncAPRepPart) (*Context, error) {
	e := Established{Key: in.subkey, InitiatorSeq: in.seq, AcceptorSeq: uint64(uint32(part.SequenceNumber))} // some encode it as negative
	if len(part.Subkey.KeyValue) > 0 {
		e.Key, e.AcceptorSubkey = part.Subkey, true
	}
	return NewContext(e, false)
}

// recovered turns a panic of the Kerberos library into an error. The library panics on some malformed input.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("malformed: %v", r)
	}
}
