"""Asks a DNS server for an A record, over a gateway's UDP relay: name server port gateway-host gateway-port."""
import socket
import struct
import sys
import socks

name, server, port, gateway, gateway_port = sys.argv[1:]
query = struct.pack("!6H", 4711, 0x100, 1, 0, 0, 0)
for label in name.split("."):
    query += bytes([len(label)]) + label.encode()
query += b"\0" + struct.pack("!2H", 1, 1)

s = socks.socksocket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.set_proxy(socks.SOCKS5, gateway, int(gateway_port), True)
s.sendto(query, (server, int(port)))
answer, _ = s.recvfrom(512)
identifier, flags, questions, answers = struct.unpack("!4H", answer[:8])
assert identifier == 4711 and flags & 0x8000 and answers == 1, answer
print(socket.inet_ntoa(answer[-4:]))
