package testgw

import (
	"net"
	"net/netip"
	"sync"
)

// Hop is a host between clients and UDP relays, that can be away for a while: then what is sent to it is
// answered by the system, with ICMP's port unreachable. Give its At as a Gateway's RelayAt.
type Hop struct {
	mu    sync.Mutex
	ways  []*way
	moved sync.WaitGroup
}

// way leads to one relay. It belongs to one client.
type way struct {
	at    netip.AddrPort // where the client finds it
	near  *net.UDPConn   // there; nil: away
	far   *net.UDPConn   // to the relay
	known netip.AddrPort // the client
}

// At opens a way to a relay and returns where it is. It is open until Close.
func (h *Hop) At(relay netip.AddrPort) netip.AddrPort {
	h.mu.Lock()
	defer h.mu.Unlock()
	far, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(relay))
	if err != nil {
		return relay
	}
	w := &way{at: netip.AddrPortFrom(relay.Addr(), 0), far: far}
	if err := h.open(w); err != nil {
		_ = far.Close()
		return relay
	}
	h.ways = append(h.ways, w)
	h.moved.Go(func() { h.answers(w) }) // h's; ends when Close closes far
	return w.at
}

// open listens at the near end of w. h.mu is held.
func (h *Hop) open(w *way) error {
	near, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(w.at))
	if err != nil {
		return err
	}
	w.near, w.at = near, near.LocalAddr().(*net.UDPAddr).AddrPort()
	h.moved.Go(func() { h.questions(w, near) }) // h's; ends when near is closed
	return nil
}

// Leave closes the near ends, until Return.
func (h *Hop) Leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.ways {
		_ = w.near.Close()
	}
}

// Return opens them again, where they were.
func (h *Hop) Return() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.ways {
		if err := h.open(w); err != nil {
			return err
		}
	}
	return nil
}

// Close ends everything.
func (h *Hop) Close() {
	h.mu.Lock()
	for _, w := range h.ways {
		_ = w.near.Close()
		_ = w.far.Close()
	}
	h.mu.Unlock()
	h.moved.Wait()
}

func (h *Hop) questions(w *way, near *net.UDPConn) {
	b := make([]byte, maxDatagram)
	for {
		n, from, err := near.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		h.mu.Lock()
		w.known = from
		h.mu.Unlock()
		_, _ = w.far.Write(b[:n])
	}
}

func (h *Hop) answers(w *way) {
	b := make([]byte, maxDatagram)
	for {
		n, err := w.far.Read(b)
		if err != nil {
			return
		}
		h.mu.Lock()
		near, known := w.near, w.known
		h.mu.Unlock()
		_, _ = near.WriteToUDPAddrPort(b[:n], known) // lost while it is away
	}
}
