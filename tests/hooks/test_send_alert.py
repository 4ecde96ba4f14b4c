"""The right person, once, at a decent hour, in his language; or the reason why not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import Kit
from looking import job, rows, staff_lines, texts

from bridge import wiring
from bridge.demo.hooks import Outbox
from bridge.demo.panel_rows import Line
from bridge.store import tables
from bridge.whmcs_client import WhmcsClient

ANA, BRUNO, CARLA, DIEGO, ELENA, FRANK, GABRIELA, HUGO = range(1, 9)
NUMBERS = {
    ANA: "+5491140000001",
    BRUNO: "+5491140000002",
    DIEGO: "+5511940000004",
    FRANK: "+13054000006",
    GABRIELA: "+5491140000007",
}


def bill(kit: Kit, client: int, amount: str = "10") -> int:
    return kit.world.create_invoice(client, [Line("Algo", Decimal(amount))]).id


def bills(kit: Kit, client: int, count: int) -> list[int]:
    """Make invoices, each a moment after the one before."""
    made = []
    for _ in range(count):
        made.append(bill(kit, client))
        kit.flush()
        kit.clock.advance(timedelta(milliseconds=1))
    return made


def night(kit: Kit, hour: int = 23) -> None:
    kit.clock.set(kit.clock.at(date(2026, 11, 2), hour))


def to(kit: Kit) -> list[str]:
    return [message["to"] for message in kit.sent]


def test_the_owner_is_read_from_the_panel(kit: Kit) -> None:
    bill(kit, BRUNO)
    kit.work()

    assert to(kit) == [NUMBERS[BRUNO]]


def test_a_service_that_moved_is_told_to_its_owner_of_now(kit: Kit) -> None:
    kit.world.suspend(2, "Mantenimiento")
    kit.world.move_service(2, ANA)
    kit.work()

    found = job(kit, "/service-suspended")
    assert kit.sent == []
    assert found.state == "parked"
    assert f"client {BRUNO}" in found.reason
    assert f"client {ANA}" in found.reason
    assert f"client {ANA}" in staff_lines(kit)[0]


def test_two_invoices_in_the_same_second_are_two_alerts(kit: Kit) -> None:
    numbers = [bill(kit, ANA, "10"), bill(kit, ANA, "20")]
    kit.work()

    assert to(kit) == [NUMBERS[ANA]] * 2
    both = " and ".join(message["text"] for message in kit.sent)
    assert [both.count(f"factura {number} ") for number in numbers] == [1, 1]


def test_the_same_delivery_twice_is_one_alert(kit: Kit) -> None:
    bill(kit, ANA)
    kit.work()
    kit.outbox.send_again(kit.outbox.delivered[0])
    kit.work()

    assert texts(kit) == ["invoice_created"]


def test_a_second_suspension_is_alerted_again(kit: Kit) -> None:
    for _ in range(2):
        kit.world.suspend(2, "Mantenimiento")
        kit.work()
        kit.world.unsuspend(2)
        kit.work()

    assert texts(kit) == ["service_suspended", "service_reactivated"] * 2


def test_after_an_outage_what_the_panel_shows_counts_not_the_order(kit: Kit) -> None:
    for _ in range(2):
        kit.world.suspend(2, "Mantenimiento")
        kit.world.unsuspend(2)
    kit.world.suspend(3, "Mantenimiento")
    kit.outbox._rows.reverse()
    kit.work()

    assert sorted(texts(kit)) == ["service_reactivated"] * 2 + ["service_suspended"]


@pytest.mark.parametrize(
    ("hookpoint", "data"),
    [
        ("AfterModuleTerminate", {"params": {"serviceid": 2, "userid": 2}}),
        ("AfterModuleSuspend", {"params": {"serviceid": 2, "userid": 2}}),
        ("InvoicePaid", {"invoiceid": 1}),
        ("InvoiceCancelled", {"invoiceid": 1}),
        ("QuoteStatusChange", {"quoteid": 1, "status": "Delivered"}),
    ],
)
def test_what_the_panel_denies_is_told_to_nobody(
    kit: Kit, hookpoint: str, data: dict[str, Any]
) -> None:
    kit.world.invoices[1].status = "Unpaid"
    for quote in kit.world.quotes.values():
        quote.stage = "Draft"
    kit.world.fire(hookpoint, data, "system")
    kit.work()

    assert kit.sent == []


# --- Passwords ---


def reverse(kit: Kit) -> None:
    kit.outbox._rows.reverse()


def as_fired(kit: Kit) -> None:
    pass


@pytest.mark.parametrize("arrive", [as_fired, reverse])
def test_one_change_told_by_two_hooks_is_one_alert(
    kit: Kit, arrive: Callable[[Kit], None]
) -> None:
    kit.world.change_password(ANA, client_hook_too=True)
    arrive(kit)
    kit.work()

    assert texts(kit) == ["password_changed"]


def test_the_second_half_that_comes_minutes_later_is_no_second_alert(kit: Kit) -> None:
    kit.world.change_password(ANA, client_hook_too=True)
    late = kit.outbox._rows.pop()
    kit.work()
    kit.outbox._rows.append(late)
    kit.advance(minutes=4)

    assert texts(kit) == ["password_changed"]


@pytest.mark.parametrize("arrive", [as_fired, reverse])
@pytest.mark.parametrize("without", ["UserChangePassword", "ClientChangePassword"])
def test_a_half_that_no_rule_is_about_keeps_nobody_from_being_told(
    kit: Kit,
    bridge_for: Callable[..., wiring.Bridge],
    config_with: Callable[..., Path],
    without: str,
    arrive: Callable[[Kit], None],
) -> None:
    config = config_with((f"\n  {without}:", "\n  TicketOpen:"))
    kit.bridge = bridge_for(config_dir=config)
    kit.outbox = Outbox(kit.world, kit.bridge.app(), kit.secret)
    kit.world.change_password(ANA, client_hook_too=True)
    arrive(kit)
    kit.work()

    assert texts(kit) == ["password_changed"]


@pytest.mark.parametrize("arrive", [as_fired, reverse])
@pytest.mark.parametrize("rule", ["user-password", "client-password"])
@pytest.mark.parametrize("condition", ["false", "true"])
def test_a_half_whose_condition_does_not_hold_keeps_nobody_from_being_told(
    kit: Kit,
    bridge_for: Callable[..., wiring.Bridge],
    config_with: Callable[..., Path],
    rule: str,
    condition: str,
    arrive: Callable[[Kit], None],
) -> None:
    name = f"- name: {rule}\n"
    config = config_with((name, f'{name}      when: "{condition} and client.id"\n'))
    kit.bridge = bridge_for(config_dir=config)
    kit.outbox = Outbox(kit.world, kit.bridge.app(), kit.secret)
    kit.world.change_password(ANA, client_hook_too=True)
    arrive(kit)
    kit.work()
    kit.advance(minutes=1)

    assert texts(kit) == ["password_changed"]


def test_a_half_that_waits_for_staff_keeps_nobody_from_being_told(kit: Kit) -> None:
    kit.world.change_password(ANA, client_hook_too=True)
    late = kit.outbox._rows.pop()
    kit.panel.permissions = set(WhmcsClient.actions) - {"GetUsers"}
    kit.work()
    kit.outbox._rows.append(late)
    kit.work()

    assert job(kit, "/user-password").state == "parked"
    assert texts(kit) == ["password_changed"]


def test_two_real_changes_are_two_alerts(kit: Kit) -> None:
    kit.world.change_password(ANA, client_hook_too=True)
    kit.clock.advance(timedelta(minutes=2))
    kit.world.change_password(ANA, client_hook_too=True)
    kit.work()

    assert texts(kit) == ["password_changed"] * 2


def test_two_changes_told_by_one_hook_each_are_two_alerts(kit: Kit) -> None:
    kit.world.change_password(ANA)
    kit.world.change_password(ANA)
    kit.work()

    assert texts(kit) == ["password_changed"] * 2


def test_the_password_itself_is_nowhere(kit: Kit) -> None:
    kit.outbox.leak = True
    kit.world.change_password(ANA, client_hook_too=True)
    kit.work()

    kept = str(rows(kit.bridge.store, tables.events)) + str(kit.sent)
    assert "PANEL-SECRET" not in kept


def test_a_user_who_owns_two_accounts_is_told_at_both(kit: Kit) -> None:
    user = kit.world.clients[BRUNO].owner
    second = kit.world.add_client(
        "Bruno", "Dos", "dos@example.com", phonenumber="+54.91140000099", owner=user
    )
    kit.work()
    kit.sent.clear()
    kit.world.change_password(user)
    kit.work()

    assert sorted(to(kit)) == [NUMBERS[BRUNO], "+5491140000099"]
    assert second.owner == user


def test_both_accounts_are_told_at_night_too_since_it_is_urgent(kit: Kit) -> None:
    user = kit.world.clients[BRUNO].owner
    kit.world.add_client(
        "Bruno", "Dos", "dos@example.com", phonenumber="+54.91140000099", owner=user
    )
    kit.work()
    kit.sent.clear()
    night(kit)
    kit.world.change_password(user)
    kit.work()

    assert len(kit.sent) == 2


def test_a_guest_in_an_account_hears_of_his_own_only(kit: Kit) -> None:
    kit.world.change_password(kit.world.clients[GABRIELA].owner)
    kit.work()

    assert to(kit) == [NUMBERS[GABRIELA]]


# --- Hours ---


def test_an_ordinary_alert_waits_for_the_morning(kit: Kit) -> None:
    night(kit)
    bill(kit, ANA)
    kit.work()
    at_night = len(kit.sent)
    kit.clock.set(kit.clock.at(date(2026, 11, 3), 7, 59))
    kit.work()
    too_early = len(kit.sent)
    kit.clock.set(kit.clock.at(date(2026, 11, 3), 8))
    kit.work()

    assert (at_night, too_early, len(kit.sent)) == (0, 0, 1)


def test_an_urgent_one_never_waits(kit: Kit) -> None:
    night(kit, 3)
    kit.world.change_password(ANA)
    kit.work()

    assert texts(kit) == ["password_changed"]


@pytest.mark.parametrize(("count", "messages"), [(3, 3), (4, 1), (5, 1)])
def test_more_than_three_that_wait_for_one_client_become_one_message(
    kit: Kit, count: int, messages: int
) -> None:
    night(kit)
    ids = [bill(kit, ANA) for _ in range(count)]
    bill(kit, BRUNO)
    kit.work()
    kit.clock.set(kit.clock.at(date(2026, 11, 3), 8))
    kit.work()

    to_ana = [message for message in kit.sent if message["to"] == NUMBERS[ANA]]
    together = " ".join(message["text"] for message in to_ana)
    assert len(to_ana) == messages
    assert to(kit).count(NUMBERS[BRUNO]) == 1
    assert all(f"factura {number} " in together for number in ids)
    assert {row.state for row in rows(kit.bridge.store, tables.jobs)} == {"done"}


MORE = {
    "spanish": "… y 5 más",
    "english": "… and 5 more",
    "portuguese-br": "… e mais 5",
}


@pytest.mark.parametrize("language", MORE)
def test_of_very_many_that_wait_the_message_says_how_many_it_does_not_list(
    kit: Kit, language: str
) -> None:
    kit.world.client(ANA).language = language
    night(kit)
    bills(kit, ANA, 25)
    kit.work()
    kit.clock.set(kit.clock.at(date(2026, 11, 3), 8))
    kit.work()

    (told,) = kit.sent
    lines = told["text"].splitlines()
    assert " 25 " in lines[0]
    assert len([line for line in lines if line.startswith("• ")]) == 20
    assert MORE[language] in lines


def test_a_group_that_missed_its_morning_waits_for_the_next(kit: Kit) -> None:
    night(kit)
    for _ in range(5):
        bill(kit, ANA)
    kit.work()
    kit.clock.set(kit.clock.at(date(2026, 11, 3), 23))  # down all day
    kit.work()
    at_night = len(kit.sent)
    kit.clock.set(kit.clock.at(date(2026, 11, 4), 8))
    kit.work()

    assert at_night == 0
    assert len(kit.sent) == 1


def morning(kit: Kit) -> None:
    kit.clock.set(kit.clock.at(date(2026, 11, 3), 8))
    kit.work()


@pytest.mark.parametrize(("gone", "messages"), [(0, 1), (2, 4)])
def test_one_of_a_group_that_cannot_be_told_does_not_silence_the_others(
    kit: Kit, gone: int, messages: int
) -> None:
    night(kit)
    ids = bills(kit, ANA, 5)
    kit.work()
    del kit.world.invoices[ids[gone]]
    morning(kit)

    states = sorted(row.state for row in rows(kit.bridge.store, tables.jobs))
    told = " ".join(message["text"] for message in kit.sent)
    assert len(kit.sent) == messages
    assert all((f"factura {id} " in told) is (id != ids[gone]) for id in ids)
    assert states == ["done"] * 5 + ["parked"]  # staff were told of the parked one
    assert len(staff_lines(kit)) == 1


def test_one_whose_condition_holds_no_more_in_the_morning_is_left_out(
    kit: Kit,
) -> None:
    night(kit)
    ids = [bill(kit, ANA) for _ in range(6)]
    kit.work()
    kit.world.invoice(ids[1]).items.clear()  # nothing is to be paid any more
    kit.world.invoice(ids[0]).items.clear()
    morning(kit)

    states = sorted(row.state for row in rows(kit.bridge.store, tables.jobs))
    told = " ".join(message["text"] for message in kit.sent)
    assert states == ["done"] * 4 + ["skipped"] * 2
    assert all(f"factura {number} " in told for number in ids[2:])
    assert not any(f"factura {number} " in told for number in ids[:2])


def test_a_group_is_sent_again_as_a_whole_if_the_provider_refuses_it_once(
    kit: Kit, bridge_for: Callable[..., wiring.Bridge]
) -> None:
    night(kit)
    for _ in range(5):
        bill(kit, ANA)
    kit.work()
    kit.clock.set(kit.clock.at(date(2026, 11, 3), 8))
    with kit.panel.faults.outage_now():
        kit.work()
    for _ in range(4):
        kit.advance(minutes=10)

    assert len(kit.sent) == 1
    assert {row.state for row in rows(kit.bridge.store, tables.jobs)} == {"done"}


# --- Nobody to write to ---


def test_a_closed_client_is_not_written_to(kit: Kit) -> None:
    bill(kit, ANA)
    kit.world.client(ANA).status = "Closed"
    kit.work()

    assert kit.sent == []
    assert job(kit, "/invoice-created").reason == (
        "client 1 is closed: nobody is written to"
    )


def test_a_client_without_a_telephone_is_recorded_with_the_reason(kit: Kit) -> None:
    bill(kit, HUGO)
    kit.work()

    assert job(kit, "/invoice-created").reason == (
        "client 8 has no telephone in his profile"
    )


@pytest.mark.parametrize("phone", ["123", "n/a", "+54.9111", "0000000000"])
def test_an_unusable_telephone_is_recorded_and_nobody_is_guessed(
    kit: Kit, phone: str
) -> None:
    kit.world.client(ANA).phonenumber = phone
    bill(kit, ANA)
    kit.work()

    assert kit.sent == []
    assert job(kit, "/invoice-created").state == "skipped"
    assert "cannot be used" in job(kit, "/invoice-created").reason


# --- Language, money ---

LANGUAGES = [
    (ANA, "es", "10,00 ARS"),
    (DIEGO, "pt_BR", "R$ 10,00"),
    (FRANK, "en", "$10.00"),
]


@pytest.mark.parametrize(("client", "language", "amount"), LANGUAGES)
def test_it_is_written_in_the_clients_language_and_currency(
    kit: Kit, client: int, language: str, amount: str
) -> None:
    bill(kit, client)
    kit.work()

    assert kit.sent[0]["language"] == language
    assert amount in kit.sent[0]["text"].replace("\u00a0", " ")


def test_without_a_language_of_his_own_it_is_the_bridges(kit: Kit) -> None:
    kit.world.client(HUGO).phonenumber = "+54.91140000008"
    bill(kit, HUGO)
    kit.work()

    assert kit.sent[0]["language"] == "es"


def test_a_currency_without_cents_shows_none(kit: Kit) -> None:
    bill(kit, ELENA, "45000")
    kit.work()

    assert "45.000 CLP" in kit.sent[0]["text"].replace("\u00a0", " ")


# --- What was held for long ---


@pytest.mark.parametrize(
    ("made_at", "minutes", "status", "told"),
    [
        ((0, 22), 600, "Unpaid", ["invoice_created"]),
        ((0, 22), 600, "Paid", []),
        ((0, 22), 600, "Cancelled", []),
        ((0, 22), 600, "Refunded", []),
        ((1, 7), 60, "Paid", ["invoice_created"]),  # not over an hour: as ever
    ],
)
def test_an_invoice_that_was_paid_while_it_waited_is_not_announced_as_new(
    kit: Kit, made_at: tuple[int, int], minutes: int, status: str, told: list[str]
) -> None:
    day, hour = made_at
    kit.clock.set(kit.clock.at(kit.clock.today() + timedelta(days=day), hour))
    number = bill(kit, ANA)
    kit.work()
    waiting = job(kit, "/invoice-created").state
    kit.world.invoices[number].status = status
    kit.advance(minutes=minutes)

    assert waiting == "waiting"
    assert texts(kit) == told


@pytest.mark.parametrize("paid", [0, 2, 4])
def test_four_of_a_night_list_only_what_is_still_owed(kit: Kit, paid: int) -> None:
    kit.clock.set(kit.clock.at(kit.clock.today(), 22, 30))
    numbers = bills(kit, ANA, 5)
    kit.work()
    kit.world.invoices[numbers[paid]].status = "Paid"
    kit.advance(hours=10)

    (message,) = kit.sent
    assert message["message"] == "several"
    assert message["text"].count("•") == 4


@pytest.mark.parametrize("status", ["Paid", "Cancelled", "Refunded"])
def test_nobody_is_reminded_of_what_is_not_owed_any_more(kit: Kit, status: str) -> None:
    number = bill(kit, ANA)
    kit.work()
    kit.world.remind_invoice(number)
    kit.world.invoices[number].status = status
    kit.advance(minutes=1)

    assert texts(kit) == ["invoice_created"]


# --- His own data ---


def test_a_changed_telephone_is_told_at_the_old_number_too(kit: Kit) -> None:
    kit.world.edit_client(ANA, phonenumber="+54.91140000077")
    kit.work()

    assert sorted(to(kit)) == [NUMBERS[ANA], "+5491140000077"]
    assert sorted(texts(kit)) == ["details_changed", "phone_changed_old"]


def test_who_gives_no_other_telephone_is_not_promised_alerts_at_one(kit: Kit) -> None:
    kit.world.edit_client(ANA, phonenumber="")
    kit.work()

    (told,) = kit.sent
    assert (told["to"], told["message"]) == (NUMBERS[ANA], "phone_changed_old")
    assert "los avisos de esa cuenta no llegan a este número" in told["text"]


def test_a_telephone_only_written_differently_is_no_change_of_it(kit: Kit) -> None:
    kit.world.edit_client(ANA, phonenumber="+54 9 11 4000-0001")
    kit.work()

    assert texts(kit) == ["details_changed"]
    assert "written differently" in job(kit, "/phone-changed").reason


@pytest.mark.parametrize(
    ("old", "told"),
    [("5512345678", None), ("+52.5512345678", "+525512345678")],
    ids=["of nobody knows which country", "with its prefix"],
)
def test_an_old_telephone_is_not_read_with_the_country_he_moved_to(
    kit: Kit, old: str, told: str | None
) -> None:
    kit.world.client(ANA).phonenumber = old
    kit.world.client(ANA).country = "MX"
    kit.world.edit_client(ANA, phonenumber="+1.3055550199", country="US")
    kit.work()

    assert sorted(to(kit)) == sorted(filter(None, (told, "+13055550199")))


def test_saving_without_a_change_tells_nobody(kit: Kit) -> None:
    kit.world.edit_client(ANA)
    kit.work()

    assert kit.sent == []


def test_a_deleted_domain_is_named_though_its_hook_has_no_name(kit: Kit) -> None:
    kit.world.delete_domain(1)
    kit.work()

    assert "radioana.com.ar" in kit.sent[0]["text"]


@pytest.mark.parametrize("language", ["spanish", "english", "portuguese-br"])
def test_a_quote_without_a_last_day_is_told_without_one(
    kit: Kit, language: str
) -> None:
    kit.world.client(ANA).language = language
    quote = kit.world.create_quote(ANA, "Migración", valid_days=None)
    kit.world.deliver_quote(quote.id)
    kit.work()

    (told,) = kit.sent
    assert told["message"] == "quote_available_undated"
    assert "Migración" in told["text"]
    assert " -" not in told["text"]


def test_a_last_day_that_a_quote_gets_while_its_alert_waits_is_told(kit: Kit) -> None:
    night(kit)
    quote = kit.world.create_quote(ANA, "Migración", valid_days=None)
    kit.world.deliver_quote(quote.id)
    kit.work()
    quote.validuntil = date(2026, 12, 31)
    kit.clock.set(kit.clock.at(date(2026, 11, 3), 8))
    kit.work()

    assert texts(kit) == ["quote_available"]
    assert "31/12/2026" in kit.sent[0]["text"]


def test_a_native_upgrade_is_told_however_its_jobs_are_ordered(kit: Kit) -> None:
    ordered = kit.world.upgrade(1, 22, "Annually")
    assert ordered.invoice is not None
    kit.world.pay_invoice(ordered.invoice.id)
    kit.flush()
    kit.bridge.worker._take(0)  # match only
    kit.bridge.worker.run_one(job(kit, "/plan-changed").key)
    first = job(kit, "/plan-changed").reason
    kit.work()
    kit.advance(seconds=10)

    assert first == "upgrade 1 is not recorded yet"
    assert texts(kit).count("plan_changed") == 1


def test_an_invoice_that_the_panel_does_not_know_is_parked_and_staff_told(
    kit: Kit,
) -> None:
    del kit.world.invoices[bill(kit, ANA)]
    kit.work()

    assert kit.sent == []
    assert job(kit, "/invoice-created").state == "parked"
    assert len(staff_lines(kit)) == 1
