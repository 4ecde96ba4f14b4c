"""Killed at every commit and call, a change of owner still happens once, told to both.

The panel lives in this process and counts; the bridge is a child that ends itself by
SIGKILL at its n-th commit or outgoing call, before or after it, and is started again.
Every point in turn with SWEEP=full; a spread of them without.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import CONFIG
from effort import pick
from sweep.story import Child, Story, Told, alerts, first
from test_kill_sweep import empty
from test_kill_sweep import rows as rows_at

from bridge.hookmap import load_map
from bridge.store import Store, book, tables
from bridge.views import View

STEP = pick(full=1, ci=9, quick=29)
ANA, GABRIELA, SERVICE = 1, 7, 1
NUMBERS = ("+5491140000001", "+5491140000007")
TEXT = (
    load_map(CONFIG)
    .texts.render(
        "transfer_request",
        "es",
        {
            "transfer": View(
                {
                    "from_name": "Ana Pérez",
                    "from_email": "ana@example.com",
                    "to_name": "Gabriela Luz",
                    "to_email": "gabriela@example.com",
                    "service_id": SERVICE,
                    "service": "Plan 100 (radioana.com.ar)",
                }
            )
        },
    )
    .text
)


class Passing(Story):
    """Both sides write; nothing else happens."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.panel.install_addon(self.secret)

    def acts(self) -> list[Callable[[], None]]:
        """Return the two messages, apart."""
        return [self._first, self._second]

    def _first(self) -> None:
        self.wrote.append((NUMBERS[0], TEXT, "console:one"))

    def _second(self) -> None:
        self.wrote.append((NUMBERS[1], TEXT, "console:two"))


def telephones_read(url: str) -> None:
    """Note in a store that the telephones of all clients were read."""
    store = Store(url, readers=1)
    store.write(lambda db: book.mark(db, "phones", datetime.now(UTC), next=0))
    store.close()


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    """The child program, its imports done."""
    warm = Child()
    yield warm
    warm.close()


@pytest.fixture
def play(
    child: Child, database_url: str, tmp_path: Path, secret: str
) -> Callable[[list[int], str], Told]:
    """Return a function that tells the story once, on an empty store."""

    def tell(ends: list[int], fault: str = "") -> Told:
        messages = tmp_path / "messages.jsonl"
        messages.unlink(missing_ok=True)
        empty(database_url)
        telephones_read(database_url)
        start = first(secret, database_url, CONFIG, messages)
        story = Passing(child, start, ends, secret)
        if fault:
            story.panel.faults.add("transfer", fault)
        return story.play()

    return tell


def check(told: Told, url: str) -> None:
    """Hold what the panel counted against what both had asked for."""
    unfinished = [
        (row.key, row.state, row.reason)
        for row in rows_at(url, tables.jobs)
        if row.state not in ("done", "skipped", "withdrawn")
    ]
    (row,) = rows_at(url, tables.transfers)
    names = {name for name, _ in alerts(told)}

    assert told.panel.refused == []
    assert unfinished == []
    assert told.world.count("transfer") == 1
    assert told.world.services[SERVICE].clientid == GABRIELA
    assert row.state == "done"
    assert (row.from_number, row.to_number) == NUMBERS
    assert (row.from_text, row.to_text) == (TEXT, TEXT)
    assert (row.from_message, row.to_message) == ("console:one", "console:two")
    assert names == {
        "transfer_proposed",
        "transfer_agreed",
        "transfer_done_from",
        "transfer_done_to",
    }


def test_a_bridge_that_is_not_killed_tells_everybody_once(
    play: Callable[..., Told], database_url: str
) -> None:
    told = play([])

    check(told, database_url)
    assert set(alerts(told).values()) == {1}
    assert Counter(ticket.userid for ticket in told.world.tickets.values()) == {
        GABRIELA: 1
    }


def test_killed_at_each_step_the_service_still_moves_once(
    play: Callable[..., Told], database_url: str
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


@pytest.mark.parametrize("fault", ["acts_but_loses_the_answer", "html_500"])
def test_killed_around_a_lost_answer_it_moves_once(
    play: Callable[..., Told], database_url: str, fault: str
) -> None:
    ends: list[Any] = [[], [30], [36], [42, 9]]

    for some in ends:
        check(play(list(some), fault), database_url)
