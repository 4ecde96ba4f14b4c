"""The move itself: rehearsed, retried, read back; what is not certain is staff's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import Kit
from conversing import request, write
from looking import job, rows, staff_lines, texts

from bridge import wiring
from bridge.billing.transfer_case import Move, Moved
from bridge.hookmap import check_map
from bridge.store import book, limits, tables

ANA, GABRIELA = 1, 7


def agree(kit: Kit) -> Any:
    """Have both sides send the text; return the row."""
    text = request(kit)
    for who in ("Ana", "Gabriela"):
        write(kit, who, text)
        kit.work()
    return rows(kit.bridge.store, tables.transfers)[0]


class Says:
    """The panel, which says of a move what it is told to, and moves nothing."""

    def __init__(self, panel: Any) -> None:
        self._panel = panel
        self.asked: list[Move] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._panel, name)

    def move_service(self, move: Move) -> Moved:
        """Say that it was moved."""
        self.asked.append(move)
        return Moved(False, {"service": move.service_id})


def test_a_dry_run_moves_nothing_and_tells_nobody_that_it_did(
    kit: Kit, bridge_for: Callable[..., wiring.Bridge]
) -> None:
    kit.panel.install_addon(kit.secret)
    kit = replace(kit, bridge=bridge_for(dry_run=True))

    row = agree(kit)

    assert row.state == "rehearsed"
    assert kit.world.services[1].clientid == ANA
    assert job(kit, "/move").state == "rehearsed"
    assert kit.sent == []


@pytest.mark.parametrize("typed", ["o'neil", "o\u2019neil"])
def test_an_email_with_an_apostrophe_passes(kit: Kit, typed: str) -> None:
    kit.panel.install_addon(kit.secret)
    kit.world.clients[GABRIELA].email = "o'neil@example.com"
    text = request(kit)
    for who, said in (("Ana", text), ("Gabriela", text.replace("o'neil", typed))):
        write(kit, who, said)
        kit.work()

    assert kit.world.services[1].clientid == GABRIELA


def test_what_the_panel_only_says_is_left_to_staff(kit: Kit) -> None:
    kit.bridge.bench.panel = Says(kit.bridge.bench.panel)  # type: ignore[assignment]

    row = agree(kit)

    assert row.state == "staff"
    assert "says that service 1 was moved to client 7" in staff_lines(kit)[0]
    assert "transfer_done_to" not in texts(kit)


def test_the_field_of_verified_accounts_is_sent_along(
    kit: Kit,
    bridge_for: Callable[..., wiring.Bridge],
    config_with: Callable[..., Any],
) -> None:
    config = config_with(("verified_field: null", "verified_field: 9"))
    kit = replace(kit, bridge=bridge_for(config_dir=config))
    for client in (ANA, GABRIELA):
        kit.world.clients[client].customfields = {9: "on"}
        kit.world.clients[client].email_verified = False
    said = Says(kit.bridge.bench.panel)
    kit.bridge.bench.panel = said  # type: ignore[assignment]

    agree(kit)

    assert [move.verified_field for move in said.asked] == [9]


def test_an_account_without_that_field_is_not_verified(
    kit: Kit,
    bridge_for: Callable[..., wiring.Bridge],
    config_with: Callable[..., Any],
) -> None:
    config = config_with(("verified_field: null", "verified_field: 9"))
    kit = replace(kit, bridge=bridge_for(config_dir=config))
    kit.panel.install_addon(kit.secret)

    agree(kit)

    assert kit.world.count("transfer") == 0
    assert texts(kit)[-2:] == ["transfer_refused_not_verified"] * 2


def test_a_rule_of_the_map_moves_nothing_on_which_nobody_agreed(
    kit: Kit,
    bridge_for: Callable[..., wiring.Bridge],
    config_with: Callable[..., Any],
) -> None:
    point = "  AfterModuleUnsuspend:\n"
    rule = "    - { name: pass, do: transfer_service }\n"
    kit = replace(kit, bridge=bridge_for(config_dir=config_with((point, point + rule))))
    kit.panel.install_addon(kit.secret)
    kit.world.suspend(1)
    kit.world.unsuspend(1)
    kit.work()

    assert job(kit, "/pass").state == "skipped"
    assert "did not agree" in job(kit, "/pass").reason
    assert kit.world.count("transfer") == 0


def test_what_staff_hold_back_moves_when_they_release_it(kit: Kit) -> None:
    kit.panel.install_addon(kit.secret)
    store, now = kit.bridge.store, kit.bridge.bench.now
    store.write(lambda db: limits.hold(db, now(), "eva", "a stolen secret"))

    row = agree(kit)
    kit.advance(hours=2)
    assert (row.state, kit.world.count("transfer")) == ("agreed", 0)
    assert "held back: a stolen secret (eva" in job(kit, "/move").reason

    store.write(lambda db: limits.release(db, now(), "eva"))
    kit.work()

    assert kit.world.count("transfer") == 1
    assert rows(store, tables.transfers)[0].state == "done"


def capped(
    kit: Kit,
    bridge_for: Callable[..., wiring.Bridge],
    config_with: Callable[..., Any],
    cap: str,
    moved: timedelta,
) -> Kit:
    """Return a kit whose *cap* is one, with a move that was begun *moved* ago."""
    name = f"max_transfers_per_{cap}: "
    config = config_with((name, f"{name}1 #"))
    kit = replace(kit, bridge=bridge_for(config_dir=config))
    kit.panel.install_addon(kit.secret)
    now = kit.bridge.bench.now()
    before = {
        "service_id": 99,
        "service": "99",
        "from_name": "A",
        "to_name": "B",
        "from_client_id": 3,
        "to_client_id": 4,
        "from_email": "a@example.com",
        "to_email": "b@example.com",
        "expires_at": now,
        "created_at": now,
        "changed_at": now,
        "acted_at": now - moved,
        "state": "done",
    }
    kit.bridge.store.write(
        lambda db: db.execute(sa.insert(tables.transfers).values(key="t99", **before))
    )
    return kit


def test_over_the_cap_of_the_hour_it_waits(
    kit: Kit,
    bridge_for: Callable[..., wiring.Bridge],
    config_with: Callable[..., Any],
) -> None:
    kit = capped(kit, bridge_for, config_with, "hour", timedelta(minutes=20))

    agree(kit)
    kit.advance(minutes=35)
    assert kit.world.count("transfer") == 0
    assert "cap of 1 changes of owner an hour" in job(kit, "/move").reason

    kit.advance(minutes=10)
    assert kit.world.count("transfer") == 1


def test_over_the_cap_of_the_day_staff_decide(
    kit: Kit,
    bridge_for: Callable[..., wiring.Bridge],
    config_with: Callable[..., Any],
) -> None:
    kit = capped(kit, bridge_for, config_with, "day", timedelta(hours=20))

    agree(kit)

    row = next(one for one in rows(kit.bridge.store, tables.transfers) if one.from_text)
    assert row.state == "staff"
    assert "cap of 1 changes of owner a day" in row.reason
    assert kit.world.count("transfer") == 0

    approved = {"state": "agreed", "approved_by": "eva"}
    now = kit.bridge.bench.now()
    kit.bridge.store.write(
        lambda db: book.keep(db, "transfers", row.key, approved, now)
    )
    again = kit.bridge.store.write(
        lambda db: limits.reserve_transfer(db, row.key, (1, 1, 1), now)
    )
    assert again == ("", None)


def test_when_no_try_succeeds_a_person_looks(kit: Kit) -> None:
    kit.panel.install_addon(kit.secret)
    kit.panel.faults.add("transfer", "html_500", times=None)

    agree(kit)
    for _ in range(20):
        kit.advance(hours=7)

    row = rows(kit.bridge.store, tables.transfers)[0]
    assert (row.state, kit.world.count("transfer")) == ("staff", 0)
    assert job(kit, "/move").state == "parked"


FORMS = [
    ("{{ transfer.service_id }}", "12", "transfer.service_id must stand in it once"),
    ("{{ transfer.to_email }}", "x", "transfer.to_email must stand in it once"),
    (
        "{{ transfer.from_email }}",
        "{{ transfer.from_email | lower }}",
        "transfer.from_email: no filter",
    ),
    (
        "{{ transfer.service }}",
        "{{ transfer.expires }}",
        "transfer.expires is not known yet",
    ),
    ("{{ transfer.service }}", "{{ client.id }}", "client.id is not known when"),
]


@pytest.mark.parametrize(("old", "new", "what"), FORMS)
def test_a_text_that_could_not_be_read_back_is_a_problem(
    config_with: Callable[..., Any], old: str, new: str, what: str
) -> None:
    config = config_with(own=("transfer_request",))
    path = config / "messages/es/transfer_request.txt"
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")

    found = [str(one) for one in check_map(config) if one.level == "error"]

    assert any(what in one and "es/transfer_request.txt" in one for one in found)


#: What is edited in the default text, and where it is told with what to do: line and
#: column of the file, whose body is its fourth line.
UNREADABLE = [
    ("Cambio de titular de un servicio. ", "", "4:1: begin with words of your own"),
    ("Cambio de titular de un servicio. ", "\u200b ", "4:3: begin with words"),
    (", {{ transfer.service }}", "{{ transfer.service }}",
     "4:159: put words between transfer.service_id and transfer.service:"),
    (", {{ transfer.service }}", "\u200b{{ transfer.service }}", "4:160: put words"),
    ("activo", "act\u202eivo", "4:188: U+202E turns the reading direction round"),
    ("activo", "\u2067activo", "4:185: U+2067 turns"),
    ("activo", "activo\nmuy\u200f", "5:4: U+200F turns"),
    ("activo", "\x0099\x00activo", "4:185: U+0000 is a control character"),
    ("activo", "activo" * 300, "a message over 2000 characters is not read: shorten"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "what"), UNREADABLE)
def test_a_form_whose_texts_could_not_be_read_is_told_with_its_place(
    config_with: Callable[..., Any], old: str, new: str, what: str
) -> None:
    config = config_with(own=("transfer_request",))
    path = config / "messages/es/transfer_request.txt"
    content = path.read_text("utf-8")
    assert old in content
    path.write_text(content.replace(old, new, 1), "utf-8")

    found = [str(one) for one in check_map(config) if one.level == "error"]

    assert len(found) == 1 + new.count("\x00") // 2
    assert what in found[0].partition("es/transfer_request.txt:")[2]


def test_what_parts_two_gaps_may_be_a_blank_or_what_the_map_knows(
    config_with: Callable[..., Any],
) -> None:
    config = config_with(own=("transfer_request",))
    for language in ("es", "en", "pt_BR"):
        path = config / f"messages/{language}/transfer_request.txt"
        text = "Pido: {{ transfer.from_email }} {{ transfer.service_id }}"
        text += "{{ company.name }}{{ transfer.to_email }}"
        path.write_text(text, "utf-8")

    assert [one for one in check_map(config) if one.level == "error"] == []


def test_a_text_that_is_worded_anew_is_read_by_its_new_words(
    kit: Kit,
    bridge_for: Callable[..., wiring.Bridge],
    config_with: Callable[..., Any],
) -> None:
    config = config_with(own=("transfer_request",))
    for language in ("es", "en", "pt_BR"):
        path = config / f"messages/{language}/transfer_request.txt"
        path.write_text(
            f"Yo, con cuenta {{{{ transfer.from_email }}}} en {{{{ company.name }}}}, "
            f"cedo el servicio {{{{ transfer.service_id }}}} ({language}) a la cuenta "
            "{{ transfer.to_email }}, y no hay nada más que decir.",
            "utf-8",
        )
    kit = replace(kit, bridge=bridge_for(config_dir=config))
    kit.panel.install_addon(kit.secret)
    text = (
        "Yo, con cuenta ana@example.com en Mi Empresa de Hosting, cedo el servicio 1"
        " (es) a la cuenta gabriela@example.com, y no hay nada más que decir."
    )
    for who in ("Gabriela", "Ana"):
        write(kit, who, text)
        kit.work()

    assert kit.world.services[1].clientid == GABRIELA
