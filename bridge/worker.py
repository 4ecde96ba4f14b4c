"""act, record: claim a job, run its action, keep the outcome.

The one place that catches `Exception`: to record it, so that one bad event does
not stop the others.
"""

from __future__ import annotations

import random
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog

from bridge import dispatch
from bridge.breaker import CircuitOpen
from bridge.errors import (
    BridgeError,
    ErrorClass,
    Later,
    Parked,
    Reason,
    Rehearsed,
    RemoteError,
    SendError,
    Skipped,
    StoreUnavailable,
    TextError,
)
from bridge.events import Event
from bridge.hooks import actions
from bridge.hooks.context import Context
from bridge.preparing import Bench
from bridge.store import book, inbox, outbox
from bridge.store.outbox import Finish, Job, NewJob

log = structlog.get_logger("worker")

#: Longer than connect + total deadline + the panel's longest work on a call.
ACTING_LEASE = timedelta(minutes=5)
ALERT_LEASE = timedelta(minutes=3)
#: Tries before a person looks; a circuit that is open costs none.
TRIES = 10
_FIRST = 5.0
_LONGEST = timedelta(hours=6)
_OBEYED = timedelta(hours=1)
_CLAIMED = 64


@dataclass
class Worker:
    """Runs due jobs in threads until it is stopped. *wake* ends a wait early."""

    bench: Bench
    threads: int = 32
    wake: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)
    _busy: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _pool: ThreadPoolExecutor | None = None

    def run(self, poll: float = 0.5) -> None:
        """Work until `stop`: look for due jobs when woken and every *poll* seconds."""
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="act")
        try:
            while not self._stop.is_set():
                self.wake.clear()
                if not self._round():
                    self.wake.wait(poll)
        finally:
            self._pool.shutdown(wait=True)

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
            for group in self._groups(jobs, events):
                self._act(*group)
                ran += len(group[0])
        return ran

    def run_one(self, key: str) -> Finish | None:
        """Run one job by its key now, due or not; None when it cannot be taken."""
        now = self.bench.now()
        job = self.bench.store.write(
            lambda db: outbox.claim_one(db, key, now, ACTING_LEASE)
        )
        if job is None:
            return None
        with self.bench.store.read() as db:
            events = inbox.many(db, [job.event_id] if job.event_id else [])
        return self._act([job], events)

    def _round(self) -> bool:
        """Claim what threads are free for; true when there may be more."""
        with self._lock:
            free = 2 * self.threads - self._busy
        if free <= 0:
            return False
        try:
            if not self.bench.anything_due():
                return False
            jobs, events = self._take(min(free, 4 * _CLAIMED))
        except StoreUnavailable as error:
            log.warning("store unavailable", reason=str(error))
            return False
        for group in self._groups(jobs, events):
            self._start(group)
        return bool(jobs)

    def _start(self, group: tuple[list[Job], dict[str, Event]]) -> None:
        assert self._pool is not None
        with self._lock:
            self._busy += 1
        self._pool.submit(self._act, *group).add_done_callback(self._ended)

    def _ended(self, done: Future[Any]) -> None:
        with self._lock:
            self._busy -= 1
        error = done.exception()
        if error is not None:
            log.error("a job was not recorded", error=type(error).__name__)
        self.wake.set()

    def _take(self, limit: int) -> tuple[list[Job], dict[str, Event]]:
        """Match new events and claim due jobs, in one transaction."""
        now = self.bench.now()
        hookmap = self.bench.map.current

        def take(db: sa.Connection) -> tuple[list[Job], dict[str, Event]]:
            events = dispatch.match(db, hookmap, now)
            jobs = outbox.claim(db, now, ACTING_LEASE, acts=True, limit=1)
            jobs += outbox.claim(db, now, ALERT_LEASE, acts=False, limit=limit)
            missing = {job.event_id for job in jobs if job.event_id} - set(events)
            return jobs, events | inbox.many(db, sorted(missing))

        return self.bench.store.write(take, 30.0)

    def _groups(
        self, jobs: list[Job], events: dict[str, Event]
    ) -> list[tuple[list[Job], dict[str, Event]]]:
        """Put held alerts of one rule to one client together; others stay alone."""
        after = self.bench.map.current.policies.alerts.group_after
        held: dict[str, list[Job]] = {}
        alone: list[list[Job]] = []
        for job in jobs:
            if job.group_key is None:
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
        now = self.bench.now()
        job = jobs[0]
        event = events.get(job.event_id) if job.event_id else None
        structlog.contextvars.bind_contextvars(event=job.event_id, job=job.key)
        ctx: Context | None = None
        members = list(jobs[1:])
        try:
            ctx = self.bench.context(job, event, now)
            self._let_it_take_more(ctx, job, members, events, now)
            finish = self._run(ctx, job)
        except BridgeError as error:
            finish = result_of(error, job, now)
        except Exception as error:
            log.exception("action raised", action=job.action)
            finish = _unforeseen(error, job, now)
        if ctx is not None:
            finish = _with_what_was_seen(finish, ctx)
        log.info("job", action=job.action, state=finish.state, reason=finish.reason)
        self.bench.metrics.jobs.labels(job.action, finish.state).inc()
        self._record(job, members, ctx, finish, now)
        structlog.contextvars.clear_contextvars()
        return finish

    def _run(self, ctx: Context, job: Job) -> Finish:
        condition = self.bench.condition(ctx, job)
        if condition is not None and not condition:
            return Finish("skipped", f"the condition does not hold: {job.condition}")
        action = actions().get(job.action)
        if action is None:
            raise Parked(f'this version knows no action "{job.action}"')
        parameters = {k: v for k, v in job.parameters.items() if k in _known(action)}
        outcome = action.run(ctx, **parameters)
        return Finish("done", None, outcome)

    def _let_it_take_more(
        self,
        ctx: Context,
        job: Job,
        members: list[Job],
        events: dict[str, Event],
        now: datetime,
    ) -> None:
        """Give the alert the others of its group, claimed already or waiting still."""
        ctx.grouped = bool(members)
        if job.group_key is None:
            return

        def take(group_after: int) -> list[dict[str, Any]]:
            key = job.group_key or ""
            if len(members) + 1 <= group_after and not self.bench.more_than(
                key, group_after - len(members) - 1, now
            ):
                return []
            more = self.bench.store.write(
                lambda db: outbox.claim_group(db, key, now, ALERT_LEASE, 200)
            )
            members.extend(more)
            events.update(self.bench.events_of(more))
            return [
                {"ctx": self.bench.context(one, events.get(one.event_id or ""), now)}
                for one in members
            ]

        ctx.book.take = take  # type: ignore[attr-defined]

    def _record(
        self,
        job: Job,
        members: list[Job],
        ctx: Context | None,
        finish: Finish,
        now: datetime,
    ) -> None:
        registered = actions()

        def record(db: sa.Connection) -> bool:
            if not outbox.finish(db, job, finish, now):
                return False
            for member in members:
                outbox.finish(db, member, _together(finish, job), now)
            if ctx is not None:
                _keep(db, ctx, job, finish, now)
            if finish.state == "done" and finish.run_at is None and job.steps:
                step = dispatch.step_job(
                    job.key, job.event_id, job.rule, job.steps, now, finish.outcome
                )
                outbox.put(db, [step], now)
            if finish.state == "parked" and job.action not in _TELLS:
                outbox.put(db, [self.bench.tell_staff(job, finish, ctx, now)], now)
            return True

        for _ in range(3):
            try:
                if not self.bench.store.write(record, 10.0):
                    log.warning("the claim was lost: another worker goes on")
                break
            except StoreUnavailable as error:
                log.warning("outcome not kept yet", reason=str(error))
        else:
            log.error("outcome not kept: it is looked at again when its lease ends")
        del registered


_TELLS = ("log_activity", "open_ticket")


def _known(action: Any) -> set[str]:
    code = action.run.__code__
    return set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]) - {"ctx"}


def _together(finish: Finish, leader: Job) -> Finish:
    if finish.state == "done":
        return Finish("done", f"went out together with {leader.key}", finish.outcome)
    return finish


def _keep(
    db: sa.Connection, ctx: Context, job: Job, finish: Finish, now: datetime
) -> None:
    """Write what the action left, in the transaction of its outcome."""
    if finish.state == "retry":
        return
    for table, key, values in ctx.effects.rows:
        book.keep(db, table, key, values, now)
    for key, at in ctx.effects.moves:
        outbox.move(db, key, at)
    for key, reason in ctx.effects.withdraws:
        outbox.withdraw(db, [key], reason, now)
    new = [_new_job(entry, job) for entry in ctx.effects.later]
    outbox.put(db, new, now)
    for sent in getattr(ctx.post, "sent", []):
        row = dict(sent)
        key = row.pop("key")
        row |= {"job_key": job.key, "event_id": job.event_id, "created_at": now}
        book.keep(db, "messages", key, row, now)


def _new_job(entry: dict[str, Any], parent: Job) -> NewJob:
    registered = actions()[entry["action"]]
    parameters = dict(entry["parameters"])
    return NewJob(
        key=entry["key"],
        event_id=parent.event_id,
        action=entry["action"],
        rule=parent.rule,
        run_at=entry["run_at"],
        parameters=parameters,
        acts=registered.acts,
        urgent=entry["urgent"] or bool(parameters.get("urgent")),
        client_id=parameters.get("client_id"),
    )


def result_of(error: BridgeError, job: Job, now: datetime) -> Finish:
    """Return what an error on purpose means for its job."""
    if isinstance(error, Later):
        return Finish("waiting", str(error), run_at=error.at, forget_attempt=True)
    if isinstance(error, Skipped):
        return Finish("skipped", str(error))
    if isinstance(error, Rehearsed):
        return Finish("rehearsed", str(error))
    if isinstance(error, Parked | TextError):
        return Finish("parked", str(error))
    if isinstance(error, CircuitOpen):
        at = error.until + timedelta(seconds=random.uniform(0, 5))  # noqa: S311
        return Finish("retry", str(error), run_at=at, forget_attempt=True)
    if isinstance(error, RemoteError):
        return _after_the_panel(error, job, now)
    if isinstance(error, SendError):
        return _after_the_provider(error, job, now)
    if isinstance(error, StoreUnavailable):
        return Finish("retry", str(error), run_at=now + timedelta(seconds=5))
    return _unforeseen(error, job, now)


def _after_the_panel(error: RemoteError, job: Job, now: datetime) -> Finish:
    permanent = error.reason in (Reason.NOT_FOUND, Reason.MISSING_PERMISSION)
    if error.reason is Reason.REFUSED and not job.acts:
        permanent = True
    if permanent:
        return Finish("parked", str(error))
    least = ACTING_LEASE if job.acts and error.sent else timedelta(0)
    return _again(str(error), job, now, error.retry_after, least)


def _after_the_provider(error: SendError, job: Job, now: datetime) -> Finish:
    kind = error.kind
    if kind is ErrorClass.NEVER:
        return Finish("skipped", str(error))
    if kind in (ErrorClass.FIX, ErrorClass.AS_TEMPLATE):
        return Finish("parked", str(error))
    if kind is ErrorClass.HALT:
        return Finish(
            "retry", str(error), run_at=now + timedelta(minutes=1), forget_attempt=True
        )
    if kind is ErrorClass.LATER:
        return Finish("retry", str(error), run_at=now + timedelta(hours=24))
    if kind is ErrorClass.PAIR:
        wait = timedelta(seconds=4 ** min(job.attempts - 1, 3))
        return Finish("retry", str(error), run_at=now + wait)
    return _again(str(error), job, now, error.retry_after, timedelta(0))


def _again(
    reason: str, job: Job, now: datetime, asked: float | None, least: timedelta
) -> Finish:
    """Try again: exponential with full jitter, obeying what the other side asked."""
    if job.attempts >= TRIES:
        return Finish("parked", f"{reason} ({job.attempts} tries)")
    top = min(_LONGEST.total_seconds(), _FIRST * 2 ** (job.attempts - 1))
    wait = timedelta(seconds=random.uniform(1, max(top, 1)))  # noqa: S311
    if asked is not None:
        wait = max(wait, min(timedelta(seconds=asked), _OBEYED))
    return Finish("retry", reason, run_at=now + max(wait, least))


def _unforeseen(error: Exception, job: Job, now: datetime) -> Finish:
    """Return what an error nobody foresaw means: its kind is kept, not its text."""
    name = type(error).__name__
    where = _where(error)
    return _again(f"unforeseen {name} {where}", job, now, None, timedelta(seconds=30))


def _where(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    name = trace.tb_frame.f_code.co_filename.rsplit("/", 1)[-1]
    return f"in {name}:{trace.tb_lineno}"


def _with_what_was_seen(finish: Finish, ctx: Context) -> Finish:
    return Finish(
        finish.state,
        finish.reason,
        finish.outcome,
        finish.run_at,
        ctx.client_id,
        ctx.group_key,
        ctx.seen,
        finish.forget_attempt,
    )
