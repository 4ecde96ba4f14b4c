"""record: what a job came to, with all that is kept of it in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bridge import dispatch
from bridge.hooks.context import Context, Effects
from bridge.ledger import keep, keep_messages, messages_of
from bridge.preparing import TOLD_AN_HOUR, Bench
from bridge.store import OneByOne, book, groups, outbox
from bridge.store.outbox import Finish, Job, NewJob

_TELLS = ("log_activity", "open_ticket")
#: Steps of a change of owner; one that fails for good is followed by a ticket.
_OF_TRANSFERS = ("check_transfer", "transfer_service")
_SHOWN_PARKED = (
    ("cancellations", "cancellation"),
    ("upgrades", "order"),
    ("transfers", "transfer"),
)


@dataclass(frozen=True)
class Outcome:
    """What a job came to, with all that is to be kept of it in one transaction."""

    bench: Bench
    job: Job
    members: list[Job]
    ctx: Context | None
    finish: Finish
    once: str
    now: datetime

    @property
    def plain(self) -> bool:
        """Whether nothing but the outcome and its messages is to be written."""
        if self.finish.state not in ("done", "skipped") or self.finish.run_at:
            return False
        more = self.ctx is not None and self.ctx.effects != Effects()
        others = self.members or self.job.together
        return not (more or others or self.job.steps)


def keep_each(db: sa.Connection, outcomes: list[Outcome]) -> list[bool]:
    """Keep outcomes; each is false when the claim was lost."""
    plain = [one for one in outcomes if one.plain]
    if len(plain) < 2:
        return [_keep(db, one) for one in outcomes]
    finished = [(one.job, one.finish, one.now) for one in plain]
    if not outbox.finish_each(db, finished):
        raise OneByOne
    rows = [row for one in plain for row in messages_of(one.ctx, one.job, one.now)]
    keep_messages(db, rows)
    return [one.plain or _keep(db, one) for one in outcomes]


def _keep(db: sa.Connection, one: Outcome) -> bool:
    job, ctx, finish, now = one.job, one.ctx, one.finish, one.now
    if not outbox.finish(db, job, finish, now):
        return False
    for member in one.members:  # those that did not join are still claimed
        outbox.finish(db, member, _apart(finish, now), now)
    members = _settle(db, one) if one.members or job.together else []
    if ctx is not None:
        keep(db, ctx, job, finish, now)
    for done in [job, *members] if finish.state == "done" else []:
        outbox.put(db, dispatch.next_step(done, now, finish.outcome), now)
    if finish.state == "parked":
        _show_parked(db, job, finish, now)
    if finish.state == "parked" and job.action in _OF_TRANSFERS:
        outbox.put(db, [_handed_over(job, finish, now)], now)
    if finish.state == "parked" and job.action not in _TELLS:
        tell = one.bench.tell_staff(job, finish, ctx, now, one.once)
        _tell(db, one.bench, tell, now)
    if finish.state == "parked" and job.action == "open_ticket":
        _tell_by_log(db, one.bench, job, finish, now)
    return True


def _handed_over(job: Job, finish: Finish, now: datetime) -> NewJob:
    transfer = job.parameters.get("transfer", "")
    return NewJob(
        key=f"{job.key}/handed-over:{job.epoch}",
        event_id=job.event_id,
        action="hand_over_transfer",
        rule=job.rule,
        run_at=now,
        parameters={"transfer": transfer, "reason": finish.reason},
        client_id=job.client_id,
    )


def _show_parked(db: sa.Connection, job: Job, finish: Finish, now: datetime) -> None:
    """Show in the book too that what a parked job is about waits for staff."""
    if job.acts or job.action in _OF_TRANSFERS:
        for table, name in _SHOWN_PARKED:
            if key := job.parameters.get(name):
                book.for_staff(db, table, key, finish.reason, now)


def _tell(db: sa.Connection, bench: Bench, tell: NewJob, now: datetime) -> None:
    """Tell staff; in a storm of failures the last thing said in an hour is that."""
    if outbox.state_of(db, tell.key) is not None:
        return
    number = book.count_in_hour(db, "told", now)
    if number > TOLD_AN_HOUR:
        tell = bench.tell_staff_of_many(tell, now)
    outbox.put(db, [tell], now)


def _tell_by_log(
    db: sa.Connection, bench: Bench, job: Job, finish: Finish, now: datetime
) -> None:
    """Have a ticket that was not opened told by the panel's activity log, once.

    What tells staff of something else was counted among this hour's already.
    """
    given = job.parameters
    department, subject = given.get("department", 1), str(given.get("subject"))
    text = str(given.get("text"))
    what = text if given.get("raw") and "\n" not in text else subject
    line = f"[bridge] no ticket in department {department} ({finish.reason}): {what}"
    client = {"client_id": given["client_id"]} if given.get("client_id") else {}
    tell = NewJob(
        key=f"{job.key}/by-log",
        event_id=job.event_id,
        action="log_activity",
        rule=job.rule,
        run_at=now,
        parameters={"text": line, "raw": True, **client},
    )
    if job.key.rpartition("/")[2].startswith("staff"):
        outbox.put(db, [tell], now)
    else:
        _tell(db, bench, tell, now)


def _apart(finish: Finish, now: datetime) -> Finish:
    if finish.run_at is not None:
        return finish
    return Finish("waiting", None, run_at=now, forget_attempt=True)


def _settle(db: sa.Connection, one: Outcome) -> list[Job]:
    """Bring what shares a job's message to what that came to; return what is over."""
    if one.finish.run_at is None:
        return groups.settle(db, one.job.key, one.finish, one.now)
    if one.finish.group_key == "":
        groups.part(db, one.job.key, one.now)
    return []
