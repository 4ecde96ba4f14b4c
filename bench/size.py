"""A big store: how soon ready, what idling costs, how long a look takes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from statistics import median

from bench.endtoend import start_stub
from bench.fill import fill
from bench.options import Options, Rows
from bench.processes import (
    Place,
    bridge_environ,
    cpu_seconds,
    free_port,
    memory_mb,
    place,
)
from bench.table import at_most


def size(options: Options) -> Rows:
    """A big store: how soon ready, what idling costs, how long a look takes."""
    ready, idle, memory, listed = [], [], [], []
    ticks: dict[str, list[float]] = {}
    with place(slow_disk=options.slow_disk) as at:
        fill(at.directory / "bridge.db", options.events, options.cancellations)
        stub = start_stub(at, 0.1)
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
