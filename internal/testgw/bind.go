package testgw

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/sockslib/sockslib/internal/wire"
)

// bind serves a BIND (RFC 1928, section 4). It accepts one connection: from any peer if DST.ADDR is unspecified,
// otherwise only from DST.ADDR, with any port. A connection from another host ends the BIND with an error.
func (s *session) bind(ctx context.Context) error {
	pending, cancel := context.WithTimeout(ctx, s.g.timeout())
	defer cancel()
	l, allowed, err := s.listen(pending)
	if err != nil {
		return s.refuse(ctx, replyTo(err))
	}
	defer l.Close()
	if err := s.reply(ctx, StageReply, Outcome{Reply: wire.Succeeded, Bound: addrOf(l.Addr())}); err != nil {
		return err
	}
	peer, err := s.acceptOne(pending, cancel, l)
	if errors.Is(err, context.Canceled) {
		return err // the client has gone
	}
	if err != nil {
		return s.fail(ctx, StageSecondReply, replyTo(err))
	}
	defer peer.Close()
	from := addrOf(peer.RemoteAddr())
	if allowed != nil && !slices.Contains(allowed, from.IP) {
		abort(peer)
		return s.fail(ctx, StageSecondReply, repNotAllowed)
	}
	if err := s.reply(ctx, StageSecondReply, Outcome{Reply: wire.Succeeded, Bound: from, Remote: peer.RemoteAddr()}); err != nil {
		return err
	}
	return s.relay(ctx, peer)
}

// listen returns the listener of a BIND and the addresses that may connect to it. They are nil if any peer may
// connect, or if the next gateway checks the peer.
func (s *session) listen(ctx context.Context) (net.Listener, []netip.Addr, error) {
	dst := s.request.Target
	anyone := dst.IP.IsValid() && dst.IP.IsUnspecified()
	if s.g.Listen != nil {
		var peer string
		if own, ok := s.g.known(dst.Name); ok && len(own) > 0 {
			dst.IP = own[0]
		}
		if !anyone {
			peer = dst.String()
		}
		l, err := s.g.Listen(ctx, "tcp", peer)
		return l, nil, err
	}
	var allowed []netip.Addr
	if !anyone {
		addrs, err := s.g.resolve(ctx, dst)
		if err != nil {
			return nil, nil, err
		}
		for _, a := range addrs {
			allowed = append(allowed, a.Unmap())
		}
	}
	at := netip.AddrPortFrom(s.bindAddr(dst.IP, allowed), 0)
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", at.String())
	return l, allowed, err
}

// acceptOne accepts one connection and closes l. It returns context.Canceled if the client has hung up, and
// context.DeadlineExceeded if no peer connected in time.
func (s *session) acceptOne(ctx context.Context, gone context.CancelFunc, l net.Listener) (net.Conn, error) {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	stop := s.watch(gone)
	peer, err := l.Accept()
	stop()
	if ctx.Err() != nil {
		if err == nil {
			abort(peer)
		}
		return nil, ctx.Err()
	}
	_ = l.Close() // refuses further connections
	return peer, err
}

// watch calls gone if the client hangs up before stop is called. It keeps the bytes that the client sends
// meanwhile in s.early; after limit bytes it stops watching.
func (s *session) watch(gone func()) (stop func()) {
	const limit = 16 << 10
	done := make(chan struct{})
	go func() { // owned by acceptOne; stop ends it and waits for it
		defer close(done)
		buf := make([]byte, 4096)
		for len(s.early) < limit {
			n, err := s.conn.Read(buf)
			s.early = append(slices.Clip(s.early), buf[:n]...)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return
			}
			if err != nil {
				gone()
				return
			}
		}
	}()
	return func() {
		_ = s.raw.SetReadDeadline(time.Unix(1, 0))
		<-done
		_ = s.raw.SetReadDeadline(time.Time{})
	}
}
