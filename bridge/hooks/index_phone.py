"""index_phone: remember which telephone a client has, so that he is known by it."""

from __future__ import annotations

from bridge.hooks import Outcome, action
from bridge.hooks.context import Context
from bridge.whatsapp.phones import normalise


@action(internal=True)
def index_phone(ctx: Context) -> Outcome:
    """Read the client's telephone from the panel and keep it in the index.

    The index only says where to look: before anything follows from it the
    panel is asked again.
    """
    client = ctx.facts.client
    number = normalise(client.phone, client.country, default_country=ctx.country)
    ctx.keep("phones", client.id, number=number or "", seen_at=ctx.now)
    return {"client": client.id, "known": number is not None}
