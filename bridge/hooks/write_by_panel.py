"""write_by_panel: the second way to a client whom WhatsApp does not reach."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from bridge.errors import Skipped
from bridge.hooks import Outcome, action
from bridge.hooks.composing import compose
from bridge.hooks.context import Context
from bridge.hooks.records import FALLBACK

WAYS = ("email", "ticket")


@action(
    internal=True,
    message=fields.String(required=True),
    way=fields.String(required=True, validate=validate.OneOf(WAYS)),
)
def write_by_panel(ctx: Context, *, message: str, way: str) -> Outcome:
    """Send an alert's text by the panel's e-mail, or as a ticket the client sees.

    Alerts that were one message stay one.

    The owner is read from the panel anew. An e-mail may come twice after a lost
    answer, as an alert may.
    """
    client = ctx.facts.client
    ctx.client_id = client.id
    if client.closed:
        raise Skipped(f"client {client.id} is closed: nobody is written to")
    language = ctx.facts.language
    more = ctx.book.take_group(ctx.policies.alerts.group_after)
    whole = compose(ctx, language, message, more).whole
    if way == "email":
        ctx.panel.send_email(client.id, ctx.company.name, whole)
        return {"to": f"client {client.id}", "by": "email"}
    number = ctx.panel.open_ticket(
        department=ctx.policies.inbound.department,
        subject=ctx.company.name,
        message=whole,
        client_id=client.id,
    )
    return {"to": f"client {client.id}", "by": f"ticket {number}"}


def write_instead(
    ctx: Context,
    key: str,
    way: str,
    message: str,
    client_id: int | None,
    *,
    event_id: str | None = None,
    **parameters: Any,
) -> None:
    """Have an alert go the second way, once, together with the outcome."""
    ctx.later(
        "write_by_panel",
        key=f"{key}{FALLBACK}",
        event_id=event_id,
        message=message,
        way=way,
        client_id=client_id,
        **parameters,
    )
