"""events: what came in, what became of it, and the failed steps again."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click
import sqlalchemy as sa

from bridge import settings as environment
from bridge.commands.outcomes import describe_message, tell_message
from bridge.commands.reasons import became_of, summary, told_of
from bridge.commands.replaying import put_again
from bridge.commands.shared import in_line, instant, shorten, show, sure, table, who
from bridge.errors import StoreUnusable
from bridge.settings import Settings
from bridge.store import Store, book, engines, inbox, outbox, reports, schema, told


def open_store() -> Store:
    """Open the configured store for a command; its schema is brought up first.

    It is closed when the command ends, however that is.
    """
    settings = environment.load(need=False)
    schema.migrate(settings.database_url)
    store = Store(settings.database_url, readers=2)
    return click.get_current_context().with_resource(closing(store))


@contextmanager
def to_read(settings: Settings, only: bool = True) -> Iterator[Settings]:
    """Give settings whose store may be read; one that is not there is not made.

    In its place stands an empty one, which is cleared away afterwards; not where
    it is not *only* read. Raises StoreUnusable where none can be made.
    """
    path = engines.file_of(settings.database_url)
    if path is None or path.exists() or not only:
        yield settings
        return
    nearest = next(one for one in path.absolute().parents if one.exists())
    if not nearest.is_dir():
        what = f"{shorten(nearest)}: a file stands where a directory must be"
        raise StoreUnusable(what)
    with tempfile.TemporaryDirectory(prefix="whmcs-bridge-") as scratch:
        yield replace(settings, database_url=f"sqlite:///{scratch}/empty.db")


@contextmanager
def reading() -> Iterator[Store]:
    """Open the configured store to look at it, and close it."""
    with to_read(environment.load(need=False)) as settings:
        schema.migrate(settings.database_url, whole=False)
        store = Store(settings.database_url, readers=2)
        try:
            yield store
        finally:
            store.close()


def moment(text: str) -> datetime:
    """Read what `--since` says; a time without a zone is the panel's."""
    return instant(text, environment.load(need=False).zone, "--since")


@click.group("events")
def events_command() -> None:
    """What came in, and what became of it."""


#: What an event may be in, and a job of it.
STATES = (
    *("new", "matched", "no rule", "decided"),
    *("waiting", "joined", "running", "parked"),
    *("rehearsed", "done", "skipped", "withdrawn"),
)
_status = click.option(
    "--status",
    type=click.Choice(STATES),
    help="Only events in this state, or with a step in it.",
)


@events_command.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10000))
@click.option("--since", help="A date or ISO time.")
@_status
@click.option("--hookpoint", default="", help="Only this hookpoint.")
@click.option("--json", "as_json", is_flag=True)
def list_(
    limit: int, since: str | None, status: str | None, hookpoint: str, as_json: bool
) -> None:
    """List events, the newest first, with one sentence of reason each."""
    with reading() as store, store.read() as db:
        rows = reports.list_events(
            db,
            limit=limit,
            since=moment(since) if since else None,
            hookpoint=hookpoint,
            status=status or "",
        )
        ids = [row.id for row in rows]
        jobs = reports.jobs_of(db, ids)
        sent = told.messages_for(db, ids)
    found = [_brief(row, jobs[row.id], sent[row.id]) for row in rows]
    if as_json:
        return show(found)
    shown = [
        [f["received_at"][:19], f["id"], f["hookpoint"], f["state"], f["reason"]]
        for f in found
    ]
    table(["received (UTC)", "id", "hookpoint", "state", "reason"], shown, "No events.")


def _brief(row: Any, jobs: list[Any], sent: list[Any]) -> dict[str, Any]:
    state, reason = summary(row, jobs, became_of(jobs, sent))
    return {
        "id": row.id,
        "hookpoint": row.hookpoint,
        "received_at": row.received_at.isoformat(),
        "state": state,
        "reason": reason,
        "map": row.map_version,
        "messages": [{"name": one.name, "state": one.state} for one in sent],
    }


@events_command.command("show")
@click.argument("id")
@click.option("--json", "as_json", is_flag=True)
def show_(id: str, as_json: bool) -> None:
    """Show everything about one event: rules, conditions, tries, calls, texts."""
    with reading() as store:
        found = describe(store, id)
    if found is None:
        raise click.ClickException(f'There is no event "{id}".')
    if as_json:
        return show(found)
    _tell(found)
    return None


def describe(store: Store, id: str) -> dict[str, Any] | None:
    """Return what became of an event, ready to be shown."""
    with store.read() as db:
        rows = reports.list_events(db, ids=[id], limit=1)
        if not rows:
            return None
        row = rows[0]
        jobs = reports.jobs_of(db, [id])[id]
        tries = reports.attempts_of(db, [job.key for job in jobs])
        sent = told.messages_for(db, [id])[id]
        states, settled = told.states_of(db, sent), told.settled(db, sent)
    became = became_of(jobs, sent)
    state, reason = summary(row, jobs, became)
    keys = [one.key for one in sent]
    return {
        "id": row.id,
        "hookpoint": row.hookpoint,
        "state": state,
        "reason": reason,
        "received_at": row.received_at,
        "occurred_at": row.occurred_at,
        "data": row.data,
        "context": row.context,
        "map": row.map_version,
        "conflicts": row.conflicts,
        "answer": row.answer,
        "jobs": [_job(job, tries[job.key], became) for job in jobs],
        "messages": [
            describe_message(one, states[one.key], settled.get(one.key), keys)
            for one in sent
        ],
    }


def _job(job: Any, tries: list[Any], became: dict[str, str]) -> dict[str, Any]:
    return {
        "key": job.key,
        "rule": job.rule,
        "action": job.action,
        "state": job.state,
        "reason": told_of(job, became),
        "when": job.condition,
        "attempts": job.attempts,
        "next_at": job.run_at if job.state in ("waiting", "running") else None,
        "outcome": job.outcome,
        "tries": [
            {
                "number": one.number,
                "at": one.at,
                "state": one.state,
                "reason": one.reason,
            }
            | one.seen
            for one in tries
        ],
    }


def _tell(found: dict[str, Any]) -> None:
    click.echo(f"{found['hookpoint']}  {found['id']}")
    click.echo(
        f"received {found['received_at']:%Y-%m-%d %H:%M:%S} UTC, map {found['map']}"
    )
    click.echo(f"{found['state']}: {found['reason']}")
    if found["conflicts"]:
        click.echo(f"The same id came {found['conflicts']} times with another body.")
    if found["answer"] is not None:
        click.echo(f"answered: {found['answer'].get('return')}")
    click.echo(f"data: {in_line(found['data'])}")
    if found["context"]:
        click.echo(f"context: {in_line(found['context'])}")
    for job in found["jobs"]:
        click.echo(
            f"\n{job['action']} ({job['rule']}): {job['state']}: {job['reason']}"
        )
        if job["next_at"]:
            click.echo(f"  next at {job['next_at']:%Y-%m-%d %H:%M:%S} UTC")
        if job["when"]:
            click.echo(f"  when: {job['when']}")
        for one in job["tries"]:
            why = f": {one['reason']}" if one["reason"] else ""
            at = f"{one['at']:%Y-%m-%d %H:%M:%S} UTC"
            click.echo(f"  try {one['number']} at {at}: {one['state']}{why}")
            for name, value in (one.get("condition") or {}).items():
                click.echo(f"    {name} = {value}")
            for call in one.get("calls") or []:
                click.echo(f"    {call}")
    for message in found["messages"]:
        tell_message(message)


@events_command.command("retry")
@click.argument("ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every parked job.")
@click.option("--dry-run", is_flag=True, help="Only say what would run again.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def retry(ids: tuple[str, ...], everything: bool, dry_run: bool, yes: bool) -> None:
    """Run the failed steps of events again, with fresh attempts."""
    if not ids and not everything:
        raise click.UsageError("Name events, or say --all.")
    store = open_store()
    with store.read() as db:
        keys = reports.parked_keys(db, ids if ids else None)
        known = {row.id for row in reports.list_events(db, ids=ids, limit=100_000)}
    unknown = sorted(set(ids) - known)
    for id in unknown:
        click.echo(f'There is no event "{id}" to retry.', err=True)
    if not keys:
        if everything or set(ids) - set(unknown):
            click.echo("Nothing is parked there.", err=True)
        sys.exit(1 if unknown else 0)
    if dry_run:
        for key in keys:
            click.echo(f"would run again: {key}")
        sys.exit(1 if unknown else 0)
    sure(len(keys), "jobs", yes)
    now = datetime.now(UTC)

    def again(db: sa.Connection) -> int:
        book.note(db, now, who(), "retry", ", ".join(ids) or "all", jobs=keys)
        return outbox.again(db, now, keys=keys)

    count = store.write(again)
    click.echo(
        f"{count} job{'s' * (count != 1)} will run again, by the running bridge."
    )
    if unknown:
        sys.exit(1)


#: More are not replayed by one command: the oldest would be left out unsaid.
_MOST = 100_000
#: What is never played again: an old message is no fresh word.
_ONCE = ("WhatsAppMessage",)


@events_command.command("replay")
@click.argument("ids", nargs=-1)
@click.option("--since", help="A date or ISO time.")
@_status
@click.option("--dry-run", is_flag=True, help="Only say what would be replayed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def replay(
    ids: tuple[str, ...],
    since: str | None,
    status: str | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Send events through today's map once more, as new events.

    An alert that was sent is sent again: look first with --dry-run, and take those
    that reached nobody with --status. To try failed steps again is `events retry`.
    What clients wrote by WhatsApp is left out: a word given once counts once.
    """
    if not ids and not since:
        raise click.UsageError("Name events, or say --since.")
    store, state = open_store(), status or ""
    at = moment(since) if since else None
    with store.read() as db:
        rows = reports.list_events(db, ids=ids, since=at, status=state, limit=_MOST)
    if len(rows) >= _MOST:
        raise click.UsageError(f"That is {_MOST} events or more: say a later --since.")
    why = {row.id: _why_not(row) for row in rows}
    events = [inbox.event_of(row) for row in reversed(rows) if not why[row.id]]
    left = sorted(set(ids) - {event.id for event in events})
    for id in left:
        click.echo(why.get(id) or f'There is no event "{id}" to replay.', err=True)
    written = sum(1 for row in rows if row.hookpoint in _ONCE)
    if written and not ids:
        click.echo(f"{written} messages of clients are left out.", err=True)
    if dry_run:
        for event in events:
            click.echo(f"would replay: {event.id} ({event.hookpoint})")
        sys.exit(1 if left else 0)
    sure(len(events), "events", yes)
    put_again(store, events)
    click.echo(f"{len(events)} event{'s' * (len(events) != 1)} put in again.")
    sys.exit(1 if left else 0)


def _why_not(row: Any) -> str:
    """Return why an event is not replayed, empty where it is."""
    if row.hookpoint in _ONCE:
        return f"{row.id} is what a client wrote: it counts once."
    asked = row.answer is not None
    return f"{row.id} is a question of the panel: it was answered." if asked else ""
