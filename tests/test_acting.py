"""What acts is not begun twice, also where the clock was set on meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge.acting import SET_ON, Acting
from bridge.preparing import ACTING_LEASE
from bridge.store.outbox import Job

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
LEASE = ACTING_LEASE.total_seconds()


class Times:
    """The clock on the wall, and the time that goes by whatever it shows."""

    def __init__(self) -> None:
        self.clock, self.gone = NOON, 0.0
        self.acting = Acting(lambda: self.clock, lambda: self.gone)

    def pass_by(self, seconds: float) -> None:
        self.clock += timedelta(seconds=seconds)
        self.gone += seconds


@pytest.fixture
def times():
    found = Times()
    found.acting.look()
    return found


def job(key="one", *, acts=True, deaths=0):
    return Job(
        key=key,
        event_id=None,
        action="terminate_service",
        rule="r",
        parameters={},
        steps=[],
        condition=None,
        acts=acts,
        urgent=False,
        epoch=1,
        attempts=1,
        client_id=None,
        group_key=None,
        due_at=NOON,
        created_at=NOON,
        deaths=deaths,
    )


def test_what_acts_is_begun_once_until_it_is_over(times):
    first = times.acting.begins(job())
    again = times.acting.begins(job())
    another = times.acting.begins(job("two"))
    times.acting.over(job())

    assert (first, again, another) == (True, False, True)
    assert times.acting.begins(job())


def test_alerts_may_come_twice(times):
    assert times.acting.begins(job(acts=False))
    assert times.acting.begins(job(acts=False))


def test_a_claim_is_not_taken_for_over_where_only_the_clock_says_so(times):
    times.clock += timedelta(hours=1)
    times.acting.look()
    at_once = times.acting.begins(job(deaths=1))
    new = times.acting.begins(job("new"))
    times.pass_by(LEASE - 1)
    times.acting.look()
    soon = times.acting.begins(job(deaths=1))
    times.pass_by(1)
    times.acting.look()

    assert (at_once, new, soon) == (False, True, False)
    assert times.acting.begins(job(deaths=1))


@pytest.mark.parametrize("set_by", [SET_ON, timedelta(0), -timedelta(hours=1)])
def test_hours_that_went_by_are_no_reason_to_wait(times, set_by):
    times.pass_by(5 * 3600)
    times.clock += set_by
    times.acting.look()

    assert times.acting.begins(job(deaths=1))
