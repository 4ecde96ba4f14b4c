"""answer_message: what a person wrote to us on WhatsApp gets its one answer."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta

from bridge.billing.model import Client
from bridge.errors import Reason, RemoteError, Skipped
from bridge.hooks import Outcome, action, hidden, self_service, transfers
from bridge.hooks.context import Context
from bridge.hooks.records import Person
from bridge.hooks.transferring import client_or_none
from bridge.whatsapp.phones import normalise

#: Whole messages that end alerts and begin them again, folded; more than the word
#: alone, so that nobody ends his alerts who meant to cancel a service.
STOP = frozenset(
    {
        "baja alertas",
        "parar alertas",
        "stop",
        "stop alerts",
        "unsubscribe",
        "remover alertas",
    }
)
START = frozenset(
    {"alta alertas", "ativar alertas", "activar alertas", "start", "start alerts"}
)
#: In this trade these ask to cancel a service: never an opt-out.
CANCEL = frozenset(
    {
        "baja",
        "dar de baja",
        "quiero la baja",
        "cancelar",
        "cancelar servicio",
        "cancelacion",
        "cancel",
        "cancel my service",
        "cancelar servico",
        "cancelamento",
    }
)
#: After so long an answer is none to what he just wrote, and no free text either.
_OF_USE = timedelta(hours=23)
#: Clients of one telephone that are read from the panel, at most.
_READ = 10


@action(internal=True, sends=True, result=("from", "route"))
def answer_message(ctx: Context) -> Outcome:
    """Answer a WhatsApp message by its words; nothing that a client owns changes.

    Opt-out and opt-in words are obeyed for the number and its clients. Raises
    Skipped where the sender's number is withheld or nothing is to be answered.
    """
    number, user, text, payload = (
        str(ctx.event.value(name) or "") if ctx.event else ""
        for name in ("from", "user", "text", "payload")
    )
    words, payload = folded(text), folded(payload)
    if ctx.event and (what := str(ctx.event.value("wordless") or "")):
        raise Skipped(f"{what}: nothing is said with it that could be answered")
    shared = str(ctx.event.value("shared") or "") if ctx.event else ""
    if shared and user and number in ("", shared):
        return hidden.shared(ctx, user, shared)
    if not number and user:
        number = ctx.post.number_of(user) or ctx.book.number_of_user(user)
    taken = str(ctx.event.value("wish") or "") if ctx.event else ""
    word, stops = wish_of(text, payload, taken)
    if not number:
        return hidden.wrote(ctx, user, text, word or words, stops is not None)
    clients = clients_of(ctx, number)
    if len(clients) == 1:
        ctx.client_id = clients[0].id
    if stops is not None:
        return _opt(ctx, number, clients, word, out=stops, answered=bool(taken))
    if taken:
        return {"from": number, "route": f"{taken}: the provider has answered"}
    if (outcome := transfers.take(ctx, number, clients, text)) is not None:
        return outcome
    if _late(ctx):
        return {"from": number, "route": "it came too late to be answered"}
    if len(clients) == 1 and _alone(ctx, number):
        told = self_service.answer(ctx, number, clients[0], words or payload)
        if told is not None:
            return told
    if words in CANCEL or payload in CANCEL:
        return _once_a_day(ctx, number, clients, "inbound_how_to_cancel", "cancel")
    return _other(ctx, number, clients)


def _alone(ctx: Context, number: str) -> bool:
    """Tell whether all that may have a number were read: a client has it alone then."""
    return len(ctx.book.clients_with(number)) <= _READ


def _late(ctx: Context) -> bool:
    return ctx.event is not None and ctx.now - ctx.event.occurred_at > _OF_USE


def wish_of(text: str, payload: str, told: str = "") -> tuple[str, bool | None]:
    """Return the word that stops alerts (True) or begins them (False), None for none.

    *told* is stop, start or help where the provider took the message for that: then
    its words do not matter.
    """
    said = (folded(text), folded(payload))
    if told:
        return said[0][:60] or told, {"stop": True, "start": False}.get(told)
    for meant, stops in ((STOP, True), (START, False)):
        for word in said:
            if word in meant:
                return word, stops
    return "", None


def folded(text: str) -> str:
    """Return a message for comparison: case, accents, marks and blanks do not count."""
    # Wide letters of other keyboards too; look-alikes of other scripts stay others.
    plain = unicodedata.normalize(
        "NFKD", unicodedata.normalize("NFKC", text).casefold()
    )
    letters = "".join(c if c.isalnum() else " " for c in plain if not _mark(c))
    return " ".join(letters.split())


def _mark(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Cf")


def clients_of(ctx: Context, number: str) -> list[Client]:
    """Return the clients whose telephone in the panel is *number*, read there now."""
    found = []
    for client_id in ctx.book.clients_with(number)[:_READ]:
        try:
            client = ctx.panel.client(client_id)
        except RemoteError as error:
            if error.reason is not Reason.NOT_FOUND:
                raise
            continue
        known = normalise(client.phone, client.country, default_country=ctx.country)
        if client.id == client_id and known == number:
            found.append(client)
    return found


def _opt(
    ctx: Context,
    number: str,
    clients: list[Client],
    word: str,
    *,
    out: bool,
    answered: bool = False,
) -> Outcome:
    at, event = ctx.now, ""
    if ctx.event is not None:
        at, event = ctx.event.occurred_at, ctx.event.id
    has = {client.id for client in clients}
    person = ctx.book.person(number)
    if mistaken := _mistaken(ctx, number, has, at, event):
        ctx.book.take_back(event, mistaken)
    if person.opted_at is not None and person.opted_at > at:
        raise Skipped("he wrote another word since: that one counts")
    ctx.book.obey(number, has, word, at, event, stops=out)
    route = "stop" if out else "start"
    if answered:
        return {"from": number, "route": f"{route}: the provider has answered"}
    if not _changes(ctx, number, person, at, out=out):
        return {"from": number, "route": f"{route}, as before: he knows that"}
    name = "inbound_stopped" if out else "inbound_started"
    return _answer(ctx, number, clients, name, route)


def _mistaken(
    ctx: Context, number: str, has: set[int], at: datetime, event: str
) -> list[int]:
    """Return whom the word stopped when it came in, and who had not this number then.

    Who had it and gave it up since stays stopped: it was his word.
    """
    return [
        client_id
        for client_id in ctx.book.stopped_by(event)
        if client_id not in has and not _gave_up(ctx, client_id, number, at)
    ]


def _gave_up(ctx: Context, client_id: int, number: str, at: datetime) -> bool:
    """Tell whether a client had a number then, in his country or the bridge's own."""
    left = ctx.book.left(client_id, at)
    client = client_or_none(ctx, client_id) if left else None
    countries = {"", client.country if client is not None else ""}
    return any(
        normalise(old, country, default_country=ctx.country) == number
        for old in left
        for country in countries
    )


def _changes(
    ctx: Context, number: str, person: Person, at: datetime, *, out: bool
) -> bool:
    """Tell whether a word changed something, or is to be answered all the same."""
    if ctx.event is not None and person.opted_at == at:  # noted when it came in
        changed = person.opted_event == ctx.event.id
    else:
        changed = person.stopped != out
    # Who never stopped hears once a day that he gets alerts.
    first = not out and ctx.may_answer(number, "start")
    return changed or first


def _other(ctx: Context, number: str, clients: list[Client]) -> Outcome:
    policy = ctx.policies.inbound
    if policy.other == "ignore":
        raise Skipped("the map says to ignore it (inbound.other)")
    name = "inbound_reply"
    if policy.other == "open_ticket" and ctx.may_answer(
        number, "ticket", transfers.TICKETS
    ):
        _ticket(ctx, number, clients)
        name = "inbound_passed_on" if len(clients) == 1 else name
    return _once_a_day(ctx, number, clients, name, policy.other, "inbound_reply")


def _once_a_day(
    ctx: Context,
    number: str,
    clients: list[Client],
    name: str,
    route: str,
    kind: str = "",
) -> Outcome:
    """Answer if nothing of this *kind* (a text's name) was answered today."""
    if not ctx.may_answer(number, kind or name):
        return {"from": number, "route": f"{route}, answered today already"}
    return _answer(ctx, number, clients, name, route)


def _ticket(ctx: Context, number: str, clients: list[Client]) -> None:
    """Leave a note for staff, with whom it may be from."""
    who = ", ".join(f"client {client.id}" for client in clients) or "nobody we know"
    text = str(ctx.event.value("text") or "") if ctx.event else ""
    said = f"WhatsApp from {number} ({who}):\n\n{text[:3000] or '(no text)'}"
    if len(clients) != 1:
        # A ticket is of a client: who it may be is left in the panel's log.
        line = f"[bridge] {said}"
        ctx.later("log_activity", key=f"{ctx.key}/ticket", text=line, raw=True)
        return
    ctx.later(
        "open_ticket",
        key=f"{ctx.key}/ticket",
        subject=f"WhatsApp from {number}",
        text=said,
        department=ctx.policies.inbound.department,
        raw=True,
        client_id=clients[0].id,
    )


def _answer(
    ctx: Context, number: str, clients: list[Client], name: str, route: str
) -> Outcome:
    if _late(ctx):
        return {"from": number, "route": f"{route}, too late to answer"}
    language = ctx.language
    if len(clients) == 1:
        language = ctx.language_of(clients[0])
    uses = ctx.post.uses(name)
    text = ctx.post.render(name, language, ctx.facts.variables(uses, language))
    state = ctx.post.send(number, text, key=ctx.key, client_id=ctx.client_id)
    return {"from": number, "route": route, "message": name, "state": state}
