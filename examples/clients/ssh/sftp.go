package ssh

import (
	"context"
	"errors"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/sockslib/sockslib/dialer"
)

// SFTP is an sftp.Client and its SSH connection. Close it after use.
type SFTP struct {
	*sftp.Client
	ssh *ssh.Client
}

// DialSFTP is like Dial, but returns an SFTP client over the connection.
func DialSFTP(ctx context.Context, d *dialer.Dialer, address string, config *ssh.ClientConfig) (*SFTP, error) {
	client, err := Dial(ctx, d, address, config)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { client.Close() })()
	files, err := sftp.NewClient(client)
	if err != nil {
		client.Close()
		return nil, err
	}
	return &SFTP{files, client}, nil
}

// Close ends the SSH connection too.
func (s *SFTP) Close() error { return errors.Join(s.Client.Close(), s.ssh.Close()) }
