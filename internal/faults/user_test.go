package faults

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// user is an application's use of what it dialed. It sets no deadline, which would undo one that the dial left behind.
type user struct {
	ends bool      // the stream ends by a fault, and is read up to there
	past time.Time // it has to work after this; zero: it is not tried
}

// stream hears what is said, has it repeat something when all that bounded the dial is past, and closes it.
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

// toTheEnd reads to the end of a stream, which the destination ends when no fault does.
func (u user) toTheEnd(conn net.Conn) error {
	_, unsent := io.WriteString(conn, goodbye)
	_, err := io.ReadAll(conn)
	if errors.Is(unsent, syscall.ECONNRESET) {
		return unsent // the system tells of a reset once
	}
	return err
}

// datagrams has the destination answer now, and when all that bounded the dial is past.
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

// afterwards uses a connection when all that bounded the dial is past.
func (u user) afterwards(conn net.Conn, use func() error) error {
	time.Sleep(time.Until(u.past))
	if err := patiently(conn, use); err != nil {
		return fmt.Errorf("it cannot be used after the dial: %w", err)
	}
	return nil
}

// patiently closes the connection when its use takes too long.
func patiently(conn net.Conn, use func() error) error {
	defer time.AfterFunc(patience, func() { conn.Close() }).Stop()
	return use()
}
