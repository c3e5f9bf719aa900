package seccomp

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// custody holds the supervisor's descriptors of the sockets that it has made for the program, on machines that
// forbid pidfd_getfd. The supervisor finds the socket of a program's descriptor by the inode number in
// /proc/PID/fd.
//
// While a custody holds a descriptor, the program's close does not end the socket. So the custody releases a socket when it
// is connected or listens, and a sweep releases the sockets that no process has any more. A sweep runs when the number of
// held sockets has doubled, and before a bind if another bound socket is held. A custody is safe for concurrent use. A nil
// *custody holds nothing; only release and close may be called on it.
type custody struct {
	mu      sync.Mutex
	held    map[uint64]*heldSocket // by inode number
	sweepAt int                    // number of held sockets that starts a sweep
}

// heldSocket is a socket in custody.
type heldSocket struct {
	socket
	given   bool // a process of the program has had it
	bound   bool
	missing bool // the last sweep did not find it in any process
}

// minSweep is the minimum of sweepAt. After a sweep, sweepAt is twice the number of sockets found.
const minSweep = 64

func newCustody() *custody { return &custody{held: map[uint64]*heldSocket{}, sweepAt: minSweep} }

// add takes ownership of a socket that only this process has yet.
func (c *custody) add(s socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.held) >= c.sweepAt {
		c.sweep()
		c.sweepAt = max(minSweep, 2*c.present())
	}
	c.held[s.cookie] = &heldSocket{socket: s}
}

// given records that a process of the program has a socket now.
func (c *custody) given(inode uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.held[inode]; h != nil {
		h.given = true
	}
}

// get returns a duplicate of a held socket, which the caller must close. It reports false if the socket is not held.
func (c *custody) get(inode uint64) (socket, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.held[inode]
	if h == nil {
		return socket{}, false
	}
	s := h.socket
	var err error
	s.fd, err = unix.FcntlInt(uintptr(h.fd), unix.F_DUPFD_CLOEXEC, 0)
	return s, err == nil
}

// release closes the descriptor of a socket, if it is held.
func (c *custody) release(inode uint64) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.held[inode]; h != nil {
		h.close()
		delete(c.held, inode)
	}
}

// bind prepares for the bind of a socket: if another bound socket is held, it releases the sockets that the
// program has closed, so that their ports are free.
func (c *custody) bind(inode uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.held {
		if h.bound {
			c.sweep()
			c.sweep()
			break
		}
	}
	if h := c.held[inode]; h != nil {
		h.bound = true
	}
}

// sweep releases the sockets that neither this sweep nor the last one has found in any process. A single sweep may
// miss a socket that passes, by a fork, from a process that it has not looked at yet to one that it has. c.mu is
// held.
func (c *custody) sweep() {
	found := socketInodes()
	for inode, h := range c.held {
		switch {
		case found[inode], !h.given:
			h.missing = false
		case h.missing:
			h.close()
			delete(c.held, inode)
		default:
			h.missing = true
		}
	}
}

// present returns the number of held sockets that the last sweep has found. c.mu is held.
func (c *custody) present() (n int) {
	for _, h := range c.held {
		if !h.missing {
			n++
		}
	}
	return n
}

// close releases all sockets.
func (c *custody) close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for inode, h := range c.held {
		h.close()
		delete(c.held, inode)
	}
}

// socketInodes returns the inode numbers of the sockets in all other processes that this process may look at.
func socketInodes() map[uint64]bool {
	found := map[uint64]bool{}
	dirs, _ := filepath.Glob("/proc/[0-9]*/fd")
	own := "/proc/" + strconv.Itoa(os.Getpid()) + "/fd"
	for _, dir := range dirs {
		if dir == own {
			continue
		}
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if link, err := os.Readlink(dir + "/" + e.Name()); err == nil {
				if inode, ok := parseSocketLink(link); ok {
					found[inode] = true
				}
			}
		}
	}
	return found
}

// parseSocketLink returns the inode number in a link of /proc/PID/fd, and reports whether the link is a socket's.
func parseSocketLink(link string) (uint64, bool) {
	digits, ok := strings.CutPrefix(link, "socket:[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(digits, "]"), 10, 64)
	return inode, err == nil
}

// inodeOf returns the inode number of a socket by a thread's descriptor. Its error is an errno.
func inodeOf(thread, fd int) (uint64, error) {
	link, err := os.Readlink("/proc/" + strconv.Itoa(thread) + "/fd/" + strconv.Itoa(fd))
	switch {
	case os.IsNotExist(err):
		return 0, unix.EBADF
	case err != nil:
		return 0, unix.EPERM
	}
	inode, ok := parseSocketLink(link)
	if !ok {
		return 0, unix.ENOTSOCK
	}
	return inode, nil
}

// A socketTable is a file in /proc/PID/net, with the column of the inode number.
type socketTable struct {
	name   string
	column int
}

var (
	unixTables = []socketTable{{"unix", 6}, {"netlink", 9}} // families that reach no network; netlink sockets once bound
	tcpTables  = []socketTable{{"tcp", 9}, {"tcp6", 9}}     // connected, connecting and listening sockets
)

// listed reports whether a socket is in one of the tables of a thread's network namespace.
func listed(thread int, inode uint64, tables []socketTable) bool {
	want := strconv.FormatUint(inode, 10)
	for _, t := range tables {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(thread) + "/net/" + t.name)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > t.column && f[t.column] == want {
				return true
			}
		}
	}
	return false
}
