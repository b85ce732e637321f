"""Stands between a client and the gateway: takes CONNECT for any host, ends TLS, and pipes bytes on.

    tls_front.py LISTEN_PORT GATEWAY_PORT CERTIFICATE KEY LOG

Released clients insist on https and make up hosts of their own (metadata.<host>); by HTTPS_PROXY all of them end here.
The x-request-id of every answer goes into LOG, a line each.
"""

import asyncio
import re
import ssl
import sys

REQUEST_ID = re.compile(rb"\r\nx-request-id: ([0-9a-f-]{36})\r\n")


async def pipe(reader, writer, names=None):
    seen = b""
    try:
        while data := await reader.read(65536):
            if names:
                seen += data
                for found in REQUEST_ID.finditer(seen):
                    names.write(found.group(1).decode() + "\n")
                    names.flush()
                    seen = seen[found.end() - 2 :]
                seen = seen[-64:]
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def main(listen, gateway, certificate, key, log):
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    names = open(log, "a", encoding="ascii")

    async def serve(reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            head = b""
        if not head.startswith(b"CONNECT "):
            writer.close()
            return
        writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        await writer.drain()
        await writer.start_tls(tls)
        from_gateway, to_gateway = await asyncio.open_connection("127.0.0.1", gateway)
        await asyncio.gather(pipe(reader, to_gateway), pipe(from_gateway, writer, names))

    async with await asyncio.start_server(serve, "127.0.0.1", listen) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
