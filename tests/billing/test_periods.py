"""Periods from an anchor, and the last one that was invoiced."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.billing.model import Cycle, NoPeriod, Period
from bridge.billing.periods import (
    last_invoiced_period,
    next_period,
    nth_due,
    previous_period,
)

from .builders import SERVICE, billed, day, invoice, line, period, service

WITH_PERIODS = [cycle for cycle in Cycle if cycle.months]
MONTHLY = Cycle.MONTHLY

DUE = [
    ("2026-01-31", MONTHLY, 1, "2026-02-28"),
    ("2026-01-31", MONTHLY, 2, "2026-03-31"),
    ("2026-01-31", MONTHLY, 13, "2027-02-28"),
    ("2024-02-29", Cycle.ANNUALLY, 1, "2025-02-28"),
    ("2024-02-29", Cycle.ANNUALLY, 4, "2028-02-29"),
    ("2026-08-31", Cycle.SEMIANNUALLY, 1, "2027-02-28"),
    ("2026-11-30", Cycle.QUARTERLY, 1, "2027-02-28"),
    ("2026-05-05", Cycle.TRIENNIALLY, 2, "2032-05-05"),
]


@pytest.mark.parametrize(("anchor", "cycle", "n", "due"), DUE)
def test_due_days_are_counted_from_the_anchor(anchor, cycle, n, due):
    assert nth_due(day(anchor), cycle, n) == day(due)


@pytest.mark.parametrize("cycle", [Cycle.ONE_TIME, Cycle.FREE])
def test_what_is_not_paid_by_period_has_no_due_days(cycle):
    with pytest.raises(NoPeriod):
        nth_due(day("2026-01-31"), cycle, 1)


NEXT = {
    "2.28 is a clamped 31st": ("2027-02-28", "2026-10-31", "2027-03-30"),
    "2.28 is the 28th itself": ("2027-02-28", "2026-10-28", "2027-03-27"),
    "after a pro-rata period": ("2026-12-01", "2026-11-17", "2026-12-31"),
    "no anchor": ("2026-12-10", None, "2027-01-09"),
    "anchor after the due day": ("2026-12-10", "2027-01-10", "2027-01-09"),
}


@pytest.mark.parametrize(("due", "anchor", "last"), NEXT.values(), ids=NEXT)
def test_the_period_from_a_due_day_ends_before_the_next(due, anchor, last):
    found = next_period(day(due), MONTHLY, day(anchor) if anchor else None)

    assert found == period(due, last)


def test_the_period_before_a_due_day_keeps_the_anchors_day():
    found = previous_period(day("2027-02-28"), MONTHLY, day("2026-10-31"))

    assert found == period("2027-01-31", "2027-02-27")


EVERY = (
    st.dates(date(1990, 1, 1), date(2100, 1, 1)),
    st.sampled_from(WITH_PERIODS),
    st.integers(0, 40),
)


@given(*EVERY)
def test_due_days_never_drift_from_their_anchor(anchor, cycle, n):
    due = nth_due(anchor, cycle, n)

    months = (due.year - anchor.year) * 12 + due.month - anchor.month
    assert months == n * cycle.months
    assert due.day == anchor.day or _clamped(due, anchor)


def _clamped(due: date, anchor: date) -> bool:
    return due.day < anchor.day and (due + timedelta(days=1)).day == 1


@given(*EVERY)
def test_next_and_previous_period_agree_on_what_lies_between_two_due_days(
    anchor, cycle, n
):
    first, following = nth_due(anchor, cycle, n), nth_due(anchor, cycle, n + 1)
    between = Period(first, following - timedelta(days=1))

    assert next_period(first, cycle, anchor) == between
    assert previous_period(following, cycle, anchor) == between


MUTE = "Plan 100 - example.com"


def monthly(**more):
    fields = {"registered": day("2026-10-10"), "next_due": day("2026-12-10")}
    return service(MONTHLY, **(fields | more))


def found(invoices, of=None, **more):
    got = last_invoiced_period(of or monthly(), invoices, "DD/MM/YYYY", **more)
    return str(got.period), got.way, got.invoice_id


def test_the_text_of_the_line_is_the_first_way():
    invoices = [billed(1, "2026-11-17", "2026-11-30")]

    assert found(invoices) == ("2026-11-17 - 2026-11-30", "description", 1)


def test_a_text_that_does_not_begin_on_the_lines_due_day_is_not_believed():
    invoices = [billed(1, "2026-11-17", "2026-11-30")]

    told = found(invoices, line_dues={1: day("2026-11-10")})

    assert told == ("2026-11-10 - 2026-12-09", "line_due", 1)


def test_a_text_that_begins_on_the_lines_due_day_is_believed():
    invoices = [billed(1, "2026-11-17", "2026-11-30")]

    told = found(invoices, line_dues={1: day("2026-11-17")})

    assert told == ("2026-11-17 - 2026-11-30", "description", 1)


def test_the_lines_due_day_is_the_second_way_and_keeps_the_31st():
    of = monthly(registered=day("2026-10-31"))

    told = found([invoice(1, line(text=MUTE, due="2027-02-28"))], of)

    assert told == ("2027-02-28 - 2027-03-30", "line_due", 1)


@pytest.mark.parametrize(
    ("status", "told"),
    [("Paid", "2026-11-10 - 2026-12-09"), ("Unpaid", "2026-12-10 - 2027-01-09")],
)
def test_the_status_is_the_last_way(status, told):
    invoices = [invoice(1, line(text=MUTE), status=status)]

    assert found(invoices) == (told, "status", 1)


def test_an_older_unpaid_invoice_beside_a_paid_one_leaves_the_status_unsure():
    invoices = [
        invoice(2, line(text=MUTE)),
        invoice(1, line(text=MUTE), status="Unpaid"),
    ]

    with pytest.raises(NoPeriod, match="several invoices"):
        found(invoices)


NEWEST = {
    "later end wins over number": (
        [billed(9, "2026-11-10", "2026-12-09"), billed(8, "2026-12-10", "2027-01-09")],
        ("2026-12-10 - 2027-01-09", "description", 8),
    ),
    "of two for one period the later number": (
        [billed(3, "2026-11-10", "2026-12-09"), billed(4, "2026-11-10", "2026-12-09")],
        ("2026-11-10 - 2026-12-09", "description", 4),
    ),
    "an older one may be mute": (
        [invoice(1, line(text=MUTE)), billed(2, "2026-11-10", "2026-12-09")],
        ("2026-11-10 - 2026-12-09", "description", 2),
    ),
    "several unpaid that all tell their period": (
        [
            billed(1, "2026-11-10", "2026-12-09", "Unpaid"),
            billed(2, "2026-12-10", "2027-01-09", "Overdue"),
        ],
        ("2026-12-10 - 2027-01-09", "description", 2),
    ),
    "two periods on one invoice": (
        [
            invoice(
                1,
                line(text="(17/11/2026 - 30/11/2026)"),
                line(text="(01/12/2026 - 31/12/2026)"),
            )
        ],
        ("2026-12-01 - 2026-12-31", "description", 1),
    ),
    "lines of other things with the same number": (
        [
            billed(1, "2026-11-10", "2026-12-09"),
            invoice(2, line(text="(10/12/2026 - 09/12/2027)", kind="Addon")),
            invoice(3, line(text="(10/12/2026 - 09/12/2028)", kind="Domain")),
            invoice(4, line(text="(10/12/2026 - 09/12/2029)", related=8)),
        ],
        ("2026-11-10 - 2026-12-09", "description", 1),
    ),
}


@pytest.mark.parametrize(("invoices", "told"), NEWEST.values(), ids=NEWEST)
def test_the_newest_generated_invoice_of_the_service_is_taken(invoices, told):
    assert found(invoices) == told
    assert found(list(reversed(invoices))) == told


UNSURE = {
    "no invoice": ([], {}),
    "only another service's": ([invoice(1, line(related=8))], {}),
    "only a draft": ([billed(1, "2026-11-10", "2026-12-09", "Draft")], {}),
    "two open ones without period": (
        [invoice(n, line(text=MUTE), status="Unpaid") for n in (1, 2)],
        {},
    ),
    "no due date": ([invoice(1, line(text=MUTE))], {"next_due": None}),
    "a status nobody knows": ([invoice(1, line(text=MUTE), status="Odd")], {}),
    "the newest contradicts an older one": (
        [billed(1, "2026-11-10", "2027-01-09"), invoice(2, line(text=MUTE))],
        {},
    ),
    "a newer one whose lines were not read": (
        [billed(1, "2026-11-10", "2026-12-09"), invoice(2, total=Decimal(9))],
        {},
    ),
    "one-time": (
        [billed(1, "2026-11-10", "2026-12-09")],
        {"cycle": Cycle.ONE_TIME},
    ),
    "free": ([billed(1, "2026-11-10", "2026-12-09")], {"cycle": Cycle.FREE}),
}


@pytest.mark.parametrize(("invoices", "more"), UNSURE.values(), ids=UNSURE)
def test_where_nothing_is_certain_nobody_guesses(invoices, more):
    of = service(**({"cycle": MONTHLY, "next_due": day("2026-12-10")} | more))

    with pytest.raises(NoPeriod):
        last_invoiced_period(of, invoices, "DD/MM/YYYY")


def test_the_reason_names_the_service_for_staff():
    with pytest.raises(NoPeriod, match=f"no invoice of service {SERVICE}"):
        found([])
