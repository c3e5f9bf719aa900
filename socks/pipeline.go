package socks

import (
	"errors"
	"time"

	"github.com/sockslib/sockslib/internal/wire"
)

// exchangePipelined sends greeting, authentication and request in one write, and reads the answers. It offers only
// one method, so it sends the sub-negotiation of the method that the gateway chooses. After errSilent it can
// be called again, and continues with the answer that is due.
func (h *handshake) exchangePipelined(s *scratch) error {
	if !h.sent {
		if err := h.sendAll(s); err != nil {
			return err
		}
	}
	if !h.chosen {
		if err := h.readMethod(s); err != nil || h.replied {
			return err
		}
		h.chosen = true
		h.hooks.methodChosen(h.method)
	}
	if !h.letIn {
		err := h.pipelined.readAnswer(&s.in)
		if h.silent(err) {
			return errSilent
		}
		h.hooks.authenticated(h.method, err)
		if err != nil {
			return err
		}
		h.impatient = h.impatient && !h.known
		h.noteLetIn()
	}
	return h.readReply(s)
}

// sendAll sends greeting, authentication and request, and sets silentBy if the handshake is impatient.
func (h *handshake) sendAll(s *scratch) error {
	msg, err := h.appendAll(s.out[:0])
	if err != nil {
		return err
	}
	if h.impatient {
		h.silentBy = time.Now().Add(h.patience())
		h.arm()
	}
	h.sent = true
	h.send(msg)
	if h.silent(h.unsent) {
		h.unsent = errStuck // a part was sent, so the handshake cannot be resumed
		return gatewayFailed("request", errStuck)
	}
	h.hooks.requestSent(h.cmd, &h.dst)
	s.in.Owe(wire.MethodLen + h.pipelined.answerLen() + wire.ReplyLen)
	return nil
}

// errStuck is the error if the write of a pipelined handshake times out at silentBy.
var errStuck = errors.New("the gateway does not read it")

// appendAll appends greeting, authentication and request to b.
func (h *handshake) appendAll(b []byte) ([]byte, error) {
	b, err := wire.AppendMethods(b, h.pipelined.Method())
	if err != nil {
		return nil, err
	}
	if b, err = h.pipelined.message(b); err != nil {
		return nil, err
	}
	return h.appendRequest(b)
}

// readMethod reads the gateway's choice of method. Tor omits the choice in two cases. If the username and
// password came with the greeting, its answer begins with the status of RFC 1929, which readMethod leaves unread.
// If Tor rejects the request while parsing it, its answer is the reply alone, which readMethod reads.
func (h *handshake) readMethod(s *scratch) error {
	offered := h.pipelined.Method()
	h.method = offered
	head, err := h.peekAnswer(s)
	if err != nil {
		return err
	}
	switch {
	case head[0] == wire.UserPassVersion && offered == wire.MethodUserPass:
		return nil
	case head[0] == wire.Version && !mayBeChoice(head[1]) && h.isReply(s):
		return h.readReply(s)
	}
	if h.method, err = s.in.ReadMethod(); err != nil {
		return readFailed("greeting", err)
	}
	switch h.method {
	case offered:
		return nil
	case wire.MethodNoAcceptable:
		return ErrNoAcceptableAuth
	}
	return notOffered(h.method)
}

// peekAnswer waits for the gateway's first answer, and returns its first two bytes without consuming them.
func (h *handshake) peekAnswer(s *scratch) ([]byte, error) {
	head, err := s.in.Peek(wire.MethodLen)
	for h.extendSilence(err) {
		head, err = s.in.Peek(wire.MethodLen)
	}
	if h.silent(err) {
		return nil, errSilent
	}
	if err = h.noteConnected(err); err != nil {
		return nil, readFailed("greeting", err)
	}
	return head, nil
}

// isReply reports whether the gateway's first answer is a reply, in which the third byte, RSV, is zero. An answer
// that chooses a method ends after two bytes, so isReply waits for the third for at most lastWords.
func (h *handshake) isReply(s *scratch) bool {
	lastBy, impatient := h.lastBy, h.impatient
	h.lastBy, h.impatient = earlier(lastBy, time.Now().Add(lastWords)), false
	h.arm()
	answer, err := s.in.Peek(3)
	h.lastBy, h.impatient = lastBy, impatient
	h.arm()
	return err == nil && answer[2] == 0
}

// mayBeChoice reports whether method can be a gateway's choice after a pipelined greeting.
func mayBeChoice(method byte) bool {
	return method == wire.MethodNone || method == wire.MethodUserPass || method == wire.MethodNoAcceptable
}
