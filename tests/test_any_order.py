"""Events of one service in any order, with faults, against a small model."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from conftest import CONFIG, MORNING, SIGNING, Mounted, Recorder
from effort import pick
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bridge import wiring
from bridge.demo.clock import Clock
from bridge.demo.hooks import Outbox
from bridge.demo.panel import IDENTIFIER, SECRET, Panel
from bridge.demo.world import World
from bridge.reconcile import reconcile
from bridge.settings import Secret, Settings
from bridge.store import book

#: Bruno's monthly plan; its paid period ends on this day.
SERVICE = 2
PAID_UNTIL = date(2026, 11, 20)
KINDS = ["Immediate", "End of Billing Period"]


class OneService(RuleBasedStateMachine):
    """Requests, withdrawals, lies, payments, staff, faults and time, in any order.

    The model: the service ends once at most, by us or by staff; by us only while
    the panel lists a request, and not before that request's own moment.
    """

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        self.clock = Clock(MORNING)
        self.world = World.example(self.clock)
        self.panel = Panel(self.world)
        file = Path(self._directory.name) / "bridge.db"
        self.bridge = wired(self.panel, file, self.clock)
        self.outbox = Outbox(self.world, self.bridge.app(), SIGNING, instance="m")
        self.by_staff = 0
        self.paid_until = PAID_UNTIL

    @property
    def request(self) -> Any:
        """The request that the panel lists, or None."""
        return self.world.cancellation_of(SERVICE)

    @property
    def runs(self) -> bool:
        """Whether the service has not ended."""
        return self.world.service(SERVICE).status == "Active"

    def earliest(self) -> datetime:
        """Return the first instant at which the listed request may be carried out."""
        asked = self.request
        day, hour = self.paid_until, time(23)
        if asked.type == "Immediate":
            day, hour = asked.date.astimezone(self.clock.zone).date(), time(20)
        return datetime.combine(day, hour, tzinfo=self.clock.zone).astimezone(UTC)

    @precondition(lambda self: self.request is None and self.runs)
    @rule(kind=st.sampled_from(KINDS))
    def ask(self, kind: str) -> None:
        """The client asks for the end."""
        self.world.request_cancellation(SERVICE, kind)

    @precondition(lambda self: self.request is not None)
    @rule()
    def withdraw(self) -> None:
        """Staff delete the request in the panel; no hook tells."""
        self.world.withdraw_cancellation(SERVICE)

    @rule(kind=st.sampled_from(KINDS))
    def lie(self, kind: str) -> None:
        """A signed hook says so, the panel does not."""
        data = {"userid": 2, "relid": SERVICE, "reason": "", "type": kind}
        self.world.fire("CancellationRequest", data, "client")

    @precondition(lambda self: self.runs)
    @rule()
    def renew(self) -> None:
        """The next period is invoiced and paid."""
        self.world.pay_invoice(self.world.generate_renewal(SERVICE).id)
        due = self.world.service(SERVICE).nextduedate
        assert due is not None
        self.paid_until = due - timedelta(days=1)

    @precondition(lambda self: self.runs)
    @rule()
    def staff_end_it(self) -> None:
        """Staff end the service by hand."""
        self.world.terminate(SERVICE)
        self.by_staff += 1

    @rule(newest_first=st.booleans(), again=st.booleans())
    def deliver(self, newest_first: bool, again: bool) -> None:
        """The deliveries arrive, in either order, the last one perhaps twice."""
        if newest_first:
            self.outbox._rows.reverse()
        self.outbox.flush()
        for row in self.outbox.delivered[-1:] if again else []:
            self.outbox.send_again(row)

    @rule(
        action=st.sampled_from(
            ["ModuleTerminate", "GetCancelledPackages", "GetClientsProducts"]
        ),
        kind=st.sampled_from(["acts_but_loses_the_answer", "html_500", "cut", "error"]),
    )
    def spoil(self, action: str, kind: str) -> None:
        """The panel's next answer of a kind is spoilt."""
        self.panel.faults.add(action, kind)

    @rule(hours=st.sampled_from([1, 5, 11, 24, 24 * 9, 24 * 30]))
    def pass_time(self, hours: int) -> None:
        """Nobody does anything for a while."""
        self.clock.advance(timedelta(hours=hours))

    @rule()
    def compare(self) -> None:
        """Book and panel are compared, if the panel answers."""
        self.panel.faults.clear()
        reconcile(self.bridge.bench)

    @rule()
    def work(self) -> None:
        """Whatever is due is run."""
        before = self.panel.terminations[SERVICE]
        may = self.request is not None and self.clock.now() >= self.earliest()
        self.bridge.worker.drain()
        if self.panel.terminations[SERVICE] > before:
            assert may, "it ended too early, or though the panel lists no request"

    @invariant()
    def it_ends_once_at_most(self) -> None:
        """The panel counts."""
        assert self.panel.terminations[SERVICE] + self.by_staff <= 1
        assert set(self.panel.terminations) <= {SERVICE}
        assert self.panel.refused == []

    def teardown(self) -> None:
        """In the end what is listed is in the book, and what is not is not."""
        try:
            self._settle()
            with self.bridge.store.read() as db:
                live = book.live_cancellation(db, SERVICE)
            assert live is None or self.request is not None
            assert live or self.request is None or not self.runs, "it was lost"
            if live is not None and live.state == "scheduled":
                self.clock.set(max(live.at, self.clock.now()))
                self.bridge.worker.drain()
                assert self.panel.terminations[SERVICE] + self.by_staff == 1
        finally:
            self.bridge.close()
            self._directory.cleanup()

    def _settle(self) -> None:
        self.panel.faults.clear()
        for _ in range(5):
            self.outbox.flush()
            self.bridge.worker.drain()
            self.clock.advance(timedelta(minutes=16))
            reconcile(self.bridge.bench)
        self.bridge.worker.drain()


def wired(panel: Panel, file: Path, clock: Clock) -> wiring.Bridge:
    """Wire a bridge on a fresh file, with the panel mounted."""
    given = Settings(
        signing_secrets=(Secret(SIGNING),),
        database_url=f"sqlite:///{file}",
        config_dir=CONFIG,
        whmcs_url="https://panel.example",
        whmcs_identifier=Secret(IDENTIFIER),
        whmcs_secret=Secret(SECRET),
        dry_run=False,
        workers=2,
    )
    mounted: Any = Mounted(panel)
    client = wiring.make_panel(given, mounted, clock.now)
    provider = Recorder([], clock.now)
    return wiring.build(given, clock=clock.now, panel=client, provider=provider)


TestOneService = OneService.TestCase
TestOneService.settings = settings(
    max_examples=pick(full=200, ci=12, quick=4),
    stateful_step_count=25,
    phases=[Phase.generate],
)
