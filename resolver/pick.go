package resolver

import (
	"errors"
	"strings"

	"github.com/miekg/dns"
)

// maxAliases is the most CNAMEs that pick follows.
const maxAliases = 16

// pick drops the records of an upstream's answer that do not answer its question. It keeps the CNAMEs from the name in
// question on, in the order of the chain; the records of the type in question that the last name has; and if there are
// none, the SOA record of a zone above it.
func pick(answer *dns.Msg) (*dns.Msg, error) {
	q := answer.Question[0]
	picked := &dns.Msg{MsgHdr: answer.MsgHdr, Question: answer.Question}
	name := q.Name
	for q.Qtype != dns.TypeCNAME {
		alias := aliasOf(answer.Answer, name)
		if alias == nil {
			break
		}
		if len(picked.Answer) == maxAliases {
			return nil, errors.New("too many aliases in an answer")
		}
		picked.Answer = append(picked.Answer, alias)
		name = alias.Target
	}
	aliases := len(picked.Answer)
	for _, rr := range answer.Answer {
		if h := rr.Header(); h.Rrtype == q.Qtype && h.Class == q.Qclass && strings.EqualFold(h.Name, name) {
			picked.Answer = append(picked.Answer, rr)
		}
	}
	if len(picked.Answer) > aliases {
		return picked, nil
	}
	for _, rr := range answer.Ns {
		if h := rr.Header(); h.Rrtype == dns.TypeSOA && h.Class == q.Qclass && dns.IsSubDomain(h.Name, name) {
			picked.Ns = append(picked.Ns, rr)
			break
		}
	}
	return picked, nil
}

// aliasOf returns the CNAME record of a name, or nil.
func aliasOf(records []dns.RR, name string) *dns.CNAME {
	for _, rr := range records {
		if alias, ok := rr.(*dns.CNAME); ok && alias.Hdr.Class == dns.ClassINET && strings.EqualFold(alias.Hdr.Name, name) {
			return alias
		}
	}
	return nil
}
