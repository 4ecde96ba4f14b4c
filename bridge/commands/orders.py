"""upgrade list, upgrade end: the orders of plan changes, and ending one by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from bridge import upgrading
from bridge.billing.money import decimal_text
from bridge.commands.events import open_store, reading
from bridge.commands.shared import show, table, who
from bridge.store import book, limits, reports

_STATES = (*reports.PENDING_ORDERS, "done", "ended", "rehearsed")


@click.command("list")
@click.option("--state", type=click.Choice(_STATES), multiple=True)
@click.option("--limit", default=200, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True)
def list_command(state: tuple[str, ...], limit: int, as_json: bool) -> None:
    """List plan changes: those that are not over first, the newest first."""
    with reading() as store, store.read() as db:
        rows = reports.list_orders(db, states=state, limit=limit)
        held = limits.held(db)
    if held:
        click.echo(f"Plan changes are held back: {held}", err=True)
    if as_json:
        return show([entry(row) for row in rows])
    head = ["id", "service", "client", "to", "charge", "invoice", "state", "reason"]
    cells = [
        [
            row.id,
            row.service_id,
            row.client_id,
            row.to_product,
            f"{decimal_text(row.charge, row.currency)} {row.currency}",
            row.invoice_id or "-",
            row.state,
            row.reason or "",
        ]
        for row in rows
    ]
    return table(head, cells, "No plan changes.")


def entry(row: Any) -> dict[str, Any]:
    """Return a plan change as `--json` shows it; *native* ones the panel made."""
    return {
        "id": row.id,
        "service_id": row.service_id,
        "client_id": row.client_id,
        "from_product": row.from_product,
        "to_product": row.to_product,
        "cycle": row.cycle,
        "charge": decimal_text(row.charge, row.currency),
        "currency": row.currency,
        "invoice_id": row.invoice_id,
        "state": row.state,
        "reason": row.reason,
        "native": row.native,
        "paid_on": row.paid_on,
        "created_at": row.created_at,
        "changed_at": row.changed_at,
    }


@click.command("end")
@click.argument("order")
@click.option("--reason", required=True, help="Why: it stays in the book.")
@click.option("--dry-run", is_flag=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
def end_command(order: str, reason: str, dry_run: bool, yes: bool) -> None:
    """End ORDER, which waits for its payment or for staff; nothing is applied.

    Its service may be upgraded and change its owner again. The invoice stays as it
    is in the panel.
    """
    store = open_store()
    with store.read() as db:
        row = book.order(db, order)
    if row is None:
        raise click.ClickException(f'No plan change "{order}": see upgrade list.')
    if row.state not in upgrading.ENDABLE:
        raise click.ClickException(f"It is {row.state}: there is nothing to end.")
    what = f"{row.from_product} -> {row.to_product} (service {row.service_id})"
    if dry_run:
        click.echo(f"would end: {what}")
        return
    if not yes:
        click.confirm(f"End {what}, which is {row.state}?", abort=True, err=True)
    if not upgrading.end(store, row, who(), reason, datetime.now(UTC)):
        raise click.ClickException(
            "It changed meanwhile, or is being worked on: look at it again."
        )
    click.echo(f"Ended: {what}.")
    if row.invoice_id is not None:
        click.echo(
            f"Invoice {row.invoice_id} stays as it is in the panel: cancel it there if "
            "it is open; if it is paid after all, staff are told."
        )
