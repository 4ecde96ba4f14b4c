"""What `events` says of messages: what the provider told of them, and no more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.demo.panel_example import ANA
from bridge.store import reports, talk
from bridge.store.talk import Told
from tests.shells import of_json


@pytest.fixture
def alert(kit):
    """One alert that the provider took; return its row."""
    kit.world.change_password(kit.world.clients[ANA].owner)
    kit.work()
    return only_message(kit)


def only_message(kit):
    with kit.bridge.store.read() as db:
        (event,) = reports.list_events(db)
        (row,) = reports.messages_of(db, event.id)
    return row


def say(kit, row, state, *, minutes=0, kind="", code="", detail="", tag=True):
    """Let the provider tell a state."""
    now = kit.clock.now()
    told = Told(
        row.provider,
        row.provider_id,
        row.key if tag else "",
        state,
        now + timedelta(minutes=minutes),
        kind,
        code,
        detail,
    )
    kit.bridge.store.write(lambda db: talk.tell_each(db, [(told, now)]))


def shown(shell, row):
    return of_json(shell("events", "show", row.event_id, "--json"))


@pytest.fixture
def accepted(kit, alert):
    """The same, as a provider that confirms nothing at once would have taken it."""
    from sqlalchemy import update

    from bridge.store.tables import messages

    kit.bridge.store.write(
        lambda db: db.execute(update(messages).values(state="accepted"))
    )
    return alert


@pytest.mark.parametrize("tag", [True, False], ids=["by tag", "by id"])
def test_states_stand_with_their_times_in_order(shell, kit, accepted, tag):
    say(kit, accepted, "read", minutes=2, tag=tag)
    say(kit, accepted, "sent", tag=tag)
    say(kit, accepted, "delivered", minutes=1, tag=tag)

    (message,) = shown(shell, accepted)["messages"]

    assert message["state"] == "read"
    assert [one["state"] for one in message["states"]] == ["sent", "delivered", "read"]
    assert message["states"][0]["at"] == kit.clock.now().isoformat()
    assert (message["form"], message["follow_up"]) == ("free", None)


def test_the_list_says_the_newest_state(shell, kit, accepted):
    say(kit, accepted, "delivered")

    (row,) = of_json(shell("events", "list", "--json"))

    assert row["reason"] == "password_changed to client 1: delivered"
    assert row["messages"] == [{"name": "password_changed", "state": "delivered"}]


def test_a_failed_state_shows_its_error_and_what_follows(shell, kit, accepted):
    say(kit, accepted, "failed", kind="never", code="131026", detail="no WhatsApp")
    kit.work()

    found = shown(shell, accepted)

    (message,) = found["messages"]
    assert message["error"] == "never 131026: no WhatsApp"
    assert message["states"][-1]["code"] == "131026"
    assert message["follow_up"]["state"] == "done"
    assert "he cannot be reached" in message["follow_up"]["reason"]
    assert "failed (never 131026: no WhatsApp)" in found["reason"]


def test_one_that_must_be_mended_makes_the_event_wait_for_a_person(
    shell, kit, accepted
):
    say(kit, accepted, "failed", kind="fix", code="132001", detail="no template")
    kit.work()

    (row,) = of_json(shell("events", "list", "--status", "parked", "--json"))

    assert row["state"] == "parked"
    assert "132001" in row["reason"]


def test_one_that_goes_again_waits_and_then_says_what_became_of_it(
    shell, kit, accepted
):
    say(kit, accepted, "failed", kind="retry", code="131057", detail="maintenance")
    kit.work()

    (waiting,) = of_json(shell("events", "list", "--json"))
    kit.advance(minutes=5)
    kit.work()
    (after,) = of_json(shell("events", "list", "--json"))

    assert waiting["state"] == "waiting"
    assert after["state"] == "done"
    assert "failed" not in after["reason"]
    assert len(after["messages"]) == 2


def test_the_text_for_people_has_form_states_and_follow_up(shell, kit, accepted):
    say(kit, accepted, "sent")
    say(kit, accepted, "failed", minutes=1, kind="never", code="131026", detail="gone")
    kit.work()

    told = shell("events", "show", accepted.event_id).output

    assert "(password_changed), free text: failed" in told
    assert "  failed 20" in told
    assert ": never 131026: gone" in told
    assert "  then: done: nothing: he cannot be reached" in told


def test_without_a_provider_that_tells_the_state_is_that_of_the_handing_over(
    shell, kit, alert
):
    (message,) = shown(shell, alert)["messages"]

    assert message["state"] == alert.state
    assert message["states"] == []
