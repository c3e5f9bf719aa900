package namespace

import (
	"encoding/binary"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// vnetHeader is the length of struct virtio_net_hdr, which precedes each packet (IFF_VNET_HDR). With it, both
// sides can omit the checksums of TCP and UDP, which are not needed within one machine.
const vnetHeader = 10

// link is the device as a stack.LinkEndpoint.
type link struct {
	file *os.File
	raw  interface {
		Read(func(fd uintptr) bool) error
		Write(func(fd uintptr) bool) error
	}
	mtu atomic.Uint32 // the stack may set it at any time

	mu         sync.Mutex
	dispatcher stack.NetworkDispatcher
	reading    sync.WaitGroup
}

// newLink returns a link with a duplicate of device's descriptor.
func newLink(device *os.File) (*link, error) {
	fd, err := unix.FcntlInt(device.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	l := &link{file: os.NewFile(uintptr(fd), DeviceName)}
	l.mtu.Store(mtu)
	if l.raw, err = l.file.SyscallConn(); err != nil {
		l.file.Close()
		return nil, err
	}
	return l, nil
}

// Attach starts to deliver packets to d. A nil d closes the link.
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
	// headSize is the length of a packet's first view, which has the IP and TCP headers. gVisor copies the view with
	// the IP header, so a separate view for the payload saves a copy.
	headSize = 128
	// smallPacket is the maximum size of a packet's second view that is copied, so that a short packet does not pin
	// the memory of a long one.
	smallPacket = 4 << 10
)

// read delivers packets until the file is closed or the device is gone.
func (l *link) read(d stack.NetworkDispatcher) {
	var prefix [vnetHeader]byte
	head, rest := buffer.NewViewSize(headSize), buffer.NewViewSize(buffer.MaxChunkSize)
	defer func() { head.Release(); rest.Release() }()
	iov := [][]byte{prefix[:], nil, nil}
	for {
		iov[1], iov[2] = head.AsSlice(), rest.AsSlice()
		var n int
		var failed error
		err := l.raw.Read(func(fd uintptr) bool {
			n, failed = unix.Readv(int(fd), iov)
			return failed != unix.EAGAIN && failed != unix.EINTR
		})
		if err != nil || failed != nil {
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

// deliver delivers a packet of an IP version to d, or drops it if the version is unknown.
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

// WritePackets writes packets of the stack, which have no TCP checksums.
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

// partialChecksum returns the virtio_net_hdr for pkt. For TCP it says that the checksum is missing; the kernel
// accepts that on input.
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

// send writes a packet that has its checksums. If the write fails, the packet is lost, as on any network.
func (l *link) send(packet []byte) {
	var prefix [vnetHeader]byte
	_ = l.writev([][]byte{prefix[:], packet})
}

// writev writes one packet.
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

// Capabilities says that the stack neither checks nor computes checksums.
func (l *link) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityRXChecksumOffload | stack.CapabilityTXChecksumOffload
}

func (l *link) IsAttached() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dispatcher != nil
}

func (l *link) MTU() uint32                             { return l.mtu.Load() }
func (l *link) SetMTU(mtu uint32)                       { l.mtu.Store(mtu) }
func (l *link) MaxHeaderLength() uint16                 { return 0 }
func (l *link) LinkAddress() tcpip.LinkAddress          { return "" }
func (l *link) SetLinkAddress(tcpip.LinkAddress)        {}
func (l *link) Wait()                                   { l.reading.Wait() }
func (l *link) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareNone }
func (l *link) AddHeader(*stack.PacketBuffer)           {}
func (l *link) ParseHeader(*stack.PacketBuffer) bool    { return true }
func (l *link) Close()                                  { _ = l.file.Close() }
func (l *link) SetOnCloseAction(func())                 {}
