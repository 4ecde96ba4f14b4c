"""The stop switch: once it is on disk nothing is written, whatever is under way."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from conftest import Kit
from conversing import request, write
from looking import cancellation, rows, upgrade

from bridge import upgrading
from bridge.demo.panel_example import PLAN_150
from bridge.errors import HeldBack
from bridge.store import limits, tables

ROOT = Path(__file__).parent.parent
EVENING = (date(2026, 11, 2), 20)


def in_another_process(url: str, *words: str) -> str:
    """Run a command of the bridge as an operator does, and return what it said."""
    env = {n: v for n, v in os.environ.items() if not n.startswith("BRIDGE_")}
    done = subprocess.run(
        [sys.executable, "-m", "bridge", *words],
        cwd=ROOT,
        env=env | {"BRIDGE_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def hold(kit: Kit) -> None:
    now = kit.clock.now()
    kit.bridge.store.write(lambda db: limits.hold(db, now, "eva", "a stolen secret"))


def release(kit: Kit) -> None:
    now = kit.clock.now()
    kit.bridge.store.write(lambda db: limits.release(db, now, "eva"))
    kit.work()


def waiting(kit: Kit) -> list[str]:
    """Return the reasons of the jobs that wait because they are held back."""
    found = [row for row in rows(kit.bridge.store, tables.jobs) if row.reason]
    return [row.reason for row in found if row.reason.startswith("held back")]


class Meanwhile:
    """A panel that has something happen when a method of it is fetched, once."""

    def __init__(self, kit: Kit, name: str, happens: Callable[[], object]) -> None:
        self._panel = kit.bridge.bench.panel
        self._name = name
        self._happens = [happens]
        kit.bridge.bench.panel = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        if name == self._name and self._happens:
            self._happens.pop()()
        return getattr(self._panel, name)


def test_held_by_another_process_a_running_worker_ends_nothing(
    kit: Kit, database_url: str
) -> None:
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    kit.clock.set(kit.clock.at(*EVENING))
    reading, held = threading.Event(), threading.Event()

    def wait() -> None:
        reading.set()
        held.wait(60)

    # The panel's list is the last that is read; the worker waits in that call.
    Meanwhile(kit, "cancellation_requests", wait)
    worker = kit.bridge.worker
    runs = threading.Thread(target=worker.run, args=(0.01,))
    runs.start()

    assert reading.wait(60)
    words = ("cancellations", "hold", "--reason", "a stolen secret")
    said = in_another_process(database_url, *words)
    held.set()
    worker.stop()  # what is in flight finishes
    runs.join(60)

    row = cancellation(kit, 2)
    assert "are held back" in said
    assert kit.panel.count("ModuleTerminate") == 0
    assert (row.state, row.acted_at) == ("scheduled", None)
    assert "held back: a stolen secret (" in waiting(kit)[0]

    in_another_process(database_url, "cancellations", "release", "--yes")
    kit.work()

    assert kit.panel.terminations == {2: 1}
    audit = [(row.what, bool(row.who)) for row in rows(kit.bridge.store, tables.audit)]
    assert audit == [("hold", True), ("release", True)]


# --- The last look before each writing call ---


def end(kit: Kit) -> None:
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    kit.clock.set(kit.clock.at(*EVENING))


def end_without_a_module(kit: Kit) -> None:
    kit.world.request_cancellation(6, "Immediate")
    kit.work()
    kit.clock.set(kit.clock.at(*EVENING))


def pass_on(kit: Kit) -> None:
    kit.panel.install_addon(kit.secret)
    for who in ("Ana", "Gabriela"):
        write(kit, who, request(kit))


def order(kit: Kit) -> None:
    quoted = upgrading.price(kit.bridge.bench, 1, PLAN_150, None)
    upgrading.order(kit.bridge.bench, quoted, "ana", "seed")


def pay(kit: Kit) -> None:
    order(kit)
    kit.work()
    (invoice,) = [i for i in kit.world.invoices.values() if "[bridge" in i.notes]
    kit.world.pay_invoice(invoice.id)


STEPS = {
    "terminate": (end, lambda kit: kit.world.count("termination", 2)),
    "set_service_status": (
        end_without_a_module,
        lambda kit: kit.world.count("status_cancelled", 6),
    ),
    "move_service": (pass_on, lambda kit: kit.world.count("transfer")),
    "create_draft_invoice": (
        order,
        lambda kit: sum(kit.panel.invoices_created.values()),
    ),
    "publish_invoice": (
        order,
        lambda kit: sum(
            i.status == "Unpaid" and "[bridge" in i.notes
            for i in kit.world.invoices.values()
        ),
    ),
    "change_service": (pay, lambda kit: kit.world.count("product_change", 1)),
    "change_package": (pay, lambda kit: sum(kit.panel.package_changes.values())),
}


@pytest.mark.parametrize("name", STEPS)
def test_held_right_before_a_writing_call_it_is_not_made(kit: Kit, name: str) -> None:
    begin, happened = STEPS[name]
    begin(kit)
    # The method is fetched when the action is done with its own looks.
    Meanwhile(kit, name, lambda: hold(kit))
    kit.work()
    held, reasons, calls = happened(kit), waiting(kit), len(kit.panel.calls)
    kit.advance(hours=1)
    still, asked = happened(kit), len(kit.panel.calls) - calls
    release(kit)

    # Of a change of owner it is looked whether staff made it by hand.
    assert (held, still, asked) == (0, 0, int(name == "move_service"))
    assert "held back: a stolen secret (eva, " in reasons[0]
    assert happened(kit) == 1
    assert waiting(kit) == []


# --- Orders of plan changes ---


def test_while_held_nothing_is_ordered_and_the_same_order_is_found(kit: Kit) -> None:
    bench = kit.bridge.bench
    quoted = upgrading.price(bench, 1, PLAN_150, None)
    other = upgrading.price(bench, 2, PLAN_150, None)
    known = upgrading.order(bench, quoted, "ana", "seed")
    hold(kit)

    again = upgrading.order(bench, quoted, "ana", "seed")
    with pytest.raises(HeldBack, match="a stolen secret"):
        upgrading.order(bench, other, "ana", "seed")

    assert again == known
    assert [row.id for row in rows(kit.bridge.store, tables.upgrades)] == [known]
    release(kit)
    assert upgrading.order(bench, other, "ana", "seed") is not None


def test_the_commands_say_that_it_is_held(kit: Kit, shell: Any) -> None:
    hold(kit)

    words = ("upgrade", "order", "1", "--to", str(PLAN_150), "--yes")
    refused = shell(*words, status=1)
    listed = shell("upgrade", "list")

    assert "Nothing was ordered. Plan changes are held back: a stolen secret (eva" in (
        refused.stderr
    )
    assert "cancellations release" in refused.stderr
    assert "held back: a stolen secret" in listed.stderr
    assert rows(kit.bridge.store, tables.upgrades) == []


def test_a_move_that_is_held_while_the_panel_is_read_has_not_begun(kit: Kit) -> None:
    kit.panel.install_addon(kit.secret)
    write(kit, "Ana", request(kit))
    write(kit, "Gabriela", request(kit))
    hold(kit)
    kit.work()  # all is checked, and the move waits
    Meanwhile(kit, "cancellation_requests", lambda: hold(kit))
    release(kit)

    (row,) = rows(kit.bridge.store, tables.transfers)
    assert (row.state, row.acted_at) == ("agreed", None)
    assert waiting(kit)


def test_what_is_ended_while_it_is_held_is_not_made_afterwards(kit: Kit) -> None:
    order(kit)
    hold(kit)
    kit.work()
    now = kit.clock.now()
    assert upgrading.end(kit.bridge.store, upgrade(kit, 1), "eva", "stolen", now)
    release(kit)

    assert kit.panel.count("CreateInvoice") == 0
    assert upgrade(kit, 1).state == "ended"


def test_a_change_that_costs_nothing_is_held_as_well(kit: Kit) -> None:
    kit.world.products[PLAN_150].prices["ARS"]["Annually"] = (
        kit.world.products[21].prices["ARS"]["Annually"]
    )  # fmt: skip
    order(kit)
    hold(kit)
    kit.work()
    held = kit.world.service(1).pid
    release(kit)

    assert held == 21
    assert kit.world.service(1).pid == PLAN_150
