package resolver

import (
	"errors"
	"strings"

	"github.com/miekg/dns"
)

// maxAliases is the most CNAMEs that pick follows.
const maxAliases = 16

// pick returns an upstream's answer with only the records that answer its question: the CNAMEs from the name in question
// on, in the order of the chain, and the records of the type in question that the last name has. If there are none, pick
// keeps the SOA record of a zone above the last name.
func pick(answer *dns.Msg) (*dns.Msg, error) {
	q := answer.Question[0]
	picked := &dns.Msg{MsgHdr: answer.MsgHdr, Question: answer.Question}
	last := q.Name
	if q.Qtype != dns.TypeCNAME {
		var err error
		if picked.Answer, last, err = followAliases(answer.Answer, last); err != nil {
			return nil, err
		}
	}
	if found := recordsOf(answer.Answer, q, last); len(found) > 0 {
		picked.Answer = append(picked.Answer, found...)
	} else {
		picked.Ns = soaAbove(answer.Ns, q, last)
	}
	return picked, nil
}

// followAliases returns the chain of CNAME records that begins at a name, and the name at its end.
func followAliases(records []dns.RR, name string) (chain []dns.RR, last string, err error) {
	for alias := aliasOf(records, name); alias != nil; alias = aliasOf(records, name) {
		if len(chain) == maxAliases {
			return nil, "", errors.New("too many aliases in an answer")
		}
		chain = append(chain, alias)
		name = alias.Target
	}
	return chain, name, nil
}

// recordsOf returns the records of a name that have the type and class in question.
func recordsOf(records []dns.RR, q dns.Question, name string) (found []dns.RR) {
	for _, rr := range records {
		if h := rr.Header(); h.Rrtype == q.Qtype && h.Class == q.Qclass && strings.EqualFold(h.Name, name) {
			found = append(found, rr)
		}
	}
	return found
}

// soaAbove returns the first SOA record of a zone that a name is in.
func soaAbove(records []dns.RR, q dns.Question, name string) []dns.RR {
	for _, rr := range records {
		if h := rr.Header(); h.Rrtype == dns.TypeSOA && h.Class == q.Qclass && dns.IsSubDomain(h.Name, name) {
			return []dns.RR{rr}
		}
	}
	return nil
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
