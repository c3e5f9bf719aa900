package dialer

// SetMost makes n the most associations that p holds, instead of maxAssociations.
func (p *PacketConn) SetMost(n int) { p.most = n }
