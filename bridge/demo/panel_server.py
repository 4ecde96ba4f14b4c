"""A real server for the simulated panel: threads, kept connections, broken ones too."""

from __future__ import annotations

import argparse
import contextlib
import http.server
import socket
import struct
import threading
from http import HTTPStatus
from types import TracebackType
from typing import Any

from bridge.demo.clock import Clock
from bridge.demo.faults import Reply
from bridge.demo.hooks import Outbox
from bridge.demo.panel import SIGNED, Panel, Request
from bridge.demo.panel_wire import WireError
from bridge.demo.world import World

MOST = 4 << 20


class PanelServer:
    """Serve a panel on a socket, a thread for each connection; a context manager.

    Unlike the WSGI mount it can break off in the middle of an answer.
    """

    def __init__(self, panel: Panel, host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = _Server((host, port), panel)
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Return the base address; the API is ``<url>/includes/api.php``."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> PanelServer:
        """Serve in the background."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="panel", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the door and every connection."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()
        self._server.hang_up()

    def __enter__(self) -> PanelServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], panel: Panel) -> None:
        self.panel = panel
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: that a caller hangs up is nothing new."""

    def hang_up(self) -> None:
        with self._lock:
            waiting, self._open = self._open, set()
        for connection in waiting:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle_one_call(self) -> None:
        """Hand a request of any method to the panel: it is the panel that refuses."""
        size = self.headers.get("Content-Length", "0")
        if not size.isdigit() or int(size) > MOST or self.headers["Transfer-Encoding"]:
            self.close_connection = True
            self._write(Reply(413, b""))
            return
        path, _, query = self.path.partition("?")
        kind = self.headers.get("Content-Type", "")
        body, remote = self.rfile.read(int(size)), str(self.client_address[0])
        panel = self.server.panel
        signature = {name: self.headers.get(name, "") for name in SIGNED}
        reply = panel.handle(
            Request(self.command, path, query, kind, body, remote, signature)
        )
        wait = panel.latency + (reply.seconds if reply.how == "plain" else 0.0)
        if wait:
            panel.sleep(wait)
        self._write(reply)

    def do_POST(self) -> None:
        self.handle_one_call()

    def do_GET(self) -> None:
        self.handle_one_call()

    def log_message(self, format: str, *args: object) -> None:
        """Write no log."""

    def _write(self, reply: Reply) -> None:
        if reply.how in ("reset", "closed"):
            self._break(hard=reply.how == "reset")
            return
        phrase = HTTPStatus(reply.status).phrase
        lines = [f"HTTP/1.1 {reply.status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        lines += [f"Content-Length: {len(reply.body)}", "", ""]
        head = "\r\n".join(lines).encode("latin-1")
        if reply.how == "cut":
            self.wfile.write(head + reply.body[: len(reply.body) // 2])
            self._break(hard=False)
        elif reply.how == "dribble":
            self.wfile.write(head)
            for byte in reply.body:
                self.server.panel.sleep(reply.seconds / max(len(reply.body), 1))
                self.wfile.write(bytes([byte]))
        else:
            self.wfile.write(head + reply.body)

    def _break(self, *, hard: bool) -> None:
        """End the connection: gently, or torn down so that the caller gets a reset."""
        self.close_connection = True
        if hard:
            now = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
            self.connection.close()
        else:
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)


def main(argv: list[str] | None = None) -> None:
    """Run a panel by hand until interrupted; ``--bridge`` gets its hooks."""
    parser = argparse.ArgumentParser(prog="python -m bridge.demo.panel")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--bridge", help="base address that gets the hooks")
    parser.add_argument("--secret", help="whsec_... shared with the bridge")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds an answer")
    parser.add_argument("--filled", type=int, metavar="N", help="N services, for load")
    given = parser.parse_args(argv)
    if bool(given.bridge) != bool(given.secret):
        parser.error("--bridge and --secret go together")
    clock = Clock.real()
    world = World.example(clock)
    if given.filled:
        world = World.filled(max(given.filled // 3, 1), given.filled, clock)
    panel = Panel(world, latency=given.latency)
    if given.secret:
        panel.install_addon(given.secret)
    with PanelServer(panel, port=given.port) as server:
        print(f"panel       {server.url}", flush=True)
        print(f"identifier  {panel.identifier}\nsecret      {panel.secret}", flush=True)
        outbox = None
        if given.bridge:
            outbox = Outbox(world, given.bridge, given.secret)
            with contextlib.suppress(WireError, KeyError):
                outbox.register()
            outbox.start()
            print(f"hooks go to {given.bridge}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
        if outbox:
            outbox.stop()
