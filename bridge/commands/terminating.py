"""cancellations run: end a service by hand, or look whether it would end."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import Any

import click
import sqlalchemy as sa

from bridge.commands.shared import who
from bridge.dispatch import terminate_job
from bridge.errors import Reason, RemoteError
from bridge.gather import request_for
from bridge.hooks.schedule_cancellation import terminate_key
from bridge.preparing import ACTING_LEASE
from bridge.store import book, claims, limits, outbox
from bridge.store.outbox import Finish


def would(bridge: Any, row: Any, what: str) -> None:
    """Say whether a cancellation would be carried out now; exit 1 if it would not.

    Looks in the panel for what the termination itself looks at first.
    """
    why = _against(bridge, row)
    if why:
        click.echo(f"would not end now: {what}: {why}")
        sys.exit(1)
    click.echo(f"would end now: {what}; the panel has it and lists the request.")


def _against(bridge: Any, row: Any) -> str:
    with bridge.store.read() as db:
        held = limits.held(db)
    if held:
        return f"held back: {held}"
    try:
        service = bridge.bench.panel.service(row.service_id)
    except RemoteError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        return "the panel knows no such service"
    if service.ended:
        return f"the service is {service.status} already"
    if service.client_id != row.client_id:
        return f"it belongs to client {service.client_id} now"
    if service.domain != row.domain:
        return "its domain is another than when it was asked for"
    if service.status.casefold() not in ("active", "suspended"):
        return f"its status is {service.status}"
    if request_for(bridge.bench.panel, row.service_id) is None:
        return "the panel does not list the request any more: it would be withdrawn"
    return ""


def run_now(bridge: Any, row: Any) -> None:
    """Carry a cancellation out, and say how it ended; exit 1 where it did not."""
    now = bridge.bench.now()
    key = terminate_key(row.key)
    today = now.astimezone(bridge.settings.zone).date()

    def due(db: sa.Connection) -> datetime | None:
        fresh = book.cancellation(db, row.key)
        if fresh.state != row.state:  # while the question was answered
            raise click.ClickException(f"It is {fresh.state} by now: it was not run.")
        busy = claims.tried_until(db, key, now) if fresh.acted_at is not None else None
        if busy is not None:
            return busy
        book.note(db, now, who(), "run", row.key, ends=str(row.ends))
        values = {
            "at": now,
            "ends": today,
            "state": "scheduled",
            "kind": "immediate",
            "approved_by": who(),
            "because": f"Ended by hand ({who()}). Before: {row.because}",
        }
        if row.state == "acting":
            values.pop("state")
        book.keep(db, "cancellations", row.key, values, now)
        fresh = book.cancellation(db, row.key)
        outbox.put(db, [terminate_job(fresh)], now)
        outbox.again(db, now, keys=[key])
        outbox.move(db, key, now)
        return None

    busy = bridge.store.write(due)
    if busy is not None:
        raise click.ClickException(
            "Nobody knows yet whether the last call did it: the panel may be at work. "
            f"It is looked at again at {busy.astimezone(bridge.settings.zone):%H:%M}."
        )
    try:
        finish = bridge.worker.run_one(key)
    except KeyboardInterrupt:
        click.echo(
            "Stopped while it was being carried out: the service may have ended. A "
            "running bridge, or this command run again, asks the panel and goes on.",
            err=True,
        )
        raise
    if finish is None:
        return _taken(bridge, key, now)
    if finish.state in ("parked", "skipped"):
        bridge.store.write(lambda db: book.restore(db, row, bridge.bench.now()))
    return _ended(bridge, row, finish)


def _ended(bridge: Any, row: Any, finish: Finish) -> None:
    """Say how a step ended; exit 1 where the service did not."""
    told = finish.reason or (finish.outcome or {}).get("how", "")
    click.echo(f"{finish.state}: {told}")
    if finish.run_at is not None:
        at = finish.run_at.astimezone(bridge.settings.zone)
        click.echo(
            f"The running bridge looks at it again at {at:%H:%M}, and carries it out "
            f"where it did not end. To stop that: cancellations withdraw {row.id}",
            err=True,
        )
    if finish.state not in ("done", "rehearsed"):
        sys.exit(1)


def _taken(bridge: Any, key: str, now: datetime) -> None:
    """Say what goes on with a step that could not be taken; exit 1 where nothing."""
    with bridge.store.read() as db:
        heard = book.worker_heard(db, now)
        state = outbox.state_of(db, key) or "gone"
    if state not in ("running", "waiting"):
        click.echo(f"It was not run here: its step is {state}.", err=True)
    elif heard:
        click.echo(
            "Another process is at work on it, and the running bridge finishes it if "
            "that one does not; see `cancellations show`."
        )
        return
    else:
        click.echo(
            "Another process began it and has not said how it ended. No bridge runs "
            "that would look: start one, or run this again when its claim is over "
            f"(at most {ACTING_LEASE // timedelta(minutes=1)} minutes after it began); "
            "the panel is asked before anything is done.",
            err=True,
        )
    sys.exit(1)
