"""The server: waitress, which has a whole request before a thread takes it.

On SIGTERM waitress drops what is in flight, so the listener is closed first and
the requests that were taken are answered.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.server import create_server

#: Bodies above this are refused while they arrive; the door's own limit is lower.
_LARGEST = 2 * 1024 * 1024
#: How long stopping waits for answers, in seconds.
_DRAIN = 20.0


class Server:
    """A listening server; `run` blocks until `stop` was called by another thread."""

    def __init__(self, app: Flask, host: str, port: int, threads: int = 16) -> None:
        self._inside = 0
        self._lock = threading.Lock()
        self._server = create_server(
            self._counting(app.wsgi_app),
            host=host,
            port=port,
            threads=threads,
            ident="whmcs-bridge",
            max_request_body_size=_LARGEST,
            connection_limit=1000,
            channel_timeout=60,
            clear_untrusted_proxy_headers=False,
        )

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.effective_port)

    def run(self) -> None:
        """Serve until stopped."""
        self._server.run()

    def start(self) -> threading.Thread:
        """Serve in a thread of its own, and return it."""
        thread = threading.Thread(target=self.run, name="server", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """Close the listener, answer what was taken, then end."""
        wasyncore.dispatcher.close(self._server)
        until = time.monotonic() + _DRAIN
        while self._unanswered() and time.monotonic() < until:
            threading.Event().wait(0.02)
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._server._map)

    def _unanswered(self) -> bool:
        channels = list(self._server.active_channels.values())
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
