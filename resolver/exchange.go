package resolver

import (
	"context"
	"errors"

	"github.com/miekg/dns"

	"github.com/sockslib/sockslib/mapping"
)

// exchange is a query that is being answered. One goroutine at a time has it.
type exchange struct {
	raw   []byte   // the response, if the query cannot be read; otherwise nil
	r     *dns.Msg // the response
	opt   *dns.OPT // of r; nil: the client has sent none
	limit int      // bytes of the response
	ttl   uint32   // seconds, of a negative response

	// wait completes r with what System or Upstream say; nil: r is complete. ctx bounds it.
	wait func(ctx context.Context)
}

// newExchange begins the response to a query.
func newExchange(m *dns.Msg, udp bool, ttl uint32) *exchange {
	x := &exchange{r: new(dns.Msg).SetReply(m), limit: dns.MaxMsgSize, ttl: ttl}
	x.r.RecursionAvailable = true
	x.r.Compress = true
	takes := dns.MinMsgSize
	if opt := m.IsEdns0(); opt != nil {
		takes = max(takes, int(opt.UDPSize()))
		x.r.SetEdns0(ednsSize, opt.Do()) // RFC 6891, section 6.2.5; RFC 3225 copies DO
		x.opt = x.r.IsEdns0()
	}
	if udp {
		x.limit = min(takes, ednsSize)
	}
	return x
}

// headerOnly is the response to what cannot be read.
func headerOnly(query []byte, rcode byte) []byte {
	r := make([]byte, headerSize)
	copy(r, query[:3])
	r[2] = r[2]&0x79 | 0x80 // QR; opcode and RD as asked, without AA and TC
	r[3] = 0x80 | rcode     // RA
	return r
}

// question is the one that r answers.
func (x *exchange) question() *dns.Question { return &x.r.Question[0] }

// Reasons for clients with EDNS (RFC 8914): short, and never what a client has sent.
const (
	reasonExpansion = "a search list's expansion: ask for the next name"
	reasonBadName   = "not a host name"
	reasonFull      = "the mapping table is full"
	reasonTime      = "no answer in time"
)

// fail answers with an RCODE and, if there is one, the reason.
func (x *exchange) fail(rcode int, reason string) {
	x.r.Rcode = rcode
	x.r.Answer = nil
	if x.opt != nil && reason != "" {
		x.opt.Option = append(x.opt.Option, &dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeOther, ExtraText: reason})
	}
}

// failWith answers with the error of a lookup.
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

// soa adds the SOA record of a negative response, by which caches know how long to keep it (RFC 2308), unless there
// is one. The zone is the name in question if it is empty.
func (x *exchange) soa(zone string) {
	negative := x.r.Rcode == dns.RcodeSuccess || x.r.Rcode == dns.RcodeNameError
	if x.wait != nil || !negative || len(x.r.Answer) > 0 || len(x.r.Ns) > 0 {
		return
	}
	owner := x.question().Name
	if zone != "" {
		owner = owner[len(owner)-len(zone)-1:] // in the case in which it was asked
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

// What an SOA record says of a zone that nobody transfers (RFC 7534, section 3.5, has the names).
const (
	soaServer  = "localhost."
	soaMailbox = "nobody.invalid."
	soaRefresh = 3600
	soaRetry   = 1200
	soaExpire  = 604800
)

// answer waits for what there is to wait for, and returns the response in wire form.
func (x *exchange) answer(ctx context.Context) []byte {
	if x.wait != nil {
		x.wait(ctx)
		x.wait = nil
		x.soa("")
	}
	return x.pack()
}

// pack returns the response in wire form, no longer than its limit: the reason goes first, then records, which sets
// TC.
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

// unpackable is the response if records cannot be packed.
func (x *exchange) unpackable() []byte {
	x.fail(dns.RcodeServerFailure, "")
	x.r.Ns, x.r.Extra = nil, nil
	if x.opt != nil {
		x.opt.Option = nil
		x.r.Extra = []dns.RR{x.opt}
	}
	packed, _ := x.r.Pack() // nil if not even the question can be
	return packed
}
