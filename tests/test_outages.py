"""While a provider takes nothing, messages wait, and cost panel and store little."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from conftest import Kit
from effort import pick
from looking import rows, staff_lines
from pyrate_limiter import AbstractClock

from bridge import wiring
from bridge.commands.events import describe
from bridge.demo.panel_rows import Line
from bridge.errors import ErrorClass, SendError
from bridge.pacing import Pace
from bridge.store import outbox, tables
from bridge.store.outbox import NewJob
from bridge.whatsapp import Health, Message, Provider, Receipt

#: Messages that wait through an outage: as many as the issue asks, or a tenth.
QUEUE = pick(full=10_000, ci=1_000, quick=400)


class Away(Provider):
    """A provider that is away in a given way, and says so when it is *asked*."""

    name, number = "away", "1"

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.per_second = 1000.0
        self.kind: ErrorClass | None = None
        self.tells = True
        self.tries = self.asked = 0
        self.sent: list[tuple[str, datetime]] = []
        self._now = now

    def send(self, message: Message) -> Receipt:
        """Take it, unless it is away."""
        self.tries += 1
        if self.kind is not None:
            raise SendError(self.name, self.kind, "the token is not accepted")
        self.sent.append((message.tag, self._now()))
        return Receipt(message.tag)

    def health(self) -> list[Health]:
        """Say that it is not well, if it tells."""
        self.asked += 1
        if self.kind is not None and self.tells:
            return [Health("error", "the token is not accepted")]
        return [Health("ok", "the token is accepted")]


@pytest.fixture
def away(kit: Kit, bridge_for: Callable[..., wiring.Bridge]) -> tuple[Kit, Away]:
    provider = Away(kit.clock.now)
    bridge = bridge_for(provider=provider)
    outbox = type(kit.outbox)(kit.world, bridge.app(), kit.secret, instance="a")
    return replace(kit, bridge=bridge, outbox=outbox), provider


def bill(kit: Kit, times: int) -> None:
    """Have so many alerts wait, each a moment after the one before."""
    for number in range(times):
        kit.world.create_invoice(1 + number % 6, [Line("Algo", Decimal(10))])
        kit.flush()
        kit.clock.advance(timedelta(milliseconds=1))


def minutes(kit: Kit, count: int) -> None:
    for _ in range(count):
        kit.advance(minutes=1)


def test_an_hour_of_halt_reads_nothing_from_the_panel_and_uses_nothing_up(
    away: tuple[Kit, Away],
) -> None:
    kit, provider = away
    provider.kind = ErrorClass.HALT
    bill(kit, 30)
    kit.work()
    reads = len(kit.panel.calls)
    bill(kit, 5)
    minutes(kit, 60)
    staff = sum(call.action == "LogActivity" for call in kit.panel.calls[reads:])
    seen = len(kit.panel.calls) - reads - staff
    found = rows(kit.bridge.store, tables.jobs)
    waiting = [row for row in found if row.state == "waiting"]
    tried = rows(kit.bridge.store, tables.attempts)
    provider.kind = None
    minutes(kit, 10)

    assert (seen, provider.tries) == (0, 1 + 35)
    assert {row.attempts for row in waiting} == {0}
    assert {row.reason for row in waiting} == {"held back: the token is not accepted"}
    assert len(tried) == 2  # the one that failed, and the line for staff
    assert provider.asked < 25
    assert len(provider.sent) == 35
    assert len([one for one in staff_lines(kit) if "takes no messages" in one]) == 1


def test_where_the_provider_does_not_tell_one_message_at_a_time_is_tried(
    away: tuple[Kit, Away],
) -> None:
    kit, provider = away
    provider.kind, provider.tells = ErrorClass.HALT, False
    bill(kit, 30)
    kit.work()
    reads = len(kit.panel.calls)
    minutes(kit, 60)
    tries = provider.tries
    provider.kind = None
    seen = len(kit.panel.calls) - reads
    minutes(kit, 10)

    assert 10 < tries < 25
    assert seen < 4 * tries
    assert len(provider.sent) == 30


def test_what_goes_first_after_a_halt_and_is_not_sent_lets_the_next_one_go(
    away: tuple[Kit, Away],
) -> None:
    kit, provider = away
    provider.kind = ErrorClass.HALT
    first = kit.world.create_invoice(1, [Line("Algo", Decimal(10))])
    bill(kit, 3)
    kit.work()
    minutes(kit, 30)
    kit.world.invoices[first.id].status = "Draft"  # its condition does not hold now
    provider.kind = None
    minutes(kit, 5)

    assert len(provider.sent) == 3


def test_a_slow_numbers_queue_leaves_one_by_one_urgent_first_after_a_restart_too(
    away: tuple[Kit, Away], bridge_for: Callable[..., wiring.Bridge]
) -> None:
    kit, provider = away
    provider.per_second = 1 / 30
    bill(kit, 6)
    kit.work()
    provider.kind = ErrorClass.HALT
    minutes(kit, 30)  # turns that nobody took are not made up for
    provider.kind = None
    minutes(kit, 1)
    kit.world.change_password(2)
    kit.flush()
    restarted = replace(kit, bridge=bridge_for(provider=provider))
    for _ in range(150):
        restarted.clock.advance(timedelta(seconds=5))
        restarted.bridge.worker.drain()

    tags = [tag.partition("/") for tag, _ in provider.sent]
    times = [at for _, at in provider.sent]
    apart = [later - at for at, later in pairwise(times)]
    assert len(provider.sent) == 7
    assert min(apart) >= timedelta(seconds=30)
    names = [name for _, _, name in tags]
    urgent = names.index("user-password")
    assert sum(at > times[urgent] for at in times) >= 3  # it left before the others
    others = [event for event, _, name in tags if name != "user-password"]
    assert others == sorted(others)


# --- An hour's outage with a long queue ---


class Steady(AbstractClock):
    """The bridge's clock for the limiter, which passes while somebody waits for it."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def now(self) -> int:
        """Return milliseconds."""
        return int(self._kit.clock.now().timestamp() * 1000)

    def pause(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self._kit.clock.advance(timedelta(seconds=seconds))


@pytest.mark.parametrize("kind", [ErrorClass.RETRY, ErrorClass.HALT])
def test_a_long_queue_leaves_after_an_hours_outage_at_the_rate_and_in_order(
    away: tuple[Kit, Away], kind: ErrorClass
) -> None:
    kit, provider = away
    steady, rate = Steady(kit), 80
    kit.bridge.bench.sending.slow_down = Pace(rate, steady, steady.pause).wait
    provider.kind = kind
    now, count = kit.clock.now(), QUEUE
    jobs = [waiting(7 * number % count, now) for number in range(count)]  # mixed
    for start in range(0, count, 500):
        some = jobs[start : start + 500]
        kit.bridge.store.write(lambda db, some=some: outbox.put(db, some, now), 30.0)
    for _ in range(12):  # what has come by then runs, and is put off
        kit.advance(minutes=5)
    assert provider.sent == []
    provider.kind = None
    for _ in range(100):
        kit.advance(seconds=10)

    order = [tag for tag, _ in provider.sent]
    times = [at.timestamp() for _, at in provider.sent]
    assert order == [job.key for job in sorted(jobs, key=rank)]
    assert {row.state for row in rows(kit.bridge.store, tables.jobs)} == {"done"}
    within = [bisect_left(times, at + 5) - n for n, at in enumerate(times)]
    assert max(within) <= 1.02 * 5 * rate
    spent = times[-1] - times[0]
    assert count / rate * 0.98 <= spent <= count / rate * 1.02 + 1


def waiting(number: int, now: datetime) -> NewJob:
    """Return an alert of the last hour; each tenth is urgent, and so is the last."""
    return NewJob(
        key=f"queued-{number:05d}",
        event_id=None,
        action="send_alert",
        rule="r",
        run_at=now + timedelta(hours=1) * number / QUEUE,
        parameters={"message": "welcome", "client_id": 1 + number % 7},
        urgent=number % 10 == 9,
        client_id=1 + number % 7,
    )


def rank(job: NewJob) -> tuple[bool, datetime]:
    """Return what orders them: urgent ones first, then the oldest."""
    return not job.urgent, job.run_at


# --- The one that goes first, and is refused ---


@pytest.mark.parametrize("kind", [ErrorClass.HALT, ErrorClass.RETRY])
def test_what_goes_first_and_is_refused_costs_nothing_and_is_shown_once(
    away: tuple[Kit, Away], kind: ErrorClass
) -> None:
    kit, provider = away
    provider.kind, provider.tells = ErrorClass.HALT, False
    bill(kit, 3)
    kit.work()
    provider.kind = kind
    minutes(kit, 120)
    found = rows(kit.bridge.store, tables.jobs)
    waiting = [row for row in found if row.action == "send_alert"]
    shown = [describe(kit.bridge.store, event.id) for event in kit.events()]
    tries = [len(job["tries"]) for one in shown if one for job in one["jobs"]]
    tried, lines = provider.tries, staff_lines(kit)
    provider.kind = None
    minutes(kit, 10)

    assert 20 < tried < 40
    assert {row.attempts for row in waiting} == {0}
    assert {row.unsure for row in waiting} == {0}
    assert {row.state for row in waiting} == {"waiting"}
    assert max(tries) == 1
    assert [one["messages"] for one in shown if one] == [[]] * 3
    assert len([one for one in lines if "takes no messages" in one]) == 1
    assert len(provider.sent) == 3
