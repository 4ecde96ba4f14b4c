"""send_answer: the finished answer to what somebody wrote, as a step of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from marshmallow import fields

from bridge.errors import Skipped
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context
from bridge.hooks.transferring import number_of

#: An answer is one to what somebody just wrote.
_OF_USE = timedelta(hours=24)


@action(
    internal=True,
    sends=True,
    result=("to", "state"),
    to=fields.String(load_default=""),
    message=fields.Dict(load_default=dict),
)
def send_answer(
    ctx: Context, *, to: str = "", message: dict[str, Any] | None = None
) -> Outcome:
    """Send an answer that was worked out before: his message was judged, once.

    What he wrote has counted by now. An answer that has to wait for its turn is
    sent later, and nothing is judged anew. Raises Skipped a day after, and where it is
    a client's who has another telephone by now.
    """
    if ctx.created_at is not None and ctx.now - ctx.created_at > _OF_USE:
        raise Skipped("he asked more than a day ago: the answer is of no use any more")
    text = ctx.post.finished(message or {})
    client_id = (message or {}).get("client_id")
    if client_id is not None and number_of(ctx, ctx.panel.client(client_id)) != to:
        raise Skipped(f"client {client_id} has another telephone by now")
    state = ctx.post.send(to, text, key=ctx.key, client_id=client_id)
    return {"to": to, "state": state, "message": text.name}
