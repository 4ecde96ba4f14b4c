"""act, record: claim a job, run its action, keep the outcome.

The one place that catches `Exception`: to record it, so that one bad event does
not stop the others.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog

from bridge import dispatch
from bridge.errors import (
    BridgeError,
    ErrorClass,
    Later,
    Parked,
    SendError,
    StoreUnavailable,
)
from bridge.events import Event
from bridge.hooks import actions
from bridge.hooks.context import Context
from bridge.lanes import Group, Lanes, writes
from bridge.outcomes import Outcome, keep_each
from bridge.preparing import ACTING_LEASE, ALERT_LEASE, Bench
from bridge.retries import each_alone, not_kept, result_of, unforeseen, unmet
from bridge.sharing import Sharing
from bridge.store import claims, inbox, reports
from bridge.store.outbox import Finish, Job

log = structlog.get_logger("worker")

#: Claims in a row that nobody finished: the job itself may end the process.
DEATHS = 3
#: Acting pauses while the clock shows so much less than the newest row.
BEHIND = timedelta(minutes=5)
_CLAIMED = 64
#: The shortest time between two claims, in seconds.
_ROUND = 0.03


@dataclass
class Worker:
    """Runs due jobs in threads until it is stopped. *wake* ends a wait early."""

    bench: Bench
    threads: int = 32
    wake: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lanes: Lanes | None = None
    _paused: bool = False
    _suspect: str = ""

    def run(self, poll: float = 0.5) -> None:
        """Work until `stop`: look for due jobs when woken and every *poll* seconds."""
        self._lanes = Lanes(
            self.threads,
            lambda group: self._act(*group),
            self.wake.set,
            self.bench.held,
            self._put_off,
            lambda: self.bench.sending.turns.slow,
        )
        try:
            while not self._stop.is_set():
                self.wake.clear()
                if not self._round():
                    self.wake.wait(poll)
                # What comes within one of these is claimed in one transaction.
                self._stop.wait(_ROUND)
        finally:
            self._put_off(self._lanes.close(), None)

    def stop(self) -> None:
        """Take nothing more; what is in flight finishes."""
        self._stop.set()
        self.wake.set()

    def drain(self, limit: int = 100_000) -> int:
        """Run what is due now, here, one after the other; return how many ran.

        For tests, the demo and commands: no thread, no waiting.
        """
        ran = 0
        while ran < limit:
            jobs, events = self._take(_CLAIMED)
            if not jobs:
                return ran
            waits: list[Group] = []
            held: Later | None = None
            for group in self._groups(jobs, events):
                if writes(group):
                    held = held or self.bench.held(group[0][0])
                if held is not None and writes(group):
                    waits.append(group)
                else:
                    self._act(*group)
                ran += len(group[0])
            self._put_off(waits, held)
        return ran

    def run_one(self, key: str) -> Finish | None:
        """Run one job by its key now, due or not; None when it cannot be taken."""
        now = self.bench.now()

        def take(db: sa.Connection) -> Job | None:
            if self._behind(db, now):
                raise StoreUnavailable("the clock is behind the store: set it right")
            return claims.claim_one(db, key, now, ACTING_LEASE)

        job = self.bench.store.write(take)
        if job is None:
            return None
        with self.bench.store.read() as db:
            events = inbox.many(db, [job.event_id] if job.event_id else [])
        return self._act([job], events)

    def _round(self) -> bool:
        """Claim what threads are free for; true when there may be more."""
        assert self._lanes is not None
        room = min(self._lanes.room(), 4 * _CLAIMED)
        if not self._lanes.takes_acts:
            return False
        try:
            if not self.bench.anything_due(acts_only=room <= 0):
                return False
            jobs, events = self._take(max(room, 0))
        except StoreUnavailable as error:
            log.warning("store unavailable", reason=str(error))
            return False
        for group in self._groups(jobs, events):
            self._lanes.start(group)
        return bool(jobs)

    def _put_off(self, groups: list[Group], held: Later | None) -> None:
        """Let what was claimed and not begun wait until it may be, or be claimed anew.

        Nothing was read for it, and it was none of its tries.
        """
        jobs = [job for members, _ in groups for job in members]
        at, why = (held.at, str(held)) if held else (self.bench.now(), None)
        if jobs:
            log.info("put off", count=len(jobs), reason=why)
            self.bench.store.write(lambda db: claims.put_off(db, jobs, at, why), 10.0)

    def _take(self, limit: int) -> tuple[list[Job], dict[str, Event]]:
        """Match new events and claim due jobs, in one transaction."""
        now = self.bench.now()
        hookmap = self.bench.map.current

        def take(db: sa.Connection) -> tuple[list[Job], dict[str, Event]]:
            events = dispatch.match(db, hookmap, now)
            acts = not self._behind(db, now)
            jobs = self._one_suspect(db, now, acts)
            if not jobs:
                if acts:
                    jobs = claims.claim(db, now, ACTING_LEASE, acts=True, limit=1)
                jobs += claims.claim(db, now, ALERT_LEASE, acts=False, limit=limit)
            missing = {job.event_id for job in jobs if job.event_id} - set(events)
            return jobs, events | inbox.many(db, sorted(missing))

        jobs, found = self.bench.store.write(take, 30.0)
        for job in jobs:
            if job.deaths > 1:
                self._suspect = job.key
        return jobs, found

    def _one_suspect(self, db: sa.Connection, now: datetime, acts: bool) -> list[Job]:
        """Take a job that may end the process, by itself, unless one is in flight."""
        if self._suspect:
            return []
        found = claims.claim_suspect(db, now, ALERT_LEASE, acts=False)
        if not found and acts:
            found = claims.claim_suspect(db, now, ACTING_LEASE, acts=True)
        return found

    def _behind(self, db: sa.Connection, now: datetime) -> bool:
        """Tell whether the clock was set back: days worked out now may be wrong."""
        newest = reports.newest(db)
        behind = newest is not None and newest - now > BEHIND
        if behind and not self._paused:
            log.error("the clock is behind the store: acting pauses", newest=newest)
        self._paused = behind
        return behind

    def _groups(self, jobs: list[Job], events: dict[str, Event]) -> list[Group]:
        """Put held alerts of one rule to one client together; others stay alone."""
        after = self.bench.map.current.policies.alerts.group_after
        held: dict[str, list[Job]] = {}
        alone: list[list[Job]] = []
        for job in jobs:
            if not job.group_key or job.maybe_sent or job.together:
                alone.append([job])
            else:
                held.setdefault(job.group_key, []).append(job)
        for together in held.values():
            if len(together) > after:
                alone.append(together)
            else:
                alone += [[job] for job in together]
        return [(group, events) for group in alone]

    def _act(self, jobs: list[Job], events: dict[str, Event]) -> Finish:
        """Run a job (or several alerts as one message) and record what came of it."""
        over = False
        try:
            finish = self._run_and_record(jobs, events)
            over = finish.run_at is None
            return finish
        finally:
            self.bench.sending.left(jobs[0].key, over=over)
            if self._suspect == jobs[0].key:
                self._suspect = ""

    def _run_and_record(self, jobs: list[Job], events: dict[str, Event]) -> Finish:
        now = self.bench.now()
        job = jobs[0]
        event = events.get(job.event_id) if job.event_id else None
        structlog.contextvars.bind_contextvars(event_id=job.event_id, job=job.key)
        ctx: Context | None = None
        members = list(jobs[1:])
        never = False
        once = ""
        try:
            ctx = self.bench.context(job, event, now)
            if job.deaths >= DEATHS:
                raise Parked(f"its process ended {job.deaths} times while it ran")
            sharing = Sharing(self.bench, job, members, events, now, self._record)
            sharing.offer(ctx)
            finish = self._run(ctx, job)
        except BridgeError as error:
            once = getattr(error, "once", "")
            never = isinstance(error, SendError) and error.kind is ErrorClass.NEVER
            finish = result_of(error, job, self.bench.now())
        except Exception as error:
            log.exception("action raised", action=job.action)
            finish = unforeseen(error, job, self.bench.now())
        if ctx is not None:
            finish = _with_what_was_seen(finish, ctx)
        grouped = bool(members) or job.together is not None
        left = never or finish.unsure or job.maybe_sent > 0
        if grouped and finish.state in ("parked", "skipped") and not left:
            finish = each_alone(finish, self.bench.now())
        log.info("job", action=job.action, state=finish.state, reason=finish.reason)
        self.bench.metrics.jobs.labels(job.action, finish.state).inc()
        self._record(job, members, ctx, finish, once)
        structlog.contextvars.clear_contextvars()
        return finish

    def _run(self, ctx: Context, job: Job) -> Finish:
        condition = self.bench.condition(ctx, job)
        if condition is not None and not condition:
            return unmet(job)
        action = actions().get(job.action)
        if action is None:
            raise Parked(f'this version knows no action "{job.action}"')
        parameters = {k: v for k, v in job.parameters.items() if k in _known(action)}
        outcome = action.run(ctx, **parameters)
        return Finish("done", None, outcome)

    def _record(
        self,
        job: Job,
        members: list[Job],
        ctx: Context | None,
        finish: Finish,
        once: str,
    ) -> None:
        now = self.bench.now()
        outcome = Outcome(self.bench, job, members, ctx, finish, once, now)
        for _ in range(3):
            try:
                if not self.bench.store.write_each(keep_each, outcome, 10.0):
                    log.warning("the claim was lost: another worker goes on")
                rows = ctx.effects.rows if ctx is not None else []
                if any(table == "contacts" for table, *_ in rows):
                    self.bench.consents.forget()  # on disk now: not any sooner
                return
            except StoreUnavailable as error:
                log.warning("outcome not kept yet", reason=str(error))
            except Exception as error:
                if ctx is None:
                    raise
                # What it left cannot be kept as it is: only that, with its reason.
                log.warning("outcome not kept", error=type(error).__name__)
                gone = finish.unsure or _handed(ctx)
                instead = replace(not_kept(error, job, now), unsure=gone)
                return self._record(job, members, None, instead, "")
        log.error("outcome not kept: it is looked at again when its lease ends")


def _known(action: Any) -> set[str]:
    code = action.run.__code__
    return set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]) - {"ctx"}


def _with_what_was_seen(finish: Finish, ctx: Context) -> Finish:
    over = finish.state in ("done", "skipped", "rehearsed")
    return replace(
        finish,
        client_id=ctx.client_id,
        group_key=ctx.group_key,
        seen=ctx.seen,
        unsure=not over and _handed(ctx),
    )


def _handed(ctx: Context) -> bool:
    """Tell whether the action handed something over that may have left."""
    return bool(getattr(ctx.post, "handed", False))
