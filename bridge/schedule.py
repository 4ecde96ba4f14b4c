"""APScheduler: the clock that calls dispatch and worker.

It only ticks. What is due stands in the outbox; a tick that never comes delays
work and loses nothing, and two leaders do harm to nobody, since claims decide.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog
from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from bridge import upkeep
from bridge.dispatch import terminate_job
from bridge.errors import BridgeError, RemoteError, StoreUnavailable
from bridge.preparing import Bench
from bridge.reconcile import reconcile
from bridge.store import (
    answers,
    book,
    handover,
    outbox,
    people,
    progress,
    pruning,
    recipients,
    reports,
    told,
    turns,
)
from bridge.store.wishes import MARKETING
from bridge.turns import REFUSED
from bridge.worker import Worker

log = structlog.get_logger("schedule")

#: The leader's lease; another worker takes over when it was not renewed.
LEASE = timedelta(seconds=45)


@dataclass
class Schedule:
    """The named ticks of a worker. *on_tick* runs with the map's reload."""

    bench: Bench
    worker: Worker
    retention: timedelta
    on_tick: Callable[[], None] = lambda: None
    _scheduler: BackgroundScheduler | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)
    _who: str = field(
        default_factory=lambda: (
            f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"
        )
    )

    def start(self) -> None:
        """Begin to tick."""
        self.heartbeat()
        if upkeep.listens(self.bench):
            self._first()
        scheduler = BackgroundScheduler(
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(4)},
            # Defaults of 3.11 drop a tick that starts over a second late and run
            # missed ones one by one (APScheduler user guide, "Missed job
            # executions and coalescing").
            job_defaults={
                "misfire_grace_time": None,
                "coalesce": True,
                "max_instances": 1,
            },
            timezone="UTC",
        )
        for name, function, seconds in self._ticks():
            scheduler.add_job(function, "interval", seconds=seconds, id=name, name=name)
        scheduler.add_listener(_failed, EVENT_JOB_ERROR)
        scheduler.start()
        self._scheduler = scheduler

    def _ticks(self) -> list[tuple[str, Callable[[], object], float]]:
        return [
            ("outbox", self.worker.wake.set, 1),
            ("due cancellations", self.due, 30),
            ("heartbeat", self.heartbeat, 5),
            ("map reload", self.reload, 2),
            ("reconcile", self.reconcile, 15 * 60),
            ("pruning", self.prune, 60 * 60),
            *self._for_whatsapp(),
        ]

    def _for_whatsapp(self) -> list[tuple[str, Callable[[], object], float]]:
        if not upkeep.listens(self.bench):
            return []
        ticks: list[tuple[str, Callable[[], object], float]] = [
            ("telephones", partial(self._led, upkeep.index_phones), 30),
            ("templates", partial(self._led, upkeep.sync_templates), 60 * 60),
            ("edited", partial(self._led, upkeep.reread_templates), 60),
            ("provider", partial(self._led, upkeep.watch_session), 5 * 60),
            ("people a day", partial(self._led, upkeep.sync_people), 60 * 60),
        ]
        if self.bench.provider.answers:
            ticks.append(("lost states", partial(self._led, upkeep.ask_states), 60))
        if not self.bench.store.sqlite:  # there one writes at a time
            ticks.append(("states", partial(self._led, upkeep.catch_up), 60))
        return ticks

    def _led(self, step: Callable[[Bench], object]) -> None:
        """Take one step of upkeep, as the leader; what is away is tried again."""
        if not self.leads():
            return
        try:
            step(self.bench)
        except RemoteError as error:
            log.warning("upkeep put off", why=str(error))

    def _first(self) -> None:
        """Know templates and limit before the first message goes out."""
        try:
            upkeep.sync_templates(self.bench)
            upkeep.sync_people(self.bench)
        except RemoteError as error:
            log.warning("templates not read", why=str(error))

    @property
    def alive(self) -> bool:
        """Whether the scheduler's thread still runs."""
        scheduler = self._scheduler
        if scheduler is None:
            return False
        thread = getattr(scheduler, "_thread", None)
        return bool(scheduler.running and thread is not None and thread.is_alive())

    def stop(self) -> None:
        """Tick no more; wait for a pass that runs."""
        self._stopped.set()
        if self._scheduler is not None:
            self._scheduler.pause()
            self._scheduler.shutdown(wait=True)
        now = self.bench.now()
        try:
            self.bench.store.write(lambda db: book.resign(db, self._who, now))
        except StoreUnavailable as error:
            log.warning("the lead ends by itself", reason=str(error))

    def heartbeat(self) -> None:
        """Say that a worker is there."""
        now = self.bench.now()
        self.bench.store.write(lambda db: book.mark(db, "worker", now, who=self._who))

    def reload(self) -> None:
        """Look at map, texts and keys again."""
        self.bench.map.refresh()
        self.on_tick()

    def leads(self) -> bool:
        """Take or keep the lead among workers: it saves work and nothing more."""
        now = self.bench.now()
        return self.bench.store.write(lambda db: book.lead(db, self._who, now, LEASE))

    def due(self) -> None:
        """Put back the job of a due cancellation that has none, then wake."""
        if not self.leads():
            return
        now = self.bench.now()
        with self.bench.store.read() as db:
            rows = reports.without_job(db, now)
        if rows:
            new = [terminate_job(row) for row in rows]
            self.bench.store.write(partial(outbox.put, new=new, now=now))
        self.worker.wake.set()

    def reconcile(self) -> None:
        """Compare with the panel's list, as the leader."""
        if not self.leads():
            return
        try:
            report = reconcile(self.bench)
        except RemoteError as error:
            log.warning("could not compare with the panel", why=str(error))
            return
        for difference in report.differences:
            log.info("difference", what=difference.what, detail=difference.detail)
        self.worker.wake.set()

    def prune(self) -> None:
        """Delete what is over and older than the retention, a little at a time."""
        if not self.leads():
            return
        for some in self._old(self.bench.now()):
            while not self._stopped.is_set():
                if not self.bench.store.write(some, 30.0):
                    break

    def _old(self, now: datetime) -> list[Callable[..., int]]:
        """Return what deletes some of each kind that may go, and says how many went.

        What others refer to goes after those.
        """
        before = now - self.retention
        known = now - people.KNOWN_FOR
        a_day_ago = now - timedelta(days=1)
        day = before.astimezone(self.bench.zone).date()
        return [
            partial(pruning.prune_events, before=before),
            partial(handover.prune, before=before, now=now),
            partial(turns.prune, prefix=REFUSED, before=a_day_ago),
            partial(turns.prune_pairs, now=now),
            partial(recipients.prune, now=now),
            partial(turns.prune, prefix=people.MARK, before=known),
            partial(turns.prune, prefix=MARKETING, before=known),
            partial(answers.prune, before=day),
            partial(progress.prune, before=before, limit=1000),
            partial(told.prune, before=before, limit=1000),
            partial(pruning.prune_jobs, before=before),
        ]


def _failed(event: JobExecutionEvent) -> None:
    error = event.exception
    if isinstance(error, BridgeError):
        log.warning("tick failed", tick=event.job_id, why=str(error))
    else:
        log.error("tick failed", tick=event.job_id, error=type(error).__name__)
