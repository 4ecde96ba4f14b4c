"""The bridge as `run` starts it, with a provider that posts to the bench's stub.

`python -m bench.bridge_run STUB_PORT [receive] [work]`; settings come from the
environment, as always.
"""

from __future__ import annotations

import signal
import sys
import threading

from bridge import __version__, cores, logs, wiring
from bridge import settings as environment
from bridge.commands import running
from bridge.errors import ErrorClass, RemoteError, SendError
from bridge.store import claims
from bridge.transport import Call, Transport
from bridge.whatsapp import Message, Provider, Receipt, State


class StubProvider(Provider):
    """Posts a message the way a hosted provider is posted to."""

    name = "stub"
    number = "bench"
    per_second = 10_000.0

    def __init__(self, port: int, threads: int) -> None:
        self._url = f"http://127.0.0.1:{port}/v20.0/1555/messages"
        self._headers = {"Authorization": "Bearer bench"}
        self._transport = Transport(pool=threads, version=__version__)

    def send(self, message: Message) -> Receipt:
        """Hand one message over."""
        body = {
            "messaging_product": "whatsapp",
            "to": message.to,
            "type": "text",
            "text": {"body": message.text},
        }
        call = Call.post(self._url, json=body, headers=self._headers)
        try:
            answer = self._transport.send(call, service=self.name)
            id = answer.field(self.name, "messages", 0, "id")
        except RemoteError as error:
            raise SendError(self.name, ErrorClass.RETRY, error.detail) from error
        return Receipt(id, (State.ACCEPTED,))


def main() -> None:
    """Do what `whmcs-bridge run` does."""
    port, parts = int(sys.argv[1]), sys.argv[2:]
    settings = environment.load()
    logs.configure(settings.log_level)
    if settings.one_core:
        cores.keep_to_one()
    lock = wiring.own(settings)
    provider = StubProvider(port, settings.workers + 16)
    bridge = wiring.build(settings, provider=provider)
    bridge.lock = lock
    if settings.sqlite and "work" in parts:
        now = bridge.bench.now()
        bridge.store.write(lambda db: claims.release(db, now))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    running._until_stopped(
        bridge, stop, receive="receive" in parts, work="work" in parts
    )


if __name__ == "__main__":
    main()
