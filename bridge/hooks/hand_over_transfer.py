"""hand_over_transfer: a step of a change of owner failed for good; staff go on."""

from __future__ import annotations

from bridge.errors import Skipped
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context
from bridge.hooks.transferring import hand_over


@action(internal=True)
def hand_over_transfer(ctx: Context, *, transfer: str, reason: str = "") -> Outcome:
    """Give staff what was checked, and tell both that it takes a person now."""
    row = ctx.book.transfer(transfer)
    if row is None or row.state != "staff":
        raise Skipped(f"{transfer} is {row.state if row else 'not in the book'}")
    ctx.client_id = row.from_client_id
    return hand_over(ctx, row, reason or row.reason or "a step of it failed")
