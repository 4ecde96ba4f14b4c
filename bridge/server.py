"""The server: waitress, which has a whole request before a thread takes it.

On SIGTERM waitress drops what is in flight, so the listener is closed first and
the requests that were taken are answered.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer, create_server
from waitress.task import ErrorTask

from bridge.errors import ConfigError, Problem

#: Bodies above this are refused while they arrive; the door's own limit is lower.
_LARGEST = 4 * 1024 * 1024
#: How long stopping waits for answers, in seconds.
_DRAIN = 20.0

#: What a sender is told of a request that the server itself refuses.
_DETAILS = {
    400: "It is no HTTP request that can be read; send the body plain or chunked.",
    413: "The body is far larger than any delivery.",
    431: "The request's headers are too large.",
}


class _Refusal(ErrorTask):  # type: ignore[misc]
    """What waitress itself answers to a request it cannot read, as a problem."""

    def execute(self) -> None:
        """Write the answer and close the connection."""
        error = self.request.error
        code, reason = error.code, error.reason
        if code == 501:  # an encoding nobody reads: to the sender, a bad request
            code, reason = 400, "Bad Request"
        self.status = f"{code} {reason}"
        told = {"type": "about:blank", "title": reason, "status": code}
        if code in _DETAILS:
            told["detail"] = _DETAILS[code]
        body = json.dumps(told).encode("ascii")
        self.response_headers.append(("Content-Type", "application/problem+json"))
        self.content_length = len(body)
        self.set_close_on_finish()
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]
    error_task_class = _Refusal


class Server:
    """A listening server; `run` blocks until `stop` was called by another thread.

    Raises ConfigError where the address cannot be listened on.
    """

    def __init__(self, app: Flask, host: str, port: int, threads: int = 64) -> None:
        self._inside = 0
        self._stopped = False
        self._lock = threading.Lock()
        self._map: dict[int, Any] = {}
        try:
            self._server = create_server(
                self._counting(app.wsgi_app),
                map=self._map,
                host=host,
                port=port,
                threads=threads,
                ident="whmcs-bridge",
                max_request_body_size=_LARGEST,
                connection_limit=1000,
                channel_timeout=60,
                clear_untrusted_proxy_headers=False,
            )
        except (OSError, ValueError) as error:
            wasyncore.close_all(self._map)
            why = getattr(error, "strerror", None) or str(error)
            what = f"BRIDGE_LISTEN: cannot listen on {host}:{port}: {why}"
            raise ConfigError([Problem("environment", 0, 0, what)]) from error
        # One for each address of the host: "localhost" may have two.
        self._listeners = [
            one for one in self._map.values() if isinstance(one, TcpWSGIServer)
        ]
        for listener in self._listeners:
            listener.channel_class = _Channel

    @property
    def port(self) -> int:
        """The port that is listened on (the first, where port 0 chose several)."""
        return int(self._listeners[0].effective_port)

    def run(self) -> None:
        """Serve until stopped."""
        self._server.run()

    def start(self) -> threading.Thread:
        """Serve in a thread of its own, and return it."""
        thread = threading.Thread(target=self.run, name="server", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """Close the listener, answer what was taken, then end; once is enough."""
        with self._lock:
            stopped, self._stopped = self._stopped, True
        if stopped:
            return
        # In the serving thread: a socket that another thread closes under its
        # `select` ends that thread with EBADF.
        for listener in self._listeners:
            _there(listener, partial(wasyncore.dispatcher.close, listener))
        until = time.monotonic() + _DRAIN
        while self._unanswered() and time.monotonic() < until:
            threading.Event().wait(0.02)
        self._server.task_dispatcher.shutdown()
        _there(self._listeners[0], partial(wasyncore.close_all, self._map))

    def _unanswered(self) -> bool:
        channels = [
            channel
            for listener in self._listeners
            for channel in list(listener.active_channels.values())
        ]
        busy = any(
            getattr(channel, "requests", None) or channel.total_outbufs_len
            for channel in channels
        )
        return self._inside > 0 or busy

    def _counting(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Any]:
        def counted(environ: Any, start_response: Any) -> Iterable[bytes]:
            with self._lock:
                self._inside += 1
            try:
                return app(environ, start_response)
            finally:
                with self._lock:
                    self._inside -= 1

        return counted


def _there(listener: TcpWSGIServer, call: Callable[[], object]) -> None:
    """Have the serving thread run *call*, which may close what wakes it.

    `pull_trigger` writes its byte after it let go of the lock: the call may have run
    by then, woken by an earlier byte, and the descriptor be closed or another's.
    """
    trigger = listener.trigger
    with trigger.lock:
        trigger.thunks.append(call)
        trigger._physical_pull()
