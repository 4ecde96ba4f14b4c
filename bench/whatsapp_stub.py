"""A Cloud API behind TLS that takes messages and answers each after a while.

`python -m bench.whatsapp_stub PORT CERTIFICATE KEY LATENCY`; `GET /count` tells how
many it took.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import sys
from typing import Any

_LENGTH = re.compile(rb"content-length: *(\d+)", re.I)
_SENT = b'{"messages":[{"id":"wamid.%d","message_status":"accepted"}]}'


class Stub(asyncio.Protocol):
    """One connection: requests in, each answer after *latency* seconds."""

    latency = 0.15
    taken = 0

    def __init__(self) -> None:
        self._got = b""

    def connection_made(self, transport: Any) -> None:
        """Keep the connection."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer whatever is whole."""
        self._got += data
        while True:
            head, end, rest = self._got.partition(b"\r\n\r\n")
            if not end:
                return
            length = _LENGTH.search(head)
            size = int(length[1]) if length else 0
            if len(rest) < size:
                return
            self._got = rest[size:]
            if head.startswith(b"GET"):
                self._write(b"%d" % Stub.taken)
            else:
                Stub.taken += 1
                loop, answer = asyncio.get_running_loop(), _SENT % Stub.taken
                loop.call_later(self.latency, self._write, answer)

    def _write(self, body: bytes) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )


async def _serve(port: int, certificate: str, key: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        Stub, "127.0.0.1", port, backlog=1024, ssl=context
    )
    print("ready", flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve."""
    port, certificate, key = int(sys.argv[1]), *sys.argv[2:4]
    Stub.latency = float(sys.argv[4])
    asyncio.run(_serve(port, certificate, key))


if __name__ == "__main__":
    main()
