package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"strings"

	"github.com/sockslib/sockslib/socks/sockstest"
)

const page = "hello from the other family"

// transport shows that an http.Transport needs only a DialContext.
func (w *world) transport(ctx context.Context) error {
	w.title("1. http.Transport, by its DialContext")
	port, stop, err := serveHTTP(w.serverIP)
	if err != nil {
		return err
	}
	defer stop()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
		return w.dialer.DialContext(ctx, "tcp4", address)
	}}
	defer transport.CloseIdleConnections()

	url := fmt.Sprintf("http://%s:%d/", webName, port)
	w.step("name asked", "%s, by GET %s", webName, url)
	var remote net.Addr
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { remote = c.Conn.RemoteAddr() }})
	request, err := http.NewRequestWithContext(traced, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	w.step("fake in its place", "%s is what the application sees as the peer", remote)
	w.step("fetched", "%s, %q", response.Status, body)
	w.check(string(body) == page, "the body is %q", body)
	w.checkNamed(sockstest.Connect, webName)
	w.checkFake(remote, webName)
	return nil
}

// lookupAndDial shows that code that resolves first gets an address that stands for the name.
func (w *world) lookupAndDial(ctx context.Context) error {
	w.title("2. LookupNetIP, then Dial")
	port, stop, err := serveHTTP(w.serverIP)
	if err != nil {
		return err
	}
	defer stop()
	fake, err := w.lookup(ctx, webName)
	if err != nil {
		return err
	}
	address := netip.AddrPortFrom(fake, port).String()
	w.step("application dials", "%s", address)
	conn, err := w.dialer.DialContext(ctx, "tcp4", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	w.checkNamed(sockstest.Connect, webName)
	w.checkFake(conn.RemoteAddr(), webName)
	fmt.Fprintf(conn, "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", webName)
	response, err := io.ReadAll(conn)
	if err != nil {
		return err
	}
	status, _, _ := strings.Cut(string(response), "\r\n")
	w.step("fetched", "%s", status)
	w.check(strings.HasSuffix(string(response), page), "the response is %q", response)
	return nil
}

// udp shows that a datagram to the fake goes out by name, and that the answer comes from the fake.
func (w *world) udp(ctx context.Context) error {
	w.title("3. UDP, by ListenPacket")
	port, stop, err := serveEcho(w.serverIP)
	if err != nil {
		return err
	}
	defer stop()
	fake, err := w.lookup(ctx, echoName)
	if err != nil {
		return err
	}
	conn, err := w.dialer.ListenPacket(ctx, "udp4", "")
	if err != nil {
		return err
	}
	defer conn.Close()
	w.check(w.asked().Command == sockstest.Associate, "the gateway was asked for %s", w.asked().Command)

	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(fake, port))
	w.step("datagram to", "%s, which goes out to %s", to, echoName)
	if _, err := conn.WriteTo([]byte("ping"), to); err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	if err := conn.SetReadDeadline(deadline); err != nil {
		return err
	}
	answer := make([]byte, 64)
	n, from, err := conn.ReadFrom(answer)
	if err != nil {
		return err
	}
	sent := w.gateway.Datagrams()
	w.check(len(sent) == 1 && hostOf(sent[0].Address) == echoName, "the gateway was sent datagrams to %v", sent)
	w.step("gateway was sent", "a datagram to %s", sent[0].Address)
	w.step("answer from", "%s, %q", from, answer[:n])
	w.check(string(answer[:n]) == "ping", "the answer is %q", answer[:n])
	w.check(from.String() == to.String(), "the answer is from %s", from)
	return nil
}

// bind shows a server that connects to an address that the client has sent, as in active FTP.
func (w *world) bind(ctx context.Context) error {
	w.title("4. BIND, by Listen: the server connects back")
	port, stop, err := serveCallback(w.serverIP)
	if err != nil {
		return err
	}
	defer stop()
	control, err := w.dialer.DialContext(ctx, "tcp4", fmt.Sprintf("%s:%d", ftpName, port))
	if err != nil {
		return err
	}
	defer control.Close()
	l, err := w.dialer.Listen(ctx, "tcp4", control.RemoteAddr().String())
	if err != nil {
		return err
	}
	defer l.Close()
	w.checkNamed(sockstest.Bind, ftpName)
	w.step("application says", "connect to %s", l.Addr())
	fmt.Fprintln(control, l.Addr())
	data, err := l.Accept()
	if err != nil {
		return err
	}
	defer data.Close()
	text, err := io.ReadAll(data)
	if err != nil {
		return err
	}
	w.step("server came from", "%s, which stands for %s, and sent %q", data.RemoteAddr(), ftpName, text)
	w.check(string(text) == page, "it sent %q", text)
	w.checkFake(data.RemoteAddr(), ftpName)
	return nil
}

// lookup resolves a name like an application that uses LookupNetIP, LookupHost or LookupIP.
func (w *world) lookup(ctx context.Context, name string) (netip.Addr, error) {
	w.step("name asked", "%s, for IPv4", name)
	fakes, err := w.resolver.LookupNetIP(ctx, "ip4", name)
	if err != nil {
		return netip.Addr{}, err
	}
	w.step("fake given", "%s", fakes[0])
	w.check(len(fakes) == 1 && fakes[0].Is4(), "%v is not one IPv4 address", fakes)
	return fakes[0], nil
}

// checkNamed checks that the last request had the command and the name.
func (w *world) checkNamed(command sockstest.Command, name string) {
	r := w.asked()
	w.check(r.Command == command && hostOf(r.Address) == name, "the gateway was asked for %s %s", r.Command, r.Address)
}

func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}

// checkFake checks that the peer's address is an IPv4 fake that stands for the name.
func (w *world) checkFake(remote net.Addr, name string) {
	addr, err := netip.ParseAddrPort(remote.String())
	mapped, ok := w.dialer.Table.Name(addr.Addr())
	w.check(err == nil && addr.Addr().Is4() && ok && mapped == name, "%s stands for %q", remote, mapped)
}
