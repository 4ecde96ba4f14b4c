"""check_transfer: both agreed; is everything as it must be for the service to pass?"""

from __future__ import annotations

from bridge.billing.transfer_case import checks, failing
from bridge.errors import Skipped
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context
from bridge.hooks.transferring import case_of, for_staff, hand_over, kept, refuse


@action(internal=True)
def check_transfer(ctx: Context, *, transfer: str) -> Outcome:
    """Check an agreed change of owner; what holds is moved, or waits for staff."""
    row = ctx.book.transfer(transfer)
    if row is None or row.state != "agreed":
        raise Skipped(f"{transfer} is {row.state if row else 'not in the book'}")
    ctx.client_id = row.from_client_id
    case = case_of(ctx, row)
    if case.service is not None and case.service.client_id == row.to_client_id:
        ctx.later("transfer_service", key=f"{row.key}/move", transfer=row.key)
        return {"service": row.service_id, "how": "it belongs to the new owner already"}
    found = checks(case)
    if code := failing(found):
        return refuse(ctx, row, code, found)
    if reason := for_staff(ctx, row):
        return hand_over(ctx, row, reason, found)
    ctx.keep("transfers", row.key, was=row.state, checks=kept(ctx, found))
    ctx.later("transfer_service", key=f"{row.key}/move", transfer=row.key)
    return {"service": row.service_id, "how": "everything holds"}
