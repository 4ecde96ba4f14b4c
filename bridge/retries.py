"""What an error means for the job that raised it: again and when, parked, skipped."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta

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
    StaleRow,
    StoreUnavailable,
    TextError,
)
from bridge.preparing import ACTING_LEASE
from bridge.sending import UNSURE_WAIT
from bridge.store.outbox import Finish, Job

#: Tries before a person looks; a circuit that is open costs none.
TRIES = 10
_FIRST = 5.0
_LONGEST = timedelta(hours=6)
_OBEYED = timedelta(hours=1)
_LATER = timedelta(hours=24)


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
    if isinstance(error, StaleRow):
        return again(str(error), job, now)
    return unforeseen(error, job, now)


def _after_the_panel(error: RemoteError, job: Job, now: datetime) -> Finish:
    permanent = error.reason in (Reason.NOT_FOUND, Reason.MISSING_PERMISSION)
    if error.reason is Reason.REFUSED and not job.acts:
        permanent = True
    if permanent:
        return Finish("parked", str(error))
    least = ACTING_LEASE if job.acts and error.sent else timedelta(0)
    return again(str(error), job, now, error.retry_after, least)


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
    if kind is ErrorClass.UNSURE:
        return _unsure(error, job, now)
    if job.attempts >= TRIES:
        return Finish("parked", f"{error} ({job.attempts} tries)")
    if kind is ErrorClass.LATER:
        return _later(error, job, now)
    if kind is ErrorClass.PAIR:
        seconds = error.retry_after or 4 ** min(job.attempts - 1, 3)
        return Finish("retry", str(error), run_at=now + timedelta(seconds=seconds))
    return again(str(error), job, now, error.retry_after, timedelta(0))


def _later(error: SendError, job: Job, now: datetime) -> Finish:
    """Try it once more a day later, not again: that would prolong what withholds it."""
    if job.attempts > 1 and now - job.created_at >= _LATER:
        return Finish("parked", f"{error}: tried again a day later, and withheld again")
    return Finish("retry", str(error), run_at=now + _LATER)


def _unsure(error: SendError, job: Job, now: datetime) -> Finish:
    """It may have been sent: wait for the provider's word, then send it once more."""
    if job.maybe_sent:
        return Finish("parked", f"{error}: nobody knows whether it arrived")
    reason = f"{error}: it may have been sent, so the provider's word is waited for"
    return Finish("retry", reason, run_at=now + UNSURE_WAIT)


def again(
    reason: str,
    job: Job,
    now: datetime,
    asked: float | None = None,
    least: timedelta = timedelta(0),
) -> Finish:
    """Try again: exponential with full jitter, obeying what the other side asked.

    *asked* is in seconds; not before *least* has passed. After the last try a
    person looks.
    """
    if job.attempts >= TRIES:
        return Finish("parked", f"{reason} ({job.attempts} tries)")
    top = min(_LONGEST.total_seconds(), _FIRST * 2 ** (job.attempts - 1))
    wait = timedelta(seconds=random.uniform(1, max(top, 1)))  # noqa: S311
    if asked is not None:
        wait = max(wait, min(timedelta(seconds=asked), _OBEYED))
    return Finish("retry", reason, run_at=now + max(wait, least))


def unforeseen(error: Exception, job: Job, now: datetime) -> Finish:
    """Return what an error nobody foresaw means: its kind is kept, not its text."""
    name = type(error).__name__
    where = _where(error)
    least = ACTING_LEASE if job.acts else timedelta(seconds=30)
    return again(f"unforeseen {name} {where}", job, now, None, least)


def _where(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    name = trace.tb_frame.f_code.co_filename.rsplit("/", 1)[-1]
    return f"in {name}:{trace.tb_lineno}"


def not_kept(error: Exception, job: Job, now: datetime) -> Finish:
    """Return what it means that an outcome could not be written."""
    if isinstance(error, StaleRow):
        return again(str(error), job, now)
    return unforeseen(error, job, now)


def each_alone(finish: Finish, now: datetime) -> Finish:
    """Return what comes of alerts whose one message failed: each is tried alone."""
    return replace(
        finish,
        state="retry",
        reason=f"together it did not work, so each alone: {finish.reason}",
        run_at=now,
        group_key="",
        forget_attempt=True,
    )


def unmet(job: Job) -> Finish:
    """Return what comes of a job whose rule's condition is not so."""
    return Finish("skipped", f"the condition does not hold: {job.condition}")
