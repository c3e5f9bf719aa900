package ftp

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockslib/sockslib/internal/behind"
	"github.com/sockslib/sockslib/internal/leakcheck"
	"github.com/sockslib/sockslib/socks/sockstest"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// startVsftpd returns the address of a server that has a file, and the file's content.
func startVsftpd(t *testing.T, n *behind.Network) (string, []byte) {
	vsftpd := behind.Program(t, "vsftpd", "/usr/sbin/vsftpd")
	dir, port := behind.Dir(t), n.Port()
	file := make([]byte, 1<<20)
	rand.Read(file)
	public := filepath.Join(dir, "public") // vsftpd requires that it is not writable
	require.NoError(t, os.Mkdir(public, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(public, "file"), file, 0o644))
	listen := "listen=YES\nlisten_address=" + n.IP.String()
	if n.IP.Is6() {
		listen = "listen=NO\nlisten_ipv6=YES\nlisten_address6=" + n.IP.String()
	}
	config := filepath.Join(dir, "vsftpd.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `%s
listen_port=%s
background=NO
run_as_launching_user=YES
anonymous_enable=YES
local_enable=NO
anon_root=%s
connect_from_port_20=NO
pasv_enable=NO
isolate=NO
isolate_network=NO
seccomp_sandbox=NO
`, listen, port, public), 0o644))
	behind.Own(t, config) // vsftpd requires it
	n.Serve(port, vsftpd, config)
	return net.JoinHostPort(behind.Name, port), file
}

func TestActiveFTP(t *testing.T) {
	n := behind.Start(t)
	address, file := startVsftpd(t, n)
	var got bytes.Buffer
	require.NoError(t, Retrieve(n.Context(), n.Dialer, address, "file", &got))
	require.True(t, bytes.Equal(file, got.Bytes()), "the file differs")
	n.OnlyByName(sockstest.Connect, sockstest.Bind)

	var refused *textproto.Error
	require.ErrorAs(t, Retrieve(n.Context(), n.Dialer, address, "missing", &got), &refused)
	require.Equal(t, 550, refused.Code)

	n.Exercise(behind.Reconnects, func(context.Context) (behind.Session, error) {
		return behind.Session{Use: func(ctx context.Context) error { return Retrieve(ctx, n.Dialer, address, "file", io.Discard) }}, nil
	})
}
