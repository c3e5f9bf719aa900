package dialer

// SetMost sets the maximum number of p's flows to n, instead of maxFlows.
func (p *PacketConn) SetMost(n int) { p.most = n }
