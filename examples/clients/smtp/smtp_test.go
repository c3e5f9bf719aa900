package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/textproto"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/socks/sockstest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// session is what a mail server received after STARTTLS.
type session struct {
	lines []string
	mail  string
	err   error
}

// serve receives one mail as a mail server (RFC 5321 and RFC 3207).
func serve(l net.Listener, config *tls.Config) (s session) {
	conn, err := l.Accept()
	if err != nil {
		return session{err: err}
	}
	defer conn.Close()
	c := textproto.NewConn(conn)
	c.PrintfLine("220 ready")
	for _, answer := range []string{"250-hello\r\n250 STARTTLS", "220 go on"} {
		if _, s.err = c.ReadLine(); s.err != nil {
			return s
		}
		c.PrintfLine("%s", answer)
	}
	c = textproto.NewConn(tls.Server(conn, config))
	for _, answer := range []string{"250 hello", "250 sender", "250 recipient", "354 mail"} {
		line, err := c.ReadLine()
		if err != nil {
			return session{err: err}
		}
		s.lines = append(s.lines, line)
		c.PrintfLine("%s", answer)
	}
	mail, err := io.ReadAll(c.DotReader())
	if err != nil {
		return session{err: err}
	}
	s.mail = string(mail)
	c.PrintfLine("250 taken")
	if _, s.err = c.ReadLine(); s.err == nil {
		c.PrintfLine("221 bye")
	}
	return s
}

func TestSMTP(t *testing.T) {
	n := behind.Start(t)
	serverTLS, clientTLS := behind.TLS(t)
	l := n.Listen()
	done := make(chan session, 1)
	go func() { done <- serve(l, serverTLS) }() // owned by the test; ends with the client, or with l

	require.NoError(t, Send(n.Context(), n.Dialer, n.Address(l.Addr()), clientTLS.RootCAs, "a@client.test", "b@server.test", []byte("Subject: hello\r\n\r\nhello\r\n")))
	s := <-done
	require.NoError(t, s.err)
	require.Equal(t, []string{"EHLO localhost", "MAIL FROM:<a@client.test>", "RCPT TO:<b@server.test>", "DATA"}, s.lines)
	require.Equal(t, "Subject: hello\n\nhello\n", s.mail)
	n.OnlyByName(sockstest.Connect)

	go func() { // owned by the test; ends with l
		for !errors.Is(serve(l, serverTLS).err, net.ErrClosed) {
		}
	}()
	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		return behind.Session{Use: func(ctx context.Context) error {
			return Send(ctx, n.Dialer, n.Address(l.Addr()), clientTLS.RootCAs, "a@client.test", "b@server.test", []byte("hello\r\n"))
		}}, nil
	})
}
