"""act, record: claim a job, run its action, keep the outcome.

The one place, with `recording`, that catches `Exception`: to record it, so that one bad
event does not stop the others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any

import sqlalchemy as sa
import structlog

from bridge import dispatch
from bridge.acting import Acting
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
from bridge.preparing import ACTING_LEASE, ALERT_LEASE, Bench
from bridge.recording import Recorder
from bridge.retries import each_alone, result_of, unforeseen, unmet
from bridge.sharing import Sharing
from bridge.store import claims, inbox, reports
from bridge.store.outbox import Finish, Job

log = structlog.get_logger("worker")

#: Claims in a row that nobody finished: the job itself may end the process.
DEATHS = 3
_CLAIMED = 64
#: The shortest time between two claims, in seconds.
_ROUND = 0.03


@dataclass
class Worker:
    """Runs due jobs in threads until it is stopped. *wake* ends a wait early.

    *elapsed* are seconds that go by whatever the clock is set to.
    """

    bench: Bench
    threads: int = 32
    elapsed: Callable[[], float] = monotonic
    wake: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lanes: Lanes | None = None
    _paused: bool = False
    _suspect: str = ""
    _recorder: Recorder = field(init=False)
    _acting: Acting = field(init=False)

    def __post_init__(self) -> None:
        self._recorder = Recorder(self.bench, 2 * self.threads)
        self._acting = Acting(self.bench.now, self.elapsed)

    def run(self, poll: float = 0.5) -> None:
        """Work until `stop`: look for due jobs when woken and every *poll* seconds."""
        self._acting.look()
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
                if self._round():
                    # What comes within one of these is claimed in one transaction.
                    self._stop.wait(_ROUND)
                else:
                    self.wake.wait(poll)
        finally:
            try:
                self._put_off(self._lanes.close(), None)
            except StoreUnavailable as error:
                log.warning("not put off: leases end", reason=str(error))
            self._recorder.close()

    def stop(self) -> None:
        """Take nothing more, and begin no message; what is in flight finishes."""
        self._stop.set()
        if self._lanes is not None:
            self._lanes.stop()
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
        try:
            # What waits long for a thread is claimed anew before somebody thinks that
            # its process died.
            half = self.bench.now() + ALERT_LEASE / 2
            self._put_off(self._lanes.waited(half), None)
            room = min(self._lanes.room(), 4 * _CLAIMED)
            if not self._lanes.takes_acts:
                return False
            if not self.bench.anything_due(acts_only=room <= 0):
                return False
            jobs, events = self._take(max(room, 0))
        except StoreUnavailable as error:
            log.warning("store unavailable", reason=str(error))
            return False
        self._acting.look()
        for group in self._groups(jobs, events):
            self._lanes.start(group)
        return bool(jobs)

    def _put_off(self, groups: list[Group], held: Later | None) -> None:
        """Let what was claimed and not begun wait until it may be, or be claimed anew.

        Nothing was read for it, and it was none of its tries.
        """
        jobs = [job for members, _ in groups for job in members]
        if not jobs:
            return
        at, why = (held.at, str(held)) if held else (self.bench.now(), None)
        log.info("put off", count=len(jobs), reason=why)
        self.bench.store.write(lambda db: claims.put_off(db, jobs, at, why), 10.0)

    def _take(self, limit: int) -> tuple[list[Job], dict[str, Event]]:
        """Match new events and claim due jobs, in one transaction."""
        now = self.bench.now()
        hookmap = self.bench.map.current

        def take(db: sa.Connection) -> tuple[list[Job], dict[str, Event]]:
            events = dispatch.match(db, hookmap, now)
            kinds = claims.kinds_due(db, now)
            if any(acts for acts, _ in kinds) and self._behind(db, now):
                kinds = frozenset(kind for kind in kinds if not kind[0])
            jobs = self._one_suspect(db, now, kinds)
            if not jobs:
                find = partial(claims.claim, db, now, kinds=kinds)
                jobs = find(ACTING_LEASE, acts=True, limit=1)
                jobs += find(ALERT_LEASE, acts=False, limit=limit)
            missing = {job.event_id for job in jobs if job.event_id} - set(events)
            return jobs, events | inbox.many(db, sorted(missing))

        jobs, found = self.bench.store.write(take, 30.0)
        for job in jobs:
            if job.deaths > 1:
                self._suspect = job.key
        return jobs, found

    def _one_suspect(
        self, db: sa.Connection, now: datetime, kinds: frozenset[claims.Kind]
    ) -> list[Job]:
        """Take a job that may end the process, by itself, unless one is in flight."""
        for acts, lease in ((False, ALERT_LEASE), (True, ACTING_LEASE)):
            if (acts, None) in kinds and not self._suspect:
                found = claims.claim_suspect(db, now, lease, acts=acts)
                if found:
                    return found
        return []

    def _behind(self, db: sa.Connection, now: datetime) -> bool:
        """Tell whether the clock was set back: days worked out now may be wrong."""
        newest = reports.ahead(db, now)
        behind = newest is not None
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
        if not self._acting.begins(jobs[0]):
            return self._after_the_first(jobs)
        try:
            finish = self._run_and_record(jobs, events)
            over = finish.run_at is None
            return finish
        finally:
            self._acting.over(jobs[0])
            self.bench.sending.left(jobs[0].key, over=over)
            if self._suspect == jobs[0].key:
                self._suspect = ""

    def _after_the_first(self, jobs: list[Job]) -> Finish:
        """Let a job that may still be at work be looked at anew when that is over."""
        if self._suspect == jobs[0].key and not self._acting.at_work(jobs[0]):
            self._suspect = ""
        at = self.bench.now() + ACTING_LEASE
        why = "the clock was set on: its last call may not be over yet"
        log.warning("put off", job=jobs[0].key, reason=why)
        self.bench.store.write(lambda db: claims.put_off(db, jobs, at, why))
        return Finish("waiting", why, run_at=at)

    def _run_and_record(self, jobs: list[Job], events: dict[str, Event]) -> Finish:
        now = self.bench.now()
        job = jobs[0]
        event = events.get(job.event_id) if job.event_id else None
        structlog.contextvars.bind_contextvars(event_id=job.event_id, job=job.key)
        ctx: Context | None = None
        members = list(jobs[1:])
        never = False
        once = ""
        sharing: Sharing | None = None
        try:
            ctx = self.bench.context(job, event, now)
            if job.deaths >= DEATHS:
                raise Parked(f"its process ended {job.deaths} times while it ran")
            sharing = Sharing(
                self.bench, job, members, events, now, self._recorder.keep
            )
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
            if sharing is not None and sharing.own:
                sharing.leave()
            else:
                finish = each_alone(finish, self.bench.now())
        log.info("job", action=job.action, state=finish.state, reason=finish.reason)
        self.bench.metrics.jobs.labels(job.action, finish.state).inc()
        soon = self._lanes is not None
        self._recorder.keep(job, members, ctx, finish, once, soon=soon)
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
