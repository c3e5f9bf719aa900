package testgw

import (
	"net"
	"net/netip"
	"sync"
)

// Hop forwards datagrams between clients and UDP relays. Between [Hop.Leave] and [Hop.Return] it is away: the
// system answers datagrams to it with ICMP port unreachable. Set a Gateway's RelayAt to its At. A Hop is safe for
// concurrent use; the zero Hop is ready.
type Hop struct {
	mu      sync.Mutex
	ways    []*way
	running sync.WaitGroup
}

// way forwards the datagrams of one client to one relay.
type way struct {
	at    netip.AddrPort // for the client
	near  *net.UDPConn   // listens at at; closed while the Hop is away
	far   *net.UDPConn   // to the relay
	known netip.AddrPort // the client's address
}

// At starts to forward datagrams for a relay, and returns the address to which clients send them. It returns relay
// itself if that fails. The forwarding lasts until Close.
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
	h.running.Go(func() { h.toClient(w) }) // owned by h; ends when Close closes far
	return w.at
}

// open starts to listen at w.at. h.mu is held.
func (h *Hop) open(w *way) error {
	near, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(w.at))
	if err != nil {
		return err
	}
	w.near, w.at = near, near.LocalAddr().(*net.UDPAddr).AddrPort()
	h.running.Go(func() { h.toRelay(w, near) }) // owned by h; ends when near is closed
	return nil
}

// Leave closes the sockets to which clients send, until Return.
func (h *Hop) Leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.ways {
		_ = w.near.Close()
	}
}

// Return opens the sockets again, at the same addresses.
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

// Close closes all sockets and waits for their goroutines.
func (h *Hop) Close() {
	h.mu.Lock()
	for _, w := range h.ways {
		_ = w.near.Close()
		_ = w.far.Close()
	}
	h.mu.Unlock()
	h.running.Wait()
}

// toRelay forwards the datagrams of w's client until near is closed.
func (h *Hop) toRelay(w *way, near *net.UDPConn) {
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

// toClient forwards the datagrams of w's relay until far is closed.
func (h *Hop) toClient(w *way) {
	b := make([]byte, maxDatagram)
	for {
		n, err := w.far.Read(b)
		if err != nil {
			return
		}
		h.mu.Lock()
		near, known := w.near, w.known
		h.mu.Unlock()
		_, _ = near.WriteToUDPAddrPort(b[:n], known) // lost while h is away
	}
}
