// Package channel sends messages and descriptors between the processes of socksify, over a pair of SOCK_SEQPACKET
// sockets. The parent passes the descriptor of the child's end on the child's command line.
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

// Lowest is the lowest descriptor for a child's end, if the limit of open descriptors allows it. Lower descriptors
// may be inherited from the user for the program.
const Lowest = 200

// maxMessage is the maximum length of a message in bytes, and maxFiles the maximum number of its descriptors
// (SCM_RIGHTS allows 253).
const (
	maxMessage = 64 << 10
	maxFiles   = 250
)

// A Kind is the kind of a [Message].
type Kind string

const (
	Config  Kind = "config"  // to a child: its configuration, in Body
	Ready   Kind = "ready"   // from the shim: its set-up is done; with descriptors
	Go      Kind = "go"      // to the shim: execute the program
	Failed  Kind = "failed"  // from a child: Text and Code
	Started Kind = "started" // from the supervisor: the program runs
	Stopped Kind = "stopped" // from the supervisor: the program was stopped by Signal
	Exited  Kind = "exited"  // from the supervisor: the program ended with Status
	Signal  Kind = "signal"  // to the supervisor: send Signal to the program
	Forked  Kind = "forked"  // from the supervisor: Process will execute the program
)

// Message is one datagram of a [Conn]. Its Kind determines which fields are used.
type Message struct {
	Kind    Kind
	Text    string             `json:",omitempty"`
	Code    int                `json:",omitempty"`
	Process int                `json:",omitempty"`
	Signal  syscall.Signal     `json:",omitempty"`
	Status  syscall.WaitStatus `json:",omitempty"`
	Body    json.RawMessage    `json:",omitempty"` // the JSON of a Config
}

// Conn is one end of a channel. Send and Receive may be called concurrently with each other.
type Conn struct{ c *net.UnixConn }

// Pair returns this process's end, and a descriptor for a child, which survives exec. The caller must close that
// descriptor after it has started the child.
func Pair() (*Conn, int, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, 0, os.NewSyscallError("socketpair", err)
	}
	child, err := unix.FcntlInt(uintptr(fds[1]), unix.F_DUPFD, Lowest)
	if err == unix.EINVAL { // above the limit of open descriptors
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

// Open returns the end with the descriptor fd, which it closes. The end does not survive exec.
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

// Close closes the end. Receive of the other end then returns io.EOF.
func (c *Conn) Close() error { return c.c.Close() }

// Send sends a message and duplicates of files' descriptors. It fails if there are too many of them or the message
// is too long.
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
		return fmt.Errorf("channel: %q instead of %q", m.Kind, Config)
	}
	return json.Unmarshal(m.Body, v)
}

// Receive waits for the next message and returns it with its files, which the caller must close. It returns io.EOF
// after the other end was closed.
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

// receivedFiles returns the descriptors in control messages as files. Package net has set FD_CLOEXEC on them.
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
