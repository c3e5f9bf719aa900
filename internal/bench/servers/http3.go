package servers

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"

	"github.com/quic-go/quic-go/http3"

	"github.com/sockslib/sockslib/internal/testgw"
)

// Upload and Download are the paths of the HTTP/3 server. Upload reads the request's body. Download responds with
// as many bytes as its query says.
const (
	Upload   = "/up"
	Download = "/down?"
)

// StartHTTP3 starts an HTTP/3 server on loopback, with a self-signed certificate, and returns its address. It ends
// with the process.
func StartHTTP3() (string, error) {
	config, _, err := testgw.NewTLS()
	if err != nil {
		return "", err
	}
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	zeros := make([]byte, 1<<16)
	server := &http3.Server{
		TLSConfig: http3.ConfigureTLSConfig(config),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == Upload {
				n, _ := io.Copy(io.Discard, r.Body)
				fmt.Fprint(w, n)
				return
			}
			for n, _ := strconv.Atoi(r.URL.RawQuery); n > 0; n -= len(zeros) {
				if _, err := w.Write(zeros[:min(n, len(zeros))]); err != nil {
					return
				}
			}
		}),
	}
	go server.Serve(p) // ends with the process
	return p.LocalAddr().String(), nil
}

// StartBundled starts the bundled gateway, for which name is 127.0.0.1, and returns its address. If singly, it
// relays one datagram per system call, as most gateways do. It ends with the process.
func StartBundled(name string, singly bool) (string, error) {
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	g := &testgw.Gateway{Hosts: map[string][]netip.Addr{name: {loopback}}, Forgetful: true}
	if singly {
		g.ListenPacket = func(context.Context, string, string) (net.PacketConn, error) {
			return net.ListenPacket("udp4", "127.0.0.1:0")
		}
	}
	if err := g.Start("tcp", "127.0.0.1:0"); err != nil {
		return "", err
	}
	return g.Addr().String(), nil
}

// StartRelay starts a relay of datagrams without headers to the address to, and returns its own. It ends with the
// process.
func StartRelay(to string) (string, error) {
	target, err := netip.ParseAddrPort(to)
	if err != nil {
		return "", err
	}
	r, err := newPacketRelay(netip.AddrFrom4([4]byte{127, 0, 0, 1}), target)
	if err != nil {
		return "", err
	}
	go r.out()  // ends with the process
	go r.back() // ends with the process
	return r.client.LocalAddr().String(), nil
}
