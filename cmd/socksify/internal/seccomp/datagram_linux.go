package seccomp

import "golang.org/x/sys/unix"

// connectDatagram answers a connect of a datagram socket. It connects the socket to socksify's name server in
// place of another, or to this machine.
func (s *Session) connectDatagram(n *notification, c socket, address []byte) {
	where, err := s.judge(n, c, address)
	if err != nil {
		s.listener.answer(n, 0, errnoOf(err))
		return
	}
	err = rawConnect(c.fd, where.sockaddr)
	if err == nil {
		s.states.change(c.cookie, func(st *state) {
			st.peer, st.asked = nil, nil
			if where.dns {
				st.peer, st.asked = address, address
			}
		})
	}
	s.listener.answer(n, 0, orZero(err))
}

// target is the address to which the supervisor sends a datagram.
type target struct {
	sockaddr []byte
	dns      bool // the address of socksify's name server
}

// judge returns the target for the address that the program sends to. Its error is the errno of the call. It refuses all
// destinations but name servers, which become socksify's, and this machine, and logs that UDP needs the namespace way.
func (s *Session) judge(n *notification, c socket, address []byte) (target, error) {
	to, err := parseSockaddr(address)
	if err != nil {
		return target{}, err
	}
	if !c.v6() && !to.Addr().Is4() {
		return target{}, unix.EAFNOSUPPORT
	}
	ip := to.Addr().Unmap()
	switch {
	case to.Port() == dnsPort && ip.Is6() && s.name6.IsValid():
		return target{appendSockaddr(nil, s.name6), true}, nil
	case to.Port() == dnsPort:
		return target{appendSockaddr(nil, inFamily(s.name4, c.v6())), true}, nil
	case ip.IsLoopback(), ip.IsUnspecified():
		return target{appendSockaddr(nil, inFamily(loopbackOf(to), c.v6())), false}, nil
	}
	if s.policy.Log != nil {
		s.policy.Log.Printf("%sudp %v → refused: UDP needs -by namespace", nameOf(int(n.pid)), s.policy.Destination("udp", to))
	}
	return target{}, unix.ENETUNREACH
}

// datagramSocket returns the datagram socket of a call that sends with an address; the caller must close it. It lets the
// call proceed for a socket that cannot reach a network by it. If it has answered the call, or let it proceed, it reports
// false.
func (s *Session) datagramSocket(n *notification) (socket, bool) {
	c, ok := s.lookAt(n)
	if ok && !s.sendsElsewhere(n, c) {
		c.close()
		s.listener.proceed(n)
		return socket{}, false
	}
	return c, ok
}

// sendto answers a sendto with an address.
func (s *Session) sendto(n *notification) {
	c, ok := s.datagramSocket(n)
	if !ok {
		return
	}
	defer c.close()
	if n.args[5] > maxSockaddr || n.args[2] > maxDatagram {
		s.listener.answer(n, 0, unix.EMSGSIZE)
		return
	}
	m := memory{int(n.pid)}
	address, err := m.read(n.args[4], int(n.args[5]))
	var payload []byte
	if err == nil {
		payload, err = m.read(n.args[1], int(n.args[2]))
	}
	if err == nil {
		err = s.send(n, c, address, payload, int(int32(n.args[3])))
	}
	if err != nil {
		s.listener.answer(n, 0, errnoOf(err))
		return
	}
	s.listener.answer(n, int64(len(payload)), 0)
}

// send sends a datagram to the target for its address. It returns an errno.
func (s *Session) send(n *notification, c socket, address, payload []byte, flags int) error {
	where, err := s.judge(n, c, address)
	if err != nil {
		return err
	}
	if where.dns {
		s.states.change(c.cookie, func(st *state) { st.asked = address })
	}
	return rawSendto(c.fd, payload, flags|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, where.sockaddr)
}

// sendmsg answers a sendmsg. It sends a message that has an address itself, and lets the call proceed for a message
// without one, which goes to the socket's peer on this machine.
func (s *Session) sendmsg(n *notification) {
	c, m, ok := s.messageOf(n, n.args[1])
	if !ok {
		return
	}
	defer c.close()
	if !m.named() || !s.sendsElsewhere(n, c) {
		s.listener.proceed(n)
		return
	}
	sent, err := s.sendMessage(n, c, m, int(int32(n.args[2])))
	s.listener.answer(n, int64(sent), orZero(err))
}

// messageOf returns the socket and the struct msghdr of a call. If it fails, it answers the call and reports false.
func (s *Session) messageOf(n *notification, at uint64) (socket, message, bool) {
	c, ok := s.lookAt(n)
	if !ok {
		return socket{}, message{}, false
	}
	m, err := readMessage(memory{int(n.pid)}, at)
	if err != nil {
		c.close()
		s.listener.answer(n, 0, errnoOf(err))
		return socket{}, message{}, false
	}
	return c, m, true
}

// readMessage reads the struct msghdr at an address. Its error is an errno.
func readMessage(m memory, at uint64) (message, error) {
	b, err := m.read(at, sizeMsghdr)
	if err != nil {
		return message{}, err
	}
	return parseMessage(b)
}

// segmentsOf returns the buffers of a message; see parseSegments.
func segmentsOf(m memory, msg message) (segments []segment, complete bool, err error) {
	b, err := m.read(msg.iov, int(msg.buffers)*sizeIovec)
	if err != nil {
		return nil, false, err
	}
	segments, complete = parseSegments(b)
	return segments, complete, nil
}

// sendMessage sends a message that has an address, and returns its length.
func (s *Session) sendMessage(n *notification, c socket, msg message, flags int) (int, error) {
	m := memory{int(n.pid)}
	segments, complete, err := segmentsOf(m, msg)
	if err != nil {
		return 0, err
	}
	if !complete || msg.nameLength > maxSockaddr {
		return 0, unix.EMSGSIZE
	}
	address, err := m.read(msg.name, int(msg.nameLength))
	if err != nil {
		return 0, err
	}
	var payload []byte
	for _, seg := range segments {
		b, err := m.read(seg.at, seg.length)
		if err != nil {
			return 0, err
		}
		payload = append(payload, b...)
	}
	return len(payload), s.send(n, c, address, payload, flags)
}

// sendmmsg answers a sendmmsg. It sends the messages until one fails.
func (s *Session) sendmmsg(n *notification) {
	c, ok := s.datagramSocket(n)
	if !ok {
		return
	}
	defer c.close()
	m := memory{int(n.pid)}
	count := min(int(uint32(n.args[2])), maxBuffers)
	sent := 0
	var err error
	for ; sent < count; sent++ {
		at := n.args[1] + uint64(sent*sizeMmsghdr)
		var msg message
		var length int
		if msg, err = readMessage(m, at); err != nil {
			break
		}
		if !msg.named() { // on a connected socket no message has an address
			if sent == 0 {
				s.listener.proceed(n)
				return
			}
			break
		}
		if length, err = s.sendMessage(n, c, msg, int(int32(n.args[3]))); err != nil {
			break
		}
		if err = m.write(at+sizeMsghdr, uint32Bytes(uint32(length))); err != nil {
			break
		}
	}
	if sent > 0 {
		err = nil
	}
	s.listener.answer(n, int64(sent), orZero(err))
}
