"""A message that waited for its turn goes out when the turn comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge.errors import Later
from bridge.metrics import Metrics
from bridge.sending import Sending
from bridge.store import Store, schema, talk
from bridge.whatsapp import Message, Provider, Receipt

START = datetime(2026, 11, 2, 15, tzinfo=UTC)
TO = "+5491155551234"


class Counting(Provider):
    """Takes everything."""

    name, number = "counting", "1"

    def __init__(self, per_second: float, windowed: bool) -> None:
        self.per_second, self.windowed = per_second, windowed
        self.sent: list[str] = []

    def send(self, message):
        self.sent.append(message.tag)
        return Receipt(message.tag)


@pytest.fixture
def sending(tmp_path):
    url = f"sqlite:///{tmp_path}/turns.db"
    schema.migrate(url)
    store = Store(url, readers=1)
    clock = [START]
    made = []

    def make(per_second, windowed):
        provider = Counting(per_second, windowed)
        one = Sending(store, lambda: provider, lambda: clock[0], Metrics())
        # Everybody wrote lately: free text.
        if windowed:
            store.write(lambda db: talk.wrote(db, TO, START))
        made.append(one)
        return one, provider, clock

    yield make
    store.close()


def message(tag):
    return Message(TO, "Hola.", "es", "welcome", tag)


@pytest.mark.parametrize(
    ("per_second", "windowed", "apart"),
    [(80, True, 6.0), (0.033, False, 1 / 0.033)],
    ids=["a person", "a slow number"],
)
def test_each_of_three_goes_at_its_own_turn(sending, per_second, windowed, apart):
    one, provider, clock = sending(per_second, windowed)
    one.send(message("a"))
    turns = {}
    for tag in ("b", "c"):
        with pytest.raises(Later) as told:
            one.send(message(tag))
        turns[tag] = told.value.at

    for tag in ("b", "c"):
        clock[0] = turns[tag]
        one.send(message(tag))

    assert provider.sent == ["a", "b", "c"]
    waited = [(turns[tag] - START).total_seconds() for tag in ("b", "c")]
    assert waited == pytest.approx([apart, 2 * apart], abs=0.001)


def test_who_comes_before_his_turn_is_sent_back_to_it(sending):
    one, provider, clock = sending(80, True)
    one.send(message("a"))
    with pytest.raises(Later) as first:
        one.send(message("b"))
    clock[0] = START + timedelta(seconds=3)

    with pytest.raises(Later) as second:
        one.send(message("b"))

    assert second.value.at == first.value.at
    assert provider.sent == ["a"]
