"""Slow senders: connections that each send a signed hook a byte at a time."""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import time

from bench import hooks


def main() -> None:
    """Hold so many connections to a port, until ended."""
    port, count = int(sys.argv[1]), int(sys.argv[2])
    # Half of them are slow with their headers already, half with the body.
    request = hooks.requests("/hooks/whmcs", "slow", 1)[0]
    head = request.index(b"\r\n\r\n") + 4
    socks = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    at = [20 if number % 2 else head for number in range(count)]
    for sock, sent in zip(socks, at, strict=True):
        sock.sendall(request[:sent])
    print("ready", flush=True)
    step = 1.0 / count
    while True:
        for number, sock in enumerate(socks):
            time.sleep(step)
            if select.select([sock], [], [], 0)[0] or at[number] >= len(request) - 1:
                sock.close()
                socks[number] = socket.create_connection(("127.0.0.1", port))
                at[number] = 0
            with contextlib.suppress(OSError):
                socks[number].sendall(request[at[number] : at[number] + 1])
            at[number] += 1


if __name__ == "__main__":
    main()
