package seccomp

import (
	"os"
	"os/exec"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// holder starts a process that has sockets, and returns a func that ends it.
func holder(t *testing.T, sockets ...socket) (end func()) {
	t.Helper()
	cmd := exec.Command("cat")
	for _, s := range sockets {
		fd, err := unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, 0)
		require.NoError(t, err)
		f := os.NewFile(uintptr(fd), "socket")
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return func() {
		require.NoError(t, in.Close())
		require.NoError(t, cmd.Wait())
	}
}

func made(t *testing.T, c *custody) socket {
	t.Helper()
	s, err := newSocket(unix.AF_INET, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	c.add(s)
	c.given(s.cookie)
	return s
}

// get finds a socket by its inode number until it is released.
func TestCustodyHoldsASocketUntilItsRelease(t *testing.T) {
	c := newCustody()
	defer c.close()
	s := made(t, c)
	inode, err := inodeOf(os.Getpid(), s.fd)
	require.NoError(t, err)
	require.Equal(t, s.cookie, inode)
	got, ok := c.get(inode)
	require.True(t, ok)
	require.Equal(t, unix.AF_INET, got.domain)
	require.NotEqual(t, s.fd, got.fd)
	got.close()
	c.release(inode)
	c.release(inode)
	_, ok = c.get(inode)
	require.False(t, ok)
	require.Equal(t, unix.EBADF, unix.Close(s.fd))
}

// A sweep releases a socket only if the last sweep did not find it in any process either.
func TestSweepReleasesWhatTwoSweepsMiss(t *testing.T) {
	c := newCustody()
	defer c.close()
	kept, lost := made(t, c), made(t, c)
	fresh, err := newSocket(unix.AF_INET6, unix.SOCK_DGRAM, 0)
	require.NoError(t, err)
	c.add(fresh)
	end := holder(t, kept)
	has := func(s socket) bool { return c.held[s.cookie] != nil }
	c.sweep()
	require.True(t, has(kept) && has(lost) && has(fresh))
	require.Equal(t, 2, c.present())
	c.sweep()
	require.True(t, has(kept) && has(fresh))
	require.False(t, has(lost))
	end()
	c.sweep()
	c.sweep()
	require.False(t, has(kept))
	require.True(t, has(fresh), "no process has had it yet")
}

// A custody holds few sockets, even if a program makes and closes many.
func TestCustodyHoldsFewClosedSockets(t *testing.T) {
	c := newCustody()
	defer c.close()
	var live []socket
	for range 10 {
		live = append(live, made(t, c))
	}
	defer holder(t, live...)()
	for range 1000 {
		made(t, c)
		require.LessOrEqual(t, len(c.held), 2*minSweep+len(live))
	}
	for _, s := range live {
		require.NotNil(t, c.held[s.cookie])
	}
}

// The port of a bound socket that the program has closed is free for the next bind.
func TestBindFreesThePortsOfClosedSockets(t *testing.T) {
	c := newCustody()
	defer c.close()
	closed := made(t, c)
	c.bind(closed.cookie)
	require.NoError(t, unix.Bind(closed.fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	address, err := addrOf(closed.fd)
	require.NoError(t, err)
	next := made(t, c)
	end := holder(t, next)
	defer end()
	c.bind(next.cookie)
	require.Nil(t, c.held[closed.cookie])
	_, err = withSockaddr(unix.SYS_BIND, next.fd, appendSockaddr(nil, address))
	require.NoError(t, err)
}

func TestInodeOfTakesSocketsAlone(t *testing.T) {
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	_, err = inodeOf(os.Getpid(), int(null.Fd()))
	require.Equal(t, unix.ENOTSOCK, err)
	_, err = inodeOf(os.Getpid(), 1<<20)
	require.Equal(t, unix.EBADF, err)
	for link, want := range map[string]bool{"socket:[123]": true, "socket:[": false, "pipe:[1]": false, "socket:[x]": false, "": false} {
		_, ok := parseSocketLink(link)
		require.Equal(t, want, ok, link)
	}
}

// listed recognizes sockets that reach no network, and TCP sockets, by the kernel's tables.
func TestListedFindsSocketsInTheKernelsTables(t *testing.T) {
	inode := func(domain, kind int) (uint64, int) {
		fd, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		n, err := inodeOf(os.Getpid(), fd)
		require.NoError(t, err)
		return n, fd
	}
	self := os.Getpid()
	local, _ := inode(unix.AF_UNIX, unix.SOCK_DGRAM)
	require.True(t, listed(self, local, unixTables))
	netlink, fd := inode(unix.AF_NETLINK, unix.SOCK_RAW)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
	require.True(t, listed(self, netlink, unixTables))
	tcp, fd := inode(unix.AF_INET, unix.SOCK_STREAM)
	require.False(t, listed(self, tcp, unixTables) || listed(self, tcp, tcpTables))
	require.NoError(t, unix.Listen(fd, 1))
	require.True(t, listed(self, tcp, tcpTables))
}

// Reads and writes by /proc/PID/mem return the same errors.
func TestMemoryFileReadsAndWrites(t *testing.T) {
	m := memory{os.Getpid()}
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	require.NoError(t, err)
	defer func() { require.NoError(t, unix.Munmap(page)) }()
	copy(page, "from")
	at := int64(uintptr(unsafe.Pointer(&page[0])))
	b := make([]byte, 4)
	n, err := m.file(os.O_RDONLY, func(fd int) (int, error) { return unix.Pread(fd, b, at) })
	require.NoError(t, err)
	require.Equal(t, "from", string(b[:n]))
	n, err = m.file(os.O_WRONLY, func(fd int) (int, error) { return unix.Pwrite(fd, []byte("into"), at) })
	require.NoError(t, err)
	require.Equal(t, 4, n)
	require.Equal(t, "into", string(page[:4]))
	_, err = m.file(os.O_RDONLY, func(fd int) (int, error) { return unix.Pread(fd, b, 16) })
	require.Equal(t, unix.EFAULT, err)
	_, err = memory{1 << 30}.file(os.O_RDONLY, func(int) (int, error) { return 0, nil })
	require.Equal(t, unix.EPERM, err)
}
