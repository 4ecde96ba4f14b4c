"""apply_upgrade: once the difference is paid, change plan, cycle, price, due date."""

from __future__ import annotations

from decimal import Decimal

from bridge.billing.cancellations import owed
from bridge.billing.model import Cycle, Invoice, Service
from bridge.billing.money import round_half_up
from bridge.billing.ranks import list_price
from bridge.billing.upgrades import began_on, first_due
from bridge.errors import Parked, Skipped
from bridge.gather import invoices_of
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context
from bridge.hooks.invoice_upgrade import changed
from bridge.hooks.records import Order, step_key


@action(internal=True, acts=True)
def apply_upgrade(ctx: Context, *, order: str) -> Outcome:
    """Change the service as ordered, if its invoice is paid and all is as quoted.

    Reads invoice and service from the panel first: a hook's word is not enough,
    and a change that an earlier try made is not made again. Each word of a payment
    is looked into by a job of its own; the change is made by one job alone.
    """
    row = ctx.book.order(order)
    alone = ctx.key == step_key(order, "apply")
    states = ["ordered", "invoiced", "paid", "staff", *([] if alone else ["ended"])]
    if row is None or row.state not in states:
        raise Skipped(f"upgrade {order} is {row.state if row else 'not in the book'}")
    ctx.client_id = row.client_id
    if alone:
        ctx.not_held()
    invoice = _paid(ctx, row)
    if not alone and row.state in ("staff", "ended"):
        raise _paid_after_all(ctx, row)
    if not alone:
        ctx.later("apply_upgrade", key=step_key(row.id, "apply"), order=row.id)
        return {"order": row.id, "service": row.service_id, "how": "it is paid"}
    service = ctx.panel.service(row.service_id)
    cycle, enabled = Cycle(row.cycle), ctx.today
    if not (applied := _applied(row, service)):
        if problem := (
            changed(row, service)
            or _repriced(ctx, row, service)
            or _invoiced_since(ctx, service)
            or _billed_otherwise(row, invoice)
        ):
            reason = f"{problem}: nothing was applied, the invoice is paid"
            ctx.keep("upgrades", row.id, was=row.state, state="staff", reason=reason)
            raise ctx.staff(f"upgrade {row.id} of service {service.id}: {reason}")
        ctx.panel.change_service(
            service.id,
            product_id=row.to_product_id,
            cycle=cycle,
            recurring=row.recurring,
            next_due=first_due(cycle, enabled) if row.new_period else None,
        )
    if applied and row.new_period:  # an earlier try may have been the day before
        enabled = began_on(cycle, service.next_due, ctx.today)
    paid_on = row.paid_on or enabled
    ctx.keep("upgrades", row.id, was=row.state, state="applying", paid_on=paid_on)
    ctx.later("change_package", key=step_key(row.id, "package"), order=row.id)
    return {"order": row.id, "service": service.id, "product": row.to_product}


def _paid(ctx: Context, row: Order) -> Invoice | None:
    """Return the paid invoice, None where nothing is to be paid; or raise."""
    if row.charge == 0:
        return None
    if row.invoice_id is None:
        raise ctx.staff(f"upgrade {row.id} has no invoice")
    invoice = ctx.panel.invoice(row.invoice_id)
    if not invoice.paid and ctx.key == step_key(row.id, "apply"):
        raise ctx.staff(f"invoice {invoice.id} was paid and is {invoice.status} now")
    if not invoice.paid:
        raise Skipped(f"invoice {invoice.id} is {invoice.status}, not paid")
    return invoice


def _paid_after_all(ctx: Context, row: Order) -> Exception:
    """Have staff told of money that was taken for an order nothing is done for."""
    about = f"upgrade {row.id} of service {row.service_id}"
    once = f"upgrade:{row.id}/paid:{row.state}"
    paid = f"invoice {row.invoice_id} was paid"
    if row.state == "staff":
        return Parked(f"{about} waits for staff, and {paid}: {row.reason}", once=once)
    reason = f"{paid} after the order had ended"
    ctx.keep("upgrades", row.id, was=row.state, reason=reason)
    todo = "nothing was applied; change the plan by hand, or give it back"
    return Parked(f"{about}: {reason}: {todo}", once=once)


def _billed_otherwise(row: Order, invoice: Invoice | None) -> str:
    """Return how the paid invoice differs from what was quoted, or nothing.

    Its lines are looked at: credit that was applied lowers what is paid in cash, not
    them, and taxes stand in none. What the panel adds for being late is not ours.
    """
    if invoice is None:
        return ""
    lines = [line for line in invoice.lines if line.kind.casefold() != "latefee"]
    billed = sum((line.amount for line in lines), Decimal(0))
    if invoice.client_id != row.client_id:
        return f"invoice {invoice.id} belongs to client {invoice.client_id} now"
    if billed == row.charge:
        return ""
    return f"invoice {invoice.id} bills {billed}, not {row.charge} as quoted"


def _repriced(ctx: Context, row: Order, service: Service) -> str:
    """Return how the new plan's price differs from what was quoted, or nothing."""
    product = ctx.panel.product(row.to_product_id)
    price = list_price(product, row.currency, Cycle(row.cycle))
    if price is None:
        return f"plan {product.id} is not sold {row.cycle} any more"
    renews = round_half_up(price * service.quantity, row.currency)
    if renews == row.recurring:
        return ""
    return f"plan {product.id} costs {renews} now, not {row.recurring} as quoted"


def _invoiced_since(ctx: Context, service: Service) -> str:
    """Return which open invoice bills the service as it was, or nothing.

    There was none when it was quoted: it is of the old plan, or of the old cycle.
    """
    earlier = ctx.book.earlier_owners(service.id)
    found = owed(service.id, invoices_of(ctx.panel, service, earlier_owners=earlier))
    if not found:
        return ""
    return f"invoice {found[0].id} bills the service as it was before, and is open"


def _applied(row: Order, service: Service) -> bool:
    return (
        service.client_id == row.client_id
        and service.product_id == row.to_product_id
        and service.cycle is Cycle(row.cycle)
        and service.recurring == row.recurring
    )
