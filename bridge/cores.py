"""The one core a process keeps to.

Its threads take turns at one interpreter. On several cores each turn wakes another
core, and the interpreter lies idle until that is awake: on a rented machine, whose
cores are woken by its host, a third of what could be done (docs/decisions/0009).
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterable

import structlog

log = structlog.get_logger("bridge")


def keep_to_one() -> int | None:
    """Keep this process to one of the cores it may use; return its number.

    It is one that the fewest other processes keep to. To be called before threads
    start, since each inherits it. Returns None where the system knows no such thing
    or forbids it: all works the same, slower.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    try:
        free = freest(os.sched_getaffinity(0), kept_by_others().values())
        core = random.choice(free)  # noqa: S311
        os.sched_setaffinity(0, {core})
    except OSError as error:
        log.info("not kept to one core", reason=error.strerror)
        return None
    return core


def freest(allowed: Iterable[int], kept: Iterable[int]) -> list[int]:
    """Return those *allowed* cores that stand least often in *kept*, lowest first."""
    times = Counter(kept)
    cores = sorted(allowed)
    least = min(times[core] for core in cores)
    return [core for core in cores if times[core] == least]


def kept_by_others() -> dict[int, int]:
    """Return the core of each process on this machine that keeps to one.

    The system's own threads do not count: each core has its own, now more of them and
    now fewer, that hardly compute. Neither do processes that have ended.
    """
    try:
        names = os.listdir("/proc")
    except OSError:
        return {}
    kept: dict[int, int] = {}
    for name in names:
        if name.isdecimal() and int(name) != os.getpid():
            try:
                cores = os.sched_getaffinity(int(name))
                if len(cores) == 1 and _has_a_program(name):
                    kept[int(name)] = min(cores)
            except OSError:  # it has ended, or may not be looked at
                continue
    return kept


def _has_a_program(process: str) -> bool:
    """Tell whether a process has a command line: nothing of the kernel's own has."""
    with open(f"/proc/{process}/cmdline", "rb") as line:
        return bool(line.read(1))
