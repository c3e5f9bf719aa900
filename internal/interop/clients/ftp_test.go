package clients

import (
	"net/netip"
	"strconv"
	"testing"

	"github.com/sockslib/sockslib/internal/interop/peers"
)

// In active mode the FTP server connects to the client, which asks the gateway for a BIND.
func TestFTPServerConnectsBackThroughABind(t *testing.T) {
	w := newWorld(t, "tnftp", "tnftp")
	server := peers.Vsftpd{Internal: netip.MustParseAddr(here), Files: map[string]string{"file": page}}.Start(t)
	port := strconv.Itoa(int(server.Addrs[0].Port()))
	g := w.gateway(t, false)
	g.External = []netip.Addr{netip.MustParseAddr(here)} // the server can reach this address
	// By address: for a server that it knows by name, dante's client sends BIND with the name's first letters.
	address := here + ":" + port
	attempt{
		client: "tnftp with socksify", debian: "tnftp", request: "FTP, active mode, from vsftpd",
		gateway: g, command: socksify(t, g, "", []string{peers.Program(t, "tnftp", "tnftp"), "-A", "-o", "-", "ftp://" + address + "/file"}), prints: page,
		sees: []string{"CONNECT " + address, "BIND " + here + ":0"},
	}.run(t)
}
