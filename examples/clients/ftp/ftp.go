// The hook: Listen, for the data connection that an FTP server makes in active mode. The address that
// the client sends with EPRT (RFC 2428) is the gateway's.

// Package ftp fetches files from an FTP server behind a gateway, in active mode.
package ftp

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"net/textproto"

	"github.com/sockslib/sockslib/dialer"
)

// Retrieve copies a file from an anonymous FTP server to w. The transfer ends with the context.
func Retrieve(ctx context.Context, d *dialer.Dialer, address, file string, w io.Writer) error {
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	control := textproto.NewConn(conn)
	defer control.Close() // and with it the server's data connection
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	l, err := d.Listen(ctx, "tcp", conn.RemoteAddr().String()) // only for the server, by its name
	if err != nil {
		return err
	}
	defer l.Close()
	told, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil {
		return err
	}
	family := 1 + told.Addr().BitLen()/128 // 1 is IPv4, 2 is IPv6
	if _, _, err := control.ReadResponse(220); err != nil {
		return err
	}
	eprt := fmt.Sprintf("EPRT |%d|%s|%d|", family, told.Addr(), told.Port())
	codes := []int{331, 230, 200, 200, 150}
	for i, command := range []string{"USER anonymous", "PASS guest", "TYPE I", eprt, "RETR " + file} {
		if err := control.PrintfLine("%s", command); err != nil {
			return err
		}
		if _, _, err := control.ReadResponse(codes[i]); err != nil {
			return err
		}
	}
	data, err := l.Accept() // at once: the server has connected before it said 150
	if err != nil {
		return err
	}
	defer data.Close()
	defer context.AfterFunc(ctx, func() { data.Close() })()
	if _, err := io.Copy(w, data); err != nil {
		return err
	}
	_, _, err = control.ReadResponse(226)
	return err
}
