package main

import (
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// Each server answers its queries, and its processor time is measured.
func TestEveryDNSServerAnswers(t *testing.T) {
	peers, missing, err := dnsPeers()
	require.NoError(t, err)
	defer stopPeers(peers)
	if missing != "" {
		t.Log("left out:", missing)
	}
	for _, p := range peers {
		require.NoError(t, p.measure(2000), p.name)
		require.Positive(t, p.cpu.Median(), p.name)
	}
	require.Len(t, dnsFigures(peers), 8+len(peers)-peerCaches)
}

// Only a response with an address and one that denies the name are answers.
func TestOnlyAnAddressOrADenialIsAnAnswer(t *testing.T) {
	query := new(dns.Msg).SetQuestion("host.example.", dns.TypeA)
	pack := func(change func(m *dns.Msg)) []byte {
		answer := new(dns.Msg).SetReply(query)
		change(answer)
		packed, err := answer.Pack()
		require.NoError(t, err)
		return packed
	}
	require.True(t, answersAddress(pack(func(m *dns.Msg) {
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "host.example.", Rrtype: dns.TypeA, Class: dns.ClassINET}, A: []byte{240, 0, 0, 1}}}
	})))
	require.True(t, answersAddress(pack(func(m *dns.Msg) { m.Rcode = dns.RcodeNameError })))
	require.False(t, answersAddress(pack(func(*dns.Msg) {})), "no data")
	require.False(t, answersAddress(pack(func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure })))
	require.False(t, answersAddress(pack(func(m *dns.Msg) { m.Response = false; m.Rcode = dns.RcodeNameError })))
	require.False(t, answersAddress(nil))
}

// Each way to look up a name returns no error.
func TestEveryLookupSucceeds(t *testing.T) {
	s, err := lookup(newLab(t))
	require.NoError(t, err)
	require.Len(t, s.Figures, 3)
}
