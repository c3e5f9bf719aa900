package faults

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// user is an application's use of a connection. It sets no deadline, because that would hide one that the dial
// left behind.
type user struct {
	ends bool      // the stream ends by a fault, and is read to its end
	past time.Time // the connection is used after this time too; zero: it is not
}

// stream reads the destination's data, uses the connection again after the dial's bounds, and closes it.
func (u user) stream(conn net.Conn) (heard string, err error) {
	defer conn.Close()
	err = patiently(conn, func() error {
		b, err := io.ReadAll(io.LimitReader(conn, int64(len(said))))
		if heard = string(b); err == nil && u.ends && heard == said {
			err = u.toTheEnd(conn)
		}
		return err
	})
	if err != nil || heard != said || u.ends || u.past.IsZero() {
		return heard, err
	}
	return heard, u.afterwards(conn, func() error { return echoed(conn, "after the dial") })
}

// toTheEnd reads to the end of a stream, which the destination ends if no fault does.
func (u user) toTheEnd(conn net.Conn) error {
	_, unsent := io.WriteString(conn, goodbye)
	_, err := io.ReadAll(conn)
	if errors.Is(unsent, syscall.ECONNRESET) {
		return unsent // the system reports a reset once
	}
	return err
}

// datagrams exchanges a datagram with the destination, and another one after the dial's bounds.
func (u user) datagrams(conn net.Conn) (heard string, err error) {
	defer conn.Close()
	ask := func() error {
		if _, err := conn.Write([]byte("ping")); err != nil {
			return err
		}
		buf := make([]byte, 64)
		n, err := conn.Read(buf)
		heard = string(buf[:n])
		return err
	}
	if err = patiently(conn, ask); err != nil || u.ends || u.past.IsZero() {
		return heard, err
	}
	return heard, u.afterwards(conn, ask)
}

// afterwards uses a connection after the dial's bounds have passed.
func (u user) afterwards(conn net.Conn, use func() error) error {
	time.Sleep(time.Until(u.past))
	if err := patiently(conn, use); err != nil {
		return fmt.Errorf("the connection does not work after the dial's bounds: %w", err)
	}
	return nil
}

// patiently calls use, and closes the connection if that takes too long.
func patiently(conn net.Conn, use func() error) error {
	defer time.AfterFunc(patience, func() { conn.Close() }).Stop()
	return use()
}
