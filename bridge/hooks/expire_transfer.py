"""expire_transfer: a request to which the other side said nothing is over."""

from __future__ import annotations

from bridge.errors import Skipped
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context
from bridge.hooks.records import Transfer
from bridge.hooks.transferring import tell


@action(internal=True)
def expire_transfer(ctx: Context, *, transfer: str) -> Outcome:
    """End a request of one side alone when its time is over, and tell him."""
    row = ctx.book.transfer(transfer)
    if row is None or row.state != "proposed":
        raise Skipped(f"{transfer} is {row.state if row else 'not in the book'}")
    if row.expires_at > ctx.now:
        raise ctx.not_now("it can still be agreed to", row.expires_at)
    expire(ctx, row)
    return {"service": row.service_id, "how": "nobody agreed in time"}


def expire(ctx: Context, row: Transfer) -> None:
    """Note that a request is over, and have the one who made it told."""
    ctx.keep("transfers", row.key, was="proposed", state="expired", reason="expired")
    tell(ctx, row, "transfer_expired", "from" if row.from_text else "to")
