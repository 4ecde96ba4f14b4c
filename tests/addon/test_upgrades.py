"""The panel's own upgrade, priced by the bridge: one table for PHP and Python.

Played on the stage: the panel validates, prices, checks out; real PHP asks the real
bridge over a socket; what counts is the amount of the panel's invoice.
"""

from __future__ import annotations

import json
from datetime import date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from bridge.billing.model import (
    Cycle,
    Invoice,
    InvoiceLine,
    PaidCharge,
    Product,
    Service,
)
from bridge.billing.upgrade_case import UpgradeCase
from bridge.billing.upgrades import quote
from bridge.demo.clock import Clock
from bridge.demo.panel_example import CURRENCIES
from bridge.demo.panel_rows import Line, cycle_named
from bridge.demo.panel_rows import Product as PanelProduct
from bridge.demo.panel_upgrades import UpgradeRefusedError
from bridge.demo.world import World

from .stage import ROOT

ROWS = json.loads((ROOT / "tests/fixtures/upgrades/table.json").read_text("utf-8"))[
    "rows"
]
ZONE = ZoneInfo("America/Argentina/Buenos_Aires")
BEFORE, OLD, NEW = 20, 21, 22
by_row = pytest.mark.parametrize(
    "row", ROWS, ids=[f"2.1-row-{one['row']}" for one in ROWS]
)


def day(text):
    return None if text is None else date.fromisoformat(text)


def morning(text):
    return datetime.combine(day(text), time(10), tzinfo=ZONE)


def text_of(period):
    return " - ".join(f"{day(period[end]):%d/%m/%Y}" for end in ("first", "last"))


# --- Python alone ---


def in_python(row):
    prices = [
        Product(number, f"Plan {number}", prices={row["currency"]: {
            Cycle(cycle): Decimal(price) for cycle, price in row[name].items()
        }}, **({"pay_type": "free"} if name == "old" and row["cycle"] == "free" else {}))
        for number, name in ((OLD, "old"), (NEW, "new"))
    ]  # fmt: skip
    kinds = ("Hosting", "PromoHosting")
    invoices = tuple(
        Invoice(12, 1, "12", "Paid", date=None, due=None,
                total=sum(map(Decimal, paid["lines"])),
                lines=tuple(InvoiceLine(1, kind, 7, f"Plan ({text_of(paid)})", Decimal(amount), due=None)
                            for kind, amount in zip(kinds, paid["lines"], strict=False)))
        for paid in row["paid"]
    )  # fmt: skip
    before = row.get("before")
    return UpgradeCase(
        service=Service(
            id=7, client_id=1, product_id=OLD, product_name="Plan", domain="a.example",
            cycle=Cycle.FREE if row["cycle"] == "free" else Cycle(row["cycle"]),
            status="Active", recurring=Decimal(row["recurring"]), next_due=day(row["next_due"]),
            quantity=row["quantity"],
        ),
        currency=row["currency"], cycle=Cycle(row["takes"]), old_product=prices[0],
        new_product=prices[1], invoices=invoices, today=day(row["today"]),
        charges=(PaidCharge(7, Decimal(before["charge"]), day(before["on"])),) if before else (),
    )  # fmt: skip


@by_row
def test_the_row_in_python(row):
    found = quote(in_python(row))

    if row["bills"] is None:
        assert (found.allowed, found.charge) == (False, None)
    else:
        assert str(found.charge) == row["bills"]
        assert (found.due_date, str(found.recurring)) == (
            day(row["due"]),
            row["renews"],
        )


# --- The panel's own flow, in PHP ---


@pytest.fixture
def clock(row):
    """The day of the row, or the one of the upgrade before it."""
    before = row.get("before")
    return Clock(morning(before["on"] if before else row["today"]))


@pytest.fixture
def world(row, clock):
    """A panel with one client, who has one service, as the row says."""
    world = World(clock)
    for currency in CURRENCIES:
        world.currencies[currency.code] = currency
    first = row["before"]["price"] if "before" in row else {}
    for number, prices, targets in (
        (BEFORE, first, (OLD, NEW)),
        (OLD, row["old"], (NEW,)),
        (NEW, row["new"], ()),
    ):
        table = {cycle_named(cycle): Decimal(price) for cycle, price in prices.items()}
        kind = "free" if number == OLD and row["cycle"] == "free" else "recurring"
        world.products[number] = PanelProduct(
            number,
            f"Plan {number}",
            {row["currency"]: table},
            paytype=kind,
            upgrades=targets,
            allowqty=1,
        )
    with world.muted():
        world.add_client(
            "Ana",
            "Paz",
            "a@example.com",
            phonenumber="+54.91140000001",
            currency=row["currency"],
        )
        service = world.add_service(
            1,
            BEFORE if "before" in row else OLD,
            "Free Account" if row["cycle"] == "free" else cycle_named(row["cycle"]),
            regdate=date(2025, 1, 1),
            nextduedate=day(row["next_due"]),
            qty=row["quantity"],
            recurring=Decimal("100.00" if "before" in row else row["recurring"]),
        )
        for paid in row["paid"]:
            lines = [
                Line(
                    f"Plan ({text_of(paid)})",
                    Decimal(amount),
                    kind,
                    service.id,
                    0,
                    day(paid["first"]),
                )
                for kind, amount in zip(
                    ("Hosting", "PromoHosting"), paid["lines"], strict=False
                )
            ]
            invoice = world.create_invoice(1, lines, on=day(paid["first"]))
            invoice.status, invoice.datepaid = "Paid", morning(paid["first"])
    world.forget()
    return world  # fmt: skip


def play_before(row, world, bridge, clock):
    """Take the upgrade that the row says was taken earlier, and pay it."""
    if "before" not in row:
        return
    ordered = world.upgrade(1, OLD, row["takes"])
    assert ordered.invoice.total == Decimal(row["before"]["charge"])
    world.pay_invoice(ordered.invoice.id)
    bridge.worker.drain()
    clock.set(morning(row["today"]))


def refused_before_it_is_priced(row, link, world):
    """A price that is not given would be the panel's own: the order must end here."""
    with pytest.raises(UpgradeRefusedError) as refused:
        world.upgrade(1, NEW, row["takes"])

    (sentence,) = refused.value.sentences
    assert link.answers == [[[sentence]]]
    assert sentence.startswith("No es posible pasar a un plan menor")
    assert [hook.type for hook in link.asked] == ["ShoppingCartValidateUpgrade"]
    assert (world.upgrades, world.services[1].pid) == ({}, OLD)
    assert all(invoice.status == "Paid" for invoice in world.invoices.values())


@pytest.mark.parametrize("row", [ROWS[4]], ids=["2.1-row-5"])
def test_ordered_through_the_api_a_refused_change_gets_no_price(row, link, world):
    """The panel does not ask there whether it may be; it goes by its own price."""
    ordered = world.order_upgrade(world.service(1), NEW, row["takes"], "api")

    assert link.answers == [[[]], [[]]]
    assert not ordered.price.overridden


@by_row
def test_the_row_in_the_panels_own_flow(row, link, world, bridge, clock):
    play_before(row, world, bridge, clock)
    if row["bills"] is None:
        refused_before_it_is_priced(row, link, world)
        return

    ordered = world.upgrade(1, NEW, row["takes"])

    assert ordered.price.overridden
    assert ordered.upgrade.amount == Decimal(row["bills"])
    if Decimal(row["bills"]):
        assert ordered.invoice.total == Decimal(row["bills"])
    else:
        assert ordered.invoice is None
    assert [hook.type for hook in link.asked][-3:] == [
        "ShoppingCartValidateUpgrade", "OrderProductUpgradeOverride", "PreUpgradeCheckout",
    ]  # fmt: skip


@pytest.mark.parametrize("row", ROWS[:1], ids=["2.1-row-1"])
def test_with_the_bridge_down_the_panel_charges_by_itself(row, link, world, stage):
    stage.setting("address", "http://127.0.0.1:1")

    ordered = world.upgrade(1, NEW, row["takes"])

    assert not ordered.price.overridden
    assert link.answers == [[[]], [[]], [[]]]
