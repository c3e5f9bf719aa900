// The hook: the net.PacketConn of ice.UDPMuxParams. Pion asks it for ReadFromAddrPort and WriteToAddrPort,
// which it has. It does not ask for ReadBatch and WriteBatch: pion/transport makes its batches of a descriptor
// (udp.NewBatchConn), past the SOCKS header, which is refused with errors.ErrUnsupported. Its types
// udp.BatchReader and udp.BatchWriter are satisfied.

// Package pion gathers ICE candidates behind a gateway.
package pion

import (
	"context"

	"github.com/pion/ice/v4"

	"github.com/sockslib/sockslib/dialer"
)

// NewMux returns a mux whose datagrams go through the gateway. The other side cannot use the mux's own addresses:
// it receives from the gateway's address, which becomes a peer-reflexive candidate (RFC 8445, section 5.1.1).
func NewMux(ctx context.Context, d *dialer.Dialer) (*ice.UDPMuxDefault, error) {
	p, err := d.ListenPacket(ctx, "udp", "")
	if err != nil {
		return nil, err
	}
	return ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: p}), nil
}
