package link

import (
	"net"
	"time"
)

// Relay listens on loopback and relays to target with a delay. It delays what is said, but not TCP's
// handshake: who measures adds a round trip for each connection that was waited for.
func Relay(target string, d *Delay) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { // ends with the process
		for {
			near, err := l.Accept()
			if err != nil {
				time.Sleep(time.Millisecond) // out of descriptors for a moment
				continue
			}
			far, err := net.Dial("tcp", target)
			if err != nil {
				near.Close()
				continue
			}
			delayed(near, far, d)
			delayed(far, near, d)
		}
	}()
	return l.Addr().String(), nil
}

// delayed carries what from says to to.
func delayed(from, to net.Conn, d *Delay) {
	l := newLine(d)
	go func() { // ends with from's stream, or when Write closed it
		defer close(l.queue)
		buf := make([]byte, 1<<16)
		for {
			n, err := from.Read(buf)
			if n > 0 {
				l.put(append([]byte(nil), buf[:n]...))
			}
			if err != nil {
				return
			}
		}
	}()
	go func() { // ends after from's stream
		defer to.Close()
		l.carry(func(data []byte) {
			if _, err := to.Write(data); err != nil {
				from.Close()
			}
		})
	}()
}
