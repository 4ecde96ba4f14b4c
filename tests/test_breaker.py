"""The circuit: open after five failures in a row, probed by one harmless call."""

from __future__ import annotations

from datetime import timedelta

import pytest
from conftest import MORNING

from bridge.breaker import FAILURES, Breaker, CircuitOpen
from bridge.demo.clock import Clock
from bridge.errors import Reason, RemoteError


def error(reason: Reason = Reason.UNREACHABLE) -> RemoteError:
    return RemoteError("panel", reason, "why")


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("panel", clock.now)


def opened(breaker: Breaker) -> Breaker:
    for _ in range(FAILURES):
        breaker.failed(error())
    return breaker


def test_four_failures_let_everything_through(breaker: Breaker) -> None:
    for _ in range(FAILURES - 1):
        breaker.failed(error())

    assert not breaker.open
    assert breaker.enter() is False


def test_a_success_in_between_counts_anew(breaker: Breaker) -> None:
    for _ in range(FAILURES - 1):
        breaker.failed(error())
    breaker.succeeded()
    breaker.failed(error())

    assert not breaker.open


def test_the_fifth_in_a_row_opens_it(breaker: Breaker) -> None:
    with pytest.raises(CircuitOpen) as refused:
        opened(breaker).enter()

    assert refused.value.until == MORNING + timedelta(seconds=15)
    assert not refused.value.sent


@pytest.mark.parametrize("reason", [Reason.DENIED_ADDRESS, Reason.DENIED_CREDENTIALS])
def test_being_locked_out_opens_it_at_once(breaker: Breaker, reason: Reason) -> None:
    breaker.failed(error(reason))

    assert breaker.open


@pytest.mark.parametrize(
    "reason", [Reason.NOT_FOUND, Reason.REFUSED, Reason.MISSING_PERMISSION]
)
def test_an_answer_that_refuses_is_a_sign_of_life(
    breaker: Breaker, reason: Reason
) -> None:
    for _ in range(3 * FAILURES):
        breaker.failed(error(reason))

    assert not breaker.open


def test_one_probe_passes_at_a_time(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.advance(timedelta(seconds=15))

    assert breaker.enter() is True
    with pytest.raises(CircuitOpen):
        breaker.enter()


def test_a_probe_that_works_closes_it(breaker: Breaker, clock: Clock) -> None:
    opened(breaker)
    clock.advance(timedelta(seconds=15))
    breaker.enter()
    breaker.succeeded()

    assert breaker.enter() is False


def test_it_rests_longer_each_time_up_to_five_minutes(
    breaker: Breaker, clock: Clock
) -> None:
    opened(breaker)
    rests = []
    for _ in range(8):
        assert breaker.until is not None
        rests.append((breaker.until - clock.now()).total_seconds())
        clock.set(breaker.until)
        breaker.enter()
        breaker.failed(error())

    assert rests == [15, 30, 60, 120, 240, 300, 300, 300]


def test_who_is_refused_does_not_lengthen_the_rest(
    breaker: Breaker, clock: Clock
) -> None:
    opened(breaker)
    until = breaker.until
    for _ in range(20):
        with pytest.raises(CircuitOpen):
            breaker.enter()

    assert breaker.until == until
