package faults

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/sockslib/sockslib/internal/testgw"
	"github.com/sockslib/sockslib/internal/wire"
	"github.com/sockslib/sockslib/socks"
)

// values returns the cells in which one byte of one answer has another value. It leaves out values for which
// chosen is false.
func values(r request, h socks.Handshake, credentials bool, chosen func(v byte) bool) (cells []cell) {
	add := func(stage testgw.Stage, field string, v byte, change func([]byte) []byte, want outcome) {
		cells = append(cells, cell{
			name:  fmt.Sprintf("%s of answer %d is %d", field, stage, v),
			fault: func() testgw.Fault { return testgw.Fault{Answer: replaced(stage, change)} },
			at:    stage,
			want:  want,
		})
	}
	for i := range 256 {
		v := byte(i)
		if !chosen(v) {
			continue
		}
		set := func(at int) func([]byte) []byte {
			return func(b []byte) []byte {
				b = slices.Clone(b)
				b[at] = v
				return b
			}
		}
		add(testgw.StageMethod, "VER", v, set(0), ofMethodVersion(h, credentials, v))
		add(testgw.StageMethod, "METHOD", v, set(1), ofMethod(credentials, v))
		if credentials {
			add(testgw.StageStatus, "VER", v, set(0), only(v == wire.UserPassVersion, socks.ErrProtocol))
			add(testgw.StageStatus, "STATUS", v, set(1), only(v == wire.StatusSuccess, socks.ErrAuthFailed))
		}
		for _, stage := range r.stages {
			add(stage, "VER", v, set(0), only(v == wire.Version, socks.ErrProtocol))
			add(stage, "REP", v, set(1), only(v == wire.Succeeded, socks.Reply(v)))
			add(stage, "RSV", v, set(2), whole) // some gateways do not set it
			add(stage, "ATYP", v, withATYP(v), ofATYP(r, v))
		}
	}
	return cells
}

// only returns whole if right, and otherwise an outcome with an error.
func only(right bool, otherwise error) outcome {
	if right {
		return whole
	}
	return fails(otherwise)
}

// ofMethodVersion returns the outcome of the VER v in the choice of a method. Tor omits the choice if the
// credentials follow the greeting, so 1 2 is a status, and not success.
func ofMethodVersion(h socks.Handshake, credentials bool, v byte) outcome {
	if credentials && h != socks.HandshakeStepwise && v == wire.UserPassVersion {
		return fails(socks.ErrAuthFailed)
	}
	return only(v == wire.Version, socks.ErrProtocol)
}

func ofMethod(credentials bool, v byte) outcome {
	offered := byte(wire.MethodNone)
	if credentials {
		offered = wire.MethodUserPass
	}
	if v == wire.MethodNoAcceptable || v == wire.MethodUserPass && v != offered {
		return fails(socks.ErrNoAcceptableAuth)
	}
	return only(v == offered, socks.ErrProtocol)
}

// withATYP returns a change of a reply that encodes BND.ADDR with the ATYP v, or changes the ATYP alone if v is
// not a known type.
func withATYP(v byte) func([]byte) []byte {
	return func(b []byte) []byte {
		ip, port := netip.AddrFrom4([4]byte(b[4:8])), b[8:10]
		head := append(slices.Clone(b[:3]), v)
		switch v {
		case testgw.Name:
			head = append(append(head, byte(len(destination))), destination...)
		case testgw.IPv6: // IPv4-mapped
			mapped := ip.As16()
			head = append(head, mapped[:]...)
		default:
			return append(head, b[4:]...)
		}
		return append(head, port...)
	}
}

// ofATYP returns the outcome of the ATYP v. A relay or a result of RESOLVE cannot be a name.
func ofATYP(r request, v byte) outcome {
	switch v {
	case testgw.IPv4, testgw.IPv6:
		return whole
	case testgw.Name:
		return only(r.streams, socks.ErrProtocol)
	}
	return fails(socks.ErrProtocol)
}
