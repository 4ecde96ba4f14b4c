"""The cases: each starts what it compares, measures side by side, returns rows."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench.addon import addon
from bench.fill import fill
from bench.load import quantile
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
    slow_sync,
    webhook_config,
)
from bench.table import Note, Row, at_least, at_most
from bench.whatsapp import measure

Rows = list[Row | Note]


@dataclass(frozen=True)
class Options:
    """What the command line chose. *seconds* is of each measurement."""

    seconds: float = 0.0
    runs: int = 3
    slow_disk: bool = False
    slow_senders: bool = False
    workers: int = 128
    events: int = 1_000_000
    cancellations: int = 100_000
    pages: int = 200
    rows: int = 5000

    def lasting(self, usual: float) -> float:
        """Return the chosen seconds, else what is usual for a case."""
        return self.seconds or usual


class Door:
    """One server whose intake is measured: how it is started and where it listens."""

    def __init__(self, at: Place, name: str) -> None:
        self.name = name
        self.path = "/hooks/whmcs"
        self._at = at
        self._start()

    def _start(self) -> None:
        self.port = free_port()
        start: dict[str, Callable[[Place], object]] = {
            "bridge": self._bridge,
            "flask": lambda at: self._flask(at, "each"),
            "flask, grouped": lambda at: self._flask(at, "grouped"),
            "webhook": self._webhook,
        }
        start[self.name](self._at)
        self.child = self._at.children[-1]

    def settle(self) -> None:
        """Leave the machine to the next one.

        `webhook` answers first: thousands of commands would still be started.
        """
        if self.name == "webhook":
            self.child.kill()
            self.child.wait()
            self._start()
        time.sleep(0.3)

    def _bridge(self, at: Place) -> None:
        env = bridge_environ(at.directory, self.port, free_port())
        at.python("bench.bridge_run", 1, "receive", port=self.port, **env)

    def _flask(self, at: Place, how: str) -> None:
        file = at.directory / f"flask-{how}.db"
        at.python("bench.flask_app", self.port, file, how, port=self.port)

    def _webhook(self, at: Place) -> None:
        command = webhook_config(at.directory)
        at.start([*command, "-port", str(self.port)], port=self.port)


def intake(options: Options) -> Rows:
    """Deliveries taken a second, beside the smallest Flask app and `webhook`."""
    rows: Rows = []
    with place(slow_disk=options.slow_disk) as at:
        names = ["bridge", "flask", "flask, grouped", "webhook"]
        doors = _opened(at, names, rows)
        for door in doors:
            _as_fast_as_it_can(at, 0.5, door, -1)
            door.settle()
        found = _side_by_side(
            doors, options.runs, partial(_as_fast_as_it_can, at, options.lasting(5))
        )
    rates = {name: median(rate for rate, _ in both) for name, both in found.items()}
    costs = {name: median(cost for _, cost in both) for name, both in found.items()}
    ours, least = rates["bridge"], {"flask": 0.8, "webhook": 0.3}
    for name, rate in rates.items():
        what, beside = f"intake, beside {name}", f"({name})"
        if name in least:
            rows.append(at_least(what, ours, rate, beside, least[name]))
        elif name != "bridge":
            rows.append(Row(what, ours, "/s", rate, beside))
    what = "CPU time of a delivery"
    rows.append(Row(what, costs["bridge"], "ms", costs["flask"], "(flask)"))
    if options.slow_senders:
        rows += _with_slow_senders(options)
    return rows


def _as_fast_as_it_can(
    at: Place, seconds: float, door: Door, run: int
) -> tuple[float, float]:
    """Return deliveries a second, and the CPU time of each in ms."""
    before = cpu_seconds(door.child.pid)
    found = at.load(
        "capacity", door.port, path=door.path, prefix=f"c{run}", seconds=seconds
    )
    used = cpu_seconds(door.child.pid) - before
    return found["rate"], 1000 * used / found["good"]


def _opened(at: Place, names: list[str], rows: Rows) -> list[Door]:
    doors = []
    for name in names:
        try:
            doors.append(Door(at, name))
        except Missing as error:
            rows.append(Note(f"{name}: not measured: {error}"))
    return doors


def _side_by_side(
    doors: list[Door], runs: int, measure: Callable[[Door, int], Any]
) -> dict[str, list[Any]]:
    """Measure one after the other, and that so often, so that drift hits all alike."""
    found: dict[str, list[Any]] = {door.name: [] for door in doors}
    for run in range(runs):
        for door in doors:
            found[door.name].append(measure(door, run))
            door.settle()
    return found


def _with_slow_senders(options: Options) -> Rows:
    """Measure the same bridge without and with 200 slow senders."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    late: dict[bool, list[float]] = {False: [], True: []}
    with place(slow_disk=options.slow_disk) as at:
        door = Door(at, "bridge")
        for run in range(options.runs):
            for slow in (False, True):
                how = {"path": door.path, "prefix": f"s{run}{slow}"}
                senders = None
                if slow:
                    senders = at.python("bench.slow", door.port, 200, said=True)
                found = at.load(
                    "capacity", door.port, seconds=options.lasting(5), **how
                )
                rates[slow].append(found["rate"])
                how["prefix"] += "p"
                found = at.load(
                    "schedule", door.port, seconds=options.lasting(10), **how
                )
                late[slow].append(found["p99"] * 1000)
                if senders is not None:
                    at.end(senders)
    what = "intake with 200 slow senders"
    ours, other = median(rates[True]), median(rates[False])
    rows: Rows = [at_least(what, ours, other, "(without)", 0.9)]
    what = "p99 at 300/s with 200 slow senders"
    most = 60 if options.slow_disk else 10
    ours, other = median(late[True]), median(late[False])
    rows.append(at_most(what, ours, "ms", most, other, "(without)"))
    return rows


def schedule(options: Options) -> Rows:
    """How late answers are at 300 deliveries a second, from the planned moment."""
    rows: Rows = []
    for slow in (False, True) if options.slow_disk else (False,):
        with place(slow_disk=slow) as at:
            doors = _opened(at, ["bridge", "flask"], rows)
            found = _side_by_side(
                doors, options.runs, partial(_lateness, at, options.lasting(10))
            )
        what = "p99 at 300/s" + (", syncs 5 ms slower" if slow else "")
        ours, flask = median(found["bridge"]), median(found["flask"])
        rows.append(at_most(what, ours, "ms", 60 if slow else 10, flask, "(flask)"))
    return rows


def _lateness(at: Place, seconds: float, door: Door, run: int) -> float:
    """Return the p99 of the answers in ms."""
    found = at.load(
        "schedule", door.port, path=door.path, prefix=f"p{run}", seconds=seconds
    )
    return float(found["p99"]) * 1000


def endtoend(options: Options) -> Rows:
    """Hook -> owner proved -> message -> result on disk, all answering after 100 ms."""
    rows = _held(options, slow_disk=False)
    if options.slow_disk:
        rows += _held(options, slow_disk=True)
    rows += _capacity(options)
    rows += _on_postgres(options)
    return rows


def _stub(at: Place, latency: float) -> int:
    port = free_port()
    at.python("bench.stub", port, latency, said=True)
    return port


def _held(options: Options, *, slow_disk: bool) -> Rows:
    """See whether 300 hooks a second are kept up with."""
    seconds = options.lasting(60)
    with place(slow_disk=slow_disk) as at:
        stub, port = _stub(at, 0.1), free_port()
        env = bridge_environ(at.directory, port, stub, workers=options.workers)
        child = at.python("bench.bridge_run", stub, "receive", "work", port=port, **env)
        began = cpu_seconds(child.pid)
        found = at.load(
            "schedule",
            port,
            path="/hooks/whmcs",
            prefix="e",
            seconds=seconds,
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
    rows: Rows = [
        at_most(
            f"300/s for {seconds:g} s: the queue grew by{suffix}", grown, "hooks", 60
        ),
        Row(
            f"300/s for {seconds:g} s: done{suffix}",
            done,
            "hooks",
            found["sent"],
            "(sent)",
            "all",
            done == found["sent"],
        ),
        Row(f"p99 of the answers meanwhile{suffix}", found["p99"] * 1000, "ms"),
        Row(f"cores used by `run`{suffix}", cores, "cores"),
        at_most(f"memory of `run` at most{suffix}", memory, "MB", 150),
    ]
    return rows


def _settled(file: Path, sent: int) -> int:
    """Return how many jobs are recorded as done, once nothing moves any more."""
    ends, before = time.monotonic() + 60, -1
    while time.monotonic() < ends:
        with contextlib.closing(sqlite3.connect(file)) as db:
            query = "SELECT count(*) FROM jobs WHERE state = 'done'"
            done = int(db.execute(query).fetchone()[0])
        if done >= sent or (done == before and done):
            return done
        before = done
        time.sleep(1.5)
    return before


def _capacity(options: Options) -> Rows:
    """Compare calls a second with those of a bare loop, and alerts with Huey's."""
    rows: Rows = []
    seconds, workers = options.lasting(10), options.workers
    ours: list[float] = []
    bare: list[float] = []
    hueys: list[float] = []
    for run in range(options.runs):
        with place(slow_disk=options.slow_disk) as at:
            stub, port = _stub(at, 0.1), free_port()
            env = bridge_environ(at.directory, port, stub, workers=workers)
            at.python("bench.bridge_run", stub, "receive", "work", port=port, **env)
            ours.append(_window(at, port, stub, f"w{run}", seconds, workers))
        with place() as at:
            command = ["-m", "bench.bare", _stub(at, 0.1), workers, seconds]
            said = subprocess.run(
                [sys.executable, *map(str, command)],
                env=at.environ(),
                check=True,
                capture_output=True,
                text=True,
            )
            bare.append(float(said.stdout))
        try:
            hueys.append(_huey(options, seconds, run))
        except Missing as error:
            if not run:
                rows.append(Note(f"huey: not measured: {error}"))
    calls = median(ours) * 3
    what = f"calls/s of the pipeline, {workers} threads"
    rows.append(at_least(what, calls, median(bare), "(bare loop)", 0.6))
    if hueys:
        rows.append(Row("alerts/s", median(ours), "/s", median(hueys), "(huey)"))
    what = "alerts/s on SQLite, one process"
    rows.append(Row(what, median(ours), "/s", 1000.0, "(the goal)"))
    return rows


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
        stub, port, file = _stub(at, 0.1), free_port(), at.directory / "huey.db"
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
                stub, port = _stub(at, 0.1), free_port()
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


def decision(options: Options) -> Rows:
    """What a price answered in time costs on top of the panel's answers."""
    rows: Rows = []
    for latency, hookpoint in ((0.0, _UNMAPPED), (0.1, _UNMAPPED), (0.1, "")):
        how = f"panel after {latency * 1000:g} ms" if latency else "panel at once"
        how += ", hooks without a rule" if hookpoint else ", each hook an alert"
        found = [
            _asked(options, latency, hookpoint, run) for run in range(options.runs)
        ]
        own, whole, late = (median(one) for one in zip(*found, strict=True))
        what = f"own time p99 at 50/s, {how}"
        rows.append(at_most(what, own, "ms", 15, whole, "(whole)"))
        if late:
            rows.append(Note(f"{how}: {late:g} questions were not answered in time"))
    return rows


#: No rule of the default map is about it.
_UNMAPPED = "InvoiceSplit"


def _asked(
    options: Options, latency: float, hookpoint: str, run: int
) -> tuple[float, float, float]:
    """Return p99 of own and whole time in ms, and how many were not answered."""
    with place(slow_disk=options.slow_disk) as at:
        stub, port = _stub(at, latency), free_port()
        env = bridge_environ(at.directory, port, stub, workers=options.workers)
        at.python("bench.bridge_run", stub, "receive", "work", port=port, **env)
        found = at.load(
            "schedule",
            port,
            path="/hooks/whmcs",
            prefix=f"d{run}",
            seconds=options.lasting(10),
            questions={"path": "/decisions/whmcs", "rate": 50},
            hookpoint=hookpoint,
        )
        held = _get_json(f"http://127.0.0.1:{stub}/held")
    spent, late = [], 0
    for seconds, answer in found["answers"]:
        number = answer["event"].rpartition("_")[2]
        spent.append(seconds - held.get(number, 0.0))
        late += "no answer within" in str(answer["reason"])
    own, whole = quantile(spent, 0.99), found["questions"]["p99"]
    return own * 1000, whole * 1000, float(late)


def _get_json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def size(options: Options) -> Rows:
    """A big store: how soon ready, what idling costs, how long a look takes."""
    ready, idle, memory, listed = [], [], [], []
    ticks: dict[str, list[float]] = {}
    with place(slow_disk=options.slow_disk) as at:
        fill(at.directory / "bridge.db", options.events, options.cancellations)
        stub = _stub(at, 0.1)
        for _ in range(options.runs):
            port = free_port()
            env = bridge_environ(at.directory, port, stub)
            began = time.perf_counter()
            child = at.python("bridge", "run", **env)
            _until_ready(port)
            ready.append(time.perf_counter() - began)
            time.sleep(2.0)
            before, began = cpu_seconds(child.pid), time.perf_counter()
            time.sleep(options.lasting(15))
            used = cpu_seconds(child.pid) - before
            idle.append(100 * used / (time.perf_counter() - began))
            listed.append(_timed(at, ["bridge", "events", "list"], env))
            memory.append(memory_mb(child.pid))
            at.end(child)
            told = at.python("bench.ticks", said=False, **env)
            told.wait(60)
            log = at.directory / f"child-{len(at.children) - 1}.log"
            for name, took in json.loads(log.read_text()).items():
                ticks.setdefault(name, []).append(took * 1000)
    rows: Rows = [
        at_most("ready after", median(ready), "s", 3),
        at_most("idle", median(idle), "% of a core", 2),
        at_most("memory of `run`, idle", median(memory), "MB", 150),
        at_most("`events list`", median(listed), "s", 0.5),
    ]
    for name, found in ticks.items():
        rows.append(at_most(f"tick, nothing due: {name}", median(found), "ms", 5))
    return rows


def _until_ready(port: int) -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).close()
            return
        time.sleep(0.01)
    raise RuntimeError("the bridge is not ready after a minute")


def _timed(at: Place, command: list[str], env: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", *command],
        env=at.environ(**env),
        cwd=at.directory,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began


def whatsapp(options: Options) -> Rows:
    """Messages a second through TLS, at a rate, and 3,000 of their states a second."""
    seconds = options.lasting(10)
    heard_for = options.lasting(30)
    return measure(seconds, options.runs, options.workers, heard_for)


CASES: dict[str, Callable[[Options], Rows]] = {
    "intake": intake,
    "schedule": schedule,
    "endtoend": endtoend,
    "decision": decision,
    "size": size,
    "addon": addon,
    "whatsapp": whatsapp,
}


def check(options: Options) -> str:
    """Return why the slow disk cannot be played here, or an empty text."""
    if options.slow_disk:
        try:
            slow_sync()
        except Missing as error:
            return str(error)
    return ""
