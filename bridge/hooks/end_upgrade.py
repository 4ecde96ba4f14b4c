"""end_upgrade: an ordered upgrade whose invoice was cancelled is over."""

from __future__ import annotations

from bridge.errors import Skipped
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
    invoice = ctx.panel.invoice(row.invoice_id)
    if invoice.counts:
        raise Skipped(f"invoice {invoice.id} is {invoice.status}")
    reason = f"invoice {invoice.id} is {invoice.status}"
    ctx.keep("upgrades", row.id, state="ended", reason=reason)
    return {"order": row.id, "how": reason}
