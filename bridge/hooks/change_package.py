"""change_package: tell the server the new plan; retried until it took it."""

from __future__ import annotations

from bridge.errors import NoModule, Skipped
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context


@action(internal=True, acts=True)
def change_package(ctx: Context, *, order: str) -> Outcome:
    """Have the panel tell the server the service's plan, then tell the client.

    Saying it twice changes nothing: the server is told the plan, not a step.
    """
    row = ctx.book.order(order)
    if row is None or row.state not in ("applying", "staff"):
        raise Skipped(f"upgrade {order} is {row.state if row else 'not in the book'}")
    ctx.client_id = row.client_id
    how = "the server took the new plan"
    try:
        ctx.panel.change_package(row.service_id)
    except NoModule:
        how = "the product has no server to be told"
    ctx.keep("upgrades", row.id, was=row.state, state="done", reason=how)
    ctx.later(
        "send_alert",
        key=f"upgrade:{row.id}/told",
        message="upgrade_done",
        service_id=row.service_id,
        client_id=row.client_id,
        order=row.id,
    )
    return {"order": row.id, "service": row.service_id, "how": how}
