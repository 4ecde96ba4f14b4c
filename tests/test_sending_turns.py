"""A message that waits for its turn goes out when it comes, and no two at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge.errors import ErrorClass, Later, SendError
from bridge.metrics import Metrics
from bridge.sending import Sending
from bridge.store import Store, tables, talk
from bridge.turns import PAIR
from bridge.whatsapp import Message, Provider, Receipt
from tests.looking import rows

START = datetime(2026, 11, 2, 15, tzinfo=UTC)
TO, OTHER = "+5491155551234", "+5491155551235"
APART = 1 / 0.033


class Counting(Provider):
    """Takes everything, but for the next *refusals*, which were too fast."""

    name, number = "counting", "1"

    def __init__(self, per_second: float, windowed: bool) -> None:
        self.per_second, self.windowed = per_second, windowed
        self.sent: list[str] = []
        self.refusals = 0

    def send(self, message):
        if self.refusals:
            self.refusals -= 1
            raise SendError(self.name, ErrorClass.PAIR, "too fast", code="131056")
        self.sent.append(message.tag)
        return Receipt(message.tag)


@pytest.fixture
def sending(database_url):
    """Return what makes a way to the provider; made again it is a restart."""
    store = Store(database_url, readers=1)
    clock = [START]
    providers = []

    def make(per_second, windowed, several=None):
        if not providers:
            providers.append(Counting(per_second, windowed))
        (provider,) = providers
        one = Sending(
            store, lambda: provider, lambda: clock[0], Metrics(), several=several
        )
        for person in (TO, OTHER):  # they wrote lately: free text
            store.write(lambda db, to=person: talk.wrote(db, to, START))
        return one, provider, clock

    yield make
    store.close()


def message(tag, to=TO):
    return Message(to, "Hola.", "es", "welcome", tag)


def turn(one, tag, to=TO):
    with pytest.raises(Later) as told:
        one.send(message(tag, to))
    return (told.value.at - START).total_seconds()


def test_each_of_three_to_one_person_looks_at_a_turn_of_his_own(sending):
    one, provider, clock = sending(80, True)
    one.send(message("a"))
    turns = [turn(one, "b"), turn(one, "c")]
    for tag, at in zip("bc", turns, strict=True):
        clock[0] = START + timedelta(seconds=at)
        one.send(message(tag))

    assert turns == [6, 12]
    assert provider.sent == ["a", "b", "c"]


def test_nothing_bursts_to_a_person_after_a_pause(sending):
    one, provider, clock = sending(80, True)
    one.send(message("a"))
    for tag in "bcd":
        turn(one, tag)
    clock[0] = START + timedelta(hours=1)
    one.send(message("b"))

    assert [turn(one, "c"), turn(one, "d")] == [3606, 3612]
    assert provider.sent == ["a", "b"]


def test_a_slow_number_sends_one_at_a_time_also_after_pause_and_restart(sending):
    one, provider, clock = sending(0.033, False)
    one.send(message("a"))
    assert turn(one, "b", OTHER) == turn(one, "c") == pytest.approx(APART, abs=0.001)
    clock[0] = START + timedelta(hours=1)
    one.send(message("b", OTHER))
    again, _, _ = sending(0.033, False)

    assert again.held("c").at == clock[0] + timedelta(seconds=1 / 0.033)
    assert turn(again, "c") == pytest.approx(3600 + APART, abs=0.001)
    assert provider.sent == ["a", "b"]


def test_two_processes_share_the_turns_of_a_slow_number(sending):
    one, _, _ = sending(0.033, False)
    two, provider, _ = sending(0.033, False)
    assert two.held("b") is None
    one.send(message("a"))

    assert turn(two, "b") == pytest.approx(APART, abs=0.001)
    assert provider.sent == ["a"]


def test_a_slow_number_does_not_wait_for_a_clock_that_was_set_back(sending):
    one, provider, clock = sending(0.033, False)
    one.send(message("a"))
    clock[0] = START - timedelta(hours=3)

    assert one.held("b") is None
    one.send(message("b"))
    assert provider.sent == ["a", "b"]


def test_who_is_written_to_too_fast_waits_longer_each_time_others_go_on(sending):
    one, provider, clock = sending(80, True)
    waits = []
    for _ in range(5):
        provider.refusals = 1
        with pytest.raises(SendError) as told:
            one.send(message("a"))
        waits.append(told.value.retry_after)
        one.send(message(f"x{len(waits)}", OTHER))
        clock[0] += max(timedelta(seconds=waits[-1]), PAIR)

    assert waits == [1, 4, 16, 64, 64]
    assert provider.sent == ["x1", "x2", "x3", "x4", "x5"]


def test_a_gateway_paces_nobody_but_obeys_a_refusal(sending):
    one, provider, _ = sending(80, False)
    one.send(message("a"))
    one.send(message("b"))
    provider.refusals = 1
    with pytest.raises(SendError):
        one.send(message("c"))

    assert turn(one, "d") == 1
    assert provider.sent == ["a", "b"]


def test_all_to_him_wait_also_after_a_restart(sending):
    one, provider, clock = sending(80, True)
    provider.refusals = 3
    for _ in range(3):
        with pytest.raises(SendError):
            one.send(message("a"))
        clock[0] += timedelta(seconds=4)  # and he waits longer than that by now
        again, _, _ = sending(80, True)
        if provider.refusals:
            clock[0] += timedelta(seconds=2)
    since = (clock[0] - START).total_seconds()

    assert turn(again, "b") == since + 12
    clock[0] += timedelta(seconds=12)
    again.send(message("b"))
    assert provider.sent == ["b"]


def test_two_processes_write_to_one_person_six_seconds_apart(sending):
    one, _, clock = sending(80, True, several=True)
    two, provider, _ = sending(80, True, several=True)
    one.send(message("a"))
    two.send(message("x", OTHER))
    assert (turn(two, "b"), turn(two, "c")) == (6, 12)
    clock[0] += PAIR
    two.send(message("b"))

    assert turn(one, "d") == 12
    assert provider.sent == ["a", "x", "b"]


def test_a_restart_writes_to_nobody_twice_in_six_seconds(sending):
    one, provider, clock = sending(80, True, several=True)
    one.send(message("a"))
    clock[0] += timedelta(seconds=4)
    again, _, _ = sending(80, True, several=True)

    assert turn(again, "b") == 6
    assert provider.sent == ["a"]


def test_nobody_waits_for_a_clock_that_was_set_back(sending):
    one, provider, clock = sending(80, True, several=True)
    one.send(message("a"))
    clock[0] -= timedelta(hours=3)
    again, _, _ = sending(80, True, several=True)
    again.send(message("b"))

    assert provider.sent == ["a", "b"]


@pytest.mark.parametrize("several", [False, True])
def test_the_six_seconds_count_from_when_a_message_left(sending, several):
    one, _, clock = sending(80, True, several=several)

    def stand_in_line():
        clock[0] += timedelta(seconds=2)

    one.slow_down = stand_in_line
    one.send(message("a"))

    assert turn(one, "b") == 8


def test_who_was_written_to_is_kept_where_several_processes_may_write(
    sending, database_url
):
    one, _, _ = sending(80, True)
    one.send(message("a"))
    gateway, _, _ = sending(80, True)
    gateway.provider.windowed = False
    gateway.send(message("b", OTHER))

    people = [row.person for row in rows(one.store, tables.pairs)]
    assert people == ([] if database_url.startswith("sqlite") else [TO])


def test_a_message_that_is_taken_ends_the_count(sending):
    one, provider, clock = sending(80, True)
    provider.refusals = 1
    with pytest.raises(SendError):
        one.send(message("a"))
    clock[0] += PAIR
    one.send(message("a"))
    provider.refusals = 1
    clock[0] += PAIR
    with pytest.raises(SendError) as told:
        one.send(message("b"))

    assert told.value.retry_after == 1
