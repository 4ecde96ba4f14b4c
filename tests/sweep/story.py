"""A scripted week at the panel, told to a child that may be killed at any moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bridge.demo.clock import Clock
from bridge.demo.hooks import Outbox, Row, sign
from bridge.demo.panel import IDENTIFIER, SECRET, Panel
from bridge.demo.panel_server import PanelServer
from bridge.demo.world import World

MORNING = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)
TESTS = Path(__file__).parent.parent
#: Ends at once, ends with its period, changes plan by us, changes plan natively.
AT_ONCE, WITH_PERIOD, ORDERED, NATIVE = 3, 2, 1, 4
#: Past every lease: what a killed process had claimed may be taken again.
PAST_THE_LEASES = timedelta(minutes=6)


class Child:
    """The child program, warm, with one forked process at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sweep.child"],
            cwd=TESTS,
            env=os.environ | {"PYTHONPATH": str(TESTS.parent)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def say(self, **what: Any) -> None:
        """Send one line."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Wait for one line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the child program is gone"
        heard: dict[str, Any] = json.loads(line)
        assert "failed" not in heard, "the child failed without being killed"
        return heard

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


@dataclass
class Told:
    """What the parent knows after a story: all that was really done or promised."""

    world: World
    panel: Panel
    accepted: set[str]
    fired: list[Row]
    messages: list[dict[str, Any]]
    kills: int
    points: int


@dataclass
class Story:
    """Plays the week against one child. *ends* holds after how many points each
    process is killed; processes after the last of them live."""

    child: Child
    start: dict[str, Any]
    ends: list[int]
    secret: str
    clock: Clock = field(default_factory=lambda: Clock(MORNING))

    def __post_init__(self) -> None:
        self.world = World.example(self.clock)
        self.panel = Panel(self.world)
        self.outbox = Outbox(self.world, _nobody, self.secret, instance="s")
        self.accepted: set[str] = set()
        #: WhatsApp messages that came so far: number, text, id.
        self.wrote: list[tuple[str, str, str]] = []
        self.alive = False
        self.kills = 0
        self.points = 0

    def play(self) -> Told:
        """Play everything, however often the child is killed meanwhile."""
        with PanelServer(self.panel) as server:
            self.start["panel"] = server.url
            for act in self.acts():
                act()
                self._until_quiet()
            self._stop()
        file = Path(self.start["messages"])
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        return Told(
            self.world,
            self.panel,
            self.accepted,
            self.outbox.pending,
            [json.loads(line) for line in lines],
            self.kills,
            self.points,
        )

    def acts(self) -> list[Callable[[], None]]:
        """Return what happens, in its order; after each the bridge gets quiet."""
        return [
            self._asked,
            self._paid,
            self._evening,
            self._end_of_period,
            self._next_morning,
        ]

    def _asked(self) -> None:
        self.world.generate_renewal(5)
        self.world.request_cancellation(AT_ONCE, "Immediate")
        self.world.request_cancellation(WITH_PERIOD)
        self.world.suspend(ORDERED, "Mantenimiento")
        self.world.unsuspend(ORDERED)  # the map orders an upgrade then

    def _paid(self) -> None:
        self.clock.advance(timedelta(hours=1))
        for invoice in list(self.world.invoices.values()):
            if "bridge upgrade" in invoice.notes and invoice.status == "Unpaid":
                self.world.pay_invoice(invoice.id)
        ordered = self.world.upgrade(NATIVE, 25, "Annually")
        assert ordered.invoice is not None
        self.world.pay_invoice(ordered.invoice.id)

    def _evening(self) -> None:
        self._no_earlier(self.clock.at(MORNING.date(), 20))

    def _end_of_period(self) -> None:
        due = self.world.service(WITH_PERIOD).nextduedate
        assert due is not None
        self._no_earlier(self.clock.at(due - timedelta(days=8), 10))
        self._until_quiet()
        self._no_earlier(self.clock.at(due - timedelta(days=1), 23))

    def _next_morning(self) -> None:
        self._no_earlier(self.clock.at(self.clock.today() + timedelta(days=1), 10))

    def _no_earlier(self, at: datetime) -> None:
        self.clock.set(max(at, self.clock.now()))

    def _until_quiet(self) -> None:
        """Take turns until nothing is left, then once more some minutes later."""
        self._turns()
        self.clock.advance(timedelta(minutes=12))
        self._turns()

    def _turns(self) -> None:
        while True:
            before = len(self.accepted)
            ran = self._turn()
            if ran is None:
                self.clock.advance(PAST_THE_LEASES)
            elif ran == 0 and len(self.accepted) == before:
                return

    def _turn(self) -> int | None:
        """Take one turn; None if the child was killed in it."""
        if not self.alive:
            end_at = self.ends.pop(0) if self.ends else 0
            now = self.clock.now().isoformat()
            self.child.say(**self.start, end_at=end_at, now=now)
            if "killed" in self.child.hear():
                self.kills += 1
                return None
            self.alive = True
        rows = [_row(row, self.secret, self.clock) for row in self._unanswered()]
        wrote = [one for one in self.wrote if one[2] not in self.accepted]
        self.child.say(now=self.clock.now().isoformat(), rows=rows, wrote=wrote)
        while True:
            heard = self.child.hear()
            if "accepted" in heard:
                self.accepted.add(heard["accepted"])
            elif "killed" in heard:
                self.alive = False
                self.kills += 1
                return None
            else:
                self.points = heard["heard"]
                return int(heard["ran"])

    def _unanswered(self) -> list[Row]:
        return [row for row in self.outbox.pending if row.id not in self.accepted]

    def _stop(self) -> None:
        if self.alive:
            self.child.say(stop=True)
            self.child.hear()
            self.alive = False


def _row(row: Row, secret: str, clock: Clock) -> dict[str, Any]:
    stamp = int(clock.now().timestamp())
    headers = {
        "Content-Type": "application/json",
        "webhook-id": row.id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": sign(secret, row.id, stamp, row.body),
    }
    return {"id": row.id, "body": row.body.decode(), "headers": headers}


def _nobody(environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
    start_response("503 Nobody", [])
    return []


def first(secret: str, database: str, config: Path, messages: Path) -> dict[str, Any]:
    """Return what a child is told at its start."""
    return {
        "secret": secret,
        "database": database,
        "config": str(config),
        "identifier": IDENTIFIER,
        "api_secret": SECRET,
        "messages": str(messages),
    }


def alerts(told: Told) -> Counter[tuple[str, str]]:
    """Return how often each message went to each number."""
    return Counter((line["message"], line["to"]) for line in told.messages)
