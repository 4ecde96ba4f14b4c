"""A bridge that ends itself by SIGKILL at the n-th commit or outgoing call.

Started once, it imports everything and then forks: each line on its input that names
a store is a new process. That process takes turns from the same input (the time, and
the deliveries that the panel has not seen answered), posts them, runs what is due, and
says on its output what was answered 2xx and how much ran. When it is killed, the first
process says so and waits for the next line.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bridge import logs, wiring
from bridge.events import Body, Subject
from bridge.hookmap import Seen, load_map, look
from bridge.settings import Secret, Settings
from bridge.store import claims, inbox
from bridge.store.tables import jobs
from bridge.transport import Transport
from bridge.worker import Worker


def say(**what: Any) -> None:
    """Write one line, whole, past every buffer."""
    os.write(1, json.dumps(what).encode() + b"\n")


def hear() -> Any:
    """Read one line byte by byte: what follows is for the next process."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 1)
        if not piece:
            os._exit(0)
        line += piece
    return json.loads(line)


@dataclass
class Counter:
    """Counts what it hears of, and ends the process at the n-th (0: never)."""

    end_at: int
    heard: int = 0
    now: datetime = field(default=datetime(2000, 1, 1, tzinfo=UTC))

    def watch(self, _what: str) -> None:
        """Hear of a commit or call."""
        self.heard += 1
        if self.heard == self.end_at:
            os.kill(os.getpid(), signal.SIGKILL)


@cache
def the_map(config: str) -> Seen:
    """Return the map of a directory, read before any process is forked."""
    return Seen(look(Path(config)), load_map(Path(config)))


def build(told: dict[str, Any], counter: Counter) -> wiring.Bridge:
    """Wire a bridge that is switched on, as `whmcs-bridge run` does."""
    settings = Settings(
        signing_secrets=(Secret(told["secret"]),),
        database_url=told["database"],
        config_dir=Path(told["config"]),
        whmcs_url=told["panel"],
        whmcs_identifier=Secret(told["identifier"]),
        whmcs_secret=Secret(told["api_secret"]),
        whatsapp_console_file=Path(told["messages"]) if "messages" in told else None,
        whatsapp_provider="cloud" if "cloud" in told else "console",
        others={name: Secret(value) for name, value in told.get("cloud", {}).items()},
        dry_run=False,
        workers=2,
    )
    bridge = wiring.build(
        settings,
        clock=lambda: counter.now,
        stream=open(os.devnull, "w"),  # noqa: SIM115
        watch=counter.watch,
        hookmap=the_map(told["config"]),
    )
    if settings.sqlite:
        bridge.store.write(lambda db: claims.release(db, counter.now))
    return bridge


def write(
    bridge: wiring.Bridge, number: str, text: str, id: str, now: datetime
) -> None:
    """Keep a WhatsApp message, as the webhook does."""
    data = {"from": number, "text": text, "payload": "", "kind": "text", "number": ""}
    body = Body("WhatsAppMessage", now, data, {})
    message = inbox.Accepted(id, "whatsapp", id, body, now, Subject())
    bridge.store.write(lambda db: inbox.put(db, message, now))


def in_flight(bridge: wiring.Bridge) -> bool:
    """Tell whether a job is claimed and not recorded as over."""
    running = sa.select(jobs.c.key).where(jobs.c.state == "running").limit(1)
    with bridge.store.read() as db:
        return db.execute(running).first() is not None


def in_threads(bridge: wiring.Bridge) -> int:
    """Run what is due as `whmcs-bridge run` does, several at once; return 0."""
    worker = Worker(bridge.bench, 8)
    thread = threading.Thread(target=worker.run, args=(0.01,))
    thread.start()
    again = threading.Event()
    # Stopped before, it would put off what it claimed and has not begun.
    while bridge.bench.anything_due() or in_flight(bridge):
        again.wait(0.01)
    worker.stop()
    thread.join()
    return 0


def serve(told: dict[str, Any]) -> None:
    """Take turns until told to stop."""
    counter = Counter(told["end_at"], now=datetime.fromisoformat(told["now"]))
    bridge = build(told, counter)
    client = bridge.app().test_client()
    say(ready=True)
    while "stop" not in (turn := hear()):
        counter.now = datetime.fromisoformat(turn["now"])
        for row in turn["rows"]:
            answer = client.post(
                "/hooks/whmcs", data=row["body"], headers=row["headers"]
            )
            if 200 <= answer.status_code < 300:
                say(accepted=row["id"])
        for number, text, id in turn.get("wrote", []):
            write(bridge, number, text, id, counter.now)
            say(accepted=id)
        for hook in turn.get("hooks", []):
            answer = client.post(
                "/whatsapp/cloud", data=hook["body"], headers=hook["headers"]
            )
            say(heard_of=answer.status_code)
        ran = in_threads(bridge) if "threads" in told else bridge.worker.drain()
        say(ran=ran, heard=counter.heard)
    bridge.close()
    say(stopped=counter.heard)


def main() -> None:
    """Fork a process for each line; say when one was killed."""
    logs.configure("error")
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    Transport(pool=1).close()  # reads the certificate authorities for all
    while True:
        told = hear()
        the_map(told["config"])
        number = os.fork()
        if number == 0:
            code = 1
            try:
                serve(told)
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(number, 0)
        if os.WIFSIGNALED(status):
            say(killed=os.WTERMSIG(status))
        elif os.WEXITSTATUS(status):
            say(failed=os.WEXITSTATUS(status))


if __name__ == "__main__":
    main()
