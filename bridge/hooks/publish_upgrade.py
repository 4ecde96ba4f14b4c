"""publish_upgrade: check the draft of an upgrade against its quote, publish it."""

from __future__ import annotations

from bridge.errors import Skipped
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context
from bridge.hooks.invoice_upgrade import sum_of
from bridge.hooks.records import step_key

#: With staff it is when its job was parked: then it runs only if they say so.
_OPEN = ("ordered", "staff")


@action(internal=True, acts=True)
def publish_upgrade(ctx: Context, *, order: str) -> Outcome:
    """Publish the draft if its sum is what was quoted; a draft that is not is staff's.

    The panel sends its own e-mail. One that is published already stays as it is.
    """
    row = ctx.book.order(order)
    if row is None or row.invoice_id is None or row.state not in _OPEN:
        raise Skipped(f"upgrade {order} waits for no invoice")
    ctx.client_id = row.client_id
    ctx.not_held()
    invoice = ctx.panel.invoice(row.invoice_id)
    if invoice.client_id != row.client_id or sum_of(invoice) != row.charge:
        reason = (
            f"invoice {invoice.id} is not as quoted: {sum_of(invoice)} instead of "
            f"{row.charge}, client {invoice.client_id}"
        )
        ctx.keep("upgrades", row.id, was=row.state, state="staff", reason=reason)
        raise ctx.staff(reason)
    if invoice.status.casefold() == "draft":
        ctx.panel.publish_invoice(invoice.id)
    elif invoice.paid:
        ctx.later("apply_upgrade", key=step_key(row.id, "apply"), order=row.id)
    ctx.keep("upgrades", row.id, was=row.state, state="invoiced")
    return {"order": row.id, "invoice": invoice.id}
