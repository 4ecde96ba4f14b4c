"""Decisions: a rule's answer while the panel waits, or no opinion in good time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic
from typing import Any

import structlog

from bridge.errors import BridgeError, StoreUnavailable
from bridge.events import Event
from bridge.hookmap import DecisionRule
from bridge.hooks import decisions
from bridge.panel import Panel
from bridge.preparing import Bench
from bridge.store import inbox
from bridge.store.inbox import Accepted
from bridge.store.outbox import Job

log = structlog.get_logger("decisions")

#: Time kept back for storing the answer, in seconds.
_MARGIN = 0.15

Answer = dict[str, Any]


@dataclass
class Decider:
    """Asks a map's decision and keeps the answer. *panel* has a short deadline."""

    bench: Bench
    seconds: float = 2.0
    panel: Callable[[float], Panel] | None = None
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(64, thread_name_prefix="decide")
    )
    _ahead: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(64, thread_name_prefix="ahead")
    )

    def decide(self, accepted: Accepted, now: datetime) -> Answer | None:
        """Return `{"return", "reason"}`, in time and kept; None for another body.

        The same delivery again gets the answer it got before.
        """
        ends = monotonic() + self.seconds
        hookmap = self.bench.map.current
        rule = hookmap.decisions.get(accepted.body.hookpoint)
        asked = self._pool.submit(self._find, accepted, rule, now)
        try:
            found, known = asked.result(max(self.seconds - _MARGIN, 0.05))
        except FutureTimeout:
            asked.cancel()
            found, known = _none(f"no answer within {self.seconds:g} s"), False
        except StoreUnavailable as error:
            log.error("decision not looked up", why=str(error))
            return _none("the store cannot be read, so there is no opinion")
        if known and found is not None:
            return found
        kept = replace(
            accepted,
            state="decided",
            answer=found,
            reason=found["reason"] if found else None,
            map_version=hookmap.version,
        )
        return self._keep(kept, now, ends)

    def _find(
        self, accepted: Accepted, rule: DecisionRule | None, now: datetime
    ) -> tuple[Answer | None, bool]:
        """Return an answer, and whether the delivery was known already."""
        with self.bench.store.read() as db:
            before = inbox.answer_of(db, accepted.id)
        if before is not None:
            return _said_before(before, accepted), True
        if rule is None:
            return _none(f"no decision for {accepted.body.hookpoint} in the map"), False
        return self._ask(accepted, rule, now), False

    def _keep(self, kept: Accepted, now: datetime, ends: float) -> Answer | None:
        """Keep an answer, and return the one that holds: the first that was kept."""

        def put(db: Any) -> Answer | None:
            if inbox.put(db, kept, now) == inbox.ACCEPTED:
                return kept.answer
            return _said_before(inbox.answer_of(db, kept.id), kept)

        written = None
        try:
            written = self.bench.store.submit(put)
            return written.result(max(ends - monotonic(), 0.05))
        except (StoreUnavailable, FutureTimeout) as error:
            if written is not None:
                written.cancel()
            log.error("decision not kept", why=str(error) or "the store is busy")
        answer = kept.answer
        if answer is not None and answer["return"] is None:
            return answer
        return _none("the answer could not be kept, so none is given")

    def _ask(self, accepted: Accepted, rule: DecisionRule, now: datetime) -> Answer:
        event = accepted.event(now)
        seconds = max(self.seconds - _MARGIN, 0.05)
        panel = self.panel(seconds) if self.panel else self.bench.panel
        job = _job(rule, event, now)
        ctx = self.bench.context(job, event, now, panel=panel, ahead=self._ahead)
        try:
            value, reason = decisions()[rule.do].run(ctx, **rule.parameters)
        except BridgeError as error:
            return _none(str(error))
        except Exception as error:
            log.exception("decision raised", decision=rule.do)
            return _none(f"unforeseen {type(error).__name__}")
        return {"return": value, "reason": reason}


def _said_before(
    before: tuple[str, Answer | None] | None, accepted: Accepted
) -> Answer | None:
    """Return what a known delivery was answered; None if its body is another."""
    digest, answer = before or ("", None)
    if digest != accepted.digest:
        return None
    return answer or _none("that id came before as a delivery, not as a question")


def _none(reason: str) -> Answer:
    return {"return": None, "reason": reason}


def _job(rule: DecisionRule, event: Event, now: datetime) -> Job:
    """Return a job that stands for the question; it is never in the outbox."""
    return Job(
        key=f"{event.id}/decision",
        event_id=event.id,
        action=rule.do,
        rule=rule.hookpoint,
        parameters={},
        steps=[],
        condition=None,
        acts=False,
        urgent=True,
        epoch=0,
        attempts=1,
        client_id=None,
        group_key=None,
        due_at=now,
        created_at=now,
    )
