"""Hours of the panel's zone across clock changes and month ends; a clock set back.

Nothing is early, nothing is done twice because an hour came twice, nothing is left
out because it did not come.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from conftest import CONFIG, Kit
from looking import cancellation, job, texts

from bridge import upgrading, wiring
from bridge.demo.clock import Clock
from bridge.demo.panel_example import PLAN_150
from bridge.hooks.quiet import quiet_until

SANTIAGO, NEW_YORK = "America/Santiago", "America/New_York"
MIDNIGHT_TO_EIGHT = (time(22), time(8))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# The night in which New York's clocks go back (2026-11-01 02:00 -> 01:00) is an hour
# longer, the one in which they go forward (2026-03-08) an hour shorter; Santiago
# changes at midnight (2026-09-06 00:00 -> 01:00, 2026-04-05 00:00 -> 2026-04-04 23:00).
QUIET = [
    (NEW_YORK, "2026-11-01T02:30", "2026-11-01T13:00"),  # 22:30 before, EDT
    (NEW_YORK, "2026-11-01T05:30", "2026-11-01T13:00"),  # 01:30, the first
    (NEW_YORK, "2026-11-01T06:30", "2026-11-01T13:00"),  # 01:30, the second
    (NEW_YORK, "2026-03-08T06:59", "2026-03-08T12:00"),  # 01:59, the next is 03:00
    (NEW_YORK, "2026-03-08T07:00", "2026-03-08T12:00"),  # 03:00
    (SANTIAGO, "2026-09-06T03:30", "2026-09-06T11:00"),  # 23:30 before
    (SANTIAGO, "2026-09-06T04:00", "2026-09-06T11:00"),  # 01:00: no midnight
    (SANTIAGO, "2026-04-05T02:30", "2026-04-05T12:00"),  # 23:30, the first
    (SANTIAGO, "2026-04-05T03:30", "2026-04-05T12:00"),  # 23:30, the second
]


@pytest.mark.parametrize(("zone", "at", "until"), QUIET)
def test_a_quiet_night_ends_at_eight_by_the_clock_on_the_wall(
    zone: str, at: str, until: str
) -> None:
    found = quiet_until(utc(at), ZoneInfo(zone), *MIDNIGHT_TO_EIGHT)

    assert found is not None
    assert found.astimezone(UTC) == utc(until)


LOUD = [
    (NEW_YORK, "2026-11-01T13:00"),
    (NEW_YORK, "2026-11-01T01:59"),
    (SANTIAGO, "2026-09-06T11:00"),
    (SANTIAGO, "2026-09-06T01:59"),
]


@pytest.mark.parametrize(("zone", "at"), LOUD)
def test_outside_of_it_nothing_waits(zone: str, at: str) -> None:
    assert quiet_until(utc(at), ZoneInfo(zone), *MIDNIGHT_TO_EIGHT) is None


def in_zone(kit: Kit, bridge_for: Callable[..., wiring.Bridge], zone: str) -> Kit:
    """Let panel and bridge live in another zone."""
    kit.clock.zone = ZoneInfo(zone)
    return replace(kit, bridge=bridge_for(timezone=zone))


# Asked for as immediate, at an hour of `immediate_at` that the night changes.
DUE = [
    (NEW_YORK, "2026-11-01T04:30", "01:30", "2026-11-01T06:30"),  # the second 01:30
    (NEW_YORK, "2026-03-08T05:30", "02:30", "2026-03-08T07:30"),  # left out: 03:30
    (SANTIAGO, "2026-09-06T04:30", "00:30", "2026-09-06T04:30"),  # over: at once
    (SANTIAGO, "2026-04-04T15:00", "23:30", "2026-04-05T03:30"),  # the second 23:30
    (NEW_YORK, "2026-12-31T20:00", "23:59", "2027-01-01T04:59"),
]


@pytest.mark.parametrize(("zone", "asked", "hour", "due"), DUE)
def test_an_immediate_end_is_due_once_and_on_the_panels_own_day(
    kit: Kit,
    bridge_for: Callable[..., wiring.Bridge],
    config_with: Callable[..., Path],
    zone: str,
    asked: str,
    hour: str,
    due: str,
) -> None:
    kit.clock.zone = ZoneInfo(zone)
    kit.clock.set(utc(asked))
    config = config_with(('immediate_at: "20:00"', f'immediate_at: "{hour}"'))
    kit = replace(kit, bridge=bridge_for(timezone=zone, config_dir=config))
    today = kit.clock.today()
    kit.world.request_cancellation(2, "Immediate")
    kit.flush()
    kit.bridge.worker.drain(1)  # it is scheduled, and not yet carried out
    row = cancellation(kit, 2)
    if row.at > kit.clock.now():
        kit.clock.set(utc(due) - timedelta(seconds=1))
        kit.bridge.worker.drain()
        assert kit.panel.terminations == {}
    kit.clock.set(utc(due))
    for _ in range(4):
        kit.bridge.worker.drain()
        kit.clock.advance(timedelta(hours=1))

    assert kit.clock.zone.key == zone
    assert row.at == utc(due)
    assert row.at.astimezone(kit.clock.zone).date() == row.ends
    assert row.ends >= today
    assert kit.panel.terminations == {2: 1}


# The last day of a period, at 23:00 on the wall of that day.
ENDS = [
    (NEW_YORK, "2026-11-01T16:00", date(2026, 11, 20), "2026-11-21T04:00"),
    (SANTIAGO, "2026-11-01T16:00", date(2026, 11, 20), "2026-11-21T02:00"),
]


@pytest.mark.parametrize(("zone", "asked", "last", "due"), ENDS)
def test_the_end_of_a_period_is_at_eleven_on_its_last_day_there(
    kit: Kit,
    bridge_for: Callable[..., wiring.Bridge],
    zone: str,
    asked: str,
    last: date,
    due: str,
) -> None:
    kit.clock.set(utc(asked))
    kit = in_zone(kit, bridge_for, zone)
    kit.world.request_cancellation(2)
    kit.work()

    assert cancellation(kit, 2).ends == last
    assert cancellation(kit, 2).at == utc(due)


def test_a_clock_set_back_runs_nothing_early_and_nothing_twice(kit: Kit) -> None:
    kit.world.request_cancellation(2, "Immediate")
    kit.world.request_cancellation(3)
    kit.work()
    evening = kit.clock.at(date(2026, 11, 2), 20)
    kit.clock.set(evening)
    kit.work()
    for hours in (30, 3, 1):
        kit.clock.set(evening - timedelta(hours=hours))
        kit.work()
    kit.clock.set(evening)
    kit.work()
    kit.advance(hours=13)

    assert kit.panel.terminations == {2: 1}
    assert texts(kit).count("cancellation_done") == 1


@pytest.mark.parametrize("hours", [3, -3])
def test_nothing_ends_while_our_clock_is_not_the_panels(kit: Kit, hours: int) -> None:
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    kit.clock.set(kit.clock.at(kit.clock.today(), 20))
    kit.panel.dated = Clock(kit.clock.now() - timedelta(hours=hours))
    kit.work()
    waits = job(kit, "/terminate")
    ready = kit.bridge.app().test_client().get("/readyz").get_json()
    before = dict(kit.panel.terminations)
    kit.panel.dated = kit.clock
    kit.advance(minutes=1)

    way = "ahead of" if hours > 0 else "behind"
    assert before == {}
    assert waits.state == "waiting"
    assert f"the clock is 180 minutes {way} the panel's" in waits.reason
    assert waits.reason in ready["warnings"]
    assert kit.panel.terminations == {2: 1}


def test_no_invoice_is_made_while_our_clock_is_not_the_panels(kit: Kit) -> None:
    bench = kit.bridge.bench
    upgrading.order(bench, upgrading.price(bench, 1, PLAN_150, None), "ana", "seed")
    kit.panel.dated = Clock(kit.clock.now() - timedelta(minutes=6))
    kit.work()
    before = kit.panel.count("CreateInvoice")
    kit.panel.dated = Clock(kit.clock.now() - timedelta(minutes=4))
    kit.advance(minutes=1)

    assert before == 0
    assert kit.panel.count("CreateInvoice") == 1


def test_a_clock_that_jumps_on_by_a_day_is_late_at_most(kit: Kit) -> None:
    kit.world.request_cancellation(2, "Immediate")
    kit.work()
    kit.clock.set(kit.clock.at(date(2026, 11, 3), 20))
    kit.work()

    assert kit.panel.terminations == {2: 1}


FAKETIME = next(
    (
        path
        for path in (
            "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
            "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
        )
        if os.path.exists(path)
    ),
    "",
)

PROGRAM = """
import json, os, select, sys, time
time.sleep = lambda seconds: select.select([], [], [], seconds)
sys.path.insert(0, os.environ["TESTS"])
from datetime import timedelta
from pathlib import Path
from bridge import logs, wiring
from bridge.demo.clock import Clock
from bridge.demo.hooks import Outbox
from bridge.demo.panel import IDENTIFIER, SECRET, Panel
from bridge.demo.panel_server import PanelServer
from bridge.demo.world import World
from bridge.settings import Secret, Settings

logs.configure("error")
started = wiring.now()
clock = Clock(started)
world = World.example(clock)
panel = Panel(world)
secret = os.environ["SECRET"]
with PanelServer(panel) as server:
    settings = Settings(
        signing_secrets=(Secret(secret),), database_url=os.environ["STORE"],
        config_dir=Path(os.environ["CONFIG"]), whmcs_url=server.url,
        whmcs_identifier=Secret(IDENTIFIER), whmcs_secret=Secret(SECRET),
        dry_run=False, workers=2,
    )
    bridge = wiring.build(settings, stream=open(os.devnull, "w"))
    outbox = Outbox(world, bridge.app(), secret)
    world.request_cancellation(2, "Immediate")
    outbox.flush()
    import threading
    thread = threading.Thread(target=bridge.worker.run)
    thread.start()
    began = time.monotonic()
    while not panel.terminations and time.monotonic() - began < 20:
        select.select([], [], [], 0.02)
    early = wiring.now()
    bridge.worker.stop()
    thread.join()
    bridge.close()
print(json.dumps({
    "started": started.isoformat(), "ended": early.isoformat(),
    "terminations": dict(panel.terminations),
}))
"""


@pytest.mark.faketime
@pytest.mark.skipif(not FAKETIME, reason="libfaketime is not installed")
def test_with_the_systems_own_clock_moved_it_ends_at_its_hour(
    tmp_path: Path, secret: str
) -> None:
    # Some seconds before 20:00 in Buenos Aires: starting up takes a few of them.
    environment = os.environ | {
        "LD_PRELOAD": FAKETIME,
        "FAKETIME": "@2026-11-02 22:59:52",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "TZ": "UTC",
        "STORE": f"sqlite:///{tmp_path}/bridge.db",
        "CONFIG": str(CONFIG),
        "TESTS": str(Path(__file__).parent),
        "SECRET": secret,
    }
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["started"] < "2026-11-02T23:00:00+00:00"
    assert "2026-11-02T23:00:00" <= told["ended"] < "2026-11-02T23:00:20"
    assert told["terminations"] == {"2": 1}


def test_the_simulated_clock_shows_the_panels_day(clock: Clock) -> None:
    clock.set(utc("2026-11-03T02:59"))
    assert clock.today() == date(2026, 11, 2)
