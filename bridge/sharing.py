"""Alerts of one rule to one client that go out as one message, and stay one.

Which they are is on disk before the message leaves: whatever becomes of it, it is
repeated, settled and told of as one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from bridge.errors import Skipped
from bridge.events import Event
from bridge.hooks.context import Context
from bridge.hooks.records import AGAIN, FALLBACK, root_of
from bridge.preparing import ALERT_LEASE, Bench
from bridge.retries import unmet
from bridge.store import claims, groups
from bridge.store.outbox import Finish, Job

#: Most alerts that become one message.
_MOST = 200
Record = Callable[[Job, list[Job], Context | None, Finish, str], None]


@dataclass
class Sharing:
    """The alerts that may go out in one message with a job's own.

    *members* were claimed with the job; those that wait are claimed once its action
    asks for them. *events* are theirs, by id. *record* keeps what one of them came to
    that does not go along.
    """

    bench: Bench
    job: Job
    members: list[Job]
    events: dict[str, Event]
    now: datetime
    record: Record
    _begun: bool = False

    @property
    def own(self) -> bool:
        """Whether what befell the job is its own: nobody was put together with it."""
        return not self._begun and self.job.together is None

    def leave(self) -> None:
        """Let the others go on together, without the job."""
        for one in self.members:
            self.record(one, [], self._context(one), _again(self.now), "")
        self.members.clear()

    def offer(self, ctx: Context) -> None:
        """Let the action take the others along, where there may be any."""
        job = self.job
        book: Any = ctx.book
        # Whose the message is, is known when it asks for them.
        if job.together or AGAIN in job.key or job.key.endswith(FALLBACK):
            book.take = lambda _: self._again(ctx)
        elif job.group_key and not job.maybe_sent:
            book.take = partial(self._take, ctx)

    def _again(self, leader: Context) -> list[dict[str, Any]]:
        """Return those of a message that was put together before."""
        self._begun = True
        with self.bench.store.read() as db:
            others = groups.others(db, root_of(self.job.key))
        self.events.update(self.bench.events_of(others))
        as_it_was = self.job.key != root_of(self.job.key) or self.job.maybe_sent
        found = []
        for one in others:
            ctx = self._context(one)
            if not as_it_was and self.bench.condition(ctx, one) is False:
                why = unmet(one).reason or ""
                out = partial(groups.leave, key=one.key, reason=why, now=self.now)
                self.bench.store.write(out)
            elif _passed_on(ctx, leader):
                alone = partial(groups.go_alone, key=one.key, now=self.now)
                self.bench.store.write(alone)
            else:
                found.append({"ctx": ctx})
        return found

    def _take(self, leader: Context, group_after: int) -> list[dict[str, Any]]:
        """Claim what waits with it, and write down that they share a message."""
        self._begun = True
        key = self.job.group_key or ""
        here = len(self.members) + 1
        if here <= group_after and not self.bench.more_than(
            key, group_after - here, self.now
        ):
            return []
        more = self.bench.store.write(
            lambda db: claims.claim_group(db, key, self.now, ALERT_LEASE, _MOST)
        )
        self.members.extend(more)
        self.events.update(self.bench.events_of(more))
        going: dict[str, Context] = {}
        for one in list(self.members):
            ctx = self._context(one)
            if self.bench.condition(ctx, one) is False:
                self.members.remove(one)
                self.record(one, [], ctx, unmet(one), "")
            elif _passed_on(ctx, leader):
                self.members.remove(one)
                self.record(one, [], ctx, _alone(self.now), "")
            else:
                going[one.key] = ctx
        return [{"ctx": going[key]} for key in self._join()]

    def _join(self) -> list[str]:
        if not self.members:
            return []
        keys = self.bench.store.write(
            lambda db: groups.join(db, self.job, self.members)
        )
        if not keys:
            raise Skipped("the claim was lost: another worker goes on")
        self.members[:] = [one for one in self.members if one.key in keys]
        return keys

    def _context(self, one: Job) -> Context:
        event = self.events.get(one.event_id or "")
        return self.bench.context(one, event, self.now)


def _passed_on(ctx: Context, leader: Context) -> bool:
    """Tell whether what an alert is about is another client's by now.

    It was put with others of one client; each fact is told to its owner alone.
    """
    return ctx.facts.client.id != leader.client_id


def _again(now: datetime) -> Finish:
    return Finish("waiting", run_at=now, forget_attempt=True)


def _alone(now: datetime) -> Finish:
    return replace(_again(now), group_key="")
