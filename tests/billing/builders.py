"""Short words for the values that the tables are made of."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from bridge.billing.model import (
    CancellationRequest,
    Cycle,
    Invoice,
    InvoiceLine,
    Period,
    Product,
    Service,
)
from bridge.billing.upgrades import UpgradeCase

SERVICE = 7
OLD, NEW = 21, 22


def day(text: str) -> date:
    return date.fromisoformat(text)


def period(first: str, last: str) -> Period:
    return Period(day(first), day(last))


def service(cycle: Cycle = Cycle.ANNUALLY, **more: Any) -> Service:
    fields = {
        "id": SERVICE, "client_id": 1, "product_id": OLD, "product_name": "Plan 100",
        "domain": "example.com", "cycle": cycle, "status": "Active",
        "recurring": Decimal(100), "next_due": day("2027-01-01"),
    } | more  # fmt: skip
    return Service(**fields)


def text_of(first: str, last: str) -> str:
    """Return a line's text as the panel writes it: both days as DD/MM/YYYY."""
    days = " - ".join(f"{day(one):%d/%m/%Y}" for one in (first, last))
    return f"Plan 100 - example.com ({days})"


def line(
    amount: str = "100", text: str = "", kind: str = "Hosting", related: int = SERVICE,
    due: str | None = None,
) -> InvoiceLine:  # fmt: skip
    on = day(due) if due else None
    return InvoiceLine(1, kind, related, text, Decimal(amount), due=on)


def invoice(
    number: int, *lines: InvoiceLine, status: str = "Paid", **more: Any
) -> Invoice:
    total = sum((one.amount for one in lines), Decimal(0))
    fields = {"date": None, "due": None, "total": total, "lines": lines} | more
    return Invoice(number, 1, str(number), status, **fields)


def billed(
    number: int, first: str, last: str, status: str = "Paid", amount: str = "100"
) -> Invoice:
    """Return an invoice of the service for one period, told by its line's text."""
    return invoice(number, line(amount, text_of(first, last)), status=status)


def request(on: str, *, immediate: bool = False) -> CancellationRequest:
    return CancellationRequest(5, SERVICE, immediate, day(on))


def product(number: int, currency: str = "USD", **prices: str) -> Product:
    told = {Cycle(cycle): Decimal(price) for cycle, price in prices.items()}
    return Product(number, f"Plan {number}", prices={currency: told})


def case(**more: Any) -> UpgradeCase:
    """Return row 1: annual, 100 paid for the year, takes the plan of 150."""
    fields = {
        "service": service(), "currency": "USD", "cycle": Cycle.ANNUALLY,
        "old_product": product(OLD, monthly="10", annually="100"),
        "new_product": product(NEW, monthly="15", annually="150"),
        "invoices": (billed(12, "2026-01-01", "2026-12-31"),),
        "today": day("2026-07-02"),
    } | more  # fmt: skip
    return UpgradeCase(**fields)


ANNUALLY, MONTHLY, FREE = Cycle.ANNUALLY, Cycle.MONTHLY, Cycle.FREE
YEAR = text_of("2026-01-01", "2026-12-31")

PAID_MONTHLY = case(
    service=service(MONTHLY, recurring=Decimal(10), next_due=day("2026-08-01")),
    new_product=product(NEW, monthly="25", annually="150"),
    invoices=(billed(12, "2026-07-01", "2026-07-31", amount="10"),),
    cycle=MONTHLY,
)
PROMOTED = (invoice(12, line("100", YEAR), line("-50", kind="PromoHosting")),)
SETUP = replace(product(OLD, annually="100"), setup={"USD": {ANNUALLY: Decimal(40)}})
FIRST_YEAR = service(registered=day("2026-01-01"))
