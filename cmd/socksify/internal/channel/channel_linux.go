// Package channel carries messages and descriptors between the processes of socksify, over a pair of
// SOCK_SEQPACKET sockets. A child finds its end by a number that the parent passes on its command line.
package channel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Lowest is the lowest number of a descriptor that a child inherits, where the limit allows it: below are those that
// the user passes to the program.
const Lowest = 200

// maxMessage bounds a message; maxFiles bounds the descriptors that come with it (SCM_RIGHTS allows 253).
const (
	maxMessage = 64 << 10
	maxFiles   = 250
)

// A Kind says what a Message is about.
type Kind string

const (
	Config  Kind = "config"  // to a child: what it needs to know
	Ready   Kind = "ready"   // from the shim: set up; with descriptors
	Go      Kind = "go"      // to the shim: execute the program
	Failed  Kind = "failed"  // from a child: Text and Code
	Started Kind = "started" // from the supervisor: Process runs the program
	Stopped Kind = "stopped" // from the supervisor: the program was stopped by Signal
	Exited  Kind = "exited"  // from the supervisor: the program ended with Status
	Signal  Kind = "signal"  // to the supervisor: send Signal to the program
	Forked  Kind = "forked"  // from the supervisor: the process of the program is Process
)

// Message is one datagram of a Conn. Which fields count depends on Kind.
type Message struct {
	Kind    Kind
	Text    string             `json:",omitempty"`
	Code    int                `json:",omitempty"`
	Process int                `json:",omitempty"`
	Signal  syscall.Signal     `json:",omitempty"`
	Status  syscall.WaitStatus `json:",omitempty"`
	Body    json.RawMessage    `json:",omitempty"` // Config: whatever the two ends agree on
}

// Conn is one end. Send and Receive may be called concurrently with each other.
type Conn struct{ c *net.UnixConn }

// Pair returns this process's end, and the number of a descriptor for a child, which survives exec. The
// caller closes that number once the child runs.
func Pair() (*Conn, int, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, 0, os.NewSyscallError("socketpair", err)
	}
	child, err := unix.FcntlInt(uintptr(fds[1]), unix.F_DUPFD, Lowest)
	if err == unix.EINVAL { // beyond the limit of open descriptors
		child, err = unix.FcntlInt(uintptr(fds[1]), unix.F_DUPFD, 10)
	}
	unix.Close(fds[1])
	if err != nil {
		unix.Close(fds[0])
		return nil, 0, os.NewSyscallError("fcntl", err)
	}
	c, err := Open(fds[0])
	if err != nil {
		unix.Close(child)
		return nil, 0, err
	}
	return c, child, nil
}

// Open takes over the end with a descriptor's number. It does not survive exec.
func Open(fd int) (*Conn, error) {
	f := os.NewFile(uintptr(fd), "channel")
	if f == nil {
		return nil, fmt.Errorf("channel: descriptor %d: %w", fd, unix.EBADF)
	}
	defer f.Close()
	c, err := net.FileConn(f) // duplicates with FD_CLOEXEC
	if err != nil {
		return nil, fmt.Errorf("channel: %w", err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, errors.New("channel: not a unix socket")
	}
	return &Conn{u}, nil
}

// Close closes the end; the other one receives io.EOF.
func (c *Conn) Close() error { return c.c.Close() }

// Send sends a message and duplicates of files.
func (c *Conn) Send(m Message, files ...*os.File) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(b) > maxMessage || len(files) > maxFiles {
		return fmt.Errorf("channel: %q of %d bytes and %d files is too long", m.Kind, len(b), len(files))
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	_, _, err = c.c.WriteMsgUnix(b, rights, nil)
	return err
}

// Configure sends v as a Config.
func (c *Conn) Configure(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.Send(Message{Kind: Config, Body: b})
}

// Configuration receives a Config into v.
func (c *Conn) Configuration(v any) error {
	m, _, err := c.Receive()
	if err != nil {
		return err
	}
	if m.Kind != Config {
		return fmt.Errorf("channel: %q in place of %q", m.Kind, Config)
	}
	return json.Unmarshal(m.Body, v)
}

// Receive returns the next message and its files, which the caller closes. It returns io.EOF when the other
// end is closed.
func (c *Conn) Receive() (Message, []*os.File, error) {
	b := make([]byte, maxMessage)
	oob := make([]byte, unix.CmsgSpace(4*maxFiles))
	n, oobn, flags, _, err := c.c.ReadMsgUnix(b, oob)
	if err != nil {
		return Message{}, nil, err
	}
	files, err := receivedFiles(oob[:oobn])
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err == nil && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = errors.New("channel: message truncated")
	}
	var m Message
	if err == nil {
		err = json.Unmarshal(b[:n], &m)
	}
	if err != nil {
		for _, f := range files {
			f.Close()
		}
		return Message{}, nil, err
	}
	return m, files, nil
}

// receivedFiles takes over the descriptors of a control message; package net set FD_CLOEXEC on them.
func receivedFiles(oob []byte) ([]*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	controls, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for _, control := range controls {
		fds, err := unix.ParseUnixRights(&control)
		if err != nil {
			continue // not SCM_RIGHTS
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}
