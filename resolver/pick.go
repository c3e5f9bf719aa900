package resolver

import (
	"errors"
	"strings"

	"github.com/miekg/dns"
)

// maxAliases bounds the CNAMEs that are followed.
const maxAliases = 16

// pick reduces an answer to what answers its question: the aliases from the name in question on, in whichever order
// they come, the records of the type that the last one has, and, if there are none, the SOA record above it.
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
