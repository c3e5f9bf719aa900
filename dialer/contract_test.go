package dialer_test

import (
	"io"
	"net"
	"syscall"

	"golang.org/x/net/proxy"

	"github.com/sockslib/sockslib/dialer"
	"github.com/sockslib/sockslib/socks"
)

var (
	_ proxy.Dialer        = (*dialer.Dialer)(nil)
	_ proxy.ContextDialer = (*dialer.Dialer)(nil)
	_ dialer.Gateway      = (*socks.Client)(nil)
	_ dialer.Gateway      = (*dialer.Dialer)(nil)
	_ net.Conn            = (*dialer.Conn)(nil)
	_ io.ReaderFrom       = (*dialer.Conn)(nil)
	_ io.WriterTo         = (*dialer.Conn)(nil)
	_ syscall.Conn        = (*dialer.Conn)(nil)
	_ net.Listener        = (*dialer.Listener)(nil)
	_ net.PacketConn      = (*dialer.PacketConn)(nil)
	_ net.Conn            = (*dialer.PacketConn)(nil)

	_ interface {
		CloseRead() error
		CloseWrite() error
		NetConn() net.Conn
		BoundAddr() net.Addr
		Name() string
	} = (*dialer.Conn)(nil)

	// The hook of net.Dialer and net.ListenConfig.
	_ = net.Dialer{Control: new(dialer.Dialer).Control}
	_ = net.ListenConfig{Control: new(dialer.Dialer).Control}
)
