"""Messages that ask for a change of owner: who sent which text, and what it does.

Nothing moves here. A first message is a request, the second identical one from the
other account's telephone is an agreement; everything else is answered and that is all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bridge.billing.model import Client, Service
from bridge.billing.transfers import Asked, difference, emails_in, nearly, read
from bridge.errors import Reason, RemoteError, Skipped
from bridge.hooks import Outcome
from bridge.hooks.context import Context
from bridge.hooks.expire_transfer import expire
from bridge.hooks.records import Transfer
from bridge.hooks.transferring import (
    client_or_none,
    expire_key,
    fields_of,
    key_of,
    name_of,
    number_of,
    service_or_none,
    shared_with,
    tell,
    transfer_fields,
)
from bridge.views import View, client_view

REQUEST = "transfer_request"
#: Every message is answered, but nobody without end: so often a day in the same words.
_A_DAY = 10
#: Tickets of what one telephone writes in a day, at most.
TICKETS = 5
_NO_FIELDS = {
    **dict.fromkeys(("from_name", "from_email", "to_name", "to_email"), ""),
    **dict.fromkeys(("id", "service_id"), 0),
    **dict.fromkeys(("service", "reason", "said", "other"), ""),
    "expires": None,
}


@dataclass(frozen=True)
class Sender:
    """Who sent a request: *side* is from or to, empty for somebody else."""

    number: str
    text: str
    giver: Client | None
    taker: Client | None
    side: str

    @property
    def client(self) -> Client | None:
        """The client who sent it, None for a stranger."""
        return {"from": self.giver, "to": self.taker}.get(self.side)


def take(ctx: Context, number: str, clients: list[Client], text: str) -> Outcome | None:
    """Take a message if it asks for a change of owner, or looks as if; else None.

    *clients* are those who have this telephone, as far as the bridge knows.
    """
    forms = ctx.post.forms(REQUEST)
    asked = read(text, forms)
    said = None if asked is not None else nearly(text, forms)
    if asked is None and said is None:
        return None
    if ctx.event is not None and ctx.book.counted(ctx.event.id):
        raise Skipped("this message has counted already")
    if asked is None:
        return _unreadable(ctx, number, clients, text, said or "")
    row = _standing(ctx, asked.service_id)
    sender = _sender(ctx, number, text, asked, row)
    if not sender.side:
        return _answer(ctx, sender, "stranger", language=asked.language)
    both = [one.id for one in (sender.giver, sender.taker) if one is not None]
    others = shared_with(ctx, number, both)
    if sender.side == "both" or others or any(c.id not in both for c in clients):
        return _shared(ctx, sender, asked)
    return _of_a_party(ctx, sender, asked, row)


def _standing(ctx: Context, service_id: int) -> Transfer | None:
    """Return the open change of owner of a service; one out of time is ended."""
    row = ctx.book.open_transfer(service_id)
    late = max(ctx.now, _written(ctx))
    if row is not None and row.state == "proposed" and row.expires_at <= late:
        expire(ctx, row)
        return None
    return row


def _written(ctx: Context) -> datetime:
    """Return when the message was written, by the provider's own stamp."""
    return ctx.event.occurred_at if ctx.event else ctx.now


def _runs_until(ctx: Context) -> datetime:
    """Return until when a word counts, from when it was written.

    What a provider delivers late is no fresh word, to ask or to agree.
    """
    written = min(_written(ctx), ctx.now)
    return written + timedelta(hours=ctx.policies.transfers.expires_hours)


def _sender(
    ctx: Context, number: str, text: str, asked: Asked, row: Transfer | None
) -> Sender:
    """Find both accounts in the panel, and which of them has this telephone."""
    mails = (asked.from_email.casefold(), asked.to_email.casefold())
    if row is not None and mails == (
        row.from_email.casefold(),
        row.to_email.casefold(),
    ):
        giver = client_or_none(ctx, row.from_client_id)
        taker = client_or_none(ctx, row.to_client_id)
    else:
        giver, taker = _client(ctx, asked.from_email), _client(ctx, asked.to_email)
    has = [one is not None and number_of(ctx, one) == number for one in (giver, taker)]
    if all(has) and giver is not None and taker is not None and giver.id != taker.id:
        side = "both"
    else:
        side = "from" if has[0] else "to" if has[1] else ""
    return Sender(number, text, giver, taker, side)


def _client(ctx: Context, email: str) -> Client | None:
    try:
        return ctx.panel.client_by_email(email)
    except RemoteError as error:
        if error.reason is not Reason.NOT_FOUND:
            raise
        return None


def _of_a_party(
    ctx: Context, sender: Sender, asked: Asked, row: Transfer | None
) -> Outcome:
    giver, taker = sender.giver, sender.taker
    if giver is None or taker is None:
        return _answer(ctx, sender, "not_possible")
    ctx.client_id = sender.client.id if sender.client else None
    if giver.id == taker.id:
        return _answer(ctx, sender, "refused_same_client", fields=_named(asked))
    if row is not None and (giver.id, taker.id) == (
        row.from_client_id,
        row.to_client_id,
    ):
        return _again(ctx, sender, row)
    service = service_or_none(ctx, asked.service_id)
    if service is None or service.client_id != giver.id:
        return _answer(ctx, sender, "not_possible")
    if row is not None and (row.state != "proposed" or sender.side != "from"):
        return _beside(ctx, sender, row)
    return _propose(ctx, sender, asked, giver, taker, service, row)


def _again(ctx: Context, sender: Sender, row: Transfer) -> Outcome:
    """Answer a message about the very change of owner that stands open."""
    if row.state != "proposed":
        return _answer(ctx, sender, "under_way", row=row)
    mine, other = (row.from_text, row.to_text)[:: 1 if sender.side == "from" else -1]
    if mine is not None:
        if difference(sender.text, mine) is None:
            return _answer(ctx, sender, "repeated", row=row)
        return _differs(ctx, sender, row, mine)
    if _runs_until(ctx) <= ctx.now:  # older than the request it would agree to
        return _answer(ctx, sender, "expired", row=row)
    if difference(sender.text, other or "") is not None:
        return _differs(ctx, sender, row, other or "")
    ctx.keep(
        "transfers",
        row.key,
        was="proposed",
        state="agreed",
        agreed_at=ctx.now,
        **_proof(ctx, sender),
    )
    ctx.withdraw([expire_key(row.key)], "both sides agreed")
    ctx.later("check_transfer", key=f"{row.key}/check", transfer=row.key, urgent=True)
    return _answer(ctx, sender, "agreed", row=row)


def _beside(ctx: Context, sender: Sender, row: Transfer) -> Outcome:
    """Answer one who names other people than the request that stands open."""
    client = sender.client
    waits = {"from": row.to_client_id, "to": row.from_client_id}[
        "from" if row.from_text else "to"
    ]
    if row.state == "proposed" and client is not None and client.id == waits:
        return _differs(ctx, sender, row, row.from_text or row.to_text or "")
    return _answer(ctx, sender, "busy")


def _supersede(ctx: Context, row: Transfer) -> None:
    """The owner asks for something else: what was asked before is over."""
    reason = "the owner asked for another one"
    ctx.keep("transfers", row.key, was="proposed", state="withdrawn", reason=reason)
    ctx.withdraw([expire_key(row.key)], reason)
    tell(ctx, row, "transfer_withdrawn", "from" if row.from_text else "to")


def _propose(
    ctx: Context,
    sender: Sender,
    asked: Asked,
    giver: Client,
    taker: Client,
    service: Service,
    before: Transfer | None,
) -> Outcome:
    """Take a first message down; it takes the place of the sender's one *before*."""
    values = fields_of(giver, taker, service)
    known = ctx.facts.variables({"company"}, asked.language)
    exact = ctx.post.render(REQUEST, asked.language, known | {"transfer": View(values)})
    wrong = difference(sender.text, exact.text)
    if wrong is not None:
        return _answer(ctx, sender, "unclear", said=wrong.one)
    expires = _runs_until(ctx)
    if expires <= ctx.now:
        return _answer(ctx, sender, "expired", fields={"service": values["service"]})
    if before is not None:
        _supersede(ctx, before)
    key = key_of(ctx.event.id if ctx.event else ctx.key, service.id)
    ctx.keep(
        "transfers",
        key,
        was="",
        from_client_id=giver.id,
        to_client_id=taker.id,
        expires_at=expires,
        state="proposed",
        **values,
        **_proof(ctx, sender),
    )
    ctx.later("expire_transfer", key=expire_key(key), at=expires, transfer=key)
    last = expires.astimezone(ctx.zone).date()
    fields = {"service": name_of(service), "expires": last}
    return _answer(ctx, sender, "proposed", fields=fields)


def _proof(ctx: Context, sender: Sender) -> dict[str, Any]:
    """Return what proves a side's word: text, number, message id, time."""
    side = sender.side
    return {
        f"{side}_text": sender.text,
        f"{side}_number": sender.number,
        f"{side}_message": ctx.event.id if ctx.event else None,
        f"{side}_at": _written(ctx),
    }


def _named(asked: Asked) -> dict[str, Any]:
    return {"service": asked.names.get("service") or str(asked.service_id)}


def _differs(ctx: Context, sender: Sender, row: Transfer, other: str) -> Outcome:
    found = difference(sender.text, other)
    said, instead = (found.one, found.other) if found else ("-", "-")
    return _answer(ctx, sender, "differs", row=row, said=said, other=instead)


def _unreadable(
    ctx: Context, number: str, clients: list[Client], text: str, said: str
) -> Outcome:
    """Answer a text that begins as a request and is none, with where it parts."""
    row = ctx.book.awaiting(emails_in(text))
    if row is not None:
        side = "to" if row.from_text else "from"
        client = client_or_none(ctx, getattr(row, f"{side}_client_id"))
        if client is not None and number_of(ctx, client) == number:
            sender = Sender(number, text, client, client, side)
            return _differs(ctx, sender, row, row.from_text or row.to_text or "")
    known = clients[0] if len(clients) == 1 else None
    sender = Sender(number, text, known, None, "from" if known else "")
    return _answer(ctx, sender, "unclear", said=said)


def _shared(ctx: Context, sender: Sender, asked: Asked) -> Outcome:
    """A number of several clients identifies nobody: staff look, once a day."""
    if ctx.may_answer(sender.number, f"who {asked.service_id}") and ctx.may_answer(
        sender.number, "ticket", TICKETS
    ):
        _who_asks(ctx, sender, asked)
    return _answer(ctx, sender, "shared_number", language=asked.language)


def _who_asks(ctx: Context, sender: Sender, asked: Asked) -> None:
    client = sender.giver or sender.taker
    ctx.later(
        "open_ticket",
        key=key_of(f"{sender.number}/{ctx.today}", asked.service_id) + "/who",
        subject=f"[bridge] Change of owner of service {asked.service_id}: who asks?",
        text="The number that asked for it stands in more than one account, so the "
        "bridge cannot tell who sent it. Nothing was changed. See the event "
        f"{ctx.event.id if ctx.event else '-'}.",
        department=ctx.policies.transfers.ticket_department,
        raw=True,
        client_id=client.id if client else None,
    )


def _answer(
    ctx: Context,
    sender: Sender,
    name: str,
    *,
    row: Transfer | None = None,
    language: str = "",
    fields: dict[str, Any] | None = None,
    **more: str,
) -> Outcome:
    """Answer the sender, in his language where he is known.

    The answer is a step of its own: what waits for its turn is not judged anew.
    """
    client = sender.client
    if client is not None:
        language = ctx.language_of(client)
    language = language or ctx.language
    shown = transfer_fields(row, ctx.zone) if row else dict(_NO_FIELDS)
    variables = ctx.facts.variables({"company"}, language)
    variables["transfer"] = View(shown | (fields or {}) | more)
    if client is not None:
        variables["client"] = client_view(client, language, ctx.company)
    message = f"transfer_{name}"
    if not ctx.may_answer(sender.number, message, _A_DAY):
        return {"from": sender.number, "route": "transfer, answered often today"}
    text = ctx.post.render(message, language, variables)
    known = client.id if client else None
    ctx.later(
        "send_answer",
        key=f"{ctx.key}/answer",
        to=sender.number,
        message=ctx.post.kept(text) | {"client_id": known},
        urgent=True,
    )
    return {"from": sender.number, "route": "transfer", "message": message}
