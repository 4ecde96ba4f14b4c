"""settle_failure: a message failed after it was taken; its class says what follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from marshmallow import fields

from bridge.errors import ErrorClass, Instead, Later, Parked, Skipped, Wish
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context
from bridge.hooks.records import AGAIN, STATUS_OF, Sent, unwanted
from bridge.hooks.write_by_panel import write_instead
from bridge.whatsapp.phones import other_form

#: The state may come before our own record of the message: look again for so long.
_PATIENCE = timedelta(minutes=5)
#: The same message is sent anew so often, at most; not counted is what goes in its
#: place, each once: the number in its other form, another template, free text no more.
_AGAIN = 2
#: Parameters of an alert that its text needs.
_FOR_FACTS = ("service_id", "cancellation", "order", "_result")
_WAITS = {
    ErrorClass.RETRY: timedelta(minutes=2),
    ErrorClass.UNSURE: timedelta(minutes=10),
    ErrorClass.PAIR: timedelta(seconds=16),
    ErrorClass.LATER: timedelta(hours=24),
}


@action(
    internal=True,
    provider_id=fields.String(load_default=""),
    tag=fields.String(load_default=""),
    kind=fields.String(load_default=""),
    code=fields.String(load_default=""),
    detail=fields.String(load_default=""),
    instead=fields.String(load_default=""),
    wish=fields.String(load_default=""),
    provider=fields.String(load_default=""),
    to=fields.String(load_default=""),
    at=fields.String(load_default=""),
)
def settle_failure(
    ctx: Context,
    *,
    provider_id: str = "",
    tag: str = "",
    kind: str = "",
    code: str = "",
    detail: str = "",
    instead: str = "",
    wish: str = "",
    provider: str = "",
    to: str = "",
    at: str = "",
) -> Outcome:
    """Do about a failed state what the same class of a failed send would do.

    What may go in its place goes, each once; else it is sent anew, at its time and
    at most twice, where that may help. Where nothing of ours is sent any more, it waits
    with the others for the provider. It is never sent to another number. Raises
    Parked where a person must mend something, Skipped where nothing can be done. Run
    again by hand after that, it is sent anew: the person says that it is mended.
    """
    sent = ctx.book.sent(tag, provider_id)
    if sent is None:
        if ctx.now - (ctx.created_at or ctx.now) < _PATIENCE:
            raise Later("the message is not in the book yet", _soon(ctx))
        raise Skipped("no message of ours is known by that id")
    ctx.client_id = sent.client_id
    if sent.state in ("delivered", "read"):
        raise Skipped(f"it was {sent.state} all the same")
    if provider_id and sent.provider_id not in ("", provider_id):
        raise Skipped("an earlier attempt of it failed: the later one counts")
    found = ErrorClass(kind) if kind in set(ErrorClass) else ErrorClass.FIX
    why = f"{found.value} {code}: {detail}".strip()
    wants_no = Wish(wish) if wish in set(Wish) and to in ("", sent.to) else None
    told = min(datetime.fromisoformat(at), ctx.now) if at else ctx.now
    if wants_no is not None and sent.numbered:
        ctx.book.refused(sent.to, wants_no, f"{provider} {code}", told)
    mended = ctx.book.waited_for_staff(ctx.key)
    anew = None if mended else _in_its_place(ctx, sent, found, instead, why, told)
    if anew is not None:
        return _send_anew(ctx, sent, anew, why)
    if found is ErrorClass.HALT:
        return _halt(ctx, sent, why)
    if found is ErrorClass.NEVER:
        return _never(ctx, sent, wants_no, why)
    if mended:
        return _send_anew(ctx, sent, _Anew(found.value, ctx.now), why)
    if found is ErrorClass.FIX:
        raise Parked(f'the text "{sent.name}" was refused ({why})')
    same = [one for one in _tried(sent) if one in _WAITS]
    most = 1 if found is ErrorClass.LATER else _AGAIN  # more would prolong it
    if found not in _WAITS or len(same) >= most:
        raise Parked(f"sent {sent.again + 1} times, and it failed each time ({why})")
    return _send_anew(ctx, sent, _Anew(found.value, ctx.now + _WAITS[found]), why)


@dataclass(frozen=True)
class _Anew:
    """One more message: *what* it tries, when, and how it says so."""

    what: str
    at: datetime
    says: str = ""
    more: dict[str, Any] = field(default_factory=dict)


def _tried(sent: Sent) -> list[str]:
    return list(sent.parameters.get("tried", ()))


def _in_its_place(
    ctx: Context,
    sent: Sent,
    kind: ErrorClass,
    instead: str,
    why: str,
    told: datetime,
) -> _Anew | None:
    """Return what may go in place of a failed message, and was not tried yet."""
    found = None
    if instead == Instead.NUMBER and not sent.other_form and other_form(sent.to):
        more = {"other_form_of": sent.to}
        found = _Anew(instead, ctx.now, ", to the other form of the number", more)
    elif instead in STATUS_OF and sent.template is not None:
        name, language = sent.template
        status = STATUS_OF[Instead(instead)]
        ctx.book.refuse_template(name, language, status, why[:200])
        says = ", in another approved language"
        if instead == Instead.APPROVAL:
            says = ", once the template is approved again"
        found = _Anew(f"{instead} {language}", ctx.now, says)
    elif kind is ErrorClass.AS_TEMPLATE and sent.numbered:
        ctx.book.close_window(sent.to, told)
        found = _Anew(kind.value, ctx.now, ", as a template")
    return None if found is None or found.what in _tried(sent) else found


def _soon(ctx: Context) -> datetime:
    return ctx.now + timedelta(seconds=20)


def _send_anew(ctx: Context, sent: Sent, anew: _Anew, why: str) -> Outcome:
    if sent.action != "send_alert":
        raise Skipped("an answer to a message is not repeated")
    parameters = {k: v for k, v in sent.parameters.items() if k != "urgent"}
    parameters |= {"client_id": sent.client_id, "again": sent.again + 1}
    parameters |= {"tried": [*_tried(sent), anew.what], **anew.more}
    ctx.later(
        "send_alert",
        key=f"{sent.root}{AGAIN}{sent.again + 1}",
        at=anew.at,
        urgent=bool(sent.parameters.get("urgent")),
        event_id=sent.event_id,
        rule=sent.rule,
        condition=sent.condition,
        **parameters,
    )
    then = f"sent anew at {anew.at.isoformat()}{anew.says}"
    return {"message": sent.key, "then": then, "why": why}


def _halt(ctx: Context, sent: Sent, why: str) -> Outcome:
    """Let everything wait, this message too: it keeps its key and is none the later."""
    ctx.post.halt(why, sent.key, sent.at)
    ctx.book.wait_again(sent.key, why)
    then = "waits with the others until the provider takes messages again"
    return {"message": sent.key, "then": then, "why": why}


def _never(ctx: Context, sent: Sent, wish: Wish | None, why: str) -> Outcome:
    """Let it go another way, unless he does not want it."""
    category = ctx.post.category(sent.name)
    if unwanted(wish, category, bool(sent.parameters.get("urgent"))):
        return {"message": sent.key, "then": "nothing: he does not want it", "why": why}
    if wish is None and sent.numbered:
        ctx.keep("contacts", sent.to, unreachable_at=ctx.now)
    return _other_way(ctx, sent, why)


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
