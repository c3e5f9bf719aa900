package resolver

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/sockslib/sockslib/internal/names"
)

// LookupCNAME returns the canonical name of a host from Upstream, or System's if it is Direct, with a trailing dot. Without
// an Upstream, a host that is not Direct is its own canonical name.
func (r *Resolver) LookupCNAME(ctx context.Context, host string) (string, error) {
	h, err := r.askable(ctx, host)
	if err != nil {
		return "", err
	}
	if s := r.system(h); s != nil {
		return s.LookupCNAME(ctx, host)
	}
	name := h.String()
	switch meaning := meaningOf(name); {
	case meaning == absent || meaning == addressless:
		return "", notFound(host, "")
	case meaning != ordinary || r.Upstream == nil:
		return name + ".", nil
	}
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		answer, err := r.ask(ctx, name, qtype)
		if err != nil {
			return "", err
		}
		if last, ok := canonicalName(name+".", answer, qtype); ok {
			return last, nil
		}
	}
	return "", notFound(host, r.Upstream.Addr)
}

// canonicalName returns the name at the end of an answer's CNAME chain, which begins at name. It reports false if the
// answer has neither a CNAME nor a record of the type in question, or if the name is not valid.
func canonicalName(name string, answer []dns.RR, qtype uint16) (string, bool) {
	found := false
	for _, rr := range answer { // pick has put the CNAMEs in the order of the chain
		switch alias, ok := rr.(*dns.CNAME); {
		case ok && strings.EqualFold(alias.Hdr.Name, name):
			name, found = alias.Target, true
		case rr.Header().Rrtype == qtype:
			found = true
		}
	}
	return name, found && validTarget(name)
}

// LookupMX returns the MX records of a name from Upstream, or System's if it is Direct, sorted by preference.
func (r *Resolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	h, err := r.askable(ctx, name)
	if err != nil {
		return nil, err
	}
	if s := r.system(h); s != nil {
		return s.LookupMX(ctx, name)
	}
	records, err := lookupRecords[*dns.MX](ctx, r, h, dns.TypeMX)
	var mxs []*net.MX
	for _, mx := range records {
		if _, literal := netip.ParseAddr(strings.TrimSuffix(mx.Mx, ".")); literal == nil || validTarget(mx.Mx) {
			mxs = append(mxs, &net.MX{Host: mx.Mx, Pref: mx.Preference})
		}
	}
	rand.Shuffle(len(mxs), func(i, j int) { mxs[i], mxs[j] = mxs[j], mxs[i] })
	slices.SortStableFunc(mxs, func(a, b *net.MX) int { return cmp.Compare(a.Pref, b.Pref) })
	return mxs, checkMalformed(err, name, len(records), len(mxs))
}

// LookupNS returns the NS records of a name from Upstream, or System's if it is Direct, in the order of the answer.
func (r *Resolver) LookupNS(ctx context.Context, name string) ([]*net.NS, error) {
	h, err := r.askable(ctx, name)
	if err != nil {
		return nil, err
	}
	if s := r.system(h); s != nil {
		return s.LookupNS(ctx, name)
	}
	records, err := lookupRecords[*dns.NS](ctx, r, h, dns.TypeNS)
	var nss []*net.NS
	for _, ns := range records {
		if validTarget(ns.Ns) {
			nss = append(nss, &net.NS{Host: ns.Ns})
		}
	}
	return nss, checkMalformed(err, name, len(records), len(nss))
}

// LookupTXT returns the TXT records of a name from Upstream, or System's if it is Direct. The strings of one record are
// joined, as in package net.
func (r *Resolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	h, err := r.askable(ctx, name)
	if err != nil {
		return nil, err
	}
	if s := r.system(h); s != nil {
		return s.LookupTXT(ctx, name)
	}
	records, err := lookupRecords[*dns.TXT](ctx, r, h, dns.TypeTXT)
	var txts []string
	for _, txt := range records {
		txts = append(txts, unescape(strings.Join(txt.Txt, "")))
	}
	return txts, named(err, name)
}

// lookupRecords returns the records of one type that Upstream has for a name. If there is none, the error is not found.
func lookupRecords[R dns.RR](ctx context.Context, r *Resolver, host names.Host, qtype uint16) ([]R, error) {
	name := host.String()
	if r.Upstream == nil || meaningOf(name) != ordinary {
		return nil, notFound(name, "")
	}
	answer, err := r.ask(ctx, name, qtype)
	if err != nil {
		return nil, err
	}
	var records []R
	for _, rr := range answer {
		if record, ok := rr.(R); ok {
			records = append(records, record)
		}
	}
	if len(records) == 0 {
		return nil, notFound(name, r.Upstream.Addr)
	}
	return records, nil
}

// askable parses the name that an application looks up. It returns an error if ctx has ended or there is no Table.
func (r *Resolver) askable(ctx context.Context, name string) (names.Host, error) {
	if err := ctx.Err(); err != nil {
		return names.Host{}, failure(name, err)
	}
	host, err := parseHost(name)
	if err == nil && (r == nil || r.Table == nil) {
		err = failure(name, errNoTable)
	}
	return host, err
}

// ask returns the answer section of Upstream's answer. An RCODE other than NOERROR is an error.
func (r *Resolver) ask(ctx context.Context, name string, qtype uint16) ([]dns.RR, error) {
	answer, err := r.Upstream.exchange(ctx, name, qtype)
	switch {
	case err != nil:
		return nil, err
	case answer.Rcode == dns.RcodeSuccess:
		return answer.Answer, nil
	case answer.Rcode == dns.RcodeNameError:
		return nil, notFound(name, r.Upstream.Addr)
	default:
		return nil, misbehaving(name, r.Upstream.Addr)
	}
}

// validTarget reports whether the target of a record is a host name or the root. The root means that there is no target.
func validTarget(name string) bool {
	if name == "." {
		return true
	}
	host, err := names.Parse(name)
	return err == nil && host.IsName()
}

// checkMalformed returns the error of a lookup of name. As in package net, a lookup that left out invalid records, so that valid
// is less than all, returns errMalformed with the valid records.
func checkMalformed(err error, name string, all, valid int) error {
	if err == nil && all != valid {
		return &net.DNSError{Err: errMalformed.Error(), Name: name, UnwrapErr: errMalformed}
	}
	return named(err, name)
}

// unescape returns the bytes of a character string in presentation form (RFC 1035, section 5.1).
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\' || i+1 == len(s):
			b.WriteByte(s[i])
		case i+3 < len(s) && isDigit(s[i+1]) && isDigit(s[i+2]) && isDigit(s[i+3]):
			b.WriteByte((s[i+1]-'0')*100 + (s[i+2]-'0')*10 + (s[i+3] - '0'))
			i += 3
		default:
			i++
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
