"""A real server for a simulated provider, and the one who posts its webhooks."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from http import HTTPStatus
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from bridge.demo.panel_wire import Wire, WireError
from bridge.demo.whatsapp.stub import Ask, Hook, Reply, Stub

_MOST = 1 << 20


class StubServer:
    """Serve a provider on a socket; a context manager.

    With *webhook* (a base address or a WSGI application, and the path there) a
    thread posts what waits, again and again until it is taken.
    """

    def __init__(
        self, stub: Stub, port: int = 0, webhook: tuple[Any, str] | None = None
    ) -> None:
        self.stub = stub
        self._server = _Server(("127.0.0.1", port), stub)
        self._webhook = webhook
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """Return the base address."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def __enter__(self) -> StubServer:
        self._run(self._server.serve_forever, 0.05)
        if self._webhook is not None:
            self._run(self._post, *self._webhook)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._server.shutdown()
        for thread in self._threads:
            thread.join()
        self._server.server_close()

    def _run(self, work: Any, *how: Any) -> None:
        thread = threading.Thread(target=work, args=how, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _post(self, bridge: Any, path: str) -> None:
        wire = Wire.to(bridge)
        while not self._ended.wait(0.05):
            self.stub.deliver(lambda hook: post(wire, path, hook))
        wire.close()


def post(wire: Wire, path: str, hook: Hook) -> int:
    """Post one webhook and return the status of its answer, 0 for none."""
    tail = f"?{hook.query}" if hook.query else ""
    try:
        return wire.send("POST", path + tail, hook.body, dict(hook.headers), 5.0).status
    except WireError:
        return 0


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], stub: Stub) -> None:
        self.stub = stub
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: that a caller hangs up is nothing new."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _handle(self) -> None:
        size = self.headers.get("Content-Length", "0")
        if not size.isdigit() or int(size) > _MOST:
            self.close_connection = True
            self._write(Reply(413))
            return
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(size))
        ask = Ask(self.command, parts.path, parts.query, headers, body)
        self._write(self.server.stub.handle(ask))

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: object) -> None:
        """Write no log."""

    def _write(self, reply: Reply) -> None:
        lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        lines += [f"Content-Length: {len(reply.body)}", "", ""]
        head = "\r\n".join(lines).encode("latin-1")
        if reply.how == "plain":
            self.wfile.write(head + reply.body)
            return
        self.close_connection = True
        if reply.how == "cut":
            self.wfile.write(head + reply.body[: len(reply.body) // 2])
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
