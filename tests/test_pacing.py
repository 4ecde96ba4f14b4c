"""The rate of a quick number holds over any time, from its first second on."""

from __future__ import annotations

import heapq
from bisect import bisect_left
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrate_limiter import AbstractClock

from bridge.errors import StoreUnavailable
from bridge.pacing import Pace, SharedPace, Slice, Slices
from bridge.store import Store
from bridge.store.turns import hand_out

START = datetime(2026, 11, 2, 15, tzinfo=UTC)


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
        bisect_left(times, start + seconds) - first for first, start in enumerate(times)
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


# --- The rate of a number that several processes send from ---

#: What a place may be late by, as documented, in seconds.
SLACK = 0.02


class World:
    """A clock that stands until the next process wakes, and one number's time."""

    def __init__(self, rate):
        self.seconds, self.until, self.rate = 0.0, START, rate
        self.went = []

    def now(self, _db=None):
        return START + timedelta(seconds=self.seconds)

    def pace(self, ahead):
        """Return the pace of a process whose own clock is so far ahead."""
        gap = timedelta(seconds=1 / self.rate)

        def ask(wanted):
            begins, places = hand_out(self.until, self.now(), gap, wanted)
            self.until = begins + places * gap
            local = (begins - START).total_seconds() + ahead
            return done(Slice(local, 1 / self.rate, places))

        return SharedPace(self.rate, ask, lambda: self.seconds + ahead)

    def play(self, processes, seconds):
        """Let processes run side by side; each gives the time at which it wakes."""
        due = [(0.0, number) for number in range(len(processes))]
        while due and due[0][0] < seconds:
            at, number = heapq.heappop(due)
            self.seconds = max(self.seconds, at)
            woken = next(processes[number], None)
            if woken is not None:
                heapq.heappush(due, (woken, number))


@dataclass(frozen=True)
class Spell:
    """After *pause* seconds, *count* messages, of which so many are *waiting*."""

    pause: float
    count: int
    waiting: int
    late: float = 0.0


ENDLESS = Spell(0.0, 10**9, 8)


def process(world, pace, ahead, spells):
    """Send spell after spell, and give the time of each wake."""
    for spell in spells:
        yield world.seconds + spell.pause
        for left in range(spell.count, 0, -1):
            at = pace.place(min(spell.waiting, left)) - ahead
            if at > world.seconds:  # who has to pause wakes a little late
                yield at + spell.late
            world.went.append(world.seconds)


def done(value):
    future = Future()
    future.set_result(value)
    return future


def most_within(times, seconds):
    """Return the most that went in any so many seconds, whenever they begin."""
    return max(
        (bisect_left(times, at + seconds) - n for n, at in enumerate(times)), default=0
    )


SPELLS = st.lists(
    st.builds(
        Spell,
        st.sampled_from([0.0, 0.004, 0.1, 0.6, 1.7]),
        st.integers(1, 400),
        st.integers(1, 40),
        st.floats(0.0, 0.01),
    ),
    max_size=6,
)


@given(st.sampled_from([1, 7, 80, 200, 1000]), st.lists(SPELLS, max_size=4))
def test_no_seconds_have_more_than_their_share_whoever_asks_and_when(rate, plans):
    world = World(rate)
    processes = [
        process(world, world.pace(100.0 * n), 100.0 * n, spells)
        for n, spells in enumerate(plans)
    ]

    world.play(processes, 20.0)

    late = SLACK + max((one.late for plan in plans for one in plan), default=0.0)
    for seconds in (0.05, 1.0, 5.0):
        share = rate * (seconds + late) + 1
        assert most_within(world.went, seconds) <= share + 1e-6


@given(
    st.sampled_from([7, 80, 200, 1000]),
    st.integers(1, 40),
    st.floats(0.0, 0.01),
    st.lists(SPELLS, max_size=3),
)
def test_who_is_left_alone_has_the_whole_rate_a_second_later(
    rate, waiting, late, others
):
    world = World(rate)
    steady = [Spell(0.0, 10**9, waiting, late)]
    processes = [process(world, world.pace(5.0), 5.0, steady)]
    processes += [process(world, world.pace(0.0), 0.0, plan) for plan in others]
    world.play(processes, 4.0)  # then all the others die where they are
    died = world.seconds

    world.play(processes[:1], died + 7.0)

    alone = [at for at in world.went if died + 1.0 <= at < died + 6.0]
    assert len(alone) >= 0.95 * 5.0 * rate - 1


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_all_together_have_the_whole_rate_and_each_a_share_of_it(count):
    world = World(80)
    went = [[] for _ in range(count)]
    processes = []
    for mine in went:
        one = process(world, world.pace(0.0), 0.0, [ENDLESS])
        processes.append(noting(world, one, mine))
    world.play(processes, 10.0)

    assert 0.98 * 800 <= len(world.went) <= 802
    assert min(map(len, went)) >= 0.5 * 800 / count


def noting(world, steps, mine):
    """Note in *mine* each time at which a process wakes."""
    for woken in steps:
        yield woken
        mine.append(world.seconds)


def test_a_lonely_message_waits_for_no_slice_to_end():
    world = World(80)
    pace = world.pace(0.0)
    waits = []
    for _ in range(20):
        world.seconds += 1.0
        waits.append(pace.place() - world.seconds)

    assert waits == [0.0] * 20
    assert world.until - world.now() <= timedelta(seconds=2 / 80)


def test_a_slice_whose_places_nobody_took_is_no_burst_later():
    slice_ = Slice(begins=100.0, gap=0.01, places=50)

    assert slice_.next(100.0) == 100.0
    assert slice_.next(100.2) == pytest.approx(100.18)
    assert slice_.next(100.6) is None
    assert slice_.lost


def test_the_last_place_of_a_slice_that_was_waited_for_is_not_lost():
    late = Slice(begins=100.0, gap=0.01, places=3)

    assert late.next(100.9, fresh=True) == pytest.approx(100.02)
    assert late.next(100.9) is None


def test_a_slice_handed_out_before_the_clock_was_set_back_stops_nobody():
    gap, then = timedelta(seconds=1 / 80), START + timedelta(hours=1)

    assert hand_out(then, START, gap, 4) == (START, 4)


def test_where_the_store_gives_no_turns_all_who_wait_hear_of_it_at_once():
    asked = []

    def ask(wanted):
        asked.append(wanted)
        future = Future()
        if len(asked) == 2:
            future.set_exception(StoreUnavailable("away"))
        else:
            future.set_result(Slice(0.0, 0.01, 1))
        return future

    time = Time()
    pace = SharedPace(100, ask, lambda: time.seconds, time.pause)
    pace.wait()
    with pytest.raises(StoreUnavailable):
        pace.wait()
    pace.wait()

    assert len(asked) == 3


# --- Slices out of a store ---


@pytest.fixture
def stores(database_url):
    """Return three that are open on the same database."""
    with ExitStack() as opened:
        found = [Store(database_url, readers=1) for _ in range(3)]
        for store in found:
            opened.callback(store.close)
        yield found


def sharing(world, store, ahead):
    """Return the pace of a process with its own clock over a store."""
    clock = [lambda: world.seconds + ahead][0]
    slices = Slices(store, "rate:cloud/1", world.rate, clock, world.now)

    def ask(wanted):
        future = slices.ask(wanted)
        wait([future])  # the clock stands meanwhile
        return future

    return SharedPace(world.rate, ask, clock)


def test_three_processes_keep_one_rate_over_one_store(stores):
    world = World(80)
    aheads = (0.0, 4000.0, -900.5)  # no two have the same clock
    processes = [
        process(world, sharing(world, store, ahead), ahead, [ENDLESS])
        for store, ahead in zip(stores, aheads, strict=True)
    ]
    world.play(processes, 5.0)
    world.play(processes[:1], 8.0)

    together = [at for at in world.went if at < 5.0]
    alone = [at for at in world.went if at >= 6.0]  # the others' share went by
    assert 0.98 * 400 <= len(together) <= 401
    assert 0.98 * 160 <= len(alone) <= 161
    assert most_within(world.went, 1.0) <= 80 * (1.0 + SLACK) + 1


def test_no_place_is_given_to_two_who_ask_at_the_same_moment(stores):
    world = World(80)
    each = [Slices(one, "rate:cloud/1", 80, lambda: 0.0, world.now) for one in stores]
    with ThreadPoolExecutor(3) as pool:
        told = [
            pool.submit(lambda n=n: each[n % 3].ask(1 + n % 4).result())
            for n in range(60)
        ]
        found = [one.result() for one in told]

    begins = sorted(one.begins for one in found)
    ends = sorted(one.ends for one in found)
    lap = zip(begins[1:], ends[:-1], strict=True)
    assert all(begin >= end - 1e-6 for begin, end in lap)
    assert begins[0] == pytest.approx(0.0, abs=1e-6)


def test_a_clock_that_is_set_is_learnt_anew(stores):
    world = World(80)
    slices = Slices(
        stores[0], "rate:cloud/1", 80, lambda: world.seconds + 7.0, world.now
    )
    first = slices.ask(1).result()
    skewed = START - timedelta(days=1)
    slices = Slices(
        stores[0], "rate:cloud/1", 80, lambda: world.seconds + 7.0, lambda _: skewed
    )
    second = slices.ask(1).result()

    assert (first.begins, second.begins) == (7.0, 7.0)
