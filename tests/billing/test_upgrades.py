"""What a plan change costs: the table of the rules, row by row, and refusals."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.billing.model import (
    Cycle,
    PaidCharge,
    Product,
    Refusal,
)
from bridge.billing.upgrades import began_on, first_due, quote

from .builders import (
    ANNUALLY,
    FREE,
    MONTHLY,
    NEW,
    OLD,
    PAID_MONTHLY,
    PROMOTED,
    SERVICE,
    YEAR,
    billed,
    case,
    day,
    invoice,
    line,
    product,
    service,
)

ON_FREE = case(
    service=service(FREE, recurring=Decimal(0), next_due=None),
    old_product=Product(OLD, "Free", pay_type="free"),
    invoices=(),
)
RAISED = case(
    service=service(recurring=Decimal(130)),
    old_product=product(OLD, annually="130"),
    new_product=product(NEW, annually="180"),
)
CHANGED = case(
    service=service(recurring=Decimal(150)),
    old_product=product(OLD, annually="150"),
    new_product=product(NEW, annually="220"),
    charges=(PaidCharge(SERVICE, Decimal(50), day("2026-06-02")),),
)
ROUNDED = case(
    invoices=(billed(12, "2026-01-01", "2026-12-31", amount="99.99"),),
    new_product=product(NEW, annually="149.995"),
)
IN_PESOS = case(
    currency="CLP",
    old_product=product(OLD, "CLP", annually="90000"),
    new_product=product(NEW, "CLP", annually="150000.5"),
    invoices=(billed(12, "2026-01-01", "2026-12-31", amount="90000"),),
)
THREE = case(
    service=service(MONTHLY, quantity=3, recurring=Decimal(30)),
    new_product=product(NEW, monthly="25"),
    invoices=(billed(12, "2026-07-01", "2026-07-31", amount="30"),),
    cycle=MONTHLY,
)

# case, charge, due day, a new period, renewal amount, basis
ROWS = {
    "2.1-row-1": (case(), "50.00", "2027-01-01", False, "150.00", "invoice"),
    "2.1-row-2": (
        case(today=day("2026-12-31")),
        "50.00", "2027-01-01", False, "150.00", "invoice",
    ),
    "2.1-row-3": (PAID_MONTHLY, "15.00", "2026-08-01", False, "25.00", "invoice"),
    "2.1-row-4": (
        replace(PAID_MONTHLY, cycle=ANNUALLY),
        "140.00", "2027-07-02", True, "150.00", "invoice",
    ),
    "2.1-row-6": (
        case(invoices=PROMOTED), "100.00", "2027-01-01", False, "150.00", "invoice",
    ),
    "2.1-row-7": (RAISED, "80.00", "2027-01-01", False, "180.00", "invoice"),
    "2.1-row-7-recurring": (
        replace(RAISED, paid_basis="recurring"),
        "50.00", "2027-01-01", False, "180.00", "recurring",
    ),
    "2.1-row-8": (CHANGED, "70.00", "2027-01-01", False, "220.00", "invoice"),
    "2.1-row-9": (ON_FREE, "150.00", "2027-07-02", True, "150.00", "recurring"),
    "2.1-row-9-amount-left-over": (
        replace(ON_FREE, service=service(FREE, recurring=Decimal(5), next_due=None)),
        "150.00", "2027-07-02", True, "150.00", "recurring",
    ),
    "2.1-row-10": (
        case(new_product=product(NEW, annually="100")),
        "0.00", "2027-01-01", False, "100.00", "invoice",
    ),
    "2.1-row-11": (ROUNDED, "50.01", "2027-01-01", False, "150.00", "invoice"),
    "2.1-row-11-no-decimals": (
        IN_PESOS, "60001", "2027-01-01", False, "150001", "invoice",
    ),
    "2.1-row-12": (THREE, "45.00", "2027-01-01", False, "75.00", "invoice"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("of", "charge", "due", "new_period", "recurring", "basis"), ROWS.values(), ids=ROWS
)
def test_the_difference_is_charged(of, charge, due, new_period, recurring, basis):
    got = quote(of)

    assert (got.allowed, got.refusal, str(got.charge)) == (True, None, charge)
    assert (got.due_date, got.new_period) == (day(due), new_period)
    assert (str(got.recurring), got.basis) == (recurring, basis)


@pytest.mark.parametrize("of", [row[0] for row in ROWS.values()], ids=ROWS)
def test_the_lines_of_the_working_come_to_the_charge(of):
    got = quote(of)

    difference = sum(one.amount for one in got.lines)
    assert abs(difference - got.charge) <= Decimal("0.5")
    assert got.lines[0].source == "list price"


@pytest.mark.parametrize("cycle", [MONTHLY], ids=["2.1-row-5"])
def test_a_cycle_that_costs_less_than_was_paid_is_a_downgrade(cycle):
    got = quote(case(cycle=cycle))

    assert (got.allowed, got.refusal, got.charge) == (False, Refusal.DOWNGRADE, None)


def test_the_working_can_be_checked_by_hand():
    got = quote(CHANGED)

    assert [(one.label, one.amount, one.source) for one in got.lines] == [
        ("Plan 22, annually, 1 x", Decimal(220), "list price"),
        ("already paid", Decimal(-100), "invoice 12"),
        ("upgrade charge paid 2026-06-02", Decimal(-50), "charge"),
    ]
    assert got.reason == (
        "220.00 for the new plan less 150.00 already paid is 70.00 USD."
    )


def test_without_an_invoice_for_today_the_recurring_amount_counts_as_paid():
    got = quote(case(invoices=(billed(12, "2025-01-01", "2025-12-31", amount="80"),)))

    assert (got.charge, got.basis) == (Decimal(50), "recurring")


def test_with_the_recurring_amount_upgrade_charges_are_not_counted_twice():
    got = quote(replace(CHANGED, invoices=()))

    assert (got.charge, got.basis) == (Decimal(70), "recurring")


def test_the_new_plans_setup_fee_is_not_charged():
    dear = replace(product(NEW, annually="150"), setup={"USD": {ANNUALLY: Decimal(40)}})

    assert quote(case(new_product=dear)).charge == Decimal(50)


def test_nothing_to_pay_is_allowed_and_says_so():
    got = quote(case(new_product=product(NEW, annually="100")))

    assert got.reason == "The 100.00 USD of the new plan are already paid."


def test_the_same_plan_for_a_longer_cycle_begins_a_new_period():
    of = replace(PAID_MONTHLY, new_product=product(OLD, annually="100"), cycle=ANNUALLY)

    got = quote(of)

    assert (got.charge, got.new_period) == (Decimal(90), True)


DUES = {
    "2.1-row-4": ("2026-08-15", "2027-08-15"),
    "2.1-row-9": ("2028-02-29", "2029-02-28"),
}


@pytest.mark.parametrize(("row", "dates"), DUES.items(), ids=DUES)
def test_another_cycle_is_due_counted_from_the_day_it_is_enabled(row, dates):
    enabled, due = dates

    found = quote(ROWS[row][0])

    assert found.new_period
    assert first_due(found.cycle, day(enabled)) == day(due)


prices = st.decimals(0, 10_000, places=3)


@given(prices, prices, st.integers(0, 364), st.sampled_from([ANNUALLY, MONTHLY]))
def test_the_charge_never_depends_on_the_day(price, paid, days, cycle):
    of = case(
        new_product=product(NEW, annually=str(price), monthly=str(price)),
        invoices=(billed(12, "2026-01-01", "2026-12-31", amount=str(paid)),),
        cycle=cycle,
        ladders=((OLD, NEW),),
        today=day("2026-01-01"),
    )

    first = quote(of)
    later = quote(replace(of, today=of.today + timedelta(days=days)))

    assert (later.charge, later.refusal) == (first.charge, first.refusal)
    assert first.charge is None or first.charge == max(0, _half_up(price - paid))


def _half_up(amount: Decimal) -> Decimal:
    return Decimal(int(amount * 100 + Decimal("0.5"))) / 100


@given(
    prices,
    st.lists(st.decimals(-10_000, 10_000, places=2), max_size=4),
    st.lists(prices, max_size=3),
    st.integers(0, 5),
    st.sampled_from(["invoice", "recurring"]),
    st.sampled_from(["Hosting", "PromoHosting", "GroupDiscount", "Setup", "Addon", ""]),
    st.sampled_from(list(Cycle)),
)
def test_a_quote_is_never_below_zero_and_never_raises(
    price, amounts, charges, quantity, basis, kind, cycle
):
    lines = [line(str(one), YEAR, kind=kind) for one in amounts]
    of = case(
        service=service(quantity=quantity),
        new_product=product(NEW, annually=str(price), monthly=str(price)),
        invoices=(invoice(12, line("100", YEAR), *lines),),
        charges=tuple(PaidCharge(SERVICE, one, day("2026-03-01")) for one in charges),
        paid_basis=basis,
        cycle=cycle,
    )

    got = quote(of)

    assert (got.charge is not None and got.charge >= 0) == got.allowed
    assert (got.refusal is None) == got.allowed


@pytest.mark.parametrize(
    ("cycle", "due", "today", "day"),
    [
        (Cycle.ANNUALLY, "2027-11-02", "2026-11-03", "2026-11-02"),
        (Cycle.ANNUALLY, "2027-11-03", "2026-11-03", "2026-11-03"),
        (Cycle.ANNUALLY, "2029-02-28", "2028-02-29", "2028-02-28"),  # or the 29th
        (Cycle.MONTHLY, "2026-12-02", "2026-11-05", "2026-11-02"),
        (Cycle.MONTHLY, "2026-12-31", "2026-12-01", "2026-12-01"),  # of no day
        (Cycle.ANNUALLY, "2028-11-03", "2026-11-03", "2026-11-03"),  # not over
        (Cycle.ANNUALLY, None, "2026-11-03", "2026-11-03"),
        (Cycle.FREE, "2027-11-02", "2026-11-03", "2026-11-03"),
    ],
)
def test_when_a_plan_was_enabled_is_told_by_its_due_day(cycle, due, today, day):
    due = None if due is None else date.fromisoformat(due)
    found = began_on(cycle, due, date.fromisoformat(today))

    assert found == date.fromisoformat(day)
