"""end_upgrade: an ordered upgrade whose invoice was cancelled or refunded is over."""

from __future__ import annotations

from bridge.billing.model import Invoice
from bridge.errors import Reason, RemoteError, Skipped
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context

#: Nobody works on these: they wait for a payment, or for staff.
WAITING = ("ordered", "invoiced", "staff")


@action(internal=True)
def end_upgrade(ctx: Context, *, order: str) -> Outcome:
    """End an order if the panel shows its invoice cancelled or refunded.

    So ends one that waits for staff as well: they gave the money back. A plan that
    was changed already stays as it is; the reason says so. Raises Parked where the
    panel has no such invoice: merged into another one, it may be paid with that.
    """
    row = ctx.book.order(order)
    if row is None or row.invoice_id is None or row.state not in WAITING:
        raise Skipped(f"upgrade {order} waits for no payment")
    ctx.client_id = row.client_id
    invoice = _invoice(ctx, row.invoice_id)
    state = f"is {invoice.status}" if invoice else "is not in the panel any more"
    reason = f"invoice {row.invoice_id} {state}"
    if row.paid_on is not None:
        reason += "; the plan was changed before"
    ctx.keep("upgrades", row.id, was=row.state, state="ended", reason=reason)
    if invoice is None:
        raise ctx.staff(
            f"upgrade {row.id} of service {row.service_id} ended: {reason}; if another "
            "invoice bills it now, change the plan by hand once that is paid"
        )
    return {"order": row.id, "how": reason}


def _invoice(ctx: Context, invoice_id: int) -> Invoice | None:
    """Return the invoice, None where the panel has none; Skipped where it is owed."""
    try:
        invoice = ctx.panel.invoice(invoice_id)
    except RemoteError as error:
        if error.reason is Reason.NOT_FOUND:
            return None
        raise
    if not invoice.void:
        raise Skipped(f"invoice {invoice.id} is {invoice.status}")
    return invoice
