package peers

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// notListening returns the addresses at which no process listens, in the network namespace of a process. It reads the
// kernel's table and sends nothing.
func notListening(pid int, addrs []netip.AddrPort) []netip.AddrPort {
	var table strings.Builder
	for _, name := range []string{"tcp", "tcp6"} {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, name)) // a missing table is an empty one
		table.Write(b)
	}
	var missing []netip.AddrPort
	for _, a := range addrs {
		if !strings.Contains(table.String(), " "+listenEntry(a)) {
			missing = append(missing, a)
		}
	}
	return missing
}

// listenEntry returns the entry of a listener in /proc/net/tcp or tcp6: the address in words of the machine's byte
// order, the port, no remote address, and the state LISTEN.
func listenEntry(a netip.AddrPort) string {
	const listen = "0A"
	var words strings.Builder
	for b := a.Addr().AsSlice(); len(b) > 0; b = b[4:] {
		fmt.Fprintf(&words, "%08X", binary.NativeEndian.Uint32(b))
	}
	return fmt.Sprintf("%s:%04X %s:0000 %s", words.String(), a.Port(), strings.Repeat("0", words.Len()), listen)
}
