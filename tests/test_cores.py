"""A process keeps to one core, with every thread it starts."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bridge import cores
from tests.test_run import PATIENCE, Running, stage  # noqa: F401

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system has no affinity"
)

#: Waits at its standard input, with a thread that was started later.
_CHILD = """
import os, threading
from bridge import cores
core = cores.keep_to_one()
done = threading.Event()
threading.Thread(target=done.wait).start()
kept = {tuple(os.sched_getaffinity(int(t))) for t in os.listdir("/proc/self/task")}
print(core, kept == {(core,)}, flush=True)
input()
done.set()
"""


@pytest.mark.parametrize(
    ("allowed", "kept", "found"),
    [
        ({0}, [], [0]),
        ({0, 1}, [], [0, 1]),
        ({0, 1}, [1], [0]),
        ({0, 1}, [1, 0], [0, 1]),
        ({0, 1, 2}, [0, 0, 1, 2, 2, 1, 1], [0, 2]),
        ({4, 6}, [0, 1, 2, 3, 5, 6], [4]),
    ],
)
def test_the_core_that_the_fewest_keep_to(allowed, kept, found):
    assert cores.freest(allowed, kept) == found


def test_every_thread_keeps_to_the_core_and_others_are_seen():
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        core, same = child.stdout.readline().split()
        kept = list(cores.kept_by_others())
        child.communicate("\n", timeout=PATIENCE)
    assert int(core) in os.sched_getaffinity(0)
    assert same == "True"
    assert int(core) in kept
    assert child.returncode == 0


def test_what_computes_nothing_is_not_counted():
    """One that has ended has no command line, as the kernel's own threads have none."""
    pin = "from bridge import cores; cores.keep_to_one()"
    with subprocess.Popen([sys.executable, "-c", pin]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        kept, counted = os.sched_getaffinity(child.pid), cores.core_of(child.pid)
    assert len(kept) == 1
    assert counted is None


@pytest.mark.parametrize("word", ["true", "false"])
def test_run_keeps_to_one_core_unless_told_not_to(stage, word):  # noqa: F811
    _, env, _ = stage
    running = Running(env | {"BRIDGE_ONE_CORE": word}, "run").ready()
    try:
        tasks = os.listdir(f"/proc/{running.process.pid}/task")
        found = {frozenset(os.sched_getaffinity(int(task))) for task in tasks}
    finally:
        assert running.end(15) == 0
    mine = os.sched_getaffinity(0)
    assert len(found) == 1
    assert found == {frozenset(mine)} if word == "false" else len(min(found)) == 1
    said = next(line for line in running.lines if '"starting"' in line)
    assert ('"core": null' in said) is (word == "false")
