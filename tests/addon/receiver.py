"""A bridge that behaves badly when told to; it keeps what came and over which line."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Got:
    """One request: *line* counts connections."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    line: int

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")

    @property
    def type(self) -> str:
        return str(json.loads(self.body)["type"]) if self.body else ""


class Receiver:
    """Answers as *behave* says: a function of the request, or a name below.

    ok, a status number (or that and a title), html, redirect, hang, dribble, cut, endless, other, empty.
    """

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.behave: Any = "ok"
        self.hookpoints: dict[str, Any] = {
            "hookpoints": ["InvoicePaid", "ClientAdd"], "decisions": [], "map": "m1",
        }  # fmt: skip
        self.decision: Any = None
        self.ended = threading.Event()
        self._lines = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                outer._lines += 1
                self.line = outer._lines
                super().setup()

            def do_POST(self) -> None:
                outer._answer(self)

            do_GET = do_POST  # noqa: N815 - the name http.server asks for

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def after(self, seconds: float) -> str:
        """Behave well, but only after a while."""
        self.ended.wait(seconds)
        return "ok"

    def posts(self) -> list[Got]:
        return [one for one in self.got if one.path == "/hooks/whmcs"]

    def _answer(self, handler: Any) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = handler.rfile.read(length)
        got = Got(handler.command, handler.path, headers, body, handler.line)
        self.got.append(got)
        behave: Any = self.behave
        if callable(behave):
            behave = behave(got)
        try:
            _ACTS.get(behave, _status)(self, handler, got, behave)
        except OSError:
            handler.close_connection = True

    def good(self, got: Got) -> dict[str, Any]:
        if got.path.endswith("/hookpoints"):
            return self.hookpoints
        if got.path.startswith("/decisions"):
            value = self.decision(got) if callable(self.decision) else self.decision
            return {"event": got.id, "return": value, "reason": "so"}
        return {"event": got.id, "status": "accepted"}


def _send(
    handler: Any, status: int, text: str, kind: str = "application/json", **more: str
) -> None:
    data = text.encode()
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(data)))
    for name, value in more.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)


def _ok(self: Receiver, handler: Any, got: Got, _: Any) -> None:
    status = 202 if got.path == "/hooks/whmcs" else 200
    _send(handler, status, json.dumps(self.good(got)))


def _status(self: Receiver, handler: Any, got: Got, status: Any) -> None:
    status, title = status if isinstance(status, tuple) else (status, "Not so")
    text = json.dumps({"type": "about:blank", "title": title, "status": status})
    _send(handler, status, text, "application/problem+json")


def _html(self: Receiver, handler: Any, got: Got, _: Any) -> None:
    _send(handler, 200, "<html><form>login</form></html>", "text/html")


def _redirect(self: Receiver, handler: Any, got: Got, _: Any) -> None:
    _send(handler, 307, "", Location=f"{self.url}/elsewhere")


def _hang(self: Receiver, handler: Any, got: Got, _: Any) -> None:
    self.ended.wait(20)
    handler.close_connection = True


def _dribble(self: Receiver, handler: Any, got: Got, _: Any) -> None:
    text = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n"
    for byte in text * 50:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        if self.ended.wait(0.05):
            break
    handler.close_connection = True


def _cut(self: Receiver, handler: Any, got: Got, _: Any) -> None:
    handler.wfile.write(b'HTTP/1.1 202 Accepted\r\nContent-Length: 500\r\n\r\n{"event"')
    handler.close_connection = True


def _endless(self: Receiver, handler: Any, got: Got, _: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")
    while not self.ended.is_set():
        handler.wfile.write(b"x" * 65536)


def _other(self: Receiver, handler: Any, got: Got, _: Any) -> None:
    _send(handler, 202, json.dumps({"event": "msg_other", "status": "accepted"}))


def _empty(self: Receiver, handler: Any, got: Got, _: Any) -> None:
    _send(handler, 204, "")


_ACTS: dict[Any, Callable[..., None]] = {
    "ok": _ok, "html": _html, "redirect": _redirect, "hang": _hang, "dribble": _dribble,
    "cut": _cut, "endless": _endless, "other": _other, "empty": _empty,
}  # fmt: skip
