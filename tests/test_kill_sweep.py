"""Killed at every step, and at random: nothing is lost, nothing that acts is doubled.

The panel lives in this process and counts; the bridge is a child that ends itself by
SIGKILL at its n-th commit or outgoing call, before or after it, and is started again.
Every point in turn and 200 random ones with SWEEP=full; a spread of them without.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import CONFIG
from effort import pick
from sweep.story import AT_ONCE, NATIVE, ORDERED, WITH_PERIOD, Child, Story, Told, first
from sweep.story import alerts as alerts_of

from bridge.store import Store, tables

#: Every how many points a story is told whose first process dies there.
STEP = pick(full=1, ci=41, quick=113)
RANDOM = pick(full=200, ci=6, quick=2)
#: Times one story's processes are killed; a third death in one job's own run would
#: leave that job to a person, as promised.
KILLS = 2
RULE = """
  AfterModuleUnsuspend:
    - { name: order-upgrade, do: invoice_upgrade, to: 22, cycle: Annually }
"""

Play = Callable[[list[int]], Told]


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    """The child program, its imports done."""
    warm = Child()
    yield warm
    warm.close()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The map of `config/`, in which a reactivated service orders an upgrade."""
    path = tmp_path_factory.mktemp("config") / "config"
    shutil.copytree(CONFIG, path)
    text = (path / "hooks.yaml").read_text("utf-8")
    head, _, tail = text.partition("  AfterModuleUnsuspend:\n")
    rule = RULE.lstrip("\n") + tail
    (path / "hooks.yaml").write_text(head + rule, "utf-8")
    return path


@pytest.fixture
def play(
    child: Child, config: Path, database_url: str, tmp_path: Path, secret: str
) -> Play:
    """Return a function that tells the story once, on an empty store."""

    def tell(ends: list[int]) -> Told:
        messages = tmp_path / "messages.jsonl"
        messages.unlink(missing_ok=True)
        empty(database_url)
        start = first(secret, database_url, config, messages)
        return Story(child, start, ends, secret).play()

    return tell


def empty(url: str) -> None:
    """Take every row out of a store."""
    engine = sa.create_engine(url)
    with engine.begin() as db:
        for table in reversed(tables.metadata.sorted_tables):
            db.execute(sa.delete(table))
    engine.dispose()


def rows(url: str, table: sa.Table) -> list[Any]:
    store = Store(url, readers=1)
    with store.read() as db:
        found = list(db.execute(sa.select(table)))
    store.close()
    return found


def sent_twice(job: Any, told: Told) -> bool:
    """Tell whether two kills met one alert as it left: it does not go a third time."""
    why = "it may have been sent 2 times"
    return told.kills > 1 and not job.acts and str(job.reason).startswith(why)


def check(told: Told, url: str) -> None:
    """Hold the panel's own counters against what was asked for."""
    world, panel = told.world, told.panel
    bridge_invoices = [i for i in world.invoices.values() if "[bridge" in i.notes]
    kept = {row.id for row in rows(url, tables.events)}
    jobs = rows(url, tables.jobs)
    given_up = [row for row in jobs if sent_twice(row, told)]
    unfinished = [
        (row.key, row.state, row.reason)
        for row in jobs
        if row.state not in ("done", "skipped") and row not in given_up
    ]
    for_staff = {(row.parameters.get("message"), row.client_id) for row in given_up}
    states = {row.service_id: row.state for row in rows(url, tables.cancellations)}
    upgrades = {row.service_id: row.state for row in rows(url, tables.upgrades)}

    assert panel.refused == []
    assert told.accepted == {row.id for row in told.fired}
    assert told.accepted <= kept
    assert unfinished == []
    assert panel.terminations == {AT_ONCE: 1, WITH_PERIOD: 1}
    assert states == {AT_ONCE: "done", WITH_PERIOD: "done"}
    assert len(bridge_invoices) == 1
    assert sum(panel.invoices_created.values()) == 1
    assert upgrades == {ORDERED: "done", NATIVE: "done"}
    assert world.service(ORDERED).pid == 22
    assert world.count("product_change", ORDERED, actor="api") == 1
    assert set(panel.package_changes) == {ORDERED}
    assert set(missing(told)) <= for_staff


#: What each client must have been told at least once: text, client.
EXPECTED = [
    ("invoice_created", 5),
    ("cancellation_scheduled_now", 3),
    ("cancellation_scheduled", 2),
    ("invoice_created", 1),
    ("payment_received", 1),
    ("upgrade_done", 1),
    ("invoice_created", 4),
    ("payment_received", 4),
    ("plan_changed", 4),
    ("cancellation_done", 3),
    ("cancellation_reminder", 2),
    ("cancellation_done", 2),
]


def missing(told: Told) -> list[tuple[str, int]]:
    """Return which of the expected alerts never went out."""
    sent = alerts_of(told)
    numbers = {
        id: client.phonenumber.replace(".", "")
        for id, client in told.world.clients.items()
    }
    return [
        (text, client)
        for text, client in EXPECTED
        if not any(name == text and same(to, numbers[client]) for name, to in sent)
    ]


def same(to: str, number: str) -> bool:
    """Tell whether two spellings end alike (mobiles of some countries gain a 9)."""
    return to[-8:] == number[-8:]


def test_a_bridge_that_is_not_killed_does_everything_once(
    play: Play, database_url: str
) -> None:
    told = play([])

    assert told.kills == 0
    check(told, database_url)
    assert set(alerts_of(told).values()) == {1}
    assert told.panel.package_changes == {ORDERED: 1}


def test_killed_at_each_step_it_loses_nothing_and_doubles_nothing(
    play: Play, database_url: str
) -> None:
    point, kills = 1, 0
    while True:
        told = play([point])
        check(told, database_url)
        kills += told.kills
        if not told.kills:
            break
        point += STEP

    assert kills > pick(full=5, ci=5, quick=1)


def test_killed_at_random_it_loses_nothing_and_doubles_nothing(
    play: Play, database_url: str
) -> None:
    chance = random.Random(20261125)
    kills = 0
    while kills < RANDOM:
        ends = [chance.randint(1, 120) for _ in range(KILLS)]
        told = play(ends)
        check(told, database_url)
        kills += told.kills

    assert kills >= RANDOM
