"""The doors whose intake is measured, and how they are driven."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from bench.options import Rows
from bench.processes import (
    Missing,
    Place,
    bridge_environ,
    cpu_seconds,
    free_port,
    webhook_config,
)
from bench.table import Note


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


def as_fast_as_it_can(
    at: Place, seconds: float, door: Door, run: int
) -> tuple[float, float]:
    """Return deliveries a second, and the CPU time of each in ms."""
    before = cpu_seconds(door.child.pid)
    found = at.load(
        "capacity", door.port, path=door.path, prefix=f"c{run}", seconds=seconds
    )
    used = cpu_seconds(door.child.pid) - before
    return found["rate"], 1000 * used / found["good"]


def opened(at: Place, names: list[str], rows: Rows) -> list[Door]:
    doors = []
    for name in names:
        try:
            doors.append(Door(at, name))
        except Missing as error:
            rows.append(Note(f"{name}: not measured: {error}"))
    return doors


def side_by_side(
    doors: list[Door], runs: int, measure: Callable[[Door, int], Any]
) -> dict[str, list[Any]]:
    """Measure one after the other, and that so often, so that drift hits all alike."""
    found: dict[str, list[Any]] = {door.name: [] for door in doors}
    for run in range(runs):
        for door in doors:
            found[door.name].append(measure(door, run))
            door.settle()
    return found
