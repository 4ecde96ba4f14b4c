"""cancellations and reconcile: what ends when, why that day, and by whose hand."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import click
import sqlalchemy as sa

from bridge import logs, wiring
from bridge import settings as environment
from bridge.commands.events import open_store, reading, to_read
from bridge.commands.shared import instant, moment, show, sure, table, who
from bridge.commands.terminating import run_now, would
from bridge.hooks.schedule_cancellation import terminate_key
from bridge.reconcile import reconcile, withdraw
from bridge.store import book, limits, reports

_STATES = ("scheduled", "acting", "staff", "done", "withdrawn", "rehearsed")


@click.group("cancellations")
def cancellations_command() -> None:
    """What ends when, and why that day."""


@cancellations_command.command("list")
@click.option("--state", type=click.Choice(_STATES), multiple=True)
@click.option("--all", "everything", is_flag=True, help="Those that are over as well.")
@click.option("--limit", default=200, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True)
def list_(state: tuple[str, ...], everything: bool, limit: int, as_json: bool) -> None:
    """List cancellations, the next to end first."""
    states = state or (() if everything else ("scheduled", "acting", "staff"))
    with reading() as store, store.read() as db:
        rows = reports.list_cancellations(db, states=states, limit=limit)
        held = limits.held(db)
    _print(rows, as_json)
    if held:
        click.echo(f"Terminations are held back: {held}", err=True)


def _print(rows: list[Any], as_json: bool) -> None:
    if as_json:
        return show([entry(row) for row in rows])
    cells = [
        [r.id, r.service_id, r.client_id, r.kind, r.ends or "-", r.state, _why(r)]
        for r in rows
    ]
    head = ["id", "service", "client", "kind", "ends", "state", "because"]
    table(head, cells, "No cancellations.")


def entry(row: Any) -> dict[str, Any]:
    """Return a cancellation as `--json` shows it."""
    return {
        "id": row.id,
        "service_id": row.service_id,
        "client_id": row.client_id,
        "kind": row.kind,
        "ends": row.ends.isoformat() if row.ends else None,
        "at": row.at.isoformat() if row.at else None,
        "state": row.state,
        "because": row.because,
        "reason": row.reason,
        "product": row.product,
        "domain": row.domain,
        "requested_on": row.requested_on.isoformat(),
        "request_id": row.request_id,
        "event": row.event_id,
    }


def _why(row: Any) -> str:
    return f"{row.because} {row.reason or ''}".strip()


@cancellations_command.command("show")
@click.argument("which")
@click.option("--json", "as_json", is_flag=True)
def show_(which: str, as_json: bool) -> None:
    """Show one cancellation: WHICH is its id or service:<id>."""
    with reading() as store:
        row = _find(store, which)
        with store.read() as db:
            tries = reports.attempts_of(db, [terminate_key(row.key)])
    if as_json:
        return show(entry(row))
    for name, value in (entry(row) | {"at": moment(row.at)}).items():
        click.echo(f"{name:>13}: {'-' if value is None else value}")
    for one in tries[terminate_key(row.key)]:
        why = f": {one.reason}" if one.reason else ""
        click.echo(f"  try {one.number} at {moment(one.at)}: {one.state}{why}")
        for call in one.seen.get("calls", []):
            click.echo(f"    {call}")
    return None


def _find(store: Any, which: str) -> Any:
    with store.read() as db:
        row = reports.find_cancellation(db, which)
    if row is None:
        raise click.ClickException(
            f'No cancellation "{which}": give its id, or service:<id>.'
        )
    return row


@cancellations_command.command("withdraw")
@click.argument("which")
@click.option("--reason", default="withdrawn by staff", show_default=True)
@click.option("--dry-run", is_flag=True)
@click.option("--yes", is_flag=True)
def withdraw_(which: str, reason: str, dry_run: bool, yes: bool) -> None:
    """Withdraw a cancellation that has not run; the client is told."""
    store = open_store()
    row = _find(store, which)
    if row.state not in ("scheduled", "staff"):
        raise click.ClickException(f"It is {row.state}: there is nothing to withdraw.")
    what = f"{row.product} (service {row.service_id}), which would end {row.ends}"
    if dry_run:
        click.echo(f"would withdraw: {what}")
        return
    if not yes:
        click.confirm(f"Withdraw {what}?", abort=True, err=True)
    now = datetime.now(UTC)

    def change(db: sa.Connection) -> bool:
        book.note(db, now, who(), "withdraw", row.key, reason=reason)
        return withdraw(db, row, reason, now)

    done = store.write(change)
    if not done:
        raise click.ClickException("It began to run meanwhile: it was not withdrawn.")
    click.echo(f"Withdrawn: {what}. The client will be told.")
    click.echo(
        "The panel still lists the request; delete it there too, so that staff are "
        "not misled.",
        err=True,
    )


@cancellations_command.command("run")
@click.argument("which")
@click.option("--dry-run", is_flag=True)
@click.option("--yes", is_flag=True)
def run(which: str, dry_run: bool, yes: bool) -> None:
    """Carry one out now, whatever its day and the caps; all is looked up first."""
    settings = environment.load()
    logs.configure("error")
    bridge = wiring.build(settings)
    try:
        row = _find(bridge.store, which)
        if row.state not in ("scheduled", "staff", "acting"):
            raise click.ClickException(f"It is {row.state}: there is nothing to run.")
        what = f"{row.product} (service {row.service_id}, client {row.client_id})"
        if dry_run:
            return would(bridge, row, what)
        if not yes:
            click.confirm(
                f"End {what} now? It cannot be reversed.", abort=True, err=True
            )
        run_now(bridge, row)
    finally:
        bridge.close()


@cancellations_command.command("hold")
@click.option("--reason", required=True, help="Why, for the others who look.")
def hold_(reason: str) -> None:
    """Hold terminations, changes of owner and plan changes back until `release`.

    At once, for every process, and across restarts.
    """
    store = open_store()
    now = datetime.now(UTC)
    store.write(lambda db: limits.hold(db, now, who(), reason))
    click.echo(
        "Terminations, changes of owner and plan changes are held back. "
        "Let them run again with: cancellations release"
    )


@cancellations_command.command("release")
@click.option("--yes", is_flag=True)
def release_(yes: bool) -> None:
    """Let what was held back run again; what fell due meanwhile runs at once."""
    store = open_store()
    now = datetime.now(UTC)
    with store.read() as db:
        due = len(reports.due_cancellations(db, now))
    sure(due, "cancellations that are due", yes)
    done = store.write(lambda db: limits.release(db, now, who()))
    click.echo("They run again." if done else "They were not held.")


@cancellations_command.command("due")
@click.option("--as-of", required=True, help="A date (its whole day) or an ISO time.")
@click.option("--json", "as_json", is_flag=True)
def due(as_of: str, as_json: bool) -> None:
    """Show what will have ended by then."""
    settings = environment.load(need=False)
    moment = instant(as_of, settings.zone, "--as-of", whole_day=True)
    with reading() as store, store.read() as db:
        rows = reports.due_cancellations(db, moment)
    _print(rows, as_json)


@click.command("reconcile")
@click.option("--dry-run", is_flag=True, help="Show the differences, change nothing.")
@click.option("--yes", is_flag=True)
@click.option("--json", "as_json", is_flag=True)
def reconcile_command(dry_run: bool, yes: bool, as_json: bool) -> None:
    """Compare the book with the panel's list of requests, and mend."""
    logs.configure("error")
    with (
        to_read(environment.load(), only=dry_run) as settings,
        closing(wiring.build(settings)) as bridge,
    ):
        if not dry_run and not yes:
            count = len(reconcile(bridge.bench, dry_run=True).differences)
            sure(count, "cancellations", yes)
        report = reconcile(bridge.bench, dry_run=dry_run, progress=_progress)
    if as_json:
        return show(
            {
                "compared": report.compared,
                "complete": report.complete,
                "differences": [vars(one) for one in report.differences],
            }
        )
    rows = [[one.what, one.service_id, one.detail] for one in report.differences]
    table(["what", "service", "detail"], rows, "No differences.")
    click.echo(f"{report.compared} requests compared.", err=True)
    if not report.complete:
        click.echo("There are more: run it again, or wait 15 minutes.", err=True)
    return None


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty() and (done % 10 == 0 or done == total):
        click.echo(f"\rlooking at services: {done}/{total}", nl=done == total, err=True)
