"""A request becomes the right day, through the panel's own requests and invoices."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from conftest import Kit
from looking import cancellation, job, rows, staff_lines, texts

from bridge.demo.panel_example import (
    BRUNO,
    PLAN_100,
    running,
)
from bridge.demo.panel_rows import Line
from bridge.demo.world import World
from bridge.reconcile import reconcile
from bridge.store import tables


def at_noon(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T15:00:00+00:00")


def monthly(world: World) -> int:
    return running(world, BRUNO, PLAN_100, "Monthly", date(2026, 10, 10)).id


def next_one_invoiced(world: World) -> int:
    service = monthly(world)
    world.generate_renewal(service)
    return service


def next_one_cancelled(world: World) -> int:
    service = monthly(world)
    world.cancel_invoice(world.generate_renewal(service).id, hook=False)
    return service


def annual_of_a_leap_day(world: World) -> int:
    return running(world, BRUNO, PLAN_100, "Annually", date(2024, 2, 29)).id


def begun_on_the_31st(world: World) -> int:
    return running(world, BRUNO, PLAN_100, "Monthly", date(2026, 12, 31)).id


def pro_rata(world: World) -> int:
    service, invoice = world.order(
        BRUNO, PLAN_100, first_until=date(2026, 11, 30), amount=Decimal("4.67")
    )
    world.pay_invoice(invoice.id)
    return service.id


# RULES 3.2: what was set up when, asked on, ends on, carried out at.
TABLE = [
    ("2026-11-20", monthly, "2026-11-20", "2026-12-09", "2026-12-10T02:00"),
    ("2026-11-28", next_one_invoiced, "2026-11-28", "2027-01-09", "2027-01-10T02:00"),
    ("2026-11-28", next_one_cancelled, "2026-11-28", "2026-12-09", "2026-12-10T02:00"),
    (
        "2026-05-05",
        annual_of_a_leap_day,
        "2026-05-05",
        "2027-02-27",
        "2027-02-28T02:00",
    ),
    ("2027-02-01", begun_on_the_31st, "2027-02-01", "2027-02-27", "2027-02-28T02:00"),
    ("2026-11-17", pro_rata, "2026-11-18", "2026-11-30", "2026-12-01T02:00"),
    ("2026-09-20", monthly, "2026-11-20", "2026-11-20", "2026-11-20T23:00"),
]
NAMES = ["row-1", "row-2", "row-3", "row-4", "row-5", "row-6", "row-8"]


@pytest.mark.parametrize(("set_up", "make", "asked", "ends", "at"), TABLE, ids=NAMES)
def test_a_service_ends_on_the_day_of_the_table_and_not_a_minute_before(
    kit: Kit,
    set_up: str,
    make: Callable[[World], int],
    asked: str,
    ends: str,
    at: str,
) -> None:
    kit.clock.set(at_noon("2026-09-20") if set_up == "2026-09-20" else at_noon(set_up))
    with kit.world.muted():
        service = make(kit.world)
    kit.clock.set(at_noon(asked))
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)

    kit.world.request_cancellation(service)
    kit.work()
    told = kit.sent[-1]["message"]
    kit.clock.set(moment - timedelta(minutes=1))
    kit.work()
    before = kit.panel.terminations[service]
    kit.clock.set(moment)
    kit.work()

    assert cancellation(kit, service).ends.isoformat() == ends
    assert told == "cancellation_scheduled"
    assert before == 0
    assert kit.panel.terminations == {service: 1}
    assert cancellation(kit, service).state == "done"


@pytest.mark.parametrize("service", [8, 9], ids=["one-time", "free"])
def test_a_service_without_a_period_waits_for_staff(kit: Kit, service: int) -> None:
    kit.world.request_cancellation(service)
    kit.work()
    kit.advance(days=40)

    assert cancellation(kit, service).state == "staff"
    assert "no certain last day" in staff_lines(kit)[0]
    assert kit.panel.count("ModuleTerminate") == 0


def test_a_period_that_is_certain_by_now_is_found_by_a_retry(
    kit: Kit, shell: Callable[..., Any]
) -> None:
    with kit.world.muted():
        mute = kit.world.add_service(BRUNO, PLAN_100, "Monthly", domain="m.ar").id
    kit.world.request_cancellation(mute)
    kit.work()
    before = cancellation(kit, mute).state
    with kit.world.muted():
        kit.world.generate_renewal(mute, last_day=date(2026, 11, 30))
    shell("events", "retry", "--all", "--yes")
    kit.work()

    assert before == "staff"
    assert cancellation(kit, mute).state == "scheduled"
    assert cancellation(kit, mute).ends == date(2026, 11, 30)
    assert texts(kit) == ["cancellation_scheduled"]


def test_an_immediate_request_comes_before_one_without_a_period(kit: Kit) -> None:
    kit.world.request_cancellation(8)
    kit.work()
    kit.world.withdraw_cancellation(8)
    kit.world.request_cancellation(8, "Immediate")
    kit.work()

    assert cancellation(kit, 8).state == "scheduled"
    assert cancellation(kit, 8).ends == date(2026, 11, 2)


def test_an_immediate_one_ends_in_the_evening_of_the_same_day(kit: Kit) -> None:
    kit.world.request_cancellation(11, "Immediate")
    kit.work()
    kit.clock.set(kit.clock.at(date(2026, 11, 2), 19, 59))
    kit.work()
    before = kit.panel.terminations[11]
    kit.clock.set(kit.clock.at(date(2026, 11, 2), 20))
    kit.work()

    assert (before, kit.panel.terminations[11]) == (0, 1)


def test_an_immediate_one_asked_for_later_than_that_hour_ends_at_once(kit: Kit) -> None:
    kit.clock.set(kit.clock.at(date(2026, 11, 2), 21, 30))
    kit.world.request_cancellation(11, "Immediate")
    kit.work()

    assert kit.panel.terminations == {11: 1}


def test_what_is_told_in_the_morning_does_not_say_that_it_ends_today(kit: Kit) -> None:
    kit.clock.set(kit.clock.at(date(2026, 11, 2), 23, 30))
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    kit.advance(hours=10)

    told = {message["message"]: message["text"] for message in kit.sent}
    assert sorted(told) == ["cancellation_done", "cancellation_scheduled_now"]
    assert "termina el 02/11/2026" in told["cancellation_scheduled_now"]
    assert "hoy," not in told["cancellation_scheduled_now"]


@pytest.mark.parametrize("word", ["immediate", " Immediate ", "Immediately"])
def test_an_immediate_one_is_told_as_such_however_it_is_written(
    kit: Kit, word: str
) -> None:
    kit.world.request_cancellation(2, "Immediate")
    [row] = kit.outbox.pending
    row.body = row.body.replace(b'"Immediate"', f'"{word}"'.encode())
    kit.work()

    assert texts(kit) == ["cancellation_scheduled_now"]


def test_a_request_not_listed_yet_is_looked_for_again(kit: Kit) -> None:
    request = kit.world.request_cancellation(2)
    del kit.world.cancellations[request.id]
    kit.work()
    waiting = job(kit, "cancel-with-period").state
    kit.world.cancellations[request.id] = request
    kit.advance(seconds=21)

    assert waiting == "waiting"
    assert cancellation(kit, 2).state == "scheduled"


def test_a_request_never_listed_is_forgotten_after_some_minutes(kit: Kit) -> None:
    kit.world.request_cancellation(2)
    kit.world.withdraw_cancellation(2)
    kit.work()
    kit.advance(minutes=9)
    still = job(kit, "cancel-with-period").state
    kit.advance(minutes=2)

    assert still == "waiting"
    assert job(kit, "cancel-with-period").state == "skipped"
    assert rows(kit.bridge.store, tables.cancellations) == []


def test_a_signed_hook_alone_ends_nothing(kit: Kit) -> None:
    forged = {"userid": 2, "relid": 2, "reason": "", "type": "Immediate"}
    kit.world.fire("CancellationRequest", forged, "client")
    kit.work()
    kit.advance(hours=12)
    kit.advance(hours=12)

    assert kit.panel.count("ModuleTerminate") == 0
    assert rows(kit.bridge.store, tables.cancellations) == []


def test_a_hook_that_names_another_client_is_parked_with_both_numbers(kit: Kit) -> None:
    kit.world.request_cancellation(2)
    kit.outbox.pending[0].body = kit.outbox.pending[0].body.replace(
        b'"userid":2', b'"userid":5'
    )
    kit.work()

    found = job(kit, "/cancel-with-period")
    assert found.state == "parked"
    assert "client 5" in found.reason
    assert "client 2" in found.reason
    assert "client 5" in staff_lines(kit)[0]
    assert kit.sent == []


def test_a_repeated_request_changes_nothing(kit: Kit) -> None:
    kit.world.request_cancellation(2)
    kit.work()
    before = cancellation(kit, 2)
    again = {"userid": 2, "relid": 2, "reason": "", "type": "End of Billing Period"}
    kit.world.fire("CancellationRequest", again, "client")
    kit.work()

    assert cancellation(kit, 2) == before
    assert texts(kit) == ["cancellation_scheduled"]


def test_an_immediate_request_comes_before_a_later_end(kit: Kit) -> None:
    kit.world.request_cancellation(2)
    kit.work()
    kit.world.withdraw_cancellation(2)
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    kit.clock.set(kit.clock.at(date(2026, 11, 2), 20))
    kit.work()
    kit.advance(days=40)

    assert kit.panel.terminations == {2: 1}
    assert cancellation(kit, 2).state == "done"
    assert "cancellation_reminder" not in texts(kit)


def test_an_end_of_period_request_after_an_immediate_one_is_a_repetition(
    kit: Kit,
) -> None:
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    again = {"userid": 2, "relid": 2, "reason": "", "type": "End of Billing Period"}
    kit.world.fire("CancellationRequest", again, "client")
    kit.work()

    assert cancellation(kit, 2).kind == "immediate"
    assert cancellation(kit, 2).ends == date(2026, 11, 2)


def test_two_requests_listed_for_one_service_end_it_once(kit: Kit) -> None:
    first = kit.world.request_cancellation(2, "Immediate")
    del kit.world.cancellations[first.id]
    kit.world.request_cancellation(2, "Immediate")
    kit.world.cancellations[first.id] = first
    kit.work()
    kit.clock.set(kit.clock.at(date(2026, 11, 2), 20))
    kit.work()

    assert len(rows(kit.bridge.store, tables.cancellations)) == 1
    assert kit.panel.terminations == {2: 1}


def test_a_request_that_was_carried_out_is_not_carried_out_again(kit: Kit) -> None:
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    kit.advance(hours=10)
    kit.world.service(2).status = "Active"  # brought back by hand
    again = {"userid": 2, "relid": 2, "reason": "", "type": "Immediate"}
    kit.world.fire("CancellationRequest", again, "client")
    kit.work()
    kit.advance(days=1)

    assert kit.panel.count("ModuleTerminate") == 1
    assert cancellation(kit, 2).state == "done"


def test_reminders_go_out_before_the_end_and_only_while_it_stands(kit: Kit) -> None:
    kit.world.request_cancellation(2)  # ends on 2026-11-20
    kit.work()
    kit.clock.set(kit.clock.at(date(2026, 11, 13), 10))
    kit.work()
    kit.world.withdraw_cancellation(2)
    kit.clock.set(kit.clock.at(date(2026, 11, 19), 10))
    kit.work()

    assert texts(kit) == ["cancellation_scheduled", "cancellation_reminder"]


@pytest.mark.parametrize("kind", ["Immediate", "End of Billing Period"])
def test_what_should_have_ended_long_ago_waits_for_staff(kit: Kit, kind: str) -> None:
    """As at the first start beside a panel with old requests that nobody did."""
    request = kit.world.request_cancellation(2, kind)
    request.date -= timedelta(days=40)
    for invoice in kit.world.invoices.values():
        for item in invoice.items:
            item.description = item.description.replace("2026", "2024")
            item.description = item.description.replace("2027", "2025")
    kit.work()
    kit.advance(hours=12)
    kit.advance(hours=12)

    found = cancellation(kit, 2)
    assert kit.panel.count("ModuleTerminate") == 0
    assert (found.state, found.at) == ("staff", None)
    assert "hours late (more than 72)" in found.reason
    assert "decide by hand" in staff_lines(kit)[0]
    assert texts(kit) == []


def test_one_heard_of_three_days_late_still_ends(kit: Kit) -> None:
    request = kit.world.request_cancellation(2, "Immediate")
    request.date -= timedelta(days=2)
    kit.work()

    assert kit.panel.terminations == {2: 1}


def test_an_invoice_of_a_domain_with_the_same_number_is_not_told_as_owed(
    kit: Kit,
) -> None:
    service = monthly(kit.world)
    renewal = kit.world.generate_renewal(service)
    kit.world.create_invoice(BRUNO, [Line("Dominio", Decimal(20), "Domain", service)])
    kit.world.request_cancellation(service)
    kit.work()

    assert [one["id"] for one in cancellation(kit, service).owed] == [renewal.id]


def test_one_withdrawn_in_the_night_is_not_told_as_scheduled_in_the_morning(
    kit: Kit,
) -> None:
    kit.clock.set(kit.clock.at(date(2026, 11, 2), 23))
    kit.world.request_cancellation(2)
    kit.work()
    kit.world.withdraw_cancellation(2)
    for _ in range(2):
        kit.clock.advance(timedelta(minutes=15))
        reconcile(kit.bridge.bench)
    kit.clock.set(kit.clock.at(date(2026, 11, 3), 8))
    kit.work()

    assert texts(kit) == ["cancellation_withdrawn"]
    assert job(kit, "/then:cancel-with-period.1").reason == (
        "the cancellation of service 2 was withdrawn meanwhile"
    )
