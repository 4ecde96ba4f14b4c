"""After a change of owner: what the earlier one paid counts, what he owes is his."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from conftest import Kit
from conversing import request, write
from looking import cancellation, staff_lines, texts

from bridge.demo.panel_example import PLAN_150
from bridge.demo.panel_rows import Invoice
from bridge.demo.world import World

ANA, GABRIELA = 1, 7
SERVICE = 1  # Ana's: annual, paid from May 2026 to May 2027


def paid_by_ana(world: World) -> Invoice:
    """Return the invoice by which Ana paid for the running year."""
    (found,) = [
        invoice
        for invoice in world.invoices.values()
        if any(i.relid == SERVICE and i.type == "Hosting" for i in invoice.items)
    ]
    return found


def move(kit: Kit, giver: str = "Ana", taker: str = "Gabriela") -> None:
    """Let the service pass, as both sides ask."""
    text = request(kit, SERVICE, giver, taker)
    for who in (giver, taker):
        write(kit, who, text)
        kit.work()
    kit.sent.clear()


@pytest.fixture
def moved(kit: Kit) -> Kit:
    """A kit in which Ana's service is Gabriela's; Ana had a promotion of half."""
    kit.panel.install_addon(kit.secret)
    for line in paid_by_ana(kit.world).items:
        line.amount = Decimal("50.00")
    move(kit)
    assert kit.world.service(SERVICE).clientid == GABRIELA
    return kit


@pytest.fixture
def quote(shell: Callable[..., Any]) -> Callable[[], dict[str, Any]]:
    """Return what the executive is quoted for the plan of 150."""

    def ask(status: int = 0) -> dict[str, Any]:
        words = ("upgrade", "quote", str(SERVICE), "--to", str(PLAN_150), "--json")
        found: dict[str, Any] = json.loads(shell(*words, status=status).stdout)
        return found

    return ask


@pytest.fixture
def quote_refused(quote: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return quote(1)


def test_what_the_earlier_owner_paid_is_paid(
    moved: Kit, quote: Callable[[], dict[str, Any]]
) -> None:
    found = quote()

    assert (found["charge"], found["basis"]) == ("100.00", "invoice")


def test_the_panel_is_answered_the_same(moved: Kit) -> None:
    moved.world.decide = moved.outbox.ask

    price = moved.world.upgrade(SERVICE, PLAN_150).price

    assert price.due == Decimal("100.00")


def test_it_ends_with_the_period_that_the_earlier_owner_paid(moved: Kit) -> None:
    moved.world.request_cancellation(SERVICE)
    moved.work()

    row = cancellation(moved, SERVICE)
    assert (row.state, row.ends.isoformat()) == ("scheduled", "2027-05-01")
    assert row.client_id == GABRIELA
    assert texts(moved) == ["cancellation_scheduled"]


def test_it_is_found_behind_more_than_one_owner(
    moved: Kit, quote: Callable[[], dict[str, Any]]
) -> None:
    move(moved, "Gabriela", "Ana")
    move(moved)

    assert moved.world.service(SERVICE).clientid == GABRIELA
    assert quote()["charge"] == "100.00"


@pytest.fixture
def open_again(moved: Kit) -> Invoice:
    """Ana's payment was taken back: her invoice is unpaid."""
    invoice = paid_by_ana(moved.world)
    invoice.status = "Unpaid"
    return invoice


def test_an_earlier_owners_open_invoice_leaves_the_price_to_staff(
    open_again: Invoice, quote_refused: dict[str, Any]
) -> None:
    assert quote_refused["refusal"] == "not_priced"
    assert "of an earlier owner is open" in quote_refused["reason"]
    assert str(open_again.id) not in quote_refused["sentence"]


def test_an_earlier_owners_open_invoice_is_not_told_as_owed(
    moved: Kit, open_again: Invoice
) -> None:
    moved.world.request_cancellation(SERVICE)
    moved.work()

    row = cancellation(moved, SERVICE)
    assert (row.ends.isoformat(), row.owed) == ("2027-05-01", [])
    assert f"id={open_again.id}" not in moved.sent[0]["text"]


def test_a_service_moved_without_the_bridge_is_nobodys_before(
    kit: Kit, quote: Callable[[], dict[str, Any]]
) -> None:
    kit.world.move_service(SERVICE, GABRIELA)
    kit.world.request_cancellation(SERVICE)
    kit.work()

    assert quote()["basis"] == "recurring"
    assert "no invoice of service 1" in staff_lines(kit)[0]
