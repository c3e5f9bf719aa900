package namespace

import (
	"encoding/binary"
	"os"
	"sync"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// vnetHeader is the length of struct virtio_net_hdr, which comes before each packet (IFF_VNET_HDR). It lets both
// sides leave out the checksums of TCP and UDP, which protect nothing inside of one machine.
const vnetHeader = 10

// link is the device as a stack.LinkEndpoint.
type link struct {
	file *os.File
	raw  interface {
		Read(func(fd uintptr) bool) error
		Write(func(fd uintptr) bool) error
	}
	mtu uint32

	mu         sync.Mutex
	dispatcher stack.NetworkDispatcher
	reading    sync.WaitGroup
}

// newLink takes over a descriptor of the device.
func newLink(device *os.File) (*link, error) {
	fd, err := unix.FcntlInt(device.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	l := &link{file: os.NewFile(uintptr(fd), DeviceName), mtu: mtu}
	if l.raw, err = l.file.SyscallConn(); err != nil {
		l.file.Close()
		return nil, err
	}
	return l, nil
}

// Attach begins to deliver packets to a dispatcher, or, if that is nil, ends it.
func (l *link) Attach(d stack.NetworkDispatcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dispatcher = d
	if d == nil {
		_ = l.file.Close()
		return
	}
	l.reading.Go(func() { l.read(d) }) // ends with the file, which Attach(nil) and Close close; see Wait
}

const (
	// headSize is the length of a packet's first view, which has the headers of IP and TCP. gVisor copies the view
	// that has the header of IP, so that the payload is better off in another.
	headSize = 128
	// smallPacket is the longest rest of a packet that is copied, so that it does not pin the memory of a large one.
	smallPacket = 4 << 10
)

// read delivers packets until the file is closed.
func (l *link) read(d stack.NetworkDispatcher) {
	var prefix [vnetHeader]byte
	head, rest := buffer.NewViewSize(headSize), buffer.NewViewSize(buffer.MaxChunkSize)
	defer func() { head.Release(); rest.Release() }()
	iov := [][]byte{prefix[:], nil, nil}
	for {
		iov[1], iov[2] = head.AsSlice(), rest.AsSlice()
		n := 0
		err := l.raw.Read(func(fd uintptr) bool {
			var err error
			n, err = unix.Readv(int(fd), iov)
			return err != unix.EAGAIN && err != unix.EINTR
		})
		if err != nil {
			return
		}
		n -= vnetHeader
		if n <= 0 {
			continue
		}
		head.CapLength(min(n, headSize))
		packet := buffer.MakeWithView(head)
		head = buffer.NewViewSize(headSize)
		switch n -= headSize; {
		case n > smallPacket:
			rest.CapLength(n)
			_ = packet.Append(rest)
			rest = buffer.NewViewSize(buffer.MaxChunkSize)
		case n > 0:
			_ = packet.Append(buffer.NewViewWithData(rest.AsSlice()[:n]))
		}
		deliver(d, iov[1][0]>>4, packet)
	}
}

// deliver delivers a packet of an IP version, unless there is no such version.
func deliver(d stack.NetworkDispatcher, version byte, packet buffer.Buffer) {
	var protocol tcpip.NetworkProtocolNumber
	switch version {
	case 4:
		protocol = header.IPv4ProtocolNumber
	case 6:
		protocol = header.IPv6ProtocolNumber
	default:
		packet.Release()
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: packet})
	d.DeliverNetworkPacket(protocol, pkt)
	pkt.DecRef()
}

// WritePackets writes packets of the stack, whose checksums of TCP are left out.
func (l *link) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	n := 0
	for _, pkt := range pkts.AsSlice() {
		prefix := partialChecksum(pkt)
		views := append([][]byte{prefix[:]}, pkt.AsSlices()...)
		if err := l.writev(views); err != nil {
			return n, &tcpip.ErrNoBufferSpace{}
		}
		n++
	}
	return n, nil
}

// partialChecksum tells the kernel that the checksum of TCP is not there; it needs none to take a packet in.
func partialChecksum(pkt *stack.PacketBuffer) (prefix [vnetHeader]byte) {
	if pkt.TransportProtocolNumber != header.TCPProtocolNumber {
		return prefix
	}
	const needsChecksum, checksumOffset = 1, 16
	prefix[0] = needsChecksum
	binary.NativeEndian.PutUint16(prefix[6:], uint16(len(pkt.NetworkHeader().Slice())))
	binary.NativeEndian.PutUint16(prefix[8:], checksumOffset)
	return prefix
}

// send writes a packet with checksums of its own. What cannot be written is lost, as on any network.
func (l *link) send(packet []byte) {
	var prefix [vnetHeader]byte
	_ = l.writev([][]byte{prefix[:], packet})
}

func (l *link) writev(iov [][]byte) error {
	var failed error
	err := l.raw.Write(func(fd uintptr) bool {
		_, failed = unix.Writev(int(fd), iov)
		return failed != unix.EINTR
	})
	if err != nil {
		return err
	}
	return failed
}

// waiting reports whether packets wait on the device.
func (l *link) waiting() (yes bool) {
	_ = l.raw.Write(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, _ := unix.Poll(p, 0)
		yes = n > 0 && p[0].Revents&unix.POLLIN != 0
		return true
	})
	return yes
}

// Capabilities: checksums are neither looked at nor made.
func (l *link) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityRXChecksumOffload | stack.CapabilityTXChecksumOffload
}

func (l *link) IsAttached() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dispatcher != nil
}

func (l *link) MTU() uint32                             { return l.mtu }
func (l *link) SetMTU(mtu uint32)                       { l.mtu = mtu }
func (l *link) MaxHeaderLength() uint16                 { return 0 }
func (l *link) LinkAddress() tcpip.LinkAddress          { return "" }
func (l *link) SetLinkAddress(tcpip.LinkAddress)        {}
func (l *link) Wait()                                   { l.reading.Wait() }
func (l *link) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareNone }
func (l *link) AddHeader(*stack.PacketBuffer)           {}
func (l *link) ParseHeader(*stack.PacketBuffer) bool    { return true }
func (l *link) Close()                                  { _ = l.file.Close() }
func (l *link) SetOnCloseAction(func())                 {}
