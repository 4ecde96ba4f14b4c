"""A message that waits for its turn goes out when it comes, and no two at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pyrate_limiter import AbstractClock

from bridge.errors import ErrorClass, Later, SendError
from bridge.metrics import Metrics
from bridge.sending import Sending
from bridge.store import Store, talk
from bridge.turns import PAIR, Pace
from bridge.whatsapp import Message, Provider, Receipt

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

    def make(per_second, windowed):
        if not providers:
            providers.append(Counting(per_second, windowed))
        (provider,) = providers
        one = Sending(store, lambda: provider, lambda: clock[0], Metrics())
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


# --- The rate of a quick number ---


class Time(AbstractClock):
    """Time that passes only where somebody waits, who wakes a little late."""

    def __init__(self, late=0.0):
        self.seconds, self.late = 1000.0, late

    def now(self):
        return int(self.seconds * 1000)

    def pause(self, seconds):
        self.seconds += seconds + self.late


def most_in(times, seconds):
    """Return the most that went in any so many seconds."""
    return max(
        sum(start <= at < start + seconds for at in times) for start in times[::50]
    )


@pytest.mark.parametrize("late", [0.0, 0.004], ids=["in time", "late"])
@pytest.mark.parametrize("rate", [80, 1000])
def test_no_five_seconds_have_more_than_their_share_nor_much_less(rate, late):
    time = Time(late)
    pace = Pace(rate, time, time.pause)
    went = []
    for pause in (0.0, 60.0, 0.3, 7.0):
        time.seconds += pause
        for _ in range(rate * 12):
            pace.wait()
            went.append(time.seconds - 1000)

    within = most_in(went, 5.0)
    assert 0.98 * 5 * rate <= within <= 1.02 * 5 * rate


def test_the_first_second_is_no_burst():
    time = Time()
    pace = Pace(80, time, time.pause)
    went = []
    for _ in range(200):
        pace.wait()
        went.append(time.seconds - 1000)

    assert sum(at < 1.0 for at in went) <= 81
    assert sum(at < 0.1 for at in went) <= 9
