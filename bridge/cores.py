"""The one core a process keeps to.

Its threads take turns at one interpreter. On several cores each turn wakes another
core, and the interpreter lies idle until that is awake: on a rented machine, whose
cores are woken by its host, a third of what could be done (docs/decisions/0009).
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

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
        core = random.choice(freest(os.sched_getaffinity(0), kept_by_others()))  # noqa: S311
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


def kept_by_others() -> Iterator[int]:
    """Yield the core of each process on this machine that keeps to one."""
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in names:
        if name.isdecimal() and int(name) != os.getpid():
            core = core_of(int(name))
            if core is not None:
                yield core


def core_of(process: int) -> int | None:
    """Return the core that a process keeps to, or None if it may use several.

    Also None for what has ended and for the kernel's own threads, which have no
    command line: each core has some, idle and not equally many, and they would
    outweigh the processes.
    """
    try:
        cores = os.sched_getaffinity(process)
        if len(cores) > 1 or not Path(f"/proc/{process}/cmdline").read_bytes():
            return None
    except OSError:  # it has ended, or may not be looked at
        return None
    return min(cores)
