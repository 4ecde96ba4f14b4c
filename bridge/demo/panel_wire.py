"""How the panel's add-on reaches the bridge: one kept connection, or a WSGI mount."""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from werkzeug.test import Client as WsgiClient

MOST = 1 << 20


class WireError(Exception):
    """No answer came."""


@dataclass(frozen=True)
class Answer:
    """What the other side answered."""

    status: int
    body: bytes
    headers: dict[str, str]

    def json(self) -> object:
        """Return the body as JSON, or None if it is something else."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Wire:
    """A way to send requests to one side; HttpWire and WsgiWire are the two."""

    @staticmethod
    def to(bridge: Any) -> Wire:
        """Return the wire to a base address (text) or to a WSGI application."""
        return HttpWire(bridge) if isinstance(bridge, str) else WsgiWire(bridge)

    def send(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
        timeout: float,
    ) -> Answer:
        """Send a request; raises WireError when no answer comes."""
        raise NotImplementedError

    def close(self) -> None:
        """Let the connection go."""


class WsgiWire(Wire):
    """Requests to an application in this process, without a socket."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def send(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
        timeout: float,
    ) -> Answer:
        """Call the application; what it raises is no answer."""
        client = WsgiClient(self._app)
        try:
            got = client.open(path, method=method, data=body, headers=headers)
        except OSError as error:
            raise WireError(str(error)) from error
        return Answer(got.status_code, got.get_data(), dict(got.headers))


class HttpWire(Wire):
    """Requests over one connection that is kept, and made anew when it has died."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an address: {url}")
        self._parts = parts
        self._kept: http.client.HTTPConnection | None = None
        self._lock = threading.Lock()

    def send(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
        timeout: float,
    ) -> Answer:
        """Send a request; a kept connection that had died is tried once more."""
        with self._lock:
            fresh = self._kept is None
            try:
                return self._send(method, path, body, headers, timeout)
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                timed_out = isinstance(error, TimeoutError)
                if fresh or timed_out:
                    raise WireError(f"{type(error).__name__}: {error}") from error
            try:
                return self._send(method, path, body, headers, timeout)
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                raise WireError(f"{type(error).__name__}: {error}") from error

    def send_within(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
        seconds: float,
    ) -> Answer:
        """Send a request that may take *seconds* in all, however it dribbles."""
        got: list[Answer | WireError] = []

        def work() -> None:
            try:
                got.append(self.send(method, path, body, headers, seconds))
            except WireError as error:
                got.append(error)
            self.close()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(seconds)
        answer = got[0] if got else WireError(f"no answer within {seconds} seconds")
        if isinstance(answer, WireError):
            raise answer
        return answer

    def local_address(self) -> object:
        """Return this end of the kept connection, None if there is none."""
        with self._lock:
            kept = self._kept
            return kept.sock.getsockname() if kept and kept.sock else None

    def close(self) -> None:
        """Let the connection go."""
        with self._lock:
            self._drop()

    def _send(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
        timeout: float,
    ) -> Answer:
        if self._kept is None:
            safe = self._parts.scheme == "https"
            kind = http.client.HTTPSConnection if safe else http.client.HTTPConnection
            host, port = self._parts.hostname or "", self._parts.port
            self._kept = kind(host, port, timeout=timeout)
        prefix = self._parts.path.rstrip("/")
        self._kept.request(method, prefix + path, body or None, headers)
        got = self._kept.getresponse()
        answer = Answer(got.status, got.read(MOST), dict(got.getheaders()))
        if got.will_close or not got.isclosed():
            self._drop()
        return answer

    def _drop(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None
