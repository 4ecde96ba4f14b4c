"""Messages in any order, repeats, strangers, time, a panel that changes: one model.

A service moves only if both sides agreed, each from his own telephone with the same
text, while everything held; and then at most once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import Kit
from conversing import request as link
from conversing import write
from effort import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from looking import rows

from bridge.store import tables

ANA, BRUNO, GABRIELA = 1, 2, 7
HOURS = 72
KINDS = ("same", "same", "english", "other", "extra")
WHO = ("Ana", "Ana", "Gabriela", "Gabriela", "Bruno", "stranger")
CHANGES = ("suspend", "unsuspend", "unverify", "verify", "owe", "settle")

says = st.tuples(st.just("says"), st.sampled_from(WHO), st.sampled_from(KINDS))
waits = st.tuples(
    st.sampled_from(("waits", "sleeps")), st.sampled_from((1, 30, 80)), st.just("")
)
changes = st.tuples(st.just("changes"), st.sampled_from(CHANGES), st.just(""))
faults = st.tuples(
    st.just("fault"),
    st.sampled_from(("acts_but_loses_the_answer", "html_500", "http")),
    st.just(""),
)
STEPS = st.lists(st.one_of(says, says, waits, changes, faults), max_size=10)


class Model:
    """What must come of it: who said what, and until when it holds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.said: dict[str, float] = {}
        self.bad: set[str] = set()
        self.may_move = False
        self.owner = "Ana"

    def hears(self, who: str, kind: str) -> None:
        """Take a message; both sides' same text within the time is an agreement."""
        if kind != "same" or who not in ("Ana", "Gabriela") or self.owner != "Ana":
            return
        self.said = {w: t for w, t in self.said.items() if self.now - t < HOURS}
        self.said.setdefault(who, self.now)
        if len(self.said) == 2:
            self.said = {}
            self.may_move = True

    def changes(self, what: str) -> None:
        """Note what is in the way."""
        pairs = {"unsuspend": "suspend", "verify": "unverify", "settle": "owe"}
        if what in pairs:
            self.bad.discard(pairs[what])
        else:
            self.bad.add(what)


def change(kit: Kit, what: str) -> None:
    """Change the panel itself, without a hook."""
    world = kit.world
    with world.muted():
        if what == "suspend":
            world.services[1].status = "Suspended"
        elif what == "unsuspend":
            world.services[1].status = "Active"
        elif what in ("verify", "unverify"):
            world.clients[GABRIELA].email_verified = what == "verify"
        elif what == "owe" and not world.open_invoices_of(1):
            world.generate_renewal(1)
        elif what == "settle":
            for invoice in world.open_invoices_of(1):
                invoice.status = "Cancelled"


def play(kit: Kit, model: Model, step: Any, links: dict[str, str]) -> None:
    """Do one step on both."""
    verb, what, more = step
    if verb == "says":
        text = links.get(more, links["same"])
        write(kit, what, f"{text} Y el 11 también." if more == "extra" else text)
        model.hears(what, more)
    elif verb == "sleeps":  # the bridge is off: what is due runs with the next step
        model.now += what
        kit.clock.advance(timedelta(hours=what))
        return
    elif verb == "waits":
        model.now += what
        kit.advance(hours=what)
    elif verb == "changes":
        change(kit, what)
        model.changes(what)
    else:
        kit.panel.faults.add("transfer", what)
    kit.work()


def empty(db: sa.Connection) -> None:
    """Take every row out of the store."""
    for table in reversed(tables.metadata.sorted_tables):
        db.execute(sa.delete(table))


@pytest.fixture
def anew(kit: Kit) -> Callable[[], Kit]:
    """Return a function that empties the stage for each example."""

    def fresh() -> Kit:
        kit.panel.install_addon(kit.secret)
        kit.bridge.store.write(empty)
        world = kit.world
        world.services[1].status = "Active"
        for service in (1, 11):
            world.move_service(service, ANA)
        world.clients[GABRIELA].email_verified = True
        for invoice in world.open_invoices_of(1):
            invoice.status = "Cancelled"
        world.forget()
        kit.panel.faults.clear()
        kit.sent.clear()
        return kit

    return fresh


@pytest.mark.store("sqlite")
@settings(max_examples=examples(150))
@example(
    steps=[("says", "Ana", "same"), ("sleeps", 80, ""), ("says", "Gabriela", "same")]
)
@example(steps=[("says", "Ana", "same"), ("says", "Gabriela", "english")])
@given(steps=STEPS)
def test_a_service_moves_only_if_both_agreed_and_at_most_once(
    steps: list[Any], anew: Callable[[], Kit]
) -> None:
    kit, model = anew(), Model()
    links = {
        "same": link(kit),
        "other": link(kit, service=11),
        "english": link(kit, language="en"),
    }

    for step in steps:
        was = kit.world.services[1].clientid
        play(kit, model, step, links)
        if kit.world.services[1].clientid != was:
            assert model.may_move
            assert not model.bad
            model.owner = "Gabriela"
    for _ in range(3):
        kit.advance(minutes=30)

    moves = kit.world.count("transfer", 1)
    kept = rows(kit.bridge.store, tables.transfers)
    done = [row for row in kept if row.state == "done" and row.service_id == 1]
    assert moves <= 1
    assert moves == (kit.world.services[1].clientid == GABRIELA)
    assert len(done) == moves
    assert moves == 0 or model.may_move
    if {verb for verb, *_ in steps} <= {"says", "waits", "sleeps"}:
        assert moves == model.may_move
    assert kit.panel.refused == []
