"""log_activity: a line in the panel's own activity log."""

from __future__ import annotations

from marshmallow import fields, validate

from bridge.errors import Parked, RemoteError, Skipped
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context


@action(
    result=("text",),
    text=fields.String(required=True, validate=validate.Length(1, 2000)),
)
def log_activity(
    ctx: Context, *, text: str, raw: bool = False, client_id: int | None = None
) -> Outcome:
    """Write a line in the panel's activity log, with the client it concerns.

    A line may stand there twice after a lost answer; that harms nobody.
    """
    line = text
    if not raw:
        uses = ctx.facts.variables(ctx.post.uses_source(text), ctx.language)
        line = ctx.post.render_source(text, ctx.language, uses)
    ctx.panel.log(line, client_id or client_of(ctx))
    return {"text": line}


def client_of(ctx: Context) -> int | None:
    """Return the client concerned if the panel knows exactly one."""
    if ctx.event is None:
        return None
    try:
        owners = ctx.facts.owners()
    except (Parked, Skipped, RemoteError):
        return None
    return owners[0] if len(owners) == 1 else None
