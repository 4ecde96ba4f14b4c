"""What was already paid for the running period."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bridge.billing.model import Cycle, PaidCharge, Refusal
from bridge.billing.upgrades import quote

from .builders import (
    FIRST_YEAR,
    NEW,
    PROMOTED,
    SERVICE,
    SETUP,
    YEAR,
    billed,
    case,
    day,
    invoice,
    line,
    product,
    service,
)

PAID = {
    "the newest of two for the same period": (
        (
            billed(12, "2026-01-01", "2026-12-31", amount="90"),
            billed(13, "2026-01-01", "2026-12-31", amount="120"),
        ),
        "30",
    ),
    "not the one of next year": (
        (
            billed(12, "2026-01-01", "2026-12-31"),
            billed(13, "2027-01-01", "2027-12-31", amount="120"),
        ),
        "50",
    ),
    "not a cancelled one": (
        (
            billed(12, "2026-01-01", "2026-12-31"),
            billed(13, "2026-01-01", "2026-12-31", "Cancelled", amount="120"),
        ),
        "50",
    ),
    "a refunded one of last year is no matter": (
        (
            billed(11, "2025-01-01", "2025-12-31", "Refunded", amount="9"),
            invoice(12, line("100", YEAR)),
        ),
        "50",
    ),
    "nor is it where nothing was paid since": (
        (billed(11, "2025-01-01", "2025-12-31", "Refunded", amount="9"),),
        "50",
    ),
    "not one in a state nobody knows": (
        (billed(12, "2026-01-01", "2026-12-31", "Odd", amount="80"),),
        "50",
    ),
    "not other things on the invoice": (
        (
            invoice(
                12, line("100", YEAR), line("30", kind="Addon"),
                line("12", kind="Domain"), line("77", YEAR, related=8),
                line("-20", kind="PromoDomain"),
                line("-9", kind="PromoHosting", related=8),
            ),
        ),
        "50",
    ),
    "not the setup fee in its own line": (
        (invoice(12, line("100", YEAR), line("40", kind="Setup")),),
        "50",
    ),
    "less a negative line of its own": (
        (invoice(12, line("100", YEAR), line("-10", YEAR)),),
        "60",
    ),
    "less a discount on the whole invoice": (
        (invoice(12, line("100", YEAR), line("-10", kind="GroupDiscount", related=0)),),
        "60",
    ),
    "less a free line below zero": (
        (invoice(12, line("100", YEAR), line("-10", kind="", related=0)),),
        "60",
    ),
    "told by the line's due day": ((invoice(12, line("100", due="2026-01-01")),), "50"),
    "told by the status": ((invoice(12, line("100")),), "50"),
    "older and mute beside one that is over": (
        (invoice(11, line("10")), billed(12, "2025-01-01", "2025-12-31")),
        "50",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("invoices", "charge"), PAID.values(), ids=PAID)
def test_already_paid_are_the_services_lines_of_the_running_period(invoices, charge):
    got = quote(case(invoices=invoices))

    assert got.charge == Decimal(charge), got.reason


CHARGES = {
    "before the period": ("2025-12-31", SERVICE, "50"),
    "on its first day": ("2026-01-01", SERVICE, "30"),
    "since": ("2026-05-01", SERVICE, "30"),
    "another service's": ("2026-05-01", 8, "50"),
}


@pytest.mark.parametrize(("on", "whose", "charge"), CHARGES.values(), ids=CHARGES)
def test_upgrade_charges_count_from_the_day_the_period_began(on, whose, charge):
    got = quote(case(charges=(PaidCharge(whose, Decimal(20), day(on)),)))

    assert got.charge == Decimal(charge)


GIVEN_BACK = [("Paid", "30"), ("Refunded", "50"), ("cancelled", "50")]


@pytest.mark.parametrize(("status", "charge"), GIVEN_BACK)
def test_a_charge_that_was_given_back_is_not_paid(status, charge):
    paid = PaidCharge(SERVICE, Decimal(20), day("2026-05-01"), 13, status)

    assert quote(case(charges=(paid,))).charge == Decimal(charge)


def test_a_charge_whose_invoice_is_open_again_is_not_priced():
    charged = PaidCharge(SERVICE, Decimal(20), day("2026-05-01"), 13, "Unpaid")

    got = quote(case(charges=(charged,)))

    assert got.refusal is Refusal.NOT_PRICED
    assert "upgrade invoice 13 is Unpaid" in got.reason


def test_a_setup_fee_inside_the_first_periods_line_is_taken_off():
    got = quote(
        case(
            service=FIRST_YEAR,
            old_product=SETUP,
            invoices=(billed(12, "2026-01-01", "2026-12-31", amount="140"),),
        )
    )

    assert got.charge == Decimal(50)
    assert got.lines[-1].label == "setup fee in it, not counted"


UPGRADED = case(
    service=replace(FIRST_YEAR, product_id=NEW, recurring=Decimal(150)),
    old_product=product(NEW, annually="150"),
    new_product=product(33, annually="220"),
    charges=(PaidCharge(SERVICE, Decimal(50), day("2026-06-02")),),
)


@pytest.mark.parametrize(
    ("amount", "charge"), [("100", Decimal(70)), ("140", None)], ids=["none", "of 40"]
)
def test_a_setup_fee_of_the_plan_before_the_last_change_is_not_counted(amount, charge):
    first = billed(12, "2026-01-01", "2026-12-31", amount=amount)

    got = quote(replace(UPGRADED, invoices=(first,)))

    assert got.charge == charge
    assert (charge is None) is ("invoice 12 may hold a setup fee" in got.reason)


def test_a_promotion_before_the_last_change_is_no_setup_fee():
    charges = (PaidCharge(SERVICE, Decimal(100), day("2026-06-02")),)

    got = quote(replace(UPGRADED, invoices=PROMOTED, charges=charges))

    assert got.charge == Decimal(70)  # 220 - (100 - 50 + 100)


def test_in_a_later_period_no_setup_fee_is_looked_for():
    got = quote(
        case(
            service=service(registered=day("2025-01-01")),
            old_product=SETUP,
            invoices=(billed(12, "2026-01-01", "2026-12-31", amount="140"),),
        )
    )

    assert got.charge == Decimal(10)


KINDS = {
    "paid": (case(), "paid", "2026-01-01", "2026-12-31"),
    "setup": (
        case(
            service=FIRST_YEAR,
            old_product=SETUP,
            invoices=(billed(12, "2026-01-01", "2026-12-31", amount="140"),),
        ),
        "setup",
        "2026-01-01",
        "2026-12-31",
    ),
    "discount": (
        case(
            invoices=(
                invoice(
                    12,
                    line("100", YEAR),
                    line("-50", "Promo", kind="PromoHosting"),
                ),
            )
        ),
        "discount",
        "2026-01-01",
        "2026-12-31",
    ),
    "charge": (
        case(charges=(PaidCharge(SERVICE, Decimal(20), day("2026-03-01")),)),
        "charge",
        "2026-03-01",
        "2026-03-01",
    ),
}
BASES = {
    "the map wants it": (case(paid_basis="recurring"), "recurring"),
    "nothing covers today": (case(invoices=()), "uncovered"),
    "a free plan": (case(service=service(Cycle.FREE), invoices=()), "free"),
}


@pytest.mark.parametrize(("asked", "kind", "first", "last"), KINDS.values(), ids=KINDS)
def test_a_line_of_the_working_tells_its_kind_and_days(asked, kind, first, last):
    got = quote(asked)

    assert got.lines[0].kind == "price"
    counted = got.lines[-1]
    assert counted.kind == kind
    assert (counted.first_day, counted.last_day) == (day(first), day(last))


@pytest.mark.parametrize(("asked", "kind"), BASES.values(), ids=BASES)
def test_the_recurring_amount_tells_why_it_is_counted(asked, kind):
    assert [line.kind for line in quote(asked).lines] == ["price", kind]


def test_of_a_free_plan_nothing_was_paid_whatever_was_not_read():
    of = case(service=service(Cycle.FREE), invoices=(), unread=True)

    assert quote(of).charge == Decimal(150)
