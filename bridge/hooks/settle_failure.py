"""settle_failure: a message failed after it was taken; its class says what follows."""

from __future__ import annotations

from datetime import datetime, timedelta

from marshmallow import fields

from bridge.errors import ErrorClass, Later, Parked, Skipped
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context
from bridge.hooks.records import AGAIN, Sent
from bridge.hooks.write_by_panel import write_instead

#: The state may come before our own record of the message: look again for so long.
_PATIENCE = timedelta(minutes=5)
#: A message is sent anew so often, at most.
_AGAIN = 2
#: Parameters of an alert that its text needs.
_FOR_FACTS = ("service_id", "cancellation", "order", "_result")
_WAITS = {
    ErrorClass.RETRY: timedelta(minutes=2),
    ErrorClass.UNSURE: timedelta(minutes=10),
    ErrorClass.PAIR: timedelta(seconds=16),
    ErrorClass.LATER: timedelta(hours=24),
    ErrorClass.AS_TEMPLATE: timedelta(0),
    ErrorClass.HALT: timedelta(minutes=5),
}


@action(
    internal=True,
    provider_id=fields.String(load_default=""),
    tag=fields.String(load_default=""),
    kind=fields.String(load_default=""),
    code=fields.String(load_default=""),
    detail=fields.String(load_default=""),
)
def settle_failure(
    ctx: Context,
    *,
    provider_id: str = "",
    tag: str = "",
    kind: str = "",
    code: str = "",
    detail: str = "",
) -> Outcome:
    """Do about a failed state what the same class of a failed send would do.

    It is sent anew, at its time and at most twice, where that may help. Raises
    Parked where a person must mend something, Skipped where nothing can be done.
    """
    sent = ctx.book.sent(tag, provider_id)
    if sent is None:
        if ctx.now - (ctx.created_at or ctx.now) < _PATIENCE:
            raise Later("the message is not in the book yet", _soon(ctx))
        raise Skipped("no message of ours is known by that id")
    ctx.client_id = sent.client_id
    if sent.state in ("delivered", "read"):
        raise Skipped(f"it was {sent.state} all the same")
    found = ErrorClass(kind) if kind in set(ErrorClass) else ErrorClass.FIX
    why = f"{found.value} {code}: {detail}".strip()
    if found is ErrorClass.NEVER:
        ctx.keep("contacts", sent.to, unreachable_at=ctx.now)
        return _other_way(ctx, sent, why)
    if found is ErrorClass.FIX:
        raise Parked(f'the text "{sent.name}" was refused ({why})')
    if sent.again >= _AGAIN:
        raise Parked(f"sent {sent.again + 1} times, and it failed each time ({why})")
    if found is ErrorClass.AS_TEMPLATE:
        ctx.keep("contacts", sent.to, wrote_at=None)
    at = ctx.now + _WAITS[found]
    _send_anew(ctx, sent, at)
    return {"message": sent.key, "then": f"sent anew at {at.isoformat()}", "why": why}


def _soon(ctx: Context) -> datetime:
    return ctx.now + timedelta(seconds=20)


def _send_anew(ctx: Context, sent: Sent, at: datetime) -> None:
    if sent.action != "send_alert":
        raise Skipped("an answer to a message is not repeated")
    parameters = {k: v for k, v in sent.parameters.items() if k != "urgent"}
    parameters |= {"client_id": sent.client_id, "again": sent.again + 1}
    ctx.later(
        "send_alert",
        key=f"{sent.root}{AGAIN}{sent.again + 1}",
        at=at,
        urgent=bool(sent.parameters.get("urgent")),
        event_id=sent.event_id,
        rule=sent.rule,
        condition=sent.condition,
        **parameters,
    )


def _other_way(ctx: Context, sent: Sent, why: str) -> Outcome:
    way = sent.parameters.get("fallback")
    if not way or sent.parameters.get("to", "client") != "client":
        return {
            "message": sent.key,
            "then": "nothing: he cannot be reached",
            "why": why,
        }
    parameters = {k: v for k, v in sent.parameters.items() if k in _FOR_FACTS}
    write_instead(
        ctx,
        sent.root,
        str(way),
        str(sent.parameters.get("message") or sent.name),
        sent.client_id,
        event_id=sent.event_id,
        **parameters,
    )
    return {"message": sent.key, "then": f"by {way}", "why": why}
