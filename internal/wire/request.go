package wire

// AppendRequest appends a request, RFC 1928, section 4.
func AppendRequest(b []byte, cmd Command, dst Addr) ([]byte, error) {
	return appendAddr(append(b, Version, byte(cmd), 0), dst)
}

// ReadRequest reads a request. The command may be unknown to this package.
func (r *Reader) ReadRequest() (Command, Addr, error) {
	cmd, err := r.pair("request", Version)
	if err != nil {
		return 0, Addr{}, err
	}
	if _, err := r.rest(1); err != nil { // RSV
		return Command(cmd), Addr{}, err
	}
	dst, err := r.addr()
	return Command(cmd), dst, err
}

// AppendReply appends a reply, RFC 1928, section 6.
func AppendReply(b []byte, rep byte, bnd Addr) ([]byte, error) {
	return appendAddr(append(b, Version, rep, 0), bnd)
}

// ReadReply reads a reply. If REP is not Succeeded, it needs and consumes only VER and REP: gateways end such replies
// after 3, 4 or 10 bytes, with an ATYP of 0 or an empty name, and close the connection. If the stream fails within the reply,
// ReadReply consumes nothing, so it can be called again after a deadline has passed.
func (r *Reader) ReadReply() (rep byte, bnd Addr, err error) {
	r.owed = max(r.owed, ReplyLen)
	head, err := r.Peek(2)
	if err != nil {
		return 0, Addr{}, err
	}
	if head[0] != Version {
		return 0, Addr{}, versionError("reply", head, Version)
	}
	if rep = head[1]; rep != Succeeded {
		r.consume(2)
		return rep, Addr{}, nil
	}
	const fixed = 3 // VER, REP, RSV
	if head, err = r.Peek(fixed + 2); err != nil {
		return rep, Addr{}, err
	}
	n, err := addrLen(head[fixed], head[fixed+1])
	if err != nil {
		return rep, Addr{}, err
	}
	whole, err := r.Peek(fixed + n)
	if err != nil {
		return rep, Addr{}, err
	}
	bnd = newAddr(whole[fixed:])
	r.consume(fixed + n)
	return rep, bnd, nil
}
