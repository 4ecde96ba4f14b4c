"""A word counts once, at the time it was given; what staff decided stays decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from conftest import Kit, Recorder
from conversing import number_of, request, write
from looking import rows, staff_lines, texts

from bridge import upgrading, wiring
from bridge.demo.panel_example import PLAN_150
from bridge.reconcile import reconcile
from bridge.store import book, limits, outbox, tables, talk

ANA, BRUNO, GABRIELA = 1, 2, 7


@pytest.fixture
def passing(kit: Kit) -> Kit:
    """A panel with the add-on that moves services."""
    kit.panel.install_addon(kit.secret)
    return kit


def states(kit: Kit) -> list[tuple[str, str | None]]:
    """Return state and reason of every change of owner."""
    return [(r.state, r.reason) for r in rows(kit.bridge.store, tables.transfers)]


def agree(kit: Kit) -> None:
    """Have both sides send the text."""
    text = request(kit)
    for who in ("Ana", "Gabriela"):
        write(kit, who, text)
        kit.work()


def owner(kit: Kit) -> int:
    return kit.world.services[1].clientid


class Windowed(Recorder):
    """A provider that lets one message to a person out in six seconds."""

    windowed = True


class Meanwhile:
    """A panel that has something else happen while its requests are read, once."""

    def __init__(self, panel: Any, happens: Callable[[], object]) -> None:
        self._panel = panel
        self._happens: list[Callable[[], object]] = [happens]

    def __getattr__(self, name: str) -> Any:
        if name == "cancellation_requests" and self._happens:
            self._happens.pop()()
        return getattr(self._panel, name)


class WhileReading:
    """A panel that has something else happen while one client is read, once."""

    def __init__(self, panel: Any, client_id: int, happens: Callable[[], object]):
        self._panel = panel
        self._client_id = client_id
        self._happens: list[Callable[[], object]] = [happens]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._panel, name)

    def client(self, client_id: int) -> Any:
        """Have it happen, then answer."""
        if client_id == self._client_id and self._happens:
            self._happens.pop()()
        return self._panel.client(client_id)


# --- A word counts once ---


def test_an_answer_that_waits_for_its_turn_has_nothing_judged_anew(
    passing: Kit, bridge_for: Callable[..., wiring.Bridge], sent: list[dict[str, Any]]
) -> None:
    kit = replace(
        passing, bridge=bridge_for(provider=Windowed(sent, passing.clock.now))
    )
    store, text = kit.bridge.store, request(kit)
    for who in ("Ana", "Gabriela"):
        number = number_of(kit, who)
        store.write(lambda db, to=number: talk.wrote(db, to, kit.clock.now()))  # type: ignore[misc]
    write(kit, "Ana", text)
    kit.work()
    kit.advance(seconds=30)
    with kit.world.muted():
        kit.world.services[1].status = "Suspended"
    write(kit, "Gabriela", f"{text} x")
    kit.work()
    write(kit, "Gabriela", text)  # its answer waits: another just went to her
    kit.work()
    for _ in range(8):
        kit.advance(seconds=7)
    with kit.world.muted():
        kit.world.services[1].status = "Active"

    write(kit, "Ana", text)
    for _ in range(8):
        kit.advance(seconds=7)

    assert states(kit) == [("refused", "not_active"), ("proposed", None)]
    assert owner(kit) == ANA
    assert texts(kit).count("transfer_proposed") == 2


def test_a_message_that_counted_does_not_count_again_when_it_is_run_again(
    passing: Kit,
) -> None:
    text = request(passing)
    write(passing, "Ana", text)
    id = write(passing, "Gabriela", text)
    passing.work()
    passing.world.move_service(1, ANA)
    passing.bridge.store.write(
        lambda db: book.keep(
            db,
            "transfers",
            rows(passing.bridge.store, tables.transfers)[0].key,
            {"state": "refused", "reason": None},
            passing.clock.now(),
        )
    )

    run = passing.bridge.store.write(
        lambda db: (
            db.execute(
                tables.jobs.update()
                .where(tables.jobs.c.key == f"{id}/answer")
                .values(state="parked")
            ).rowcount
        )
    )
    passing.bridge.store.write(
        lambda db: outbox.again(db, passing.clock.now(), keys=[f"{id}/answer"])
    )
    passing.work()

    assert run == 1
    assert states(passing) == [("refused", None)]


@pytest.mark.parametrize("first", ["Ana", "Gabriela"])
def test_what_was_written_long_ago_neither_asks_nor_agrees(
    passing: Kit, first: str
) -> None:
    text, now = request(passing), passing.clock.now()
    ago = {"Ana": timedelta(days=40), "Gabriela": timedelta(hours=1)}
    for who in sorted(ago, key=lambda who: who != first):
        write(passing, who, text, written=now - ago[who])
        passing.work()

    (row,) = rows(passing.bridge.store, tables.transfers)
    assert (row.state, row.from_text) == ("proposed", None)
    assert row.expires_at == now + timedelta(hours=71)
    assert sorted(texts(passing)) == ["transfer_expired", "transfer_proposed"]
    assert owner(passing) == ANA


def test_what_was_written_after_the_end_agrees_to_nothing(passing: Kit) -> None:
    text, now = request(passing), passing.clock.now()
    write(passing, "Ana", text)
    passing.work()

    # By the provider's stamp; the bridge's own clock is behind.
    write(passing, "Gabriela", text, written=now + timedelta(hours=80))
    passing.work()

    assert states(passing)[0] == ("expired", "expired")
    assert owner(passing) == ANA


def test_messages_of_clients_are_not_replayed(
    passing: Kit, shell: Callable[..., Any]
) -> None:
    agree(passing)
    first = passing.events()[-1].id
    before = len(passing.events())

    by_time = shell("events", "replay", "--since", "2026-11-01", "--yes").output
    by_name = shell("events", "replay", first, "--yes", status=1).output

    assert "2 messages of clients are left out" in by_time
    assert "it counts once" in by_name
    written = [e for e in passing.events() if e.hookpoint == "WhatsAppMessage"]
    assert len(written) == 2 <= before


def test_an_altered_request_leaves_the_one_that_stands(passing: Kit) -> None:
    write(passing, "Ana", request(passing))
    passing.work()

    wrong = request(passing, taker="Bruno").replace("Bruno Díaz", "Bruno Dias")
    write(passing, "Ana", wrong)
    passing.work()

    assert states(passing) == [("proposed", None)]
    assert texts(passing) == ["transfer_proposed", "transfer_unclear"]


# --- What staff decided ---


def test_a_rejection_stands_against_a_check_that_was_under_way(
    passing: Kit,
    shell: Callable[..., Any],
    bridge_for: Callable[..., wiring.Bridge],
    config_with: Callable[..., Any],
) -> None:
    config = config_with(("approval: automatic", "approval: staff"))
    kit = replace(passing, bridge=bridge_for(config_dir=config))
    write(kit, "Ana", request(kit))
    kit.work()
    kit.bridge.bench.panel = Meanwhile(  # type: ignore[assignment]
        kit.bridge.bench.panel, lambda: shell("transfers", "reject", "1", "--yes")
    )

    write(kit, "Gabriela", request(kit))
    kit.work()

    assert states(kit) == [("refused", "rejected: rejected by staff")]
    assert "transfer_with_staff" not in texts(kit)
    assert texts(kit).count("transfer_rejected") == 2


def test_what_has_moved_is_not_rejected(
    passing: Kit, shell: Callable[..., Any]
) -> None:
    text = request(passing)
    write(passing, "Ana", text)
    passing.work()
    passing.panel.faults.add("transfer", "acts_but_loses_the_answer")
    write(passing, "Gabriela", text)
    passing.work()
    passing.panel.faults.add("GetClientsProducts", "html_500", times=None)
    for _ in range(60):
        passing.advance(hours=3)
    away = shell("transfers", "reject", "1", "--yes", status=1).output
    passing.panel.faults.clear()

    said = shell("transfers", "reject", "1", "--yes", status=1).output

    assert owner(passing) == GABRIELA
    assert "cannot be asked whether it happened" in away
    assert "belongs to client 7 now" in said
    assert states(passing)[0][0] == "staff"
    assert "transfer_rejected" not in texts(passing)


def test_what_staff_moved_by_hand_is_seen_by_itself(kit: Kit) -> None:
    agree(kit)
    assert states(kit)[0][0] == "staff"
    kit.world.move_service(1, GABRIELA)

    found = reconcile(kit.bridge.bench).differences
    kit.work()

    assert [(one.what, one.service_id) for one in found] == [("passed", 1)]
    assert states(kit)[0][0] == "done"
    assert sorted(texts(kit)[-2:]) == ["transfer_done_from", "transfer_done_to"]
    assert reconcile(kit.bridge.bench).differences == []


def test_a_parked_move_that_staff_did_not_approve_is_not_run_by_itself(
    passing: Kit,
    bridge_for: Callable[..., wiring.Bridge],
    config_with: Callable[..., Any],
) -> None:
    config = config_with(("approval: automatic", "approval: staff"))
    kit = replace(passing, bridge=bridge_for(config_dir=config))
    agree(kit)
    (row,) = rows(kit.bridge.store, tables.transfers)
    put = outbox.NewJob(
        key="by-accident",
        event_id=None,
        action="transfer_service",
        rule="transfer",
        run_at=kit.clock.now(),
        parameters={"transfer": row.key},
        acts=True,
    )
    kit.bridge.store.write(lambda db: outbox.put(db, [put], kit.clock.now()))
    kit.work()

    assert (states(kit)[0][0], owner(kit)) == ("staff", ANA)


# --- Looked at again at the move ---


def held(kit: Kit) -> None:
    """Have both agree while staff hold every move back."""
    now = kit.clock.now()
    kit.bridge.store.write(lambda db: limits.hold(db, now, "eva", "to look"))
    agree(kit)
    assert states(kit) == [("agreed", None)]


def go_on(kit: Kit) -> None:
    kit.bridge.store.write(lambda db: limits.release(db, kit.clock.now(), "eva"))
    kit.work()


def test_a_number_that_became_shared_meanwhile_is_for_staff(passing: Kit) -> None:
    held(passing)
    number, now = number_of(passing, "Ana"), passing.clock.now()
    with passing.world.muted():
        clients = passing.world.clients
        clients[BRUNO].phonenumber = clients[ANA].phonenumber
    passing.bridge.store.write(lambda db: talk.remember_phone(db, BRUNO, number, now))
    go_on(passing)

    assert states(passing) == [("staff", "client 2 has a number of theirs")]
    assert owner(passing) == ANA


def test_a_map_that_leaves_it_to_staff_meanwhile_is_obeyed(
    passing: Kit,
    bridge_for: Callable[..., wiring.Bridge],
    config_with: Callable[..., Any],
) -> None:
    held(passing)
    config = config_with(("approval: automatic", "approval: staff"))
    kit = replace(passing, bridge=bridge_for(config_dir=config))
    go_on(kit)

    assert states(kit)[0][0] == "staff"
    assert owner(kit) == ANA


def test_before_all_telephones_were_read_staff_look(passing: Kit) -> None:
    text = request(passing)
    write(passing, "Ana", text)
    write(passing, "Gabriela", text)
    now = passing.clock.now()
    passing.bridge.store.write(lambda db: book.mark(db, "phones", now, next=100))
    passing.work()

    assert "telephones of all clients" in str(states(passing)[0][1])
    assert owner(passing) == ANA


def test_an_open_invoice_of_an_earlier_owner_is_one_of_the_service(
    passing: Kit,
) -> None:
    agree(passing)
    assert owner(passing) == GABRIELA
    invoice = next(
        one
        for one in passing.world.invoices_of(ANA)
        if any(line.relid == 1 for line in one.items)
    )
    with passing.world.muted():
        invoice.status = "Unpaid"
    text = request(passing, giver="Gabriela", taker="Bruno")
    for who in ("Gabriela", "Bruno"):
        write(passing, who, text)
        passing.work()

    assert states(passing)[-1] == ("refused", "invoice_open")
    assert owner(passing) == GABRIELA


def test_what_staff_moved_before_the_check_has_passed(passing: Kit) -> None:
    write(passing, "Ana", request(passing))
    passing.work()
    passing.panel.faults.add("GetCancelledPackages", "html_500", times=None)
    write(passing, "Gabriela", request(passing))
    passing.work()
    passing.world.move_service(1, GABRIELA)
    passing.panel.faults.clear()
    passing.advance(hours=3)

    assert states(passing)[0][0] == "done"
    assert sorted(texts(passing)[-2:]) == ["transfer_done_from", "transfer_done_to"]


def test_a_plan_change_ordered_after_the_last_look_is_seen(passing: Kit) -> None:
    held(passing)
    bench, number = passing.bridge.bench, number_of(passing, "Ana")
    now = passing.clock.now()
    bench.store.write(lambda db: talk.remember_phone(db, BRUNO, number, now))
    quoted = upgrading.price(bench, 1, PLAN_150, None)
    bench.panel = WhileReading(  # type: ignore[assignment]
        bench.panel, BRUNO, lambda: upgrading.order(bench, quoted, "eva", "seed")
    )

    go_on(passing)

    assert states(passing) == [("refused", "upgrade_pending")]
    assert owner(passing) == ANA


def test_what_staff_moved_after_the_last_look_has_passed(passing: Kit) -> None:
    held(passing)
    bench, number = passing.bridge.bench, number_of(passing, "Ana")
    now = passing.clock.now()
    bench.store.write(lambda db: talk.remember_phone(db, BRUNO, number, now))
    bench.panel = WhileReading(  # type: ignore[assignment]
        bench.panel, BRUNO, lambda: passing.world.move_service(1, GABRIELA)
    )

    go_on(passing)

    assert states(passing)[0][0] == "done"
    assert sorted(texts(passing)[-2:]) == ["transfer_done_from", "transfer_done_to"]


def test_words_of_long_ago_move_nothing_by_themselves(passing: Kit) -> None:
    held(passing)
    passing.advance(days=4)
    go_on(passing)

    assert states(passing)[0][0] == "staff"
    assert owner(passing) == ANA


# --- What fails for good ---


def test_a_check_that_never_succeeds_ends_with_staff_and_a_ticket(
    passing: Kit, shell: Callable[..., Any]
) -> None:
    write(passing, "Ana", request(passing))
    passing.work()
    passing.panel.faults.add("GetCancelledPackages", "html_500", times=None)
    write(passing, "Gabriela", request(passing))
    passing.work()
    for _ in range(60):
        passing.advance(hours=3)
    passing.panel.faults.clear()

    assert states(passing)[0][0] == "staff"
    assert len(passing.world.tickets) == 1
    assert texts(passing)[-2:] == ["transfer_with_staff"] * 2
    shell("transfers", "approve", "1", "--yes")
    passing.work()
    assert owner(passing) == GABRIELA


def test_a_move_that_never_succeeds_is_a_ticket_with_what_was_checked(
    passing: Kit,
) -> None:
    passing.panel.faults.add("transfer", "html_500", times=None)
    agree(passing)
    for _ in range(60):
        passing.advance(hours=3)

    (ticket,) = passing.world.tickets.values()
    assert "both bill in one currency: yes (" in ticket.message
    assert "transfers approve 1" in ticket.message
    assert texts(passing)[-2:] == ["transfer_with_staff"] * 2


def test_what_comes_back_to_staff_is_a_new_ticket(
    kit: Kit, shell: Callable[..., Any]
) -> None:
    agree(kit)
    shell("transfers", "approve", "1", "--yes")
    kit.work()

    assert states(kit)[0][0] == "staff"
    assert len(kit.world.tickets) == 2
    assert texts(kit).count("transfer_with_staff") == 2


def test_the_ticket_says_that_an_upgrade_in_the_panel_was_not_seen(kit: Kit) -> None:
    kit.world.upgrade(1, PLAN_150)
    agree(kit)

    (ticket,) = kit.world.tickets.values()
    assert "no upgrade of it is pending: yes (none is)" in ticket.message
    assert "an upgrade ordered in the panel itself that waits" in ticket.message


def test_when_one_account_is_gone_the_other_gets_an_answer(passing: Kit) -> None:
    text = request(passing)
    write(passing, "Ana", text)
    passing.work()
    with passing.world.muted():
        passing.world.clients.pop(ANA)

    write(passing, "Gabriela", text)
    passing.work()

    assert texts(passing) == ["transfer_proposed", "transfer_not_possible"]


def test_a_shared_number_is_one_ticket_a_day(passing: Kit) -> None:
    text, number = request(passing), number_of(passing, "Ana")
    with passing.world.muted():
        clients = passing.world.clients
        clients[BRUNO].phonenumber = clients[ANA].phonenumber
    now = passing.clock.now()
    passing.bridge.store.write(lambda db: talk.remember_phone(db, BRUNO, number, now))
    for _ in range(5):
        write(passing, "Ana", text)
        passing.work()

    assert len(passing.world.tickets) == 1


def test_an_email_with_another_accent_is_nobodys(passing: Kit) -> None:
    text = request(passing).replace("ana@example.com", "aná@example.com")
    for sender in ("stranger", "Ana"):
        write(passing, sender, text)
        passing.work()

    assert texts(passing) == ["transfer_stranger"] * 2
    assert states(passing) == []


def test_one_number_makes_few_tickets_whatever_it_names(passing: Kit) -> None:
    text = request(passing)
    with passing.world.muted():
        clients = passing.world.clients
        clients[GABRIELA].phonenumber = clients[ANA].phonenumber
        clients[GABRIELA].country = clients[ANA].country
    for service in range(101, 109):
        write(passing, "Ana", text.replace("número 1,", f"número {service},"))
        passing.work()

    assert texts(passing) == ["transfer_shared_number"] * 8
    assert len(passing.world.tickets) == 5


def test_who_hides_his_number_writes_few_lines_for_staff(passing: Kit) -> None:
    text = request(passing)
    for _ in range(5):
        write(passing, "hidden", text)
        passing.work()

    lines = [line for line in staff_lines(passing) if "It does not count" in line]
    assert len(lines) == 3


def test_no_link_is_given_that_would_not_be_read_back(
    kit: Kit, shell: Callable[..., Any]
) -> None:
    with kit.world.muted():
        kit.world.clients[GABRIELA].firstname = "Gabriela" * 60

    given = ("--service", "1", "--to", " gabriela@example.com ")
    said = shell("transfers", "link", *given, status=1).output

    assert "would not be read back" in said
