"""Tries are counted, bounded and forgotten; seats are bounded and given back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from bridge.console import passwords, throttle
from bridge.console.throttle import TRIES, WINDOW, Busy, Desk, Throttle, TooLate

NOW = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)


def test_five_tries_then_the_time_until_the_oldest_is_over():
    tries = Throttle()
    for minute in range(TRIES):
        assert tries.take(["a"], NOW + timedelta(minutes=minute)) is None

    wait = tries.take(["a"], NOW + timedelta(minutes=5))

    assert wait.time == timedelta(minutes=5)
    assert tries.take(["a"], NOW + WINDOW + timedelta(seconds=1)) is None


def test_refused_tries_do_not_count_so_nobody_is_kept_out_for_good():
    tries = Throttle()
    for second in range(3600):
        tries.take(["a"], NOW + timedelta(seconds=second))

    wait = tries.take(["a"], NOW + timedelta(hours=1))

    assert wait is None or wait.time <= WINDOW


def test_only_the_first_refusal_in_a_row_is_the_first():
    tries = Throttle()
    for _ in range(TRIES):
        tries.take(["a"], NOW)

    waits = [tries.take(["a"], NOW) for _ in range(3)]
    again = NOW + WINDOW + timedelta(seconds=1)
    later = [tries.take(["a"], again) for _ in range(TRIES + 2)]

    assert [wait.first for wait in waits] == [True, False, False]
    assert [wait.first for wait in later[TRIES:]] == [True, False]


def test_a_try_counts_under_every_key_or_under_none():
    tries = Throttle()
    for _ in range(TRIES):
        tries.take(["name", "address"], NOW)

    assert tries.take(["other name", "address"], NOW) is not None
    assert tries.take(["other name", "other address"], NOW) is None


def test_a_right_password_begins_anew():
    tries = Throttle()
    for _ in range(TRIES):
        tries.take(["a"], NOW)

    tries.forget(["a", "never seen"])

    assert tries.take(["a"], NOW) is None


def test_names_without_end_take_no_memory_without_end():
    tries = Throttle()
    for number in range(throttle._MOST + 500):
        tries.take([f"name {number}"], NOW)

    assert len(tries._buckets) == throttle._MOST


def test_tries_at_once_are_counted_one_by_one():
    tries = Throttle()

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: tries.take(["a"], NOW), range(64)))

    assert sum(wait is None for wait in found) == TRIES


def test_a_desk_has_so_many_seats_and_gives_them_back():
    desk, gate = Desk(seats=2, seconds=10), threading.Event()
    seated = threading.Barrier(3, timeout=10)

    def work() -> bool:
        seated.wait()
        return gate.wait(10)

    with ThreadPoolExecutor(2) as pool:
        taken = [pool.submit(desk.ask, work) for _ in range(2)]
        seated.wait()
        with pytest.raises(Busy):
            desk.ask(lambda: 1)
        gate.set()
        assert [one.result() for one in taken] == [True, True]

    assert desk.ask(lambda: 7) == 7


def test_a_page_that_gave_up_keeps_the_seat_until_the_work_ends():
    desk, gate = Desk(seats=1, seconds=0.01), threading.Event()
    ended = threading.Event()

    def work() -> None:
        gate.wait(10)
        ended.set()

    with pytest.raises(TooLate):
        desk.ask(work)
    with pytest.raises(Busy):
        desk.ask(work)
    gate.set()
    assert ended.wait(10)


def test_what_the_work_raises_is_raised_also_when_it_is_a_timeout():
    def late() -> None:
        raise TimeoutError("the work's own")

    with pytest.raises(TimeoutError, match="the work's own"):
        Desk().ask(late)


def test_nobodys_password_takes_as_long_and_never_fits():
    assert passwords.fits("nobody has this password", None) is False
    assert passwords.fits("x", passwords.hashed("x")) is True
    assert passwords.fits("x", passwords.hashed("y")) is False
