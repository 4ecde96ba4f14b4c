"""From ids to people: looked up when used, once, and never the wrong one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from bridge.billing.model import User
from bridge.billing.money import Amount
from bridge.errors import Parked, Reason, RemoteError, Skipped
from bridge.events import Event
from bridge.facts import Facts
from bridge.policies import Company
from bridge.views import View, event_view

NOW = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)


class Thing:
    """Anything with the attributes given."""

    def __init__(self, **given: Any) -> None:
        self.__dict__.update(given)


class Answers:
    """A panel of a few objects that counts what it is asked."""

    def __init__(self, **given: Callable[[int], Any]) -> None:
        self._given = given
        self.asked: list[tuple[str, int]] = []

    def __getattr__(self, name: str) -> Callable[[int], Any]:
        def ask(number: int) -> Any:
            self.asked.append((name, number))
            return self._given[name](number)

        return ask


class Nothing:
    """A book with nothing in it but one domain."""

    def cancellation_view(self, service_id: int) -> None:
        return None

    def upgrade_view(self, event: Event) -> None:
        return None

    def ended_by_request(self, service_id: int) -> bool:
        return False

    def domain_name(self, domain_id: int) -> tuple[str, int | None] | None:
        return ("seen.example", 6) if domain_id == 3 else None


def event(hookpoint: str, data: dict[str, Any], **context: Any) -> Event:
    return Event("e", "whmcs", hookpoint, data, context, NOW, NOW)


def facts(of: Event, panel: Any, **more: Any) -> Facts:
    return Facts(of, panel, Nothing(), Company(), **more)


def not_found(number: int) -> Any:
    raise RemoteError("panel", Reason.NOT_FOUND, "no", sent=False)


def test_the_owner_comes_from_the_invoice_and_is_asked_for_once() -> None:
    panel = Answers(
        invoice=lambda n: Thing(id=n, client_id=5), client=lambda n: Thing(id=n)
    )
    found = facts(event("InvoicePaid", {"invoiceid": 9}), panel)

    assert found.owners() == [5]
    assert found.client.id == 5
    assert found.client is found.client
    assert panel.asked == [("invoice", 9), ("client", 5)]


def test_nothing_is_asked_for_what_is_not_used() -> None:
    panel = Answers()
    facts(event("InvoicePaid", {"invoiceid": 9}), panel).variables({"event", "company"})

    assert panel.asked == []


def test_a_delivery_that_names_another_client_is_for_staff() -> None:
    panel = Answers(service=lambda n: Thing(id=n, client_id=5))
    data = {"params": {"serviceid": 2, "userid": 7}}

    with pytest.raises(Parked, match=r"client 7.*client 5"):
        facts(event("AfterModuleSuspend", data), panel).owners()


@pytest.mark.parametrize("number", ["x", "", 0, -1, 1.5, True, [1], 2**63, "٣", None])
def test_an_id_that_is_no_whole_number_is_nobodys(number: Any) -> None:
    with pytest.raises(Parked):
        facts(event("InvoicePaid", {"invoiceid": number}), Answers()).owners()


def test_a_user_is_told_at_the_accounts_he_owns() -> None:
    users = {4: User(4, "u@example.com", (8, 2))}
    panel = Answers(user=lambda n: users[n])

    assert facts(event("UserChangePassword", {"userid": 4}), panel).owners() == [2, 8]


def test_a_guest_alone_owns_nothing_and_nobody_is_told() -> None:
    panel = Answers(user=lambda n: User(n, "u@example.com"))

    with pytest.raises(Skipped, match="owns no client"):
        facts(event("UserChangePassword", {"userid": 4}), panel).owners()


def test_a_client_the_panel_mixes_up_is_for_staff() -> None:
    panel = Answers(
        invoice=lambda n: Thing(id=n, client_id=5), client=lambda n: Thing(id=6)
    )

    with pytest.raises(Parked, match="answered about client 6"):
        _ = facts(event("InvoicePaid", {"invoiceid": 9}), panel).client


def test_a_job_made_for_one_client_is_not_sent_to_the_next_owner() -> None:
    panel = Answers(service=lambda n: Thing(id=n, client_id=5))
    of = event("CancellationRequest", {"relid": 2, "userid": 7})

    with pytest.raises(Parked, match="client 5 now, not 7"):
        facts(of, panel, client_id=7, service_id=2).owners()


def test_a_deleted_domain_is_known_from_the_index() -> None:
    panel = Answers(domain=not_found)
    found = facts(event("DomainDelete", {"domainid": 3, "userid": 9}), panel).domain

    assert (found.name, found.client_id) == ("seen.example", 6)


def test_one_never_seen_has_its_number_and_the_owner_of_the_delivery() -> None:
    panel = Answers(domain=not_found)
    found = facts(event("DomainDelete", {"domainid": 4, "userid": 9}), panel).domain

    assert (found.name, found.client_id) == ("#4", 9)


def test_what_the_panel_still_knows_it_is_believed() -> None:
    panel = Answers(domain=lambda n: Thing(id=n, client_id=1, name="real.example"))
    of = event("DomainDelete", {"domainid": 3, "userid": 9}, domain="said.example")

    with pytest.raises(Parked, match=r"client 9.*client 1"):
        facts(of, panel).owners()


def test_a_view_shows_its_fields_and_nothing_else() -> None:
    view = View({"a": 1})

    assert view.a == 1
    with pytest.raises(AttributeError):
        _ = view.password
    with pytest.raises(AttributeError):
        view.a = 2


def test_nested_fields_of_an_event_are_flat_and_numbers_are_numbers() -> None:
    of = event("AfterModuleSuspend", {"params": {"serviceid": "12", "domain": "007"}})

    view = event_view(of, "es")
    assert (view.serviceid, view.domain) == (12, "007")


def test_an_amount_is_a_number_that_knows_its_currency() -> None:
    amount = Amount(Decimal("10.00"), "ARS")

    assert amount > 9
    assert (amount.amount, amount.currency) == (Decimal("10.00"), "ARS")
