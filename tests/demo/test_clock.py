"""The panel's clock."""

from datetime import UTC, date, datetime, timedelta

import pytest

from bridge.demo.clock import Clock

NIGHT = datetime(2026, 11, 21, 1, 30, tzinfo=UTC)


def test_it_stands_still_until_advanced():
    clock = Clock(NIGHT)

    clock.advance(timedelta(hours=2))

    assert clock.now() == datetime(2026, 11, 21, 3, 30, tzinfo=UTC)
    assert clock.now() == clock.now()


def test_today_is_the_day_of_the_panels_zone():
    clock = Clock(NIGHT)

    assert clock.today() == date(2026, 11, 20)


def test_a_wall_time_becomes_an_instant():
    clock = Clock(NIGHT)

    instant = clock.at(date(2026, 11, 20), 20)

    assert instant == datetime(2026, 11, 20, 23, 0, tzinfo=UTC)


def test_a_ticking_clock_moves_by_itself_and_can_be_advanced():
    clock = Clock(NIGHT, ticking=True)

    first, later = clock.now(), clock.advance(timedelta(days=1))

    assert NIGHT <= first < later
    assert later - first >= timedelta(days=1)


def test_the_real_clock_shows_the_real_time():
    shown = Clock.real().now()

    assert abs(datetime.now(UTC) - shown) < timedelta(seconds=5)


def test_a_clock_never_runs_backwards_by_advancing():
    with pytest.raises(ValueError, match="backwards"):
        Clock(NIGHT).advance(timedelta(seconds=-1))


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="without a zone"):
        Clock(NIGHT.replace(tzinfo=None))
