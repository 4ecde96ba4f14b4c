"""check_transfer: both agreed; is everything as it must be for the service to pass?"""

from __future__ import annotations

from bridge.billing.transfer_case import checks, failing
from bridge.errors import Skipped
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context
from bridge.hooks.records import Transfer
from bridge.hooks.transferring import (
    case_of,
    hand_over,
    kept,
    refuse,
    shared_with,
)

_BY_STAFF = "the map leaves every change of owner to staff"


@action(internal=True)
def check_transfer(ctx: Context, *, transfer: str) -> Outcome:
    """Check an agreed change of owner; what holds is moved, or waits for staff."""
    row = ctx.book.transfer(transfer)
    if row is None or row.state != "agreed":
        raise Skipped(f"{transfer} is {row.state if row else 'not in the book'}")
    ctx.client_id = row.from_client_id
    found = checks(case_of(ctx, row))
    if code := failing(found):
        return refuse(ctx, row, code, found)
    if others := shared_number(ctx, row):
        return hand_over(ctx, row, f"client {others[0]} has a number of theirs", found)
    if ctx.policies.transfers.approval == "staff" and not row.approved_by:
        return hand_over(ctx, row, _BY_STAFF, found)
    ctx.keep("transfers", row.key, was=row.state, checks=kept(found))
    ctx.later("transfer_service", key=f"{row.key}/move", transfer=row.key)
    return {"service": row.service_id, "how": "everything holds"}


def shared_number(ctx: Context, row: Transfer) -> list[int]:
    """Return who else has a telephone that agreed."""
    both = (row.from_client_id, row.to_client_id)
    numbers = [number for number in (row.from_number, row.to_number) if number]
    return [other for number in numbers for other in shared_with(ctx, number, both)]
