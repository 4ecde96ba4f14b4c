"""Putting events in once more, in batches: what is put in is told, also on Ctrl-C."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import click
import sqlalchemy as sa

from bridge.commands.shared import who
from bridge.events import Body, Event, subject
from bridge.store import Store, book, inbox
from bridge.store.inbox import Accepted

#: A running bridge writes in between: at one commit each, many would take minutes.
_AT_ONCE = 200


def put_again(
    store: Store,
    events: Sequence[Event],
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Put *events* in as new ones, in their order; *progress* gets done and all.

    An interrupt goes on to the caller, once it was said how far it came.
    """
    done = 0
    try:
        while done < len(events):
            some = events[done : done + _AT_ONCE]
            store.write(lambda db, some=some: _all(db, some))  # type: ignore[misc]
            done += len(some)
            (progress or _progress)(done, len(events))
    except KeyboardInterrupt:
        last = f", the last of them {events[done - 1].id}" if done else ""
        click.echo(
            f"Stopped: {done} of {len(events)} were put in again{last}. Run again, "
            "the command would put those in once more.",
            err=True,
        )
        raise


def _all(db: sa.Connection, events: Sequence[Event]) -> None:
    for event in events:
        now = datetime.now(UTC)  # each its own: they run in this order
        id = f"{event.id[:200]}~{now:%Y%m%dT%H%M%S%f}"
        book.note(db, now, who(), "replay", event.id, new=id)
        made = Accepted(
            id,
            event.panel,
            digest=id,
            body=Body(event.hookpoint, event.occurred_at, event.data, event.context),
            occurred_at=event.occurred_at,
            subject=subject(event),
        )
        inbox.put(db, made, now)


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty() and total > _AT_ONCE:
        click.echo(f"\rputting in: {done}/{total}", nl=done == total, err=True)
