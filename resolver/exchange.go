package resolver

import (
	"context"
	"errors"

	"github.com/miekg/dns"

	"github.com/sockslib/sockslib/mapping"
)

// exchange is the response to one query while it is built. It is in one of three states:
//
//	raw is set    the query could not be parsed, and raw is the response in wire form; r is nil
//	wait is set   r lacks the answer of System or Upstream, which wait asks for
//	otherwise     r is the response
//
// One goroutine at a time uses it.
type exchange struct {
	raw   []byte
	r     *dns.Msg
	opt   *dns.OPT // the OPT record of r; nil: the query has none
	limit int      // the most bytes of the response
	ttl   uint32   // of a negative response, in seconds
	wait  func(ctx context.Context)
}

// newExchange begins the response to a query.
func newExchange(m *dns.Msg, udp bool, ttl uint32) *exchange {
	x := &exchange{r: new(dns.Msg).SetReply(m), limit: dns.MaxMsgSize, ttl: ttl}
	x.r.RecursionAvailable = true
	x.r.Compress = true
	clientSize := dns.MinMsgSize
	if opt := m.IsEdns0(); opt != nil {
		clientSize = max(clientSize, int(opt.UDPSize()))
		x.r.SetEdns0(ednsSize, opt.Do()) // RFC 6891, section 6.2.5; RFC 3225 copies DO
		x.opt = x.r.IsEdns0()
	}
	if udp {
		x.limit = min(clientSize, ednsSize)
	}
	return x
}

// headerOnly returns the response to a query that cannot be parsed: a header with an RCODE.
func headerOnly(query []byte, rcode byte) []byte {
	r := make([]byte, headerSize)
	copy(r, query[:3])
	r[2] = r[2]&0x79 | 0x80 // QR; opcode and RD as in the query; neither AA nor TC
	r[3] = 0x80 | rcode     // RA
	return r
}

// question returns the one question of r.
func (x *exchange) question() *dns.Question { return &x.r.Question[0] }

// fillBy completes r with f. If f waits for System or Upstream, fillBy leaves that to wait; otherwise it calls f at once.
func (x *exchange) fillBy(waits bool, f func(ctx context.Context)) {
	if waits {
		x.wait = f
		return
	}
	f(context.Background())
}

// The reasons in responses to queries with EDNS (RFC 8914). They are short and fixed, so that a response is not much longer
// than its query, and repeats none of its bytes.
const (
	reasonExpansion = "a search list's expansion: ask for the next name"
	reasonBadName   = "not a host name"
	reasonFull      = "the mapping table is full"
	reasonTime      = "no answer in time"
)

// fail sets the RCODE, removes the answers, and adds the reason if it is not empty and the query has EDNS.
func (x *exchange) fail(rcode int, reason string) {
	x.r.Rcode = rcode
	x.r.Answer = nil
	if x.opt != nil && reason != "" {
		x.opt.Option = append(x.opt.Option, &dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeOther, ExtraText: reason})
	}
}

// failWith sets the RCODE and the reason for the error of a lookup.
func (x *exchange) failWith(err error) {
	rcode, reason := dns.RcodeServerFailure, ""
	e, _ := asDNSError(err)
	if e != nil && e.IsNotFound {
		rcode = dns.RcodeNameError
	}
	switch {
	case errors.Is(err, mapping.ErrBadName):
		reason = reasonBadName
	case errors.Is(err, mapping.ErrFull):
		reason = reasonFull
	case e != nil && e.IsTimeout:
		reason = reasonTime
	}
	x.fail(rcode, reason)
}

// soa adds an SOA record to a negative response that has none, so that caches know how long to keep it (RFC 2308). It does
// nothing to any other response, or while wait is set. zone is the owner of the record, a domain at the end of the name in
// question; empty means the whole name.
func (x *exchange) soa(zone string) {
	negative := x.r.Rcode == dns.RcodeSuccess || x.r.Rcode == dns.RcodeNameError
	if x.wait != nil || !negative || len(x.r.Answer) > 0 || len(x.r.Ns) > 0 {
		return
	}
	owner := x.question().Name
	if zone != "" {
		owner = owner[len(owner)-len(zone)-1:] // in upper and lower case as in the query
	}
	x.r.Ns = append(x.r.Ns, &dns.SOA{
		Hdr:     dns.RR_Header{Name: owner, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: x.ttl},
		Ns:      soaServer,
		Mbox:    soaMailbox,
		Serial:  1,
		Refresh: soaRefresh,
		Retry:   soaRetry,
		Expire:  soaExpire,
		Minttl:  x.ttl,
	})
}

// The fields of the SOA records, with the values of RFC 7534, section 3.5: the zones cannot be transferred.
const (
	soaServer  = "localhost."
	soaMailbox = "nobody.invalid."
	soaRefresh = 3600
	soaRetry   = 1200
	soaExpire  = 604800
)

// complete calls wait if it is set, and returns the response in wire form.
func (x *exchange) complete(ctx context.Context) []byte {
	if x.wait != nil {
		x.wait(ctx)
		x.wait = nil
		x.soa("")
	}
	return x.pack()
}

// pack returns the response in wire form. If it exceeds the limit, pack drops the reason; if it still does, pack drops
// records and sets TC.
func (x *exchange) pack() []byte {
	if x.raw != nil {
		return x.raw
	}
	packed, err := x.r.Pack()
	if err == nil && len(packed) > x.limit && x.opt != nil {
		x.opt.Option = nil
	}
	if err == nil && len(packed) > x.limit {
		x.r.Truncate(x.limit)
		packed, err = x.r.Pack()
	}
	if err != nil {
		return x.unpackable()
	}
	return packed
}

// unpackable returns the response SERVFAIL for records that cannot be packed.
func (x *exchange) unpackable() []byte {
	x.fail(dns.RcodeServerFailure, "")
	x.r.Ns, x.r.Extra = nil, nil
	if x.opt != nil {
		x.opt.Option = nil
		x.r.Extra = []dns.RR{x.opt}
	}
	packed, _ := x.r.Pack() // nil if not even the question can be packed
	return packed
}
