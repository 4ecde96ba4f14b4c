"""Decisions: a rule's answer while the panel waits, or no opinion in good time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field, replace
from datetime import datetime
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


@dataclass
class Decider:
    """Asks a map's decision and keeps the answer. *panel* has a short deadline."""

    bench: Bench
    seconds: float = 2.0
    panel: Callable[[float], Panel] | None = None
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(16, thread_name_prefix="decide")
    )

    def before(self, accepted: Accepted) -> Any:
        """Return the answer given to this delivery before, "conflict", or None."""
        with self.bench.store.read() as db:
            found = inbox.answer_of(db, accepted.id)
        if found is None:
            return None
        digest, answer = found
        return answer if digest == accepted.digest and answer else inbox.CONFLICT

    def decide(self, accepted: Accepted, now: datetime) -> dict[str, Any]:
        """Return `{"return", "reason"}`, worked out in time and kept."""
        hookmap = self.bench.map.current
        rule = hookmap.decisions.get(accepted.body.hookpoint)
        if rule is None:
            hookpoint = accepted.body.hookpoint
            answer = _none(f"no decision for {hookpoint} in the map")
        else:
            answer = self._in_time(accepted, rule, now)
        kept = replace(
            accepted,
            state="decided",
            answer=answer,
            reason=answer["reason"],
            map_version=hookmap.version,
        )
        try:
            if self._keep(kept, now) == inbox.CONFLICT:
                return _none("that id is known with another body")
        except StoreUnavailable as error:
            log.error("decision not kept", why=str(error))
            return _none("the answer could not be kept, so none is given")
        return answer

    def _keep(self, accepted: Accepted, now: datetime) -> str:
        return self.bench.store.write(lambda db: inbox.put(db, accepted, now), 1.0)

    def _in_time(
        self, accepted: Accepted, rule: DecisionRule, now: datetime
    ) -> dict[str, Any]:
        seconds = max(self.seconds - _MARGIN, 0.05)
        asked = self._pool.submit(self._ask, accepted, rule, now, seconds)
        try:
            return asked.result(seconds)
        except FutureTimeout:
            asked.cancel()
            return _none(f"no answer from the panel within {self.seconds:g} s")

    def _ask(
        self, accepted: Accepted, rule: DecisionRule, now: datetime, seconds: float
    ) -> dict[str, Any]:
        event = Event(
            accepted.id,
            accepted.panel,
            accepted.body.hookpoint,
            accepted.body.data,
            accepted.body.context,
            accepted.occurred_at,
            now,
        )
        panel = self.panel(seconds) if self.panel else self.bench.panel
        ctx = self.bench.context(_job(rule, event, now), event, now, panel=panel)
        try:
            value, reason = decisions()[rule.do].run(ctx, **rule.parameters)
        except BridgeError as error:
            return _none(str(error))
        except Exception as error:
            log.exception("decision raised", decision=rule.do)
            return _none(f"unforeseen {type(error).__name__}")
        return {"return": value, "reason": reason}


def _none(reason: str) -> dict[str, Any]:
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
