"""Which plan changes are refused, each with its own reason."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bridge.billing.model import (
    ConfigOption,
    Cycle,
    Product,
    Refusal,
)
from bridge.billing.upgrades import quote

from .builders import (
    ANNUALLY,
    FIRST_YEAR,
    FREE,
    MONTHLY,
    NEW,
    OLD,
    PAID_MONTHLY,
    PROMOTED,
    SETUP,
    YEAR,
    billed,
    case,
    invoice,
    line,
    product,
    service,
    text_of,
)


def option(kind="dropdown", value="20 GB"):
    return service(options=(ConfigOption(3, "Disk", kind, value),))


PAID_OPTION = replace(product(OLD, annually="100"), paid_options=frozenset({3}))
PAST = replace(product(OLD, annually="100"), prices={})

REFUSED = {
    "cycle not sold": (
        case(new_product=product(NEW, monthly="15")), Refusal.CYCLE_NOT_SOLD),
    "cycle marked -1.00": (
        case(new_product=product(NEW, annually="-1.00")), Refusal.CYCLE_NOT_SOLD),
    "paid cycle of a free plan": (
        case(new_product=replace(product(NEW, annually="0"), pay_type="free")),
        Refusal.CYCLE_NOT_SOLD),
    "suspended": (
        case(service=service(status="Suspended")), Refusal.SERVICE_NOT_ACTIVE),
    "pending": (case(service=service(status="Pending")), Refusal.SERVICE_NOT_ACTIVE),
    "renewal open": (
        case(invoices=(billed(13, "2027-01-01", "2027-12-31", "Unpaid"),
                       billed(12, "2026-01-01", "2026-12-31"))),
        Refusal.INVOICE_OPEN),
    "invoice in collections": (
        case(invoices=(billed(12, "2026-01-01", "2026-12-31", "Collections"),)),
        Refusal.INVOICE_OPEN),
    "its setup fee open": (
        case(invoices=(invoice(13, line("40", kind="Setup"), status="Unpaid"),)),
        Refusal.INVOICE_OPEN),
    "upgrade pending": (case(upgrade_pending=True), Refusal.UPGRADE_PENDING),
    "not offered": (case(offered=frozenset({23})), Refusal.NOT_OFFERED),
    "nothing offered": (case(offered=frozenset()), Refusal.NOT_OFFERED),
    "the plan it has": (
        case(new_product=product(OLD, annually="100"), invoices=PROMOTED),
        Refusal.SAME_PLAN),
    "paid option": (
        case(service=option(), old_product=PAID_OPTION), Refusal.PAID_OPTIONS),
    "other currency": (
        case(new_product=product(NEW, "ARS", annually="9")), Refusal.CURRENCY_DIFFERS),
    "paid in another currency": (
        case(invoices=(invoice(12, line("100", YEAR), currency="ARS"),)),
        Refusal.CURRENCY_DIFFERS),
    "one-time": (case(service=service(Cycle.ONE_TIME)), Refusal.ONE_TIME),
    "to one-time": (case(cycle=Cycle.ONE_TIME), Refusal.ONE_TIME),
    "to a one-time plan": (
        case(new_product=replace(product(NEW, annually="150"), pay_type="onetime")),
        Refusal.ONE_TIME),
    "below zero": (
        case(invoices=(billed(12, "2026-01-01", "2026-12-31", amount="150.01"),)),
        Refusal.COSTS_LESS),
    "lower price": (
        case(new_product=product(NEW, annually="99.99")), Refusal.DOWNGRADE),
    "to a free plan": (
        case(new_product=Product(NEW, "Free", pay_type="free"), cycle=FREE),
        Refusal.DOWNGRADE),
    "below on the ladder": (case(ladders=((NEW, OLD),)), Refusal.DOWNGRADE),
    "free cycle of a paid plan": (case(cycle=FREE), Refusal.NOT_PRICED),
    "nothing to compare with": (
        case(service=service(MONTHLY), old_product=PAST,
             new_product=product(NEW, annually="150")),
        Refusal.NOT_PRICED),
    "unknown basis": (case(paid_basis="days"), Refusal.NOT_PRICED),
    "another plan than the service's": (
        case(old_product=product(99, annually="100")), Refusal.NOT_PRICED),
    "quantity unknown": (case(service=service(quantity=0)), Refusal.NOT_PRICED),
    "lines not read": (
        case(invoices=(invoice(12, total=Decimal(100)),)), Refusal.NOT_PRICED),
    "discount on several things": (
        case(invoices=(invoice(12, line("100", YEAR), line("30", kind="Addon"),
                               line("-13", kind="GroupDiscount", related=0)),)),
        Refusal.NOT_PRICED),
    "discount that may be the setup fee's": (
        case(invoices=(invoice(12, line("100", YEAR), line("40", kind="Setup"),
                               line("-40", kind="PromoHosting")),)),
        Refusal.NOT_PRICED),
    "more than price and setup fee": (
        case(service=FIRST_YEAR, old_product=SETUP,
             invoices=(billed(12, "2026-01-01", "2026-12-31", amount="130"),)),
        Refusal.NOT_PRICED),
    "discount above the price": (
        case(invoices=(invoice(12, line("100", YEAR),
                               line("-120", kind="PromoHosting")),)),
        Refusal.NOT_PRICED),
    "refunded": (
        case(invoices=(billed(12, "2026-01-01", "2026-12-31", "Refunded"),)),
        Refusal.NOT_PRICED),
    "older ones not read": (case(invoices=(), unread=True), Refusal.NOT_PRICED),
    "older ones not read, these paid ahead": (
        case(unread=True, invoices=(billed(13, "2027-01-01", "2027-12-31"),)),
        Refusal.NOT_PRICED),
    "mute, and not the last": (
        case(invoices=(invoice(12, line("100")),
                       billed(13, "2027-01-01", "2027-12-31"))),
        Refusal.NOT_PRICED),
    "mute, without a due date": (
        case(service=service(next_due=None), invoices=(invoice(12, line("100")),)),
        Refusal.NOT_PRICED),
    "two periods on one invoice": (
        case(invoices=(invoice(12, line("100", YEAR),
                               line("8", text_of("2025-12-01", "2025-12-31"))),)),
        Refusal.NOT_PRICED),
    "another cycle over what is paid ahead": (
        replace(PAID_MONTHLY, cycle=ANNUALLY, invoices=(
            billed(12, "2026-07-01", "2026-07-31", amount="10"),
            billed(13, "2026-08-01", "2026-08-31", amount="10"))),
        Refusal.NOT_PRICED),
    "an amount that is no number": (
        case(service=service(recurring=Decimal("NaN")), invoices=()),
        Refusal.NOT_PRICED),
}  # fmt: skip


@pytest.mark.parametrize(("of", "refusal"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_with_its_own_reason(of, refusal):
    got = quote(of)

    assert (got.allowed, got.refusal) == (False, refusal)
    assert (got.charge, got.recurring, got.lines) == (None, None, ())
    assert got.reason.endswith(".")


def test_every_refusal_has_a_case():
    assert {refusal for _, refusal in REFUSED.values()} == set(Refusal)


FINE = {
    "offered": case(offered=frozenset({NEW})),
    "another invoice open": case(
        invoices=(
            billed(12, "2026-01-01", "2026-12-31"),
            invoice(13, line("9", related=8), status="Unpaid"),
            invoice(14, line("9", kind="Domain"), status="Unpaid"),
        )
    ),
    "an option that costs nothing": case(service=option()),
    "none of a paid quantity": case(
        service=option("quantity", "0"), old_product=PAID_OPTION
    ),
    "a cheaper plan that ranks higher": case(
        old_product=product(OLD, annually="200"), ladders=((OLD, NEW),)
    ),
    "older ones not read, today's is": case(
        unread=True, invoices=(billed(12, "2026-01-01", "2026-12-31"),)
    ),
    "older ones not read, and a period over": case(
        unread=True, invoices=(billed(12, "2025-01-01", "2025-12-31"),)
    ),
    "an empty invoice": case(
        invoices=(billed(12, "2026-01-01", "2026-12-31"), invoice(13))
    ),
}


@pytest.mark.parametrize("of", FINE.values(), ids=FINE)
def test_what_is_in_order_is_priced(of):
    assert quote(of).charge == Decimal(50)
