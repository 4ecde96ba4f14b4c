"""invoice_upgrade: one draft invoice of the difference, then it is published."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from marshmallow import fields, validate

from bridge.billing.model import Cycle, Invoice, Service
from bridge.billing.upgrades import UpgradeQuote
from bridge.errors import Parked, Rehearsed, Skipped
from bridge.gather import marker
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context
from bridge.hooks.price_upgrade import price
from bridge.hooks.records import Order, step_key

#: Days until the invoice of the difference is due.
_DAYS_TO_PAY = 5


@action(
    acts=True,
    result=("order", "invoice"),
    to=fields.Integer(strict=True, required=True, validate=validate.Range(1)),
    cycle=fields.String(load_default=""),
)
def invoice_upgrade(
    ctx: Context, *, to: int = 0, cycle: str = "", order: str = ""
) -> Outcome:
    """Make the invoice of an ordered upgrade, exactly one.

    With *to* (a plan) it first orders that upgrade for the event's service. The
    order's id stands in the invoice's notes, where it is looked for before
    anything is made. Raises Parked when the service is no longer as quoted, and over
    the caps of a day; Later over that of the hour.
    """
    if not order:
        return _order(ctx, to, cycle)
    row = _row(ctx, order)
    ctx.not_held()
    known = row.invoice_id or _made_already(ctx, row)
    if known is None and row.charge == 0:
        return _free(ctx, row)
    if known is None:
        _as_quoted(ctx, row)
        known = _make(ctx, row)
    ctx.keep("upgrades", row.id, was=row.state, invoice_id=known)
    ctx.later("publish_upgrade", key=step_key(row.id, "publish"), order=row.id)
    return {"order": row.id, "invoice": known}


def order_values(
    service: Service, quoted: UpgradeQuote, to_name: str, now: datetime
) -> dict[str, Any]:
    """Return the row of a new order, as the book keeps it."""
    return {
        "service_id": service.id,
        "client_id": service.client_id,
        "from_product_id": service.product_id,
        "to_product_id": quoted.product_id,
        "from_product": service.product_name,
        "to_product": to_name,
        "cycle": quoted.cycle.value,
        "charge": quoted.charge,
        "currency": quoted.currency,
        "recurring": quoted.recurring,
        "new_period": quoted.new_period,
        "next_due": service.next_due,
        "working": [asdict(line) for line in quoted.lines],
        "native": False,
        "state": "ordered",
        "created_at": now,
    }


def order_id(service_id: int, product_id: int, cycle: str, seed: str) -> str:
    """Return a short id that the same seed always gives."""
    text = f"{service_id}:{product_id}:{cycle}:{seed}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _order(ctx: Context, to: int, cycle: str) -> Outcome:
    service = ctx.facts.service
    chosen = Cycle.read(cycle) if cycle else service.cycle
    id = order_id(service.id, to, chosen.value, ctx.key)
    known = ctx.book.order(id)  # an earlier try of this very job may have kept it
    charge = known.charge if known else _keep(ctx, id, service, to, chosen)
    ctx.client_id = service.client_id
    ctx.later("invoice_upgrade", key=step_key(id, "invoice"), order=id)
    return {"order": id, "invoice": "in the next step", "charge": str(charge)}


def _keep(ctx: Context, id: str, service: Service, to: int, cycle: Cycle) -> Decimal:
    """Keep an order, within the caps, and return what it charges."""
    quoted = price(ctx, to, cycle, order=id)
    if not quoted.allowed or quoted.charge is None:
        raise ctx.staff(f"the upgrade is refused ({quoted.refusal}): {quoted.reason}")
    values = order_values(service, quoted, ctx.panel.product(to).name, ctx.now)
    if ctx.dry_run:  # nothing of it is done, so it does not count
        ctx.keep("upgrades", id, was="", **values)
        return quoted.charge
    found = ctx.book.begin_order(id, values, ctx.policies.upgrades.caps)
    if found.again_at is not None:
        raise ctx.not_now(found.reason, found.again_at)
    if not found.granted:
        once = found.once("orders", service.client_id, ctx.today)
        told = "(told once a day: see events list --status parked)"
        sentence = f"service {service.id} is not upgraded: {found.reason} {told}"
        raise Parked(sentence, once=once)
    return quoted.charge


def _row(ctx: Context, id: str) -> Order:
    row = ctx.book.order(id)
    if row is None or row.state not in ("ordered", "staff"):
        raise Skipped(f"upgrade {id} is {row.state if row else 'not in the book'}")
    ctx.client_id = row.client_id
    return row


def _made_already(ctx: Context, row: Order) -> int | None:
    """Look for the invoice that an earlier try may have made."""
    made = [i for i in ctx.panel.invoices(row.client_id) if marker(row.id) in i.notes]
    if len(made) > 1:
        ids = ", ".join(str(invoice.id) for invoice in made)
        raise _for_staff(ctx, row, f"the panel has several invoices of it: {ids}")
    return made[0].id if made else None


def _as_quoted(ctx: Context, row: Order) -> None:
    if problem := changed(row, ctx.panel.service(row.service_id)):
        raise _for_staff(ctx, row, problem)


def changed(row: Order, service: Any) -> str:
    """Return how a service differs from what was quoted, or an empty text.

    An order with a new period is one for another cycle than the service had.
    """
    if service.client_id != row.client_id:
        return f"the service belongs to client {service.client_id} now"
    if service.product_id != row.from_product_id:
        return f"the service has plan {service.product_id} now"
    if not service.active:
        return f"the service is {service.status}"
    if service.next_due != row.next_due:
        return f"its due date is {service.next_due} now, not {row.next_due}"
    if (service.cycle is Cycle(row.cycle)) is row.new_period:
        return f"it is paid {service.cycle.value} now"
    return ""


def _make(ctx: Context, row: Order) -> int:
    description = f"Upgrade: {row.from_product} -> {row.to_product} ({row.cycle})"
    if ctx.dry_run:
        ctx.keep("upgrades", row.id, was=row.state, state="rehearsed")
    return ctx.panel.create_draft_invoice(
        row.client_id,
        description=description,
        amount=row.charge,
        day=ctx.today,
        due=ctx.today + timedelta(days=_DAYS_TO_PAY),
        notes=marker(row.id),
    )


def _free(ctx: Context, row: Order) -> Outcome:
    if ctx.dry_run:
        ctx.keep("upgrades", row.id, was=row.state, state="rehearsed")
        raise Rehearsed(f"would change service {row.service_id} without an invoice")
    ctx.keep("upgrades", row.id, was=row.state, state="paid", paid_on=ctx.today)
    ctx.later("apply_upgrade", key=step_key(row.id, "apply"), order=row.id)
    return {"order": row.id, "invoice": "none: nothing is to be paid"}


def _for_staff(ctx: Context, row: Order, reason: str) -> Exception:
    ctx.keep("upgrades", row.id, was=row.state, state="staff", reason=reason)
    return ctx.staff(f"upgrade {row.id} of service {row.service_id}: {reason}")


def sum_of(invoice: Invoice) -> Decimal:
    """Return what an invoice bills before taxes and credit."""
    return sum((line.amount for line in invoice.lines), Decimal(0))
