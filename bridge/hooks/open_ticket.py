"""open_ticket: a ticket for staff, in a department of the panel."""

from __future__ import annotations

from marshmallow import fields, validate

from bridge.hooks import Outcome, action
from bridge.hooks.context import Context
from bridge.hooks.log_activity import client_of


@action(
    result=("ticket",),
    department=fields.Integer(strict=True, load_default=1, validate=validate.Range(1)),
    subject=fields.String(required=True, validate=validate.Length(1, 200)),
    text=fields.String(required=True, validate=validate.Length(1, 4000)),
)
def open_ticket(
    ctx: Context,
    *,
    subject: str,
    text: str,
    department: int = 1,
    raw: bool = False,
    client_id: int | None = None,
) -> Outcome:
    """Open a ticket with a text that staff read.

    The job's key stands at its end, so that staff see a ticket that came twice
    after a lost answer for what it is.
    """
    if not raw:
        uses = ctx.post.uses_source(subject) | ctx.post.uses_source(text)
        variables = ctx.facts.variables(uses, ctx.language)
        subject = ctx.post.render_source(subject, ctx.language, variables)
        text = ctx.post.render_source(text, ctx.language, variables)
    number = ctx.panel.open_ticket(
        department=department,
        subject=subject,
        message=f"{text}\n\n[{ctx.key}]",
        client_id=client_id or client_of(ctx),
    )
    return {"ticket": number}
