package link

import (
	"net"
	"time"
)

// Relay listens on loopback, relays connections to target with a delay, and returns its address. It delays data
// but not TCP's handshake: the caller adds a round trip for each handshake. It ends with the process.
func Relay(target string, d *Delay) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { // ends with the process
		for {
			near, err := l.Accept()
			if err != nil {
				time.Sleep(time.Millisecond) // temporarily out of descriptors
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

// delayed relays from's stream to to, with a delay, and then closes to.
func delayed(from, to net.Conn, d *Delay) {
	l := newLine(d)
	go func() { // ends with from's stream, which a failed Write closes
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
