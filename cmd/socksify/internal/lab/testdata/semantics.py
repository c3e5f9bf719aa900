"""Prints what a program sees of its sockets: the same lines with socksify as without it."""
import errno
import os
import select
import socket
import struct
import sys
import threading

host = sys.argv[1]


def say(what, *values):
    print(what + ":", *values, flush=True)


def name(e):
    return errno.errorcode.get(e, e)


def attempt(what, f):
    try:
        say(what, f())
    except OSError as e:
        say(what, name(e.errno))


def blocking(port):
    s = socket.socket()
    return name(s.connect_ex((host, port)))


def polled(port, family=socket.AF_INET):
    s = socket.socket(family)
    s.setblocking(False)
    p = select.epoll()
    p.register(s, select.EPOLLOUT)  # before connect
    address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0][4]
    first = name(s.connect_ex(address))
    events = p.poll(10)
    error = name(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    again = name(s.connect_ex(address)) if error == 0 else "-"
    return first, len(events) > 0, error, name(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)), again


def names():
    address = socket.getaddrinfo(host, 7, socket.AF_INET, socket.SOCK_STREAM)[0][4]
    s = socket.create_connection(address)
    return s.getpeername() == address, s.getsockname()[1] > 0, s.family.name


def half_close():
    s = socket.create_connection((host, 7))
    s.sendall(b"x" * 100000)
    s.shutdown(socket.SHUT_WR)
    n = 0
    while True:
        b = s.recv(65536)
        if not b:
            return n
        n += len(b)


def reset():
    s = socket.create_connection((host, 9))  # resets after a byte
    s.sendall(b"x")
    return s.recv(1)


def server_ends():
    s = socket.create_connection((host, 13))  # says a line and closes
    return s.makefile().read().strip()


def options():
    s = socket.create_connection((host, 7))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 33)
    state = struct.unpack("B", s.getsockopt(socket.IPPROTO_TCP, 11, 1))[0]
    return (s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), s.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE), state)


def forked():
    s = socket.create_connection((host, 7))
    pid = os.fork()
    if pid == 0:
        s.sendall(b"from the child")
        os._exit(0)
    os.waitpid(pid, 0)
    d = socket.socket(fileno=os.dup(s.fileno()))
    s.close()
    return d.recv(100)


def unconnected():
    return socket.socket().getpeername()


def twice():
    s = socket.socket()
    s.connect((host, 7))
    return name(s.connect_ex((host, 7)))


def disconnected():
    s = socket.socket()
    s.connect_ex((host, 1))
    s2 = name(s.connect_ex((host, 7)))
    return s2


def family_mismatch():
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    s = socket.socket(socket.AF_INET6)
    raw = struct.pack("=H", socket.AF_INET) + struct.pack(">H", 7) + socket.inet_aton("10.88.0.1") + bytes(8)
    libc.connect(s.fileno(), raw, len(raw))
    return name(ctypes.get_errno())


def bad_pointer():
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    s = socket.socket()
    libc.connect(s.fileno(), ctypes.c_void_p(16), 16)
    a = name(ctypes.get_errno())
    libc.connect(999, ctypes.c_void_p(16), 16)
    b = name(ctypes.get_errno())
    libc.connect(s.fileno(), ctypes.c_char_p(b"xxxx"), 1)
    return a, b, name(ctypes.get_errno())


def loopback():
    l = socket.socket()
    l.bind(("127.0.0.1", 0))
    l.listen()
    s = socket.create_connection(l.getsockname())
    c, peer = l.accept()
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.bind(("127.0.0.1", 0))
    v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    v.sendto(b"datagram", u.getsockname())
    return peer == s.getsockname(), u.recvfrom(100)[0], s.getpeername() == l.getsockname()


def unix_sockets():
    a, b = socket.socketpair()
    a.send(b"x")
    path = "/tmp/lab-%d.sock" % os.getpid()
    l = socket.socket(socket.AF_UNIX)
    l.bind(path)
    l.listen()
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    os.unlink(path)
    return b.recv(1), s.getpeername() == path


def many():
    done = []

    def one():
        s = socket.create_connection((host, 7))
        s.sendall(b"y")
        done.append(s.recv(1))

    threads = [threading.Thread(target=one) for _ in range(30)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return len(done)


attempt("blocking, open", lambda: blocking(7))
attempt("blocking, refused", lambda: blocking(1))
attempt("polled, open", lambda: polled(7))
attempt("polled, refused", lambda: polled(1))
for f in names, half_close, reset, server_ends, options, forked, unconnected, twice, disconnected, family_mismatch, bad_pointer, loopback, unix_sockets, many:
    attempt(f.__name__, f)
