"""transfers: who asked for which change of owner, and the evidence."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
import sqlalchemy as sa

from bridge import settings as environment
from bridge import wiring
from bridge.billing.transfer_case import worded
from bridge.commands.events import open_store
from bridge.commands.shared import moment, show, table, who
from bridge.commands.transferlink import link
from bridge.dispatch import move_job
from bridge.errors import RemoteError
from bridge.hooks.transferring import SIDES, expire_key
from bridge.store import book, handover, outbox, reports
from bridge.store.outbox import NewJob

_STATES = (
    *("proposed", "agreed", "moving", "staff"),
    *("done", "refused", "expired", "withdrawn", "rehearsed"),
)
_SHOWN = (
    *("id", "service_id", "service", "state", "reason"),
    *("agreed_at", "approved_by", "acted_at", "moved"),
)
#: A move that has begun is not taken back: look first whether it happened.
_OPEN = ("proposed", "agreed", "staff")


@click.group("transfers")
def transfers_command() -> None:
    """Changes of owner: who asked, what was checked, what came of it."""


transfers_command.add_command(link)


@transfers_command.command("list")
@click.option("--state", type=click.Choice(_STATES), multiple=True)
@click.option("--all", "everything", is_flag=True, help="Those that are over as well.")
@click.option("--limit", default=200, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True)
def list_(state: tuple[str, ...], everything: bool, limit: int, as_json: bool) -> None:
    """List changes of owner, the newest first."""
    states = state or (() if everything else handover.OPEN)
    store = open_store()
    with store.read() as db:
        rows = handover.list_transfers(db, states=states, limit=limit)
    if as_json:
        return show([entry(row) for row in rows])
    head = ["id", "service", "from", "to", "state", "until (UTC)", "reason"]
    cells = [
        [
            row.id,
            row.service_id,
            row.from_email,
            row.to_email,
            row.state,
            f"{row.expires_at:%Y-%m-%d %H:%M}" if row.state == "proposed" else "-",
            row.reason or "",
        ]
        for row in rows
    ]
    return table(head, cells, "No changes of owner.")


def entry(row: Any) -> dict[str, Any]:
    """Return a change of owner with its evidence, as `--json` shows it."""
    return {
        "id": row.id,
        "key": row.key,
        "service_id": row.service_id,
        "service": row.service,
        "state": row.state,
        "reason": row.reason,
        **{side: _side(row, side) for side in SIDES},
        "expires_at": row.expires_at,
        "agreed_at": row.agreed_at,
        "acted_at": row.acted_at,
        "approved_by": row.approved_by,
        "checks": row.checks or [],
        "moved": row.moved,
    }


def _side(row: Any, side: str) -> dict[str, Any]:
    names = ("client_id", "name", "email", "number", "text", "message", "at")
    return {name: getattr(row, f"{side}_{name}") for name in names}


@transfers_command.command("show")
@click.argument("which")
@click.option("--json", "as_json", is_flag=True)
def show_(which: str, as_json: bool) -> None:
    """Show one with its evidence: WHICH is its id or service:<id>."""
    store = open_store()
    row = _find(store, which)
    with store.read() as db:
        acts = _audit(db, row.key)
    if as_json:
        return show({**entry(row), "by_hand": acts})
    found = entry(row)
    for name in _SHOWN:
        value = found[name]
        told = moment(value) if isinstance(value, datetime) else value
        click.echo(f"{name:>12}: {'-' if told is None else told}")
    for side in SIDES:
        about = found[side]
        click.echo(f"{side}: client {about['client_id']}, {about['email']}")
        if about["text"] is None:
            click.echo("  said nothing yet")
            continue
        click.echo(
            f"  {moment(about['at'])} from {about['number']} ({about['message']}):"
        )
        click.echo(f"  {' '.join(about['text'].split())}")
    if found["checks"]:
        at = found["checks"][0].get("at")  # what was kept long ago has none
        when = f" {moment(datetime.fromisoformat(at))}" if at else ""
        click.echo(f"checked{when}:")
    for check in found["checks"]:
        click.echo(f"  {worded(check['code'], check['holds'], check['found'])}")
    for act in acts:
        done = f"{act['what']} {act['detail'] or ''}".strip()
        click.echo(f"  {moment(act['at'])} {act['who']}: {done}")
    return None


def _audit(db: sa.Connection, key: str) -> list[dict[str, Any]]:
    return [
        {"at": row.at, "who": row.who, "what": row.what, "detail": row.detail}
        for row in reports.notes(db, key)
    ]


def _find(store: Any, which: str) -> Any:
    with store.read() as db:
        row = handover.find(db, which)
    if row is None:
        raise click.ClickException(
            f'No change of owner "{which}": give its id, or service:<id>.'
        )
    return row


@transfers_command.command("approve")
@click.argument("which")
@click.option("--dry-run", is_flag=True)
@click.option("--yes", is_flag=True)
def approve(which: str, dry_run: bool, yes: bool) -> None:
    """Let one that waits for staff be carried out; everything is looked up again."""
    store = open_store()
    row = _find(store, which)
    what = _what(row)
    if row.state != "staff" or row.agreed_at is None:
        raise click.ClickException(f"It is {row.state}: it does not wait for staff.")
    if dry_run:
        click.echo(f"would move: {what}")
        return
    if not yes:
        click.confirm(f"Move {what}?", abort=True, err=True)
    now = datetime.now(UTC)
    job = move_job(row, f"move:{int(now.timestamp())}", now)

    def change(db: sa.Connection) -> bool:
        fresh = handover.transfer(db, row.key)
        if fresh.state != "staff":
            return False
        book.note(db, now, who(), "approve transfer", row.key)
        values = {"state": "agreed", "approved_by": who(), "reason": None}
        book.keep(db, "transfers", row.key, values, now, "staff")
        outbox.put(db, [job], now)
        return True

    done = store.write(change)
    if not done:
        raise click.ClickException("It changed meanwhile: look at it again.")
    click.echo(f"Approved: {what}. A running bridge carries it out now.")


@transfers_command.command("reject")
@click.argument("which")
@click.option("--reason", default="rejected by staff", show_default=True)
@click.option("--dry-run", is_flag=True)
@click.option("--yes", is_flag=True)
def reject(which: str, reason: str, dry_run: bool, yes: bool) -> None:
    """End one that has not begun to move; both sides are told."""
    store = open_store()
    row = _find(store, which)
    what = _what(row)
    if row.state not in _OPEN:
        raise click.ClickException(f"It is {row.state}: there is nothing to reject.")
    if dry_run:
        click.echo(f"would reject: {what}")
        return
    if not yes:
        click.confirm(f"Reject {what}?", abort=True, err=True)
    now = datetime.now(UTC)
    if row.acted_at is not None:
        _not_moved(row)
    done = store.write(lambda db: _reject(db, row, reason, now))
    if not done:
        raise click.ClickException("It changed meanwhile: look at it again.")
    click.echo(f"Rejected: {what}. Who asked for it will be told.")


def _not_moved(row: Any) -> None:
    """Make sure, in the panel, that a move that was begun did not happen.

    Raises ClickException where it did, or where nobody can tell.
    """
    bridge = wiring.build(environment.load())
    try:
        owner = bridge.bench.panel.service(row.service_id).client_id
    except RemoteError as error:
        raise click.ClickException(
            f"A move was begun, and the panel cannot be asked whether it happened: "
            f"{error.detail}. Try again later."
        ) from error
    finally:
        bridge.close()
    if owner != row.from_client_id:
        raise click.ClickException(
            f"Service {row.service_id} belongs to client {owner} now: there is "
            f"nothing to reject. `transfers approve {row.id}` notes that it passed."
        )


def _reject(db: sa.Connection, row: Any, reason: str, now: datetime) -> bool:
    fresh = handover.transfer(db, row.key)
    if fresh.state != row.state:
        return False
    book.note(db, now, who(), "reject transfer", row.key, reason=reason)
    values = {"state": "refused", "reason": f"rejected: {reason}"}
    book.keep(db, "transfers", row.key, values, now, fresh.state)
    gone = [expire_key(row.key), f"{row.key}/check", f"{row.key}/move"]
    outbox.withdraw(db, gone, "rejected by staff", now)
    asked = [side for side in SIDES if getattr(fresh, f"{side}_text") is not None]
    outbox.put(db, [_told(fresh, side, now) for side in asked], now)
    return True


def _told(row: Any, side: str, now: datetime) -> NewJob:
    client = getattr(row, f"{side}_client_id")
    return NewJob(
        key=f"{row.key}/transfer_rejected:{side}",
        event_id=None,
        action="send_alert",
        rule="transfer",
        run_at=now,
        parameters={
            "message": "transfer_rejected",
            "client_id": client,
            "transfer": row.key,
            "urgent": True,
        },
        urgent=True,
        client_id=client,
    )


def _what(row: Any) -> str:
    return (
        f"{row.service} (service {row.service_id}) from {row.from_email} "
        f"to {row.to_email}"
    )
