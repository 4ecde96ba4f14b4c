"""From the hook to the result on disk, beside a bare loop and Huey."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from bench.machine import said, speed
from bench.options import Options, Rows
from bench.processes import (
    ROOT,
    Missing,
    Place,
    bridge_environ,
    cpu_seconds,
    free_port,
    huey,
    memory_mb,
    place,
    postgres,
)
from bench.table import Note, Row, at_least, at_most
from bridge.settings import Settings

#: Hooks a second that are asked of the bridge.
_RATE = 300.0


def endtoend(options: Options) -> Rows:
    """Hook -> owner proved -> message -> result on disk, all answering after 100 ms."""
    rows = _held(options, slow_disk=False)
    if options.slow_disk:
        rows += _held(options, slow_disk=True)
    rows += _capacity(options)
    rows += _on_postgres(options)
    rows.append(said(options))
    return rows


def start_stub(at: Place, latency: float) -> int:
    port = free_port()
    at.python("bench.stub", port, latency, said=True)
    return port


def _held(options: Options, *, slow_disk: bool) -> Rows:
    """See whether 300 hooks a second are kept up with, here and in proportion."""
    rows = _kept_up(options, _RATE, f"{_RATE:g}/s", slow_disk=slow_disk)
    share = speed(options)
    if share < 1.0:
        what = f"this machine's speed ({_RATE * share:.0f}/s)"
        rows += _kept_up(options, _RATE * share, what, slow_disk=slow_disk)
    return rows


def _kept_up(options: Options, rate: float, name: str, *, slow_disk: bool) -> Rows:
    seconds = options.lasting(60)
    with place(slow_disk=slow_disk) as at:
        stub, port = start_stub(at, 0.1), free_port()
        env = bridge_environ(at.directory, port, stub, workers=options.workers)
        child = at.python("bench.bridge_run", stub, "receive", "work", port=port, **env)
        began = cpu_seconds(child.pid)
        found = at.load(
            "schedule",
            port,
            path="/hooks/whmcs",
            prefix="e",
            seconds=seconds,
            rate=rate,
            done_port=stub,
        )
        cores = (cpu_seconds(child.pid) - began) / found["seconds"]
        memory = memory_mb(child.pid, "VmHWM")
        done = _settled(at.directory / "bridge.db", found["sent"])
    backlog = found["backlog"]
    quarter = max(len(backlog) // 4, 1)
    early = backlog[quarter : 2 * quarter] or backlog
    grown = median(backlog[-quarter:]) - median(early)
    suffix = ", syncs 5 ms slower" if slow_disk else ""
    what, sent = f"{name} for {seconds:g} s", found["sent"]
    return [
        at_most(f"{what}: the queue grew by{suffix}", grown, "hooks", 60),
        Row(
            f"{what}: done{suffix}", done, "hooks", sent, "(sent)", "all", done == sent
        ),
        Row(f"p99 of the answers meanwhile{suffix}", found["p99"] * 1000, "ms"),
        Row(f"cores used by `run`{suffix}", cores, "cores"),
        at_most(f"memory of `run` at most{suffix}", memory, "MB", 150),
    ]


def _settled(file: Path, sent: int) -> int:
    """Return how many jobs are recorded as done, after a minute at most.

    One that met a time-out is tried again some seconds later.
    """
    ends = time.monotonic() + 60
    while True:
        with contextlib.closing(sqlite3.connect(file)) as db:
            query = "SELECT count(*) FROM jobs WHERE state = 'done'"
            done = int(db.execute(query).fetchone()[0])
        if done >= sent or time.monotonic() > ends:
            return done
        time.sleep(1.5)


def _capacity(options: Options) -> Rows:
    """Compare calls a second with those of a bare loop, and alerts with Huey's."""
    rows: Rows = []
    own = Settings.workers
    for workers in sorted({own, 2 * own, options.workers}):
        ours, bare = _beside_bare(options, workers)
        what = f"calls/s of the pipeline, {workers} threads"
        if workers == own:
            what += " (the bridge's own number)"
        rows.append(at_least(what, ours * 3, bare, "(bare loop)", 0.6))
    try:
        seconds = options.lasting(10)
        hueys = [_huey(options, seconds, run) for run in range(options.runs)]
        rows.append(Row("alerts/s", ours, "/s", median(hueys), "(huey)"))
    except Missing as error:
        rows.append(Note(f"huey: not measured: {error}"))
    what = "alerts/s on SQLite, one process"
    rows.append(Row(what, ours, "/s", 1000.0, "(the goal)"))
    return rows


def _beside_bare(options: Options, workers: int) -> tuple[float, float]:
    """Return alerts a second, and the calls of a bare loop with as many threads."""
    ours: list[float] = []
    bare: list[float] = []
    seconds = options.lasting(10)
    for run in range(options.runs):
        with place(slow_disk=options.slow_disk) as at:
            stub, port = start_stub(at, 0.1), free_port()
            env = bridge_environ(at.directory, port, stub, workers=workers)
            at.python("bench.bridge_run", stub, "receive", "work", port=port, **env)
            ours.append(_window(at, port, stub, f"w{run}", seconds, workers))
        with place() as at:
            command = ["-m", "bench.bare", start_stub(at, 0.1), workers, seconds]
            printed = subprocess.run(
                [sys.executable, *map(str, command)],
                env=at.environ(),
                check=True,
                capture_output=True,
                text=True,
            )
            bare.append(float(printed.stdout))
    return median(ours), median(bare)


def _window(
    at: Place, port: int, stub: int, prefix: str, seconds: float, workers: int
) -> float:
    found = at.load(
        "window",
        port,
        path="/hooks/whmcs",
        prefix=prefix,
        seconds=seconds,
        done_port=stub,
        under_way=2 * workers,
    )
    return float(found["done_rate"])


def _huey(options: Options, seconds: float, run: int) -> float:
    packages = huey()
    with place(slow_disk=options.slow_disk) as at:
        stub, port, file = start_stub(at, 0.1), free_port(), at.directory / "huey.db"
        env = {"PYTHONPATH": f"{ROOT}:{packages}"}
        at.python("bench.huey_app", "serve", port, file, stub, port=port, **env)
        at.python("bench.huey_app", "work", options.workers, file, stub, **env)
        return _window(at, port, stub, f"h{run}", seconds, options.workers)


def _on_postgres(options: Options) -> Rows:
    """Measure one receiver and two workers on PostgreSQL."""
    found, seconds = [], options.lasting(10)
    try:
        for run in range(options.runs):
            with postgres() as database, place() as at:
                stub, port = start_stub(at, 0.1), free_port()
                env = bridge_environ(
                    at.directory,
                    port,
                    stub,
                    workers=options.workers // 2,
                    database=database,
                )
                at.python("bench.bridge_run", stub, "receive", port=port, **env)
                for _ in range(2):
                    at.python("bench.bridge_run", stub, "work", **env)
                found.append(
                    _window(at, port, stub, f"g{run}", seconds, options.workers)
                )
    except Missing as error:
        return [Note(f"PostgreSQL: not measured: {error}")]
    what = "alerts/s on PostgreSQL, two workers"
    return [Row(what, median(found), "/s", 1000.0, "(the goal)")]
