"""ask_number: somebody whose number WhatsApp withholds is asked to share it."""

from __future__ import annotations

from typing import Any

from marshmallow import fields

from bridge.hooks import Outcome, action
from bridge.hooks.context import Context


@action(
    internal=True,
    sends=True,
    user=fields.String(load_default=""),
    message=fields.Dict(load_default=dict),
)
def ask_number(
    ctx: Context, *, user: str = "", message: dict[str, Any] | None = None
) -> Outcome:
    """Send the question with the provider's own button for it; he may decline."""
    text = ctx.post.finished(message or {})
    state = ctx.post.ask_number(user, text, key=ctx.key)
    return {"state": state, "message": text.name}
