"""The story's hands on a real bridge, which runs in this process."""

from __future__ import annotations

import dataclasses
import secrets
import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import Any

from bridge import wiring
from bridge.commands.demophone import Telephone
from bridge.commands.transferlink import typed
from bridge.console.passwords import hashed
from bridge.demo.clock import Clock
from bridge.demo.hooks import Outbox
from bridge.demo.panel_wire import Answer
from bridge.demo.story import Sent
from bridge.demo.story_stage import Door, Tape
from bridge.errors import ConfigError
from bridge.events import Body, Subject
from bridge.reconcile import reconcile
from bridge.schedule import Schedule
from bridge.server import Server
from bridge.settings import Settings
from bridge.store import claims, engines, inbox, operators, outbox, reports
from bridge.store.outbox import NewJob
from bridge.upkeep import index_phones
from bridge.whatsapp import Provider
from bridge.whatsapp.console import ConsoleProvider

#: How long the bridge may take for what is due, in real seconds.
PATIENCE = 20.0
#: How often it is looked whether the bridge is done, in seconds.
POLL = 0.01
#: A second try that is so near is waited for, in the clock's seconds.
SOON, STEP = 30, 2
#: What is done beside an event's own: nothing that its reader waits for.
_ASIDE = ("log_activity", "index_phone", "settle_failure")


_LOOK = """
import pathlib, sys
text = sys.stdin.buffer.read()
paths = [pathlib.Path(name) for name in sys.argv[1:]]
sys.exit(not any(text in path.read_bytes() for path in paths if path.exists()))
"""


class BridgeHands:
    """`Hands` on a real bridge: waitress on loopback, worker threads, scheduler."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        tape: Tape,
        phone: Telephone | None = None,
    ) -> None:
        self.settings = settings
        self.panel_outbox: Outbox | None = None
        self.phone = phone
        self._clock = clock
        self._tape = tape
        self._written = 0
        if phone is not None:
            phone.bridge = lambda: self._up.wired
        self._up = Running(settings, clock, tape)
        # A port of its own choice stays what it is, also after a restart.
        port = self._up.server.port
        self.settings = dataclasses.replace(settings, listen_port=port)

    @property
    def url(self) -> str:
        """The bridge's base address."""
        return f"http://{self.settings.listen_host}:{self.settings.listen_port}"

    @property
    def _door(self) -> Door:
        [secret] = self.settings.signing_secrets
        return Door(self.url, secret.reveal(), self._clock)

    def let_in(self, name: str) -> str:
        """Make an operator of the console, and return his password."""
        password, now = secrets.token_urlsafe(9), self._clock.now()
        kept = hashed(password)
        store = self._up.wired.store
        store.write(lambda db: operators.add(db, name, kept, now))
        return password

    def close(self) -> None:
        """End it as SIGTERM does: what is in flight finishes."""
        self._up.stop()

    def restart(self) -> None:
        """End the bridge and begin a new one on the same store and port."""
        self.close()
        self._up = Running(self.settings, self._clock, self._tape)

    def work(self) -> None:
        """Deliver the panel's hooks and wait until nothing is due any more.

        What is due within seconds (a second try) has the clock move on to it.
        """
        until, moved = time.monotonic() + PATIENCE, 0
        while True:
            if self._idle(timedelta(0)):
                step = self._next(SOON - moved)
                if step is None:
                    return
                self._clock.advance(timedelta(seconds=step))
                moved += step
            if time.monotonic() > until or not self._up.alive:
                raise TimeoutError("the bridge is not done, or one of its threads died")
            self._up.wired.worker.wake.set()
            time.sleep(POLL)

    def _next(self, most: int) -> int | None:
        """Return in how many seconds something is due, None: not within *most*."""
        if self._idle(timedelta(seconds=most)):
            return None
        steps = range(STEP, most, STEP)
        due = (step for step in steps if not self._idle(timedelta(seconds=step)))
        return next(due, most)

    def _idle(self, ahead: timedelta) -> bool:
        """Tell whether nothing runs, nor is due so far *ahead* of the clock."""
        hooks = self.panel_outbox
        if hooks is not None and hooks.pending:
            hooks.flush()
            return False
        if self.phone is not None and self.phone.deliver():
            return False
        with self._up.wired.store.read() as db:
            if reports.anything_due(db, self._clock.now() + ahead):
                return False
            if reports.open_jobs(db)["running"]:
                return False
        if self.phone is not None and self.phone.stub.pending:
            return False
        return hooks is None or not hooks.pending

    def beat(self) -> None:
        """Say at once that the worker is there, as after a leap of the clock."""
        self._up.schedule.heartbeat()

    def messages(self) -> list[Sent]:
        """Return the messages sent since this was asked last."""
        if self.phone is not None:
            return self.phone.messages()
        file = self.settings.whatsapp_console_file
        assert file is not None
        return self._tape.messages(file)

    def reconcile(self) -> list[str]:
        """Compare the bridge's book with the panel."""
        report = reconcile(self._up.wired.bench)
        return [f"{one.what} {one.service_id}" for one in report.differences]

    def order_upgrade(self, service_id: int, product_id: int, cycle: str) -> None:
        """Order a plan change through the same action as `upgrade order`."""
        now = self._clock.now()
        job = NewJob(
            key=f"demo/upgrade:{service_id}:{product_id}",
            event_id=None,
            action="invoice_upgrade",
            rule="upgrade",
            run_at=now,
            parameters={"to": product_id, "cycle": cycle, "service_id": service_id},
            acts=True,
        )
        self._up.wired.store.write(lambda db: outbox.put(db, [job], now))

    def typed(self, service_id: int, email: str) -> str:
        """Return the text that `transfers link` types."""
        text, _ = typed(self._up.wired, service_id, email, None)
        return text

    def write(self, number: str, text: str) -> None:
        """Keep a message as the provider's webhook does."""
        while index_phones(self._up.wired.bench):
            pass
        now = self._clock.now()
        self._written += 1
        id = f"console:demo-{self._written}"
        data = {"from": number, "text": text, "payload": "", "kind": "text"}
        body = Body("WhatsAppMessage", now, {**data, "number": ""}, {})
        message = inbox.Accepted(id, "whatsapp", id, body, now, Subject())
        self._up.wired.store.write(lambda db: inbox.put(db, message, now))

    def stop_renewal(self, domain_id: int) -> None:
        """Leave a domain unrenewed through the action of `domains stop-renewal`."""
        now = self._clock.now()
        job = NewJob(
            key=f"demo/domain:{domain_id}",
            event_id=None,
            action="stop_domain_renewal",
            rule="domain",
            run_at=now,
            parameters={"domain_id": domain_id},
            acts=True,
        )
        self._up.wired.store.write(lambda db: outbox.put(db, [job], now))

    def became(self, event_id: str) -> list[str]:
        """Return state and reason of each job of a delivery, as `events show` has."""
        with self._up.wired.store.read() as db:
            rows = reports.jobs_of(db, [event_id])[event_id]
        mine = [row for row in rows if row.action not in _ASIDE]
        return [f"{row.state}: {row.reason or 'ok'}" for row in mine]

    def get(self, path: str) -> Answer:
        """Ask one of the bridge's own addresses."""
        self.beat()
        return self._door.get(path)

    def post(
        self, id: str, body: bytes, *, secret: str = "", late: float = 0.0
    ) -> Answer:
        """Post a delivery, signed by hand."""
        return self._door.post(id, body, secret=secret, late=late)

    def keeps(self, text: str) -> bool:
        """Tell whether *text* stands in the store's file or in its log."""
        file = engines.file_of(self.settings.database_url)
        assert file is not None
        # In a process of its own: to close such a file here would give up the locks
        # that SQLite holds on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
        command = [sys.executable, "-IS", "-c", _LOOK, str(file), f"{file}-wal"]
        looked = subprocess.run(command, input=text.encode(), check=False)
        return looked.returncode == 0


class Running:
    """A wired bridge with everything of it that runs."""

    def __init__(self, settings: Settings, clock: Clock, tape: Tape) -> None:
        lock = wiring.own(settings)
        stream: Any = tape
        provider: Provider | None = None
        if settings.whatsapp_provider == "console":
            # Bubbles show the panel's wall time, as the story does.
            file = settings.whatsapp_console_file
            provider = ConsoleProvider(stream, file, clock.local)
        self.wired = wiring.build(settings, clock=clock.now, provider=provider)
        self.wired.lock = lock
        now = clock.now()
        self.wired.store.write(lambda db: claims.release(db, now))
        try:
            host, port = settings.listen_host, settings.listen_port
            self.server = Server(self.wired.app(), host, port)
        except ConfigError:
            self.wired.close()
            raise
        # Not `wired.schedule()`: that rereads the secrets of the environment.
        retention = timedelta(days=settings.retention_days)
        self.schedule = Schedule(self.wired.bench, self.wired.worker, retention)
        self.schedule.start()
        worker = threading.Thread(target=self.wired.worker.run, name="worker")
        worker.start()
        self._threads = [worker, self.server.start()]

    @property
    def alive(self) -> bool:
        """Whether the receiver and the worker still run."""
        return all(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Stop in the order of `run`."""
        self.server.stop()
        self.schedule.stop()
        self.wired.worker.stop()
        for thread in self._threads:
            thread.join(25)
        self.wired.close()
