"""Which of two password events tells of a change: two hookpoints tell of one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from bridge.events import Event
from bridge.hooks.send_alert import PASSWORDS

#: A password change that two hookpoints tell of lies within so much time.
_ONE_CHANGE = timedelta(minutes=10)
#: The other half is looked at again so long after it was to be sent.
SOON = timedelta(seconds=10)

_NOT_TOLD = ("skipped", "withdrawn", "parked")


class Alert(Protocol):
    """A job that sends an alert, as far as it matters here."""

    @property
    def state(self) -> str:
        """The state of the job."""
        ...

    @property
    def condition(self) -> str | None:
        """The rule's condition, which is looked at when the job runs."""
        ...

    @property
    def unsure(self) -> int:
        """How many of its messages may have left."""
        ...

    @property
    def run_at(self) -> datetime:
        """When it runs, or its lease ends."""
        ...


def told_before(event: Event, around: list[Event]) -> str | None:
    """Return the earlier-stored half of a pair of password events, or None.

    Two hookpoints that lie next to each other in the panel's order tell of one
    change; of a pair, the one stored first is the one that alerts.
    """
    previous: Event | None = None
    for one in around:
        if previous is not None and _pair(previous, one):
            if event.id in (previous.id, one.id):
                first = min(previous, one, key=lambda e: e.seq)
                return None if first.id == event.id else first.id
            previous = None
            continue
        previous = one
    return None


def tells_of_it(alerts: Sequence[Alert], now: datetime) -> tuple[bool, datetime | None]:
    """Return whether the alerts of the first half tell of the change.

    Where their conditions were not looked at yet it also returns when to ask again.
    """
    told = [one for one in alerts if one.unsure or one.state not in _NOT_TOLD]
    waiting = [one for one in told if one.state in ("waiting", "running")]
    if len(waiting) < len(told) or not all(one.condition for one in waiting):
        return True, None
    if not waiting:
        return False, None
    due = min(now if one.state == "running" else one.run_at for one in waiting)
    return True, max(due, now) + SOON


def _pair(one: Event, other: Event) -> bool:
    both = {one.hookpoint, other.hookpoint}
    near = other.occurred_at - one.occurred_at <= _ONE_CHANGE
    return both == set(PASSWORDS) and near
