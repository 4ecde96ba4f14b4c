"""People whose number WhatsApp withholds: what they may do, and how they are asked.

Meta lets people write under a user name; then only an identity of theirs is told
(https://developers.facebook.com/docs/whatsapp/business-scoped-user-ids).
"""

from __future__ import annotations

from bridge.billing.transfers import read
from bridge.errors import Skipped
from bridge.hooks import Outcome
from bridge.hooks.context import Context
from bridge.hooks.records import user_mark
from bridge.hooks.transfers import REQUEST


def shared(ctx: Context, user: str, number: str) -> Outcome:
    """Note the number of one who was asked for it; then he can write as anybody.

    An identity changes with its number. Raises Skipped where it is known with another.
    """
    if ctx.book.number_of_user(user) not in ("", number):
        raise Skipped("he shared another number than was told with his identity")
    at = min(ctx.event.occurred_at if ctx.event else ctx.now, ctx.now)
    ctx.keep("marks", user_mark(user), at=ctx.now, detail={"number": number})
    since = ctx.book.person(number).wrote_at or at
    ctx.keep("contacts", number, wrote_at=max(at, since))
    text = ctx.post.render(
        "inbound_number_known", ctx.language, ctx.facts.variables({"company"})
    )
    kept = ctx.post.kept(text) | {"client_id": None}
    ctx.later("send_answer", key=f"{ctx.key}/answer", to=number, message=kept)
    return {"from": number, "route": "his number is known now"}


def wrote(ctx: Context, user: str, text: str, words: str, consent: bool) -> Outcome:
    """Ask one who wants a change of owner for his number; else staff may have a line.

    A change of owner counts from the telephone of an account alone.
    """
    if _asks_for_a_move(ctx, user, text):
        return {"from": "", "route": "transfer: the number is withheld"}
    if consent and ctx.may_answer(user or "?", "withheld"):
        line = (
            f'[bridge] Somebody whose number WhatsApp withholds wrote "{words}". '
            f"Nobody is known by it: see event {ctx.event.id if ctx.event else '-'}."
        )
        ctx.later("log_activity", key=f"{ctx.key}/staff", text=line, raw=True)
        return {"from": "", "route": "the number is withheld: staff were told"}
    raise Skipped("the sender's number is withheld: there is nobody to answer")


def _asks_for_a_move(ctx: Context, user: str, text: str) -> bool:
    """Take a request of somebody without a number: he is asked to share it.

    Where the provider cannot ask, staff get a line. False where it is no request.
    """
    asked = read(text, ctx.post.forms(REQUEST))
    if asked is None:
        return False
    if user and ctx.post.asks:
        if ctx.may_answer(user, "withheld", 3):
            variables = ctx.facts.variables({"company"}, asked.language)
            made = ctx.post.render("inbound_share_number", asked.language, variables)
            ctx.later(
                "ask_number",
                key=f"{ctx.key}/ask",
                user=user,
                message=ctx.post.kept(made),
                urgent=True,
            )
        return True
    if ctx.may_answer(user or "?", "withheld", 3):
        line = (
            "[bridge] Somebody whose number WhatsApp withholds asked for a change of "
            f"owner. It does not count: see event {ctx.event.id if ctx.event else '-'}."
        )
        ctx.later("log_activity", key=f"{ctx.key}/staff", text=line, raw=True)
    return True
