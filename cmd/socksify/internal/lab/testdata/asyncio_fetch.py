"""Fetches http://HOST/ by asyncio, from several connections at once."""
import asyncio
import sys


async def fetch(host):
    reader, writer = await asyncio.open_connection(host, 80)
    writer.write(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
    page = await reader.read()
    writer.close()
    return page.decode()


async def main():
    pages = await asyncio.gather(*(fetch(sys.argv[1]) for _ in range(4)))
    print("\n".join(pages))


asyncio.run(main())
