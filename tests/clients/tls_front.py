"""A TLS proxy between a client and the gateway: accepts CONNECT for any host, terminates TLS, forwards the bytes.

    tls_front.py LISTEN_PORT GATEWAY_PORT CERTIFICATE KEY LOG

Released clients require https and derive other hosts (metadata.<host>); HTTPS_PROXY sends all of them here.
Each answer adds a line to LOG: its x-request-id and the target of the request.
"""

import asyncio
import re
import ssl
import sys

REQUEST_ID = re.compile(rb"\r\nx-request-id: ([0-9a-f-]{36})\r\n")
TARGET = re.compile(rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE) (\S+) HTTP/1\.1\r\n")


async def pipe(reader, writer, pattern, found):
    seen = b""
    try:
        while data := await reader.read(65536):
            seen += data
            end = 0
            for match in pattern.finditer(seen):
                found(match.group(1).decode())
                end = match.end() - 2
            seen = seen[end:][-4096:]
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
        targets = []

        def answered(name):
            print(name, targets.pop(0), file=names, flush=True)

        await asyncio.gather(
            pipe(reader, to_gateway, TARGET, targets.append),
            pipe(from_gateway, writer, REQUEST_ID, answered),
        )

    async with await asyncio.start_server(serve, "127.0.0.1", listen) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
