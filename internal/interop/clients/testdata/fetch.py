"""Prints what a web server says, through a gateway: host port gateway-host gateway-port [user password]."""
import sys
import socks

host, port, gateway, gateway_port, *account = sys.argv[1:]
s = socks.socksocket()
s.settimeout(5)
s.set_proxy(socks.SOCKS5, gateway, int(gateway_port), True, *account)
s.connect((host, int(port)))
s.sendall(b"GET / HTTP/1.0\r\n\r\n")
while data := s.recv(4096):
    sys.stdout.write(data.decode())
