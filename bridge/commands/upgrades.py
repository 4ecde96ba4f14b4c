"""upgrade: the difference between two plans, worked out, and its invoice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import Any

import click

from bridge import logs, upgrading, wiring
from bridge import settings as environment
from bridge.billing.model import Cycle
from bridge.billing.money import decimal_text, round_half_up
from bridge.billing.upgrades import UpgradeQuote
from bridge.commands import orders
from bridge.commands.events import to_read
from bridge.commands.shared import show, who
from bridge.errors import HeldBack, OverCap, Reason, RemoteError
from bridge.hooks.records import step_key
from bridge.settings import Settings
from bridge.store import book
from bridge.upgrading import Quoted
from bridge.views import invoice_url


@click.group("upgrade")
def upgrade_command() -> None:
    """The difference between two plans, how it was worked out, and its invoice."""


for _more in (orders.list_command, orders.end_command):
    upgrade_command.add_command(_more)

_PENDING = "Another upgrade of this service is pending."
#: The largest number that the panel gives to anything.
_id = click.IntRange(1, 2**31 - 1)
_to = click.option(
    "--to",
    "product",
    required=True,
    type=_id,
    help="The new plan's product id.",
)
_cycle = click.option("--cycle", help="monthly, annually, ...; default: as now.")


@upgrade_command.command("quote")
@click.argument("service", type=_id)
@_to
@_cycle
@click.option("--json", "as_json", is_flag=True)
def quote_command(service: int, product: int, cycle: str | None, as_json: bool) -> None:
    """Show what changing SERVICE to another plan costs; nothing is changed."""
    with (
        to_read(environment.load()) as settings,
        closing(_open(settings)) as bridge,
    ):
        quoted = _quote(bridge, service, product, cycle)
        found = quoted.quote
        told = "" if found.allowed else upgrading.sentence(bridge.bench, quoted)
    _tell(found, told, as_json)
    if not found.allowed:
        sys.exit(1)


@upgrade_command.command("order")
@click.argument("service", type=_id)
@_to
@_cycle
@click.option("--json", "as_json", is_flag=True)
@click.option("--dry-run", is_flag=True, help="Only show what would be billed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def order_command(
    service: int,
    product: int,
    cycle: str | None,
    as_json: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Make the invoice of the difference; once paid, the plan changes by itself."""
    with (
        to_read(environment.load(), only=dry_run) as settings,
        closing(_open(settings)) as bridge,
    ):
        quoted = _quote(bridge, service, product, cycle)
        found = quoted.quote
        if not found.allowed or found.charge is None:
            _tell(found, upgrading.sentence(bridge.bench, quoted), as_json)
            sys.exit(1)
        if dry_run:
            _tell(found, "", as_json)
            with _saying_why(bridge, "Nothing would be ordered now"):
                if not upgrading.may_order(bridge.bench, quoted):
                    raise click.ClickException(_PENDING)
            return
        if not yes:
            _working(found, err=True)
            click.confirm("Make this invoice?", abort=True, err=True)
        _order(bridge, quoted, as_json)


def _open(settings: Settings) -> Any:
    logs.configure("error")
    return wiring.build(settings)


def _quote(bridge: Any, service_id: int, product_id: int, cycle: str | None) -> Quoted:
    chosen = _read_cycle(cycle)
    try:
        return upgrading.price(bridge.bench, service_id, product_id, chosen)
    except RemoteError as error:
        if error.reason is Reason.NOT_FOUND:
            raise click.ClickException(f"Not found: {error.detail}.") from error
        raise


def _read_cycle(text: str | None) -> Cycle | None:
    if not text:
        return None
    try:
        return Cycle.read(text)
    except ValueError as error:
        words = ", ".join(cycle.value for cycle in Cycle)
        raise click.BadParameter(
            f'"{text}" is none of {words}', param_hint="--cycle"
        ) from error


def _tell(found: UpgradeQuote, sentence: str, as_json: bool) -> None:
    money = None
    if found.charge is not None:
        money = decimal_text(found.charge, found.currency)
    if as_json:
        return show(
            {
                "service_id": found.service_id,
                "product_id": found.product_id,
                "cycle": found.cycle.value,
                "charge": money,
                "currency": found.currency,
                "basis": found.basis,
                "lines": [vars(line) for line in found.lines],
                "due_date": found.due_date,
                "allowed": found.allowed,
                "reason": found.reason,
                "refusal": found.refusal,
                "sentence": sentence,
                "renews_at": found.recurring,
            }
        )
    if not found.allowed:
        click.echo(f"Refused ({found.refusal}): {found.reason}")
        click.echo(sentence)
        return None
    return _working(found)


def _working(found: UpgradeQuote, *, err: bool = False) -> None:
    """Print how the charge was worked out; before a question it is only talk."""
    for line in found.lines:
        told = _exact(line.amount, found.currency)
        click.echo(f"{told:>14}  {line.label}  ({line.source})", err=err)
    exact = sum((line.amount for line in found.lines), Decimal(0))
    if found.charge is not None and exact != found.charge:
        click.echo(f"{exact:>14.4f}  the difference, rounded once, half up:", err=err)
    money = decimal_text(found.charge or Decimal(0), found.currency)
    to_pay = f"{money:>14}  {found.currency} to pay ({found.basis} basis)"
    click.echo(to_pay, err=err)
    renews = f"Renews at {found.recurring} {found.currency}, due {found.due_date}."
    click.echo(renews, err=err)


def _exact(amount: Decimal, currency: str) -> str:
    """Return an amount of the working: it is not rounded yet, and shown so."""
    whole = round_half_up(amount, currency)
    return f"{whole:f}" if whole == amount else f"{amount:.4f}"


def _order(bridge: Any, quoted: Quoted, as_json: bool) -> None:
    seed = bridge.bench.now().isoformat()
    with _saying_why(bridge, "Nothing was ordered"):
        id = upgrading.order(bridge.bench, quoted, who(), seed)
    if id is None:
        raise click.ClickException(_PENDING)
    for step in ("invoice", "publish"):
        _step(bridge, step_key(id, step))
    with bridge.store.read() as db:
        row = book.order(db, id)
    company = bridge.map.current.company
    address = invoice_url(company, row.invoice_id) if row.invoice_id else None
    if as_json:
        return show(
            {
                "order": id,
                "state": row.state,
                "invoice_id": row.invoice_id,
                "charge": decimal_text(row.charge, row.currency),
                "currency": row.currency,
                "reason": row.reason,
                "invoice_url": address,
            }
        )
    click.echo(f"order {id}: {row.state}, invoice {row.invoice_id or 'none'}")
    if address:
        click.echo(f"The client pays it at {address}")
    if row.reason:
        click.echo(row.reason)
    return None


@contextmanager
def _saying_why(bridge: Any, what: str) -> Iterator[None]:
    """Say *what* comes of it, and why, where a cap or the stop switch is in the way."""
    try:
        yield
    except OverCap as error:
        again = error.at.astimezone(bridge.settings.zone)
        raise click.ClickException(
            f"{what}. {error}. There is room again on {again:%Y-%m-%d} at "
            f"{again:%H:%M}."
        ) from error
    except HeldBack as error:
        raise click.ClickException(
            f"{what}. Plan changes are held back: {error}. Staff let them go on with: "
            "cancellations release"
        ) from error


def _step(bridge: Any, key: str) -> None:
    """Run a step here; a bridge that runs beside may have taken it already."""
    finish = bridge.worker.run_one(key)
    if finish is None:
        return
    if finish.reason and finish.state != "done":
        click.echo(f"{key}: {finish.state}: {finish.reason}", err=True)
