"""One client's share of a day: over it staff decide, and are told once for him."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from conftest import Kit
from conversing import request, write
from looking import cancellation, rows, staff_lines, texts

from bridge import wiring
from bridge.reconcile import reconcile
from bridge.store import Store, book, limits, tables

Capped = Callable[..., Kit]

ANA, CARLA = 1, 3
ANAS, CARLAS = (1, 11), (3, 7)
EVENING = (date(2026, 11, 2), 20)


@pytest.fixture
def capped(
    kit: Kit,
    bridge_for: Callable[..., wiring.Bridge],
    config_with: Callable[..., Path],
    shell: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Capped:
    """Return a function that gives some caps of the map another figure.

    The shell's map is the same.
    """

    def make(**caps: int) -> Kit:
        changes = ((f"    {name}: ", f"    {name}: {n} #") for name, n in caps.items())
        config = config_with(*changes)
        monkeypatch.setenv("BRIDGE_CONFIG_DIR", str(config))
        return replace(kit, bridge=bridge_for(config_dir=config))

    return make


def ask(kit: Kit, *services: int) -> None:
    """Have services cancelled at once, and the evening come."""
    for service in services:
        kit.world.request_cancellation(service, "Immediate")
    kit.work()
    kit.clock.set(kit.clock.at(*EVENING))
    kit.work()
    kit.advance(minutes=1)  # what the confirmations wait for


def states(kit: Kit, *services: int) -> list[str]:
    return [cancellation(kit, service).state for service in services]


@pytest.fixture
def one_each(capped: Capped) -> Kit:
    """Two clients who cancel two services each, of which one may end in a day."""
    kit = capped(max_terminations_per_client_per_day=1)
    with kit.world.muted():
        kit.world.move_service(CARLAS[1], CARLA)
    ask(kit, *ANAS, *CARLAS)
    return kit


def test_over_a_clients_cap_of_the_day_the_rest_of_his_waits_for_staff(
    one_each: Kit,
) -> None:
    one_each.advance(days=3)

    assert sorted(states(one_each, *ANAS)) == ["done", "staff"]
    assert sorted(states(one_each, *CARLAS)) == ["done", "staff"]
    assert sum(one_each.panel.terminations.values()) == 2


def test_staff_are_told_once_a_day_for_each_client(capped: Capped) -> None:
    kit = capped(max_terminations_per_client_per_day=1)
    with kit.world.muted():
        for service in (2, 4):
            kit.world.move_service(service, ANA)
        for service in (5, 7):
            kit.world.move_service(service, CARLA)
    ask(kit, *ANAS, 2, 4, *CARLAS, 5)

    told = staff_lines(kit)
    assert len(told) == 2
    assert all("cap of 1 terminations a day for one client" in one for one in told)
    assert all("cancellations list --state staff" in one for one in told)
    whose = [line.userid for line in kit.world.activity if line.description in told]
    assert sorted(whose) == [ANA, CARLA]


def test_what_waits_for_staff_is_ended_by_their_hand_and_counts(
    one_each: Kit, shell: Any
) -> None:
    (waits,) = [n for n in ANAS if cancellation(one_each, n).state == "staff"]
    said = shell("cancellations", "run", f"service:{waits}", "--yes").output

    row = cancellation(one_each, waits)
    assert "done: terminated" in said
    assert (row.state, one_each.panel.terminations[waits]) == ("done", 1)
    assert row.approved_by
    store, now = one_each.bridge.store, one_each.clock.now()
    with store.read() as db:
        assert limits.room(db, ANA, (9, 9, 2), now)[0] == "client"
        assert limits.room(db, ANA, (9, 9, 3), now) == ("", None)


def test_over_the_cap_of_the_day_staff_end_one_by_hand(
    capped: Capped, shell: Any
) -> None:
    kit = capped(max_terminations_per_day=1)
    ask(kit, 2, 3)
    (waits,) = [n for n in (2, 3) if cancellation(kit, n).state == "staff"]

    shell("cancellations", "run", f"service:{waits}", "--yes")

    assert kit.panel.terminations == {2: 1, 3: 1}


def test_an_approval_that_ended_nothing_is_none_afterwards(
    one_each: Kit, shell: Any
) -> None:
    (waits,) = [n for n in ANAS if cancellation(one_each, n).state == "staff"]
    one_each.world.service(waits).domain = "otro.example.com"
    shell("cancellations", "run", f"service:{waits}", "--yes", status=1)

    row = cancellation(one_each, waits)
    assert (row.state, row.approved_by) == ("staff", None)


def test_an_approval_does_not_outlive_the_request_it_was_for(
    one_each: Kit, shell: Any
) -> None:
    (waits,) = [n for n in ANAS if cancellation(one_each, n).state == "staff"]
    listed = dict(one_each.world.cancellations)
    one_each.world.withdraw_cancellation(waits)
    shell("cancellations", "run", f"service:{waits}", "--yes", status=1)
    approved = cancellation(one_each, waits).approved_by
    one_each.advance(minutes=11)
    gone = cancellation(one_each, waits).state
    one_each.world.cancellations.update(listed)
    reconcile(one_each.bridge.bench)
    one_each.work()

    row = cancellation(one_each, waits)
    assert (bool(approved), gone) == (True, "withdrawn")
    assert (row.state, row.approved_by) == ("staff", None)


def test_nor_the_day_it_was_for(one_each: Kit, shell: Any) -> None:
    (waits,) = [n for n in ANAS if cancellation(one_each, n).state == "staff"]
    one_each.world.withdraw_cancellation(waits)
    one_each.world.request_cancellation(waits)
    shell("cancellations", "run", f"service:{waits}", "--yes", status=1)

    row = cancellation(one_each, waits)
    assert (row.state, row.approved_by) == ("scheduled", None)
    assert row.ends > one_each.clock.today()


def test_a_day_later_what_is_run_again_has_room(one_each: Kit, shell: Any) -> None:
    shell("events", "retry", "--all", "--yes")
    one_each.work()
    early = sum(one_each.panel.terminations.values())
    one_each.advance(days=1)
    shell("events", "retry", "--all", "--yes")
    one_each.work()

    assert (early, sum(one_each.panel.terminations.values())) == (2, 4)


# --- Changes of owner ---


def gives(kit: Kit, *services: int) -> None:
    """Have Ana and Gabriela agree on services of Ana's."""
    for service in services:
        text = request(kit, service=service)
        for who in ("Ana", "Gabriela"):
            write(kit, who, text)
            kit.work()


@pytest.fixture
def giving(capped: Capped) -> Kit:
    """Ana has four services to give, of which one may pass in a day."""
    kit = capped(max_transfers_per_client_per_day=1)
    kit.panel.install_addon(kit.secret)
    with kit.world.muted():
        for service in (2, 7):
            kit.world.move_service(service, ANA)
    gives(kit, 1, 11, 2, 7)
    return kit


def transfers(store: Store) -> dict[int, Any]:
    return {row.service_id: row for row in rows(store, tables.transfers)}


def test_over_the_cap_of_the_client_who_gives_staff_decide_and_are_told_once(
    giving: Kit,
) -> None:
    found = transfers(giving.bridge.store)

    assert [found[n].state for n in (1, 11, 2, 7)] == ["done", *["staff"] * 3]
    assert "cap of 1 changes of owner a day for one client" in found[11].reason
    (ticket,) = [t for t in giving.world.tickets.values() if "waits" in t.message]
    assert "transfers list --state staff" in ticket.message
    assert texts(giving).count("transfer_with_staff") == 6


def test_what_others_give_does_not_count_for_him(giving: Kit) -> None:
    text = request(giving, service=3, giver="Carla", taker="Bruno")
    with giving.world.muted():
        giving.world.clients[2].currency = giving.world.clients[3].currency
    for who in ("Carla", "Bruno"):
        write(giving, who, text)
        giving.work()

    assert transfers(giving.bridge.store)[3].state == "done"


def test_a_clients_cap_counts_over_all_workers(
    kit: Kit, bridge_for: Callable[..., wiring.Bridge]
) -> None:
    stores = [kit.bridge.store, bridge_for().store]
    now = kit.clock.now()
    words = ("service", "from_name", "to_name", "from_email", "to_email")
    row = dict.fromkeys(words, "x") | {"from_client_id": ANA, "to_client_id": 7}
    row |= {"expires_at": now, "state": "agreed"}

    def put(db: Any) -> None:
        for n in range(20):
            values = row | {"service_id": 100 + n}
            book.keep(db, "transfers", f"t{n}", values, now, "")

    stores[0].write(put)

    def ask(n: int) -> str:
        found: tuple[str, Any] = stores[n % 2].write(
            lambda db: limits.reserve_transfer(db, f"t{n}", (99, 99, 6), now)
        )
        return found[0]

    with ThreadPoolExecutor(8) as pool:
        told = Counter(pool.map(ask, range(20)))

    assert told == {"": 6, "client": 14}


def test_what_staff_approve_passes(giving: Kit, shell: Any) -> None:
    shell("transfers", "approve", "service:11", "--yes")
    giving.work()

    row = transfers(giving.bridge.store)[11]
    assert row.state == "done"
    assert giving.world.services[11].clientid == 7


def test_over_the_cap_of_the_day_there_is_one_ticket(capped: Capped) -> None:
    kit = capped(max_transfers_per_day=1)
    kit.panel.install_addon(kit.secret)
    with kit.world.muted():
        kit.world.move_service(2, ANA)
    gives(kit, 1, 11, 2)

    waits = [t for t in kit.world.tickets.values() if "waits" in t.message]
    assert len(waits) == 1
    assert "a day." in waits[0].message
