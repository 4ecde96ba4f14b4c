"""remind_cancellation: tell the client some days before that his service ends."""

from __future__ import annotations

from bridge.errors import Skipped
from bridge.gather import request_for
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context


@action(internal=True)
def remind_cancellation(ctx: Context, *, cancellation: str) -> Outcome:
    """Have the client reminded, if the request still stands at the panel."""
    row = ctx.book.cancellation(cancellation)
    if row is None or row.state != "scheduled":
        raise Skipped(f"{cancellation} is not scheduled any more")
    if request_for(ctx.panel, row.service_id) is None:
        raise Skipped("the panel does not list the request any more")
    service = ctx.panel.service(row.service_id)
    if service.ended:
        raise Skipped(f"service {service.id} is {service.status} already")
    ctx.later(
        "send_alert",
        key=f"{ctx.key}/alert",
        message="cancellation_reminder",
        service_id=row.service_id,
        client_id=row.client_id,
        cancellation=cancellation,
    )
    return {"service": row.service_id, "ends": str(row.ends)}
