"""end_upgrade: an ordered upgrade whose invoice was cancelled is over."""

from __future__ import annotations

from bridge.errors import Reason, RemoteError, Skipped
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context


@action(internal=True)
def end_upgrade(ctx: Context, *, order: str) -> Outcome:
    """End an order if the panel shows its invoice cancelled or refunded."""
    row = ctx.book.order(order)
    if (
        row is None
        or row.invoice_id is None
        or row.state not in ("ordered", "invoiced")
    ):
        raise Skipped(f"upgrade {order} waits for no payment")
    ctx.client_id = row.client_id
    reason = _why(ctx, row.invoice_id)
    ctx.keep("upgrades", row.id, was=row.state, state="ended", reason=reason)
    return {"order": row.id, "how": reason}


def _why(ctx: Context, invoice_id: int) -> str:
    try:
        invoice = ctx.panel.invoice(invoice_id)
    except RemoteError as error:
        if error.reason is Reason.NOT_FOUND:
            return f"the panel has no invoice {invoice_id} any more"
        raise
    if invoice.counts:
        raise Skipped(f"invoice {invoice.id} is {invoice.status}")
    return f"invoice {invoice.id} is {invoice.status}"
