"""Lanes: which job gets a thread, so that messages never take them all.

A provider that hangs holds every thread that writes to it. Messages have a share of
the threads and wait in a line of their own; what acts finds a thread at once.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count

import structlog

from bridge.errors import Later
from bridge.events import Event
from bridge.hooks import senders
from bridge.store.outbox import Job

log = structlog.get_logger("worker")

#: Jobs that go out together, the first of them for all, with their events.
Group = tuple[list[Job], dict[str, Event]]

#: Threads that are kept for what acts, at most.
_KEPT = 8
_NEVER = datetime.max.replace(tzinfo=UTC)


def share(threads: int) -> int:
    """Return how many of *threads* messages may take: a quarter is kept, up to 8."""
    return max(1, threads - min(max(threads // 4, 1), _KEPT))


def writes(group: Group) -> bool:
    """Tell whether a group of jobs is a message to somebody."""
    return group[0][0].action in senders()


def _ends(group: Group) -> datetime:
    return min(job.run_at or _NEVER for job in group[0])


class Lanes:
    """Runs groups of jobs in *threads* threads; *ended* is called after each.

    Messages run urgent ones first, then the oldest; one at a time while *slow* holds.
    Before each *held* is asked: where it says why and until when, no message is begun,
    and *put_off* gets all that wait.
    """

    def __init__(
        self,
        threads: int,
        act: Callable[[Group], object],
        ended: Callable[[], None],
        held: Callable[[Job], Later | None],
        put_off: Callable[[list[Group], Later], None],
        slow: Callable[[], bool],
    ) -> None:
        self._threads = max(threads, 2)  # one of them for what acts
        self._most = share(threads)
        self._act = act
        self._ended = ended
        self._held = held
        self._put_off = put_off
        self._slow = slow
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="act")
        self._lock = threading.Lock()
        self._number = count()
        self._line: list[tuple[tuple[object, ...], Group]] = []
        self._writing = 0
        self._others = 0
        self._closed = False

    @property
    def takes_acts(self) -> bool:
        """Whether what acts may be claimed: it would not wait long for a thread."""
        return self._others < 2 * self._threads

    def room(self) -> int:
        """Return how many more groups may be claimed that do not act."""
        with self._lock:
            taken = self._others + self._writing + len(self._line)
        return 2 * self._threads - taken

    def start(self, group: Group) -> None:
        """Run a group as soon as a thread is free for it."""
        if not writes(group):
            with self._lock:
                self._others += 1
            self._pool.submit(self._run, group).add_done_callback(self._over)
            return
        job = group[0][0]
        with self._lock:
            place = (not job.urgent, job.due_at, next(self._number))
            heapq.heappush(self._line, (place, group))
            if self._writing >= (1 if self._slow() else self._most):
                return
            self._writing += 1
        self._pool.submit(self._write)

    def stop(self) -> None:
        """Begin no message more."""
        with self._lock:
            self._closed = True

    def waited(self, until: datetime) -> list[Group]:
        """Take out of the line, and return, messages whose claims end before *until*.

        They waited too long for a thread: somebody else may claim them soon.
        """
        with self._lock:
            late = [one for one in self._line if _ends(one[1]) < until]
            if late:
                self._line = [one for one in self._line if _ends(one[1]) >= until]
                heapq.heapify(self._line)
        return [group for _, group in late]

    def close(self) -> list[Group]:
        """Finish what is in flight; return the messages that were not begun."""
        self.stop()
        left = self._all()
        self._pool.shutdown(wait=True)
        return left

    def _write(self) -> None:
        """Run messages until none waits."""
        while (group := self._next()) is not None:
            try:
                held = self._held(group[0][0])
            except Exception as error:
                log.warning("not asked whether it may go", error=type(error).__name__)
                held = None
            if held is None:
                self._run(group)
            else:
                self._hold([group, *self._all()], held)

    def _hold(self, groups: list[Group], held: Later) -> None:
        try:
            self._put_off(groups, held)
        except Exception as error:
            log.warning("not put off: leases end", error=type(error).__name__)
        self._ended()

    def _all(self) -> list[Group]:
        with self._lock:
            found = [group for _, group in sorted(self._line)]
            self._line.clear()
        return found

    def _next(self) -> Group | None:
        with self._lock:
            if not self._line or self._closed:
                self._writing -= 1
                return None
            return heapq.heappop(self._line)[1]

    def _over(self, done: Future[None]) -> None:
        with self._lock:
            self._others -= 1
        self._ended()

    def _run(self, group: Group) -> None:
        try:
            self._act(group)
        except Exception as error:
            log.error("a job was not recorded", error=type(error).__name__)
        if writes(group):
            self._ended()
