"""send_alert: one WhatsApp message to the client whom the event concerns."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from marshmallow import fields, validate

from bridge.billing.model import Client
from bridge.errors import ErrorClass, SendError, Skipped
from bridge.hooks import Outcome, action
from bridge.hooks.composing import compose
from bridge.hooks.context import Context
from bridge.hooks.quiet import quiet_until
from bridge.hooks.records import AGAIN, unwanted
from bridge.hooks.write_by_panel import WAYS, write_instead
from bridge.whatsapp.phones import explain, normalise

#: Hookpoints that tell of a changed password; two of them may tell of one change.
PASSWORDS = ("UserChangePassword", "ClientChangePassword")


@action(
    sends=True,
    result=("to", "message", "state"),
    message=fields.String(required=True),
    urgent=fields.Boolean(load_default=False),
    to=fields.String(
        load_default="client", validate=validate.OneOf(("client", "old_phone"))
    ),
    fallback=fields.String(load_default="", validate=validate.OneOf(("", *WAYS))),
)
def send_alert(
    ctx: Context,
    *,
    message: str,
    urgent: bool = False,
    to: str = "client",
    fallback: str = "",
) -> Outcome:
    """Send a message to the client, at a decent hour, once.

    The owner is read from the panel. A user's alert goes to each client that he
    owns. Where WhatsApp says that it never reaches him, it goes by *fallback*:
    email or ticket. Raises Skipped where nobody can be written to, Parked where
    the delivery and the panel disagree on whom.
    """
    owners = ctx.facts.owners()
    if len(owners) > 1:
        given = {"message": message, "urgent": urgent, "to": to, "fallback": fallback}
        return _one_each(ctx, owners, **given)
    client = ctx.facts.client
    ctx.client_id = client.id
    _once_for_one_change(ctx, client)
    if client.closed:
        raise Skipped(f"client {client.id} is closed: nobody is written to")
    number = _number(ctx, client, to)
    _wants_alerts(ctx, client, number, urgent)
    alerts = ctx.policies.alerts
    if not urgent:
        _wait_for_the_morning(ctx)
    more = [] if urgent else ctx.book.take_group(alerts.group_after)
    text = compose(ctx, ctx.facts.language, message, more)
    if text.category == "marketing" and ctx.book.person(number).no_marketing:
        raise Skipped(f"client {client.id} stopped marketing in WhatsApp itself")
    try:
        state = ctx.post.send(number, text, key=ctx.key, client_id=client.id)
    except SendError as error:
        if not fallback or to != "client" or not second_way(error, text, urgent):
            raise
        if error.wish is None:
            ctx.keep("contacts", number, unreachable_at=ctx.now)
        write_instead(ctx, ctx.key, fallback, message, client.id)
        return {"to": f"client {client.id}", "message": message, "state": fallback}
    return {"to": f"client {client.id}", "message": message, "state": state} | (
        {"together_with": len(more)} if more else {}
    )


def second_way(error: SendError, text: Any, urgent: bool) -> bool:
    """Tell whether what does not reach him by WhatsApp may go another way."""
    wanted = not unwanted(error.wish, text.category, urgent)
    return error.kind is ErrorClass.NEVER and wanted


def _one_each(ctx: Context, owners: list[int], **parameters: Any) -> Outcome:
    for owner in owners:
        ctx.later(
            "send_alert",
            key=f"{ctx.key}/client:{owner}",
            client_id=owner,
            **parameters,
        )
    return {"to": f"{len(owners)} clients", "clients": owners}


def _once_for_one_change(ctx: Context, client: Client) -> None:
    """Raise Skipped if another hookpoint told of the same password change.

    Raises Later while its rule's condition was not looked at.
    """
    if ctx.event is None or ctx.event.hookpoint not in PASSWORDS:
        return
    before = ctx.book.same_change(ctx.event, client.id, client.owner_user_id)
    if before is None:
        return
    told = f"the same password change as event {before[0]}: one alert is enough"
    if before[1] is not None and not ctx.preview:
        raise ctx.not_now(f"{told}, if that one's condition holds", before[1])
    raise Skipped(told)


def _number(ctx: Context, client: Client, to: str) -> str:
    raw, country, default = client.phone, client.country, ctx.country
    if to == "old_phone":
        raw = ctx.event.context.get("old_phonenumber", "") if ctx.event else ""
        if not raw:
            raise Skipped("the telephone did not change: there is no old number")
        if ctx.event and "country" in ctx.event.context.get("changed", ()):
            country = default = ""  # it was of another one, and of which is not told
    if not raw.strip():
        raise Skipped(f"client {client.id} has no telephone in his profile")
    number = normalise(raw, country, default_country=default)
    if number is None:
        why = explain(raw, country, default_country=default)
        raise Skipped(f"the telephone of client {client.id} cannot be used: {why}")
    if to == "old_phone" and number == normalise(
        client.phone, client.country, default_country=ctx.country
    ):
        raise Skipped("the old telephone is the present one, only written differently")
    return number


def _wants_alerts(ctx: Context, client: Client, number: str, urgent: bool) -> None:
    """Raise Skipped for who stopped alerts; those of his account's safety still go."""
    stopped = "" if urgent else ctx.book.stopped_alerts(number, client.id)
    if stopped:
        raise Skipped(f"client {client.id} wants no alerts ({stopped})")


def _wait_for_the_morning(ctx: Context) -> None:
    alerts = ctx.policies.alerts
    until = quiet_until(ctx.now, ctx.zone, alerts.quiet_from, alerts.quiet_to)
    if until is not None and alerts.quiet_to is not None:
        if AGAIN not in ctx.key:  # what is sent anew stays as it is
            ctx.group_key = f"{ctx.rule}/client:{ctx.client_id}"
        hour = alerts.quiet_to.strftime("%H:%M")
        if ctx.preview:
            ctx.seen["waits_until"] = hour
            return
        raise ctx.not_now(f"quiet hours: waits until {hour}", until.astimezone(UTC))
