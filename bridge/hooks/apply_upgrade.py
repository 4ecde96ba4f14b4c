"""apply_upgrade: once the difference is paid, change plan, cycle, price, due date."""

from __future__ import annotations

from datetime import date

from bridge.billing.model import Cycle, Service
from bridge.billing.periods import nth_due
from bridge.errors import Skipped
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context, Order
from bridge.hooks.invoice_upgrade import changed


@action(internal=True, acts=True)
def apply_upgrade(ctx: Context, *, order: str) -> Outcome:
    """Change the service as ordered, if its invoice is paid and all is as quoted.

    Reads invoice and service from the panel first: a hook's word is not enough,
    and a change that an earlier try made is not made again.
    """
    row = ctx.book.order(order)
    if row is None or row.state not in ("invoiced", "paid", "applying"):
        raise Skipped(f"upgrade {order} is {row.state if row else 'not in the book'}")
    ctx.client_id = row.client_id
    _paid(ctx, row)
    service = ctx.panel.service(row.service_id)
    if not _applied(row, service):
        if problem := changed(row, service):
            reason = f"{problem}: nothing was applied, the invoice is paid"
            ctx.keep("upgrades", row.id, state="staff", reason=reason)
            raise ctx.staff(f"upgrade {row.id} of service {service.id}: {reason}")
        cycle = Cycle(row.cycle)
        ctx.panel.change_service(
            service.id,
            product_id=row.to_product_id,
            cycle=cycle,
            recurring=row.recurring,
            next_due=_due(row, cycle, ctx.today),
        )
    ctx.keep("upgrades", row.id, state="applying", paid_on=row.paid_on or ctx.today)
    ctx.later("change_package", key=f"upgrade:{row.id}/package", order=row.id)
    return {"order": row.id, "service": service.id, "product": row.to_product}


def _paid(ctx: Context, row: Order) -> None:
    if row.charge == 0:
        return
    if row.invoice_id is None:
        raise ctx.staff(f"upgrade {row.id} has no invoice")
    invoice = ctx.panel.invoice(row.invoice_id)
    if not invoice.paid:
        raise Skipped(f"invoice {invoice.id} is {invoice.status}, not paid")


def _applied(row: Order, service: Service) -> bool:
    return (
        service.client_id == row.client_id
        and service.product_id == row.to_product_id
        and service.cycle is Cycle(row.cycle)
        and service.recurring == row.recurring
    )


def _due(row: Order, cycle: Cycle, enabled_on: date) -> date | None:
    """Return the new due date where a new period begins, else None: it stays."""
    if not row.new_period or cycle.months is None:
        return None
    return nth_due(enabled_on, cycle, 1)
