# A SOCKS 5 gateway with GSS-API of the system's MIT library, for CONNECT to IPv4 addresses. It prints the port at
# which it listens, and then a line for each client. The environment must have KRB5_KTNAME. With ERROR_TOKENS=1 it
# refuses a client with the KRB-ERROR instead of an abort.
import gssapi, os, socket, struct, threading

gssapi.SecurityContext.__DEFER_STEP_ERRORS__ = False

def full(s, n):
    b = b''
    while len(b) < n:
        d = s.recv(n - len(b))
        if not d:
            raise EOFError
        b += d
    return b


def receive(s, mtyp):
    v, m, n = struct.unpack('>BBH', full(s, 4))
    assert (v, m) == (1, mtyp), (v, m)
    return full(s, n)


def send(s, mtyp, token):
    s.sendall(struct.pack('>BBH', 1, mtyp, len(token)) + token)


def establish(c):
    full(c, full(c, 2)[1])
    c.sendall(b'\x05\x01')
    context = gssapi.SecurityContext(usage='accept')
    while not context.complete:
        try:
            answer = context.step(receive(c, 1))
        except gssapi.exceptions.GSSError as e:
            token = getattr(e, 'token', None)
            if token and os.environ.get('ERROR_TOKENS'):
                send(c, 1, token)
            else:
                c.sendall(b'\x01\xff')
            raise
        send(c, 1, answer or b'')
    return context


def serve(c):
    try:
        context = establish(c)
        level = context.unwrap(receive(c, 2)).message[0]
        send(c, 2, context.wrap(bytes([level]), False).message)
        print(context.initiator_name, 'level', level, flush=True)

        def read():
            if level == 0:
                return c.recv(65536)
            try:
                r = context.unwrap(receive(c, 3))
            except EOFError:
                return b''
            assert r.encrypted == (level == 2)
            return r.message

        def write(d):
            if level == 0:
                c.sendall(d)
            else:
                send(c, 3, context.wrap(d, level == 2).message)

        q = read()
        assert q[3] == 1, q
        t = socket.create_connection((socket.inet_ntoa(q[4:8]), struct.unpack('>H', q[8:10])[0]))
        write(b'\x05\0\0\x01\0\0\0\0\0\0')

        def up():
            while d := read():
                t.sendall(d)
            t.shutdown(socket.SHUT_WR)

        upstream = threading.Thread(target=up)
        upstream.start()
        while d := t.recv(32768):
            write(d)
        c.shutdown(socket.SHUT_WR)
        upstream.join()
        t.close()
    except Exception as e:
        print('failed', repr(e), flush=True)
    c.close()


listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen(20)
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
