package lab

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// escape tries to send packets that bypass the gateway, in every way. The attempts may fail, but no packet may
// leave.
const escape = `
import os, socket, subprocess, sys, threading

def attempt(f):
    try:
        f()
    except (OSError, ValueError) as e:
        print(f.__name__, e)

def datagram(family, address):
    def send():
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.settimeout(0.2)
        s.sendto(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x04test\x00\x00\x01\x00\x01", address)
        s.recv(512)
    attempt(send)

def stream(family, address):
    def connect():
        s = socket.socket(family, socket.SOCK_STREAM)
        s.settimeout(0.3)
        s.connect(address)
        s.sendall(b"x")
    attempt(connect)

def raw(family, protocol, address):
    def send():
        s = socket.socket(family, socket.SOCK_RAW, protocol)
        s.sendto(b"\x08\x00\xf7\xff\x00\x00\x00\x00", address)
    attempt(send)

def broadcast():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.sendto(b"x", ("255.255.255.255", 9))

def bound():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"up0")
    s.sendto(b"x", ("10.88.0.1", 9))

def fastopen():
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(0.3)
    s.sendto(b"x", 0x20000000, ("10.88.0.1", 80))

def listener():
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.bind(("0.0.0.0", 0))
    s.listen()

for host, family in ("10.88.0.1", socket.AF_INET), ("192.0.2.1", socket.AF_INET), ("fd88::1", socket.AF_INET6), ("::ffff:10.88.0.1", socket.AF_INET6):
    for port in 53, 443:
        datagram(family, (host, port))
        stream(family, (host, port))
    raw(family, socket.IPPROTO_ICMP if family == socket.AF_INET else 58, (host, 0))
    raw(family, socket.IPPROTO_UDP, (host, 0))
    raw(family, 132, (host, 0))
for group, family in ("224.0.0.251", socket.AF_INET), ("239.255.255.250", socket.AF_INET), ("ff02::fb", socket.AF_INET6), ("169.254.169.254", socket.AF_INET), ("10.77.0.255", socket.AF_INET):
    datagram(family, (group, 5353))
for f in broadcast, bound, fastopen, listener:
    attempt(f)
for name in "nowhere.test", "other.test", "localhost", "x.onion":
    attempt(lambda: socket.getaddrinfo(name, 80))
print("done")
`

// Without socksify the capture counts packets of the same script, which shows that it works.
func TestLeaksAreSeen(t *testing.T) {
	w := newWorld(t)
	res := run{bare: true, env: []string{"RES_OPTIONS=timeout:1 attempts:1"}}.do(w, need(t, "python3", "python3"), "-c", escape)
	require.Contains(t, res.stdout, "done", res.stderr)
	leaks, _, _ := w.capture.settled()
	require.Greater(t, len(leaks), 10)
	t.Logf("%d packets that bypass the gateway without socksify", len(leaks))
}

// Packets leave only to the gateway, for every attempt of the script and for each user.
func TestNothingLeaks(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		for _, user := range []bool{false, true} {
			res := run{way: way, user: user}.do(w, need(t, "python3", "python3"), "-c", escape)
			require.Contains(t, res.stdout, "done", res.stderr)
			w.requireNoLeak()
		}
		_, toGateway, _ := w.capture.settled()
		require.NotZero(t, toGateway)
	})
}

// Without a gateway the program has no network.
func TestDeadGateway(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		w.gateway.Close()
		res := run{way: way}.do(w, need(t, "python3", "python3"), "-c", escape)
		require.Contains(t, res.stdout, "done", res.stderr)
		res = run{way: way}.do(w, need(t, "curl", "curl"), "-sS", "http://www.test/")
		require.Equal(t, 7, res.code, res.stderr)
		w.requireNoLeak()
	})
}

// An address that the program changes during connect does not bypass the gateway.
func TestFlippedAddress(t *testing.T) {
	inEachWay(t, func(t *testing.T, w *world, way string) {
		program := compile(t, w, "flip.c", "gcc", "gcc", "-pthread")
		res := run{way: way}.do(w, program)
		require.Equal(t, "done\n", res.stdout, res.stderr)
		w.requireNoLeak()
	})
}
