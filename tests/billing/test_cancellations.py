"""When a cancelled service ends: the table of the rules, row by row."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.billing.cancellations import (
    immediate_moment,
    moment,
    owed,
    reminder_days,
    service_end,
)
from bridge.billing.model import Cycle, End, NoPeriod, Period
from bridge.billing.periods import Invoiced

from .builders import billed, day, invoice, line, request, service

PAID = billed(1, "2026-11-10", "2026-12-09")
MONTHLY = Cycle.MONTHLY
BUENOS_AIRES = ZoneInfo("America/Argentina/Buenos_Aires")
SANTIAGO = ZoneInfo("America/Santiago")


def end(of, invoices, on, **more):
    return service_end(
        request(on, **more), of, invoices, day(on), date_format="DD/MM/YYYY"
    )


def of(cycle, due, **more):
    return service(cycle, next_due=day(due), **more)


ROWS = {
    "3.2-row-1": (of(MONTHLY, "2026-12-10"), [PAID], "2026-11-20", "2026-12-09"),
    "3.2-row-2": (
        of(MONTHLY, "2026-12-10"),
        [billed(2, "2026-12-10", "2027-01-09", "Unpaid"), PAID],
        "2026-11-28",
        "2027-01-09",
    ),
    "3.2-row-3": (
        of(MONTHLY, "2026-12-10"),
        [billed(2, "2026-12-10", "2027-01-09", "Cancelled"), PAID],
        "2026-11-28",
        "2026-12-09",
    ),
    "3.2-row-3-refunded": (
        of(MONTHLY, "2026-12-10"),
        [billed(2, "2026-12-10", "2027-01-09", "Refunded"), PAID],
        "2026-11-28",
        "2026-12-09",
    ),
    "3.2-row-3-draft": (
        of(MONTHLY, "2026-12-10"),
        [billed(2, "2026-12-10", "2027-01-09", "Draft"), PAID],
        "2026-11-28",
        "2026-12-09",
    ),
    "3.2-row-4": (
        of(Cycle.ANNUALLY, "2027-02-28", registered=day("2024-02-29")),
        [billed(1, "2026-02-28", "2027-02-27")],
        "2026-05-05",
        "2027-02-27",
    ),
    "3.2-row-5": (
        of(MONTHLY, "2027-02-28", registered=day("2026-10-31")),
        [billed(1, "2027-01-31", "2027-02-27")],
        "2027-02-01",
        "2027-02-27",
    ),
    "3.2-row-6": (
        of(MONTHLY, "2026-12-01", registered=day("2026-11-17")),
        [billed(1, "2026-11-17", "2026-11-30")],
        "2026-11-18",
        "2026-11-30",
    ),
    "3.2-row-8": (
        of(MONTHLY, "2026-10-10", status="Suspended"),
        [billed(1, "2026-09-10", "2026-10-09")],
        "2026-11-20",
        "2026-11-20",
    ),
    "on the last day itself": (
        of(MONTHLY, "2026-12-10"),
        [PAID],
        "2026-12-09",
        "2026-12-09",
    ),
}


@pytest.mark.parametrize(
    ("whose", "invoices", "asked", "ends"), ROWS.values(), ids=ROWS
)
def test_a_service_ends_with_its_last_invoiced_period(whose, invoices, asked, ends):
    assert end(whose, invoices, asked).day == day(ends)


@pytest.mark.parametrize(
    "cycle", [Cycle.ONE_TIME, Cycle.FREE], ids=["3.2-row-7-one-time", "3.2-row-7-free"]
)
def test_without_a_period_staff_decide(cycle):
    with pytest.raises(NoPeriod, match="no billing period"):
        end(service(cycle, next_due=None), [], "2026-11-20")


# Rows 4 and 5 again where the text tells nothing: the clamped day must not drift.
MUTE = {
    "3.2-row-4-line-due": (
        of(Cycle.ANNUALLY, "2027-02-28", registered=day("2024-02-29")),
        invoice(1, line(due="2026-02-28")),
        ("2027-02-27", "line_due"),
    ),
    "3.2-row-4-next-year": (
        of(Cycle.ANNUALLY, "2028-02-29", registered=day("2024-02-29")),
        invoice(1, line(due="2027-02-28")),
        ("2028-02-28", "line_due"),
    ),
    "3.2-row-5-line-due": (
        of(MONTHLY, "2027-02-28", registered=day("2026-10-31")),
        invoice(1, line(due="2027-01-31")),
        ("2027-02-27", "line_due"),
    ),
    "3.2-row-5-status": (
        of(MONTHLY, "2027-02-28", registered=day("2026-10-31")),
        invoice(1, line(), status="Unpaid"),
        ("2027-03-30", "status"),
    ),
    "3.2-row-1-status": (
        of(MONTHLY, "2026-12-10"),
        invoice(1, line()),
        ("2026-12-09", "status"),
    ),
}


@pytest.mark.parametrize(("whose", "one", "told"), MUTE.values(), ids=MUTE)
def test_without_a_text_the_other_ways_find_the_same_day(whose, one, told):
    got = end(whose, [one], "2026-05-05")

    assert (got.day, got.way) == (day(told[0]), told[1])


def test_the_end_says_which_invoice_it_was_read_from():
    got = end(of(MONTHLY, "2026-12-10"), [PAID], "2026-11-20")

    assert got.because == (
        "The last generated invoice (1) covers 2026-11-10 - 2026-12-09, "
        "as its line says."
    )
    assert str(got.period) == "2026-11-10 - 2026-12-09"
    assert got.way == "description"


YEAR = Invoiced(Period(day("2026-12-01"), day("2027-11-30")), "upgrade", 7)


@pytest.mark.parametrize(
    ("invoices", "ends", "why"),
    [
        ([PAID], "2027-11-30", "plan change (invoice 7)"),
        ([], "2027-11-30", "plan change (invoice 7)"),
        ([billed(9, "2027-12-01", "2028-11-30", "Unpaid"), PAID], "2028-11-30", "(9)"),
    ],
    ids=["the old cycle's invoice", "none, it was free", "renewed since"],
)
def test_a_period_that_a_plan_change_began_is_the_last_one(invoices, ends, why):
    of_a_year = of(Cycle.ANNUALLY, "2027-12-01")

    found = service_end(
        request("2027-02-01"),
        of_a_year,
        invoices,
        day("2027-02-01"),
        date_format="DD/MM/YYYY",
        upgraded=YEAR,
    )

    assert found.day == day(ends)
    assert why in found.because


def test_on_its_last_day_a_period_is_not_over_yet():
    got = end(*ROWS["on the last day itself"][:3])

    assert got.way == "description"


def test_a_period_already_over_is_said_to_be_over():
    got = end(*ROWS["3.2-row-8"][:3])

    assert got.way == "over"
    assert "2026-09-10 - 2026-10-09" in got.because


@pytest.mark.parametrize("cycle", [MONTHLY, Cycle.ONE_TIME, Cycle.FREE])
def test_an_immediate_end_is_the_day_of_the_request_and_needs_no_invoice(cycle):
    got = end(service(cycle), [], "2026-11-20", immediate=True)

    assert (got.day, got.way, got.period) == (day("2026-11-20"), "immediate", None)


def test_a_request_of_tomorrow_by_the_panels_clock_does_not_end_today():
    asked = request("2026-11-21", immediate=True)

    got = service_end(
        asked,
        of(MONTHLY, "2026-12-10"),
        [],
        day("2026-11-20"),
        date_format="DD/MM/YYYY",
    )

    assert got.day == day("2026-11-21")


@pytest.mark.parametrize(("immediate", "way"), [(True, "immediate"), (False, "over")])
def test_a_request_first_seen_later_ends_on_the_day_it_is_seen(immediate, way):
    asked = request("2026-12-20", immediate=immediate)

    got = service_end(
        asked, of(MONTHLY, "2026-12-10"), [PAID], day("2026-12-22"),
        date_format="DD/MM/YYYY",
    )  # fmt: skip

    assert (got.day, got.way) == (day("2026-12-22"), way)


@given(
    st.dates(date(2020, 1, 1), date(2035, 1, 1)),
    st.integers(0, 800),
    st.integers(-800, 800),
    st.integers(-1, 40),
    st.booleans(),
)
def test_the_end_is_never_before_the_request_nor_before_what_is_paid(
    first, length, asked, late, immediate
):
    last = first + timedelta(days=length)
    on = first + timedelta(days=asked)
    one = billed(1, first.isoformat(), last.isoformat())
    asked_for = request(on.isoformat(), immediate=immediate)

    got = service_end(
        asked_for, service(MONTHLY), [one], on + timedelta(days=late),
        date_format="DD/MM/YYYY",
    )  # fmt: skip

    assert got.day >= on
    assert immediate or got.day >= last


MOMENTS = {
    "ordinary": ("2026-12-09", "23:00", BUENOS_AIRES, "2026-12-10T02:00"),
    # Chile, 2026-04-04: at 24:00 clocks go back to 23:00. The second 23:30.
    "twice that day": ("2026-04-04", "23:30", SANTIAGO, "2026-04-05T03:30"),
    # Chile, 2026-09-06: at 00:00 clocks go on to 01:00.
    "not that day": ("2026-09-06", "00:30", SANTIAGO, "2026-09-06T04:30"),
    # Brazil, 2018-11-04: the same, seen from the day before.
    "the hour before": ("2018-11-03", "23:30", ZoneInfo("America/Sao_Paulo"),
                        "2018-11-04T02:30"),
    # Greenland, 2024-03-30: at 23:00 clocks go on to 24:00. Earlier, not tomorrow.
    "its last hour is missing": ("2024-03-30", "23:30",
                                 ZoneInfo("America/Nuuk"), "2024-03-31T00:30"),
}  # fmt: skip


@pytest.mark.parametrize(("on", "at", "zone", "utc"), MOMENTS.values(), ids=MOMENTS)
def test_an_hour_of_the_panels_day_is_one_instant(on, at, zone, utc):
    got = moment(day(on), time.fromisoformat(at), zone)

    assert got == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert got.tzinfo is UTC


@given(
    st.dates(date(2012, 1, 1), date(2030, 1, 1)),
    st.times(),
    st.sampled_from(["America/Santiago", "America/Asuncion", "America/Nuuk", "UTC"]),
)
def test_a_moment_lies_on_its_day_whatever_the_clocks_do(on, at, name):
    zone = ZoneInfo(name)

    assert moment(on, at, zone).astimezone(zone).date() == on


IMMEDIATE = [
    ("2026-11-20T09:00", "2026-11-20T20:00"),
    ("2026-11-20T20:00", "2026-11-20T20:00"),
    ("2026-11-20T20:01", "2026-11-20T20:01"),
    ("2026-11-20T23:59:59", "2026-11-20T23:59:59"),
    ("2026-11-22T09:00", "2026-11-22T09:00"),
]


@pytest.mark.parametrize(("now", "runs"), IMMEDIATE)
def test_an_immediate_end_comes_that_evening_or_at_once_if_it_has_passed(now, runs):
    local = datetime.fromisoformat(now).replace(tzinfo=BUENOS_AIRES)

    got = immediate_moment(day("2026-11-20"), local, time(20, 0), BUENOS_AIRES)

    assert got == datetime.fromisoformat(runs).replace(tzinfo=BUENOS_AIRES)
    assert got.tzinfo is UTC


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), st.times())  # noqa: DTZ001
def test_an_immediate_end_is_never_the_next_day(now, at):
    local = now.replace(tzinfo=UTC).astimezone(SANTIAGO)

    got = immediate_moment(local.date(), local, at, SANTIAGO)

    assert got.astimezone(SANTIAGO).date() == local.date()
    assert got >= local


REMINDERS = [
    ("2026-12-09", "2026-11-20", (7, 1), ["2026-12-02", "2026-12-08"]),
    ("2026-12-09", "2026-12-02", (7, 1), ["2026-12-08"]),
    ("2026-12-09", "2026-12-08", (7, 1), []),
    ("2026-12-09", "2026-12-09", (7, 1), []),
    ("2026-12-09", "2026-11-20", (1, 7, 7), ["2026-12-02", "2026-12-08"]),
    ("2026-12-09", "2026-11-20", (0, -3), []),
    ("2026-12-09", "2026-11-20", (), []),
]


@pytest.mark.parametrize(("ends", "today", "policy", "days"), REMINDERS)
def test_reminders_lie_between_today_and_the_end(ends, today, policy, days):
    got = reminder_days(End(day(ends), "", "description"), policy, day(today))

    assert list(got) == [day(one) for one in days]


def test_only_open_invoices_of_the_service_are_owed_the_oldest_first():
    later = billed(4, "2026-12-10", "2027-01-09", "Unpaid")
    sooner = billed(2, "2026-11-10", "2026-12-09", "Overdue")
    others = [
        billed(1, "2026-10-10", "2026-11-09"),
        billed(3, "2026-12-10", "2027-01-09", "Cancelled"),
        invoice(5, line(related=8), status="Unpaid"),
        invoice(6, line(kind="Domain"), status="Unpaid"),
    ]

    assert owed(7, [later, *others, sooner]) == (sooner, later)
