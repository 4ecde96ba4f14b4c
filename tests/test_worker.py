"""Jobs run, fail, wait and are parked; one that fails stops no other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from conftest import Kit
from looking import job, rows, staff_lines, texts

from bridge import wiring
from bridge.demo.panel_rows import Line
from bridge.errors import ErrorClass, SendError
from bridge.events import Body, Subject
from bridge.preparing import ACTING_LEASE
from bridge.recording import Recorder
from bridge.settings import LONGEST_CALL
from bridge.store import inbox, outbox, tables
from bridge.store.inbox import Accepted
from bridge.store.outbox import Finish, NewJob
from bridge.watching import Shared
from bridge.whatsapp import Message, Provider, Receipt
from bridge.worker import Worker

ANA, BRUNO = 1, 2


def bill(kit: Kit, client: int = ANA) -> int:
    return kit.world.create_invoice(client, [Line("Algo", Decimal(10))]).id


def states(kit: Kit) -> list[str]:
    return sorted(row.state for row in rows(kit.bridge.store, tables.jobs))


def put(kit: Kit, **more: Any) -> None:
    given = {
        "key": "by-hand",
        "event_id": None,
        "action": "log_activity",
        "rule": "r",
        "run_at": kit.clock.now(),
        "parameters": {"text": "hello", "raw": True},
    }
    now = kit.clock.now()
    kit.bridge.store.write(lambda db: outbox.put(db, [NewJob(**(given | more))], now))


# --- Outages ---


def test_events_are_taken_while_the_panel_is_down_and_done_when_it_is_back(
    kit: Kit,
) -> None:
    for _ in range(4):
        bill(kit, ANA)
        bill(kit, BRUNO)
    with kit.panel.faults.outage_now():
        for _ in range(6 * 60):
            kit.advance(minutes=1)
        tries = [row.attempts for row in rows(kit.bridge.store, tables.jobs)]
        turned_away = kit.panel.faults.turned_away
        quiet = list(kit.sent)
    for _ in range(20):
        kit.advance(minutes=1)

    assert quiet == []
    assert max(tries) <= 6
    assert turned_away < 150
    assert len(kit.sent) == 8
    assert states(kit) == ["done"] * 8


def test_one_waiting_job_alone_is_not_used_up_by_a_long_outage(kit: Kit) -> None:
    bill(kit)
    with kit.panel.faults.outage_now():
        for _ in range(24 * 12):
            kit.advance(minutes=5)
    for _ in range(4):
        kit.advance(minutes=5)

    assert texts(kit) == ["invoice_created"]


def test_html_for_hours_uses_nothing_up_either(kit: Kit) -> None:
    bill(kit)
    kit.panel.faults.add("*", "html_500", times=None)
    for _ in range(24 * 12):
        kit.advance(minutes=5)
    kit.panel.faults.clear()
    for _ in range(4):
        kit.advance(minutes=5)

    assert texts(kit) == ["invoice_created"]


def test_the_circuit_opens_after_five_failures_and_spares_the_panel(kit: Kit) -> None:
    for _ in range(30):
        bill(kit)
    with kit.panel.faults.outage_now():
        kit.work()
        calls = kit.panel.faults.turned_away

    assert calls == 5
    assert kit.bridge.bench.panel_circuit.open


def test_an_event_that_always_fails_is_parked_after_ten_tries(kit: Kit) -> None:
    poison = bill(kit)
    bill(kit, BRUNO)
    kit.panel.faults.add("GetInvoice", "html_500", times=None)
    for _ in range(40):
        kit.advance(hours=1)

    found = job(kit, "msg_t_0000001/invoice-created")
    assert poison
    assert found.state == "parked"
    assert found.attempts == 10
    assert "10 tries" in found.reason
    assert len(staff_lines(kit)) == 2


def test_a_storm_of_failures_is_told_as_one_after_twenty_in_an_hour(kit: Kit) -> None:
    for number in range(60):
        put(kit, key=f"storm-{number}", action="from_a_newer_version")
    kit.work()

    lines = staff_lines(kit)
    assert len(lines) == 21
    assert sum("more than 20 things wait" in line for line in lines) == 1

    put(kit, key="later", action="from_a_newer_version")
    kit.advance(hours=1)
    assert len(staff_lines(kit)) == 22


def test_an_authentication_error_opens_the_circuit_at_once(kit: Kit) -> None:
    for _ in range(5):
        bill(kit)
    kit.panel.secret = "changed"
    kit.work()
    asked = len(kit.panel.calls)
    kit.panel.secret = kit.bridge.settings.whmcs_secret.reveal()
    for _ in range(4):
        kit.advance(minutes=5)

    assert asked == 1
    assert len(kit.sent) == 5


@pytest.mark.parametrize(("asked", "waits"), [(120, 120), (7200, 3600)])
def test_what_retry_after_asks_is_obeyed_up_to_an_hour(
    kit: Kit, asked: int, waits: int
) -> None:
    bill(kit)
    kit.panel.faults.add("GetInvoice", "http", status=429, retry_after=asked)
    kit.work()

    at = job(kit, "/invoice-created").run_at
    assert at == kit.clock.now() + timedelta(seconds=waits)


# --- Failing actions ---


def test_an_action_that_raises_does_not_stop_the_others(kit: Kit) -> None:
    put(kit, parameters={"text": None, "raw": True})  # not a text: it raises
    bill(kit)
    kit.work()

    assert job(kit, "by-hand").state == "waiting"
    assert "unforeseen" in job(kit, "by-hand").reason
    assert texts(kit) == ["invoice_created"]


def test_it_is_parked_after_ten_tries(kit: Kit) -> None:
    put(kit, parameters={"text": None, "raw": True})
    for _ in range(12):
        kit.advance(hours=7)

    assert job(kit, "by-hand").state == "parked"


def test_an_action_this_version_does_not_know_is_parked(kit: Kit) -> None:
    put(kit, action="paint_it_black")
    kit.work()

    assert job(kit, "by-hand").state == "parked"
    assert "paint_it_black" in job(kit, "by-hand").reason


def test_a_job_that_ends_the_process_three_times_is_parked(kit: Kit) -> None:
    put(kit)
    for _ in range(3):
        dies_with_what_it_took(kit)
    kit.work()

    assert job(kit, "by-hand").state == "parked"
    assert "its process ended 3 times" in job(kit, "by-hand").reason


def dies_with_what_it_took(kit: Kit) -> list[str]:
    """Let a worker claim and be gone; return the jobs it had."""
    taken, _ = Worker(kit.bridge.bench)._take(50)
    kit.clock.advance(timedelta(minutes=6))
    return [one.key for one in taken]


def test_the_jobs_around_one_that_ends_the_process_are_not_parked_with_it(
    kit: Kit,
) -> None:
    now = kit.clock.now()
    for number in range(6):
        put(kit, key=f"j{number}", run_at=now + timedelta(seconds=number))
    kit.clock.advance(timedelta(seconds=10))
    together = [dies_with_what_it_took(kit) for _ in range(2)]
    alone = dies_with_what_it_took(kit)
    kit.work()

    states = {row.key: row.state for row in rows(kit.bridge.store, tables.jobs)}
    assert [len(taken) for taken in together] == [6, 6]
    assert alone == ["j0"]
    assert states.pop("j0") == "parked"
    assert set(states.values()) == {"done"}


def test_one_that_acts_and_may_end_the_process_is_run_alone_too(kit: Kit) -> None:
    for number in range(3):
        put(kit, key=f"a{number}", acts=True)
    three = Worker(kit.bridge.bench)
    for _ in range(2):
        taken = [three._take(0)[0] for _ in range(3)]
        kit.clock.advance(timedelta(minutes=6))
    last = Worker(kit.bridge.bench)
    first, second = last._take(0)[0], last._take(0)[0]

    assert [len(jobs) for jobs in taken] == [1, 1, 1]
    assert (len(first), len(second)) == (1, 0)


def test_an_outcome_that_does_not_fit_the_book_any_more_is_not_kept(kit: Kit) -> None:
    put(kit)
    (found,), _ = kit.bridge.worker._take(1)
    ctx = kit.bridge.bench.context(found, None, kit.clock.now())
    ctx.keep("upgrades", "gone", was="ordered", state="done")
    ctx.later("log_activity", key="later", text="x", raw=True)
    Recorder(kit.bridge.bench, 0).keep(found, [], ctx, Finish("done"))

    assert job(kit, "by-hand").state == "waiting"
    assert "not ordered any more" in job(kit, "by-hand").reason
    assert [row.key for row in rows(kit.bridge.store, tables.jobs)] == ["by-hand"]


def test_an_outcome_the_store_cannot_hold_is_tried_ten_times(kit: Kit) -> None:
    put(kit, key="by-hand", parameters={"text": "a", "raw": True})
    for _ in range(10):
        kit.clock.advance(timedelta(hours=7))
        (found,), _ = kit.bridge.worker._take(1)
        ctx = kit.bridge.bench.context(found, None, kit.clock.now())
        unfit = Finish("done", None, {"x": {1}})
        Recorder(kit.bridge.bench, 0).keep(found, [], ctx, unfit)

    assert job(kit, "by-hand").state == "parked"


# --- The provider ---


class Grumpy(Provider):
    """A provider that refuses in a given way so many times."""

    name = "grumpy"
    number = "grumpy"
    per_second = 1000.0

    def __init__(self, kind: ErrorClass, times: int) -> None:
        self.kind = kind
        self.times = times
        self.took: list[Message] = []

    def send(self, message: Message) -> Receipt:
        """Refuse, or take it."""
        if self.times > 0:
            self.times -= 1
            raise SendError(self.name, self.kind, "no")
        self.took.append(message)
        return Receipt("1")


ENDS = [
    (ErrorClass.RETRY, 3, "done", 1),
    (ErrorClass.RETRY, 99, "waiting", 0),  # an outage: nobody loses his tries
    (ErrorClass.UNSURE, 99, "parked", 0),
    (ErrorClass.PAIR, 2, "done", 1),
    (ErrorClass.LATER, 99, "parked", 0),
    (ErrorClass.NEVER, 1, "skipped", 0),
    (ErrorClass.FIX, 1, "parked", 0),
    (ErrorClass.HALT, 30, "done", 1),
]


@pytest.mark.parametrize(("kind", "times", "state", "took"), ENDS)
def test_what_a_refusal_of_the_provider_comes_to(
    kit: Kit,
    bridge_for: Callable[..., wiring.Bridge],
    kind: ErrorClass,
    times: int,
    state: str,
    took: int,
) -> None:
    provider = Grumpy(kind, times)
    other = replace(kit, bridge=bridge_for(provider=provider))
    kit.world.change_password(ANA)
    for _ in range(60):
        other.flush()
        other.bridge.worker.drain()
        other.clock.advance(timedelta(hours=5))

    assert job(kit, "/user-password").state == state
    assert len(provider.took) == took


def live(kit: Kit, hours: int) -> None:
    """Let so many hours go by, and run what is due in each."""
    for _ in range(hours):
        kit.flush()
        kit.bridge.worker.drain()
        kit.clock.advance(timedelta(hours=1))


@pytest.mark.parametrize("away", [0, 60], ids=["at once", "after days of a halt"])
def test_what_is_withheld_gets_one_new_try_a_day_later(
    kit: Kit, bridge_for: Callable[..., wiring.Bridge], away: int
) -> None:
    provider = Grumpy(ErrorClass.HALT, 999)
    other = replace(kit, bridge=bridge_for(provider=provider))
    kit.world.change_password(ANA)
    live(other, away)
    provider.kind = ErrorClass.LATER
    left = [provider.times]
    for hours in (23, 3, 96):
        live(other, hours)
        left.append(provider.times)

    assert [left[0] - times for times in left] == [0, 1, 2, 2]
    assert job(kit, "/user-password").state == "parked"


# --- Two workers, late writers ---


def test_a_worker_whose_claim_was_lost_does_not_act(kit: Kit) -> None:
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    kit.clock.set(kit.clock.at(kit.clock.today(), 20))
    jobs, events = kit.bridge.worker._take(0)
    kit.clock.advance(timedelta(minutes=6))  # it slept: its lease is over
    kit.bridge.worker._take(0)  # another one has the job now
    kit.bridge.worker._act(jobs, events)

    assert kit.panel.count("ModuleTerminate") == 0
    assert job(kit, "/terminate").state == "running"


def test_a_look_that_takes_longer_than_the_lease_ends_in_no_act(
    kit: Kit, bridge_for: Callable[..., wiring.Bridge]
) -> None:
    other = bridge_for()
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    kit.clock.set(kit.clock.at(kit.clock.today(), 20))
    slow = SlowPanel(kit, other)
    kit.bridge.bench.panel = slow  # type: ignore[assignment] # a panel all the same
    kit.bridge.worker.drain()

    assert slow.waited
    assert kit.panel.count("ModuleTerminate") == 1
    assert kit.panel.terminations == {2: 1}


class SlowPanel:
    """A panel whose first answer takes so long that another worker did it all."""

    def __init__(self, kit: Kit, other: wiring.Bridge) -> None:
        self._panel = kit.bridge.bench.panel
        self._kit = kit
        self._other = other
        self.waited = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._panel, name)

    def client(self, number: int) -> Any:
        """Answer at once."""
        return self._panel.client(number)

    def service(self, number: int) -> Any:
        """Answer after six minutes."""
        found = self._panel.service(number)
        if not self.waited:
            self.waited = True
            self._kit.clock.advance(timedelta(minutes=6))
            self._other.worker.drain()
        return found


def test_a_clock_set_on_during_a_call_lets_no_other_thread_make_it_again(
    kit: Kit,
) -> None:
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    kit.clock.set(kit.clock.at(kit.clock.today(), 20))
    jumping = JumpingPanel(kit)
    kit.bridge.bench.panel = jumping  # type: ignore[assignment] # a panel all the same
    kit.bridge.worker.drain()
    called = kit.panel.count("ModuleTerminate")
    waits = job(kit, "/terminate")
    kit.advance(minutes=6)

    assert jumping.jumped
    assert called == 1
    assert waits.state == "waiting"
    assert "the clock was set on" in waits.reason
    assert kit.panel.terminations == {2: 1}
    assert job(kit, "/terminate").state == "done"
    assert texts(kit).count("cancellation_done") == 1


def test_one_that_may_end_the_process_and_is_put_off_holds_up_no_other(
    kit: Kit,
) -> None:
    for number in range(2):
        put(kit, key=f"a{number}", acts=True)
    died = Worker(kit.bridge.bench)
    for _ in range(2):
        for _ in range(2):
            died._take(0)
        kit.clock.advance(timedelta(minutes=6))
    worker = Worker(kit.bridge.bench)
    worker._acting.look()
    kit.clock.advance(timedelta(minutes=10))
    worker._acting.look()
    worker.drain()

    told = {row.key: row.reason for row in rows(kit.bridge.store, tables.jobs)}
    assert set(told) == {"a0", "a1"}
    assert all("the clock was set on" in str(reason) for reason in told.values())


class JumpingPanel:
    """A panel during whose first termination the clock is set on by an hour.

    Meanwhile another thread looks for what is due.
    """

    def __init__(self, kit: Kit) -> None:
        self._panel = kit.bridge.bench.panel
        self._kit = kit
        self.jumped = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._panel, name)

    def terminate(self, number: int) -> None:
        """End a service, after the others had their look."""
        if not self.jumped:
            self.jumped = True
            self._kit.clock.advance(timedelta(hours=1))
            self._kit.bridge.worker.drain()
        self._panel.terminate(number)


def test_threads_take_what_comes_and_stop_when_told(kit: Kit) -> None:
    for _ in range(12):
        bill(kit)
    kit.flush()
    done = threading.Event()

    def watch() -> None:
        while len(kit.sent) < 12 and thread.is_alive():
            done.wait(0.01)
        kit.bridge.worker.stop()

    thread = threading.Thread(target=kit.bridge.worker.run)
    thread.start()
    watcher = threading.Thread(target=watch)
    watcher.start()
    thread.join(30)
    watcher.join(30)

    assert not thread.is_alive()
    assert len(kit.sent) == 12
    assert states(kit) == ["done"] * 12


def test_every_call_of_a_job_is_noted_without_texts_of_clients(kit: Kit) -> None:
    bill(kit)
    kit.work()

    (attempt,) = rows(kit.bridge.store, tables.attempts)
    assert attempt.seen["calls"][0].startswith("invoice(")
    assert attempt.seen["condition"]["invoice.total"] == "10.00"


# --- Dry run ---


def test_a_dry_run_sends_and_changes_nothing_and_says_what_it_would(
    kit: Kit, bridge_for: Callable[..., wiring.Bridge]
) -> None:
    dry = replace(kit, bridge=bridge_for(dry_run=True))
    kit.world.request_cancellation(2, "Immediate")
    bill(kit)
    dry.work()
    dry.clock.set(dry.clock.at(dry.clock.today(), 20))
    dry.work()

    writes = [c.action for c in kit.panel.calls if not c.action.startswith("Get")]
    assert writes == []
    assert kit.sent == []
    assert job(kit, "/terminate").state == "rehearsed"
    assert job(kit, "/terminate").reason == "dry run: would terminate(2)"


# --- One reading for many ---


def test_a_reading_serves_those_who_asked_before_it_began() -> None:
    began: list[int] = []
    entered, go = threading.Event(), threading.Event()

    def read() -> int:
        began.append(len(began) + 1)
        entered.set()
        go.wait(20)
        return len(began)

    shared = Shared(read)
    found: list[int] = []
    first = threading.Thread(target=lambda: found.append(shared()))
    first.start()
    entered.wait(20)
    rest = [threading.Thread(target=lambda: found.append(shared())) for _ in range(6)]
    for thread in rest:
        thread.start()
    while shared._waiting < 6:
        go.wait(0.001)
    go.set()
    for thread in [first, *rest]:
        thread.join(20)

    assert sorted(found) == [1, 2, 2, 2, 2, 2, 2]
    assert began == [1, 2]


def test_a_reading_that_fails_is_tried_by_the_next(kit: Kit) -> None:
    answers: list[Any] = [LookupError("first"), 7]

    def read() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return int(answer)

    shared = Shared(read)
    with pytest.raises(LookupError):
        shared()

    assert shared() == 7


# --- The clock set back ---


def event_of_tomorrow(kit: Kit) -> None:
    at = kit.clock.now() + timedelta(minutes=6)
    body = Body("TicketOpen", at, {"ticketid": 1}, {})
    event = Accepted("future", "whmcs", "d", body, at, Subject())
    kit.bridge.store.write(lambda db: inbox.put(db, event, at))


def test_acting_pauses_while_the_clock_is_far_behind_the_newest_row(kit: Kit) -> None:
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    kit.clock.set(kit.clock.at(kit.clock.today(), 20))
    event_of_tomorrow(kit)
    bill(kit)
    kit.work()
    paused = kit.panel.count("ModuleTerminate")
    alerted = texts(kit)
    kit.advance(minutes=1)

    assert paused == 0
    assert "invoice_created" in alerted
    assert kit.panel.terminations == {2: 1}


def test_no_call_may_last_as_long_as_the_claim_of_its_job() -> None:
    """A claim with half its time left is long enough for one call: see `Bench`."""
    assert timedelta(seconds=LONGEST_CALL) < ACTING_LEASE / 2


def test_what_is_nobodys_is_in_the_log_where_staff_want_tickets(
    kit: Kit, bridge_for: Callable[..., wiring.Bridge], config_with: Callable[..., Any]
) -> None:
    wanted = ("ticket_department: null", "ticket_department: 1")
    other = bridge_for(config_dir=config_with(wanted))
    kit.world.request_cancellation(2)
    kit.outbox.pending[0].body = kit.outbox.pending[0].body.replace(
        b'"userid":2', b'"userid":5'
    )
    kit.world.request_cancellation(8)  # one-time: staff decide
    kit.flush()
    other.worker.drain()

    [ticket] = kit.world.tickets.values()
    [line] = staff_lines(kit)
    assert "no certain last day" in ticket.message
    assert "client 5" in line


def test_staff_hear_by_the_log_where_their_department_takes_no_ticket(
    kit: Kit, bridge_for: Callable[..., wiring.Bridge], config_with: Callable[..., Any]
) -> None:
    wanted = ("ticket_department: null", "ticket_department: 99")
    other = bridge_for(config_dir=config_with(wanted))
    kit.world.request_cancellation(8)  # one-time: staff decide
    kit.flush()
    other.worker.drain()
    [ticket] = [row.key for row in kit.jobs() if row.action == "open_ticket"]

    other.store.write(lambda db: outbox.again(db, kit.clock.now(), keys=[ticket]))
    other.worker.drain()

    [line] = staff_lines(kit)
    assert line.startswith("[bridge] no ticket in department 99 (")
    assert "Department ID not found): [bridge] schedule_cancellation" in line
    assert "service 8 has no certain last day" in line


def test_a_rules_ticket_that_is_refused_is_told_by_its_subject(kit: Kit) -> None:
    parameters = {"department": 99, "subject": "Mirar", "text": "Hola", "client_id": 1}

    put(kit, action="open_ticket", parameters=parameters)
    kit.work()

    [line] = staff_lines(kit)
    why = "whmcs: not found: Department ID not found"
    assert line == f"[bridge] no ticket in department 99 ({why}): Mirar"
