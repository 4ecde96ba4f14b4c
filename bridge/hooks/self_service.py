"""What a client may ask for by WhatsApp: his services, his invoices, the menu.

Nothing here changes anything; only a number that is one client's alone is answered.
"""

from __future__ import annotations

from datetime import date, timedelta

from bridge import labels
from bridge.billing.model import Client, Invoice, Service
from bridge.billing.money import Amount
from bridge.hooks import Outcome
from bridge.hooks.context import Context
from bridge.hooks.transferring import name_of
from bridge.views import View, client_view, invoice_url

#: Whole messages, folded.
SERVICES = frozenset(
    {"mis servicios", "servicios", "my services", "services", "meus servicos"}
)
INVOICES = frozenset(
    {"mis facturas", "facturas", "my invoices", "invoices", "minhas faturas", "faturas"}
)
HELP = frozenset({"ayuda", "menu", "help", "ajuda"})
#: So many services or invoices are told in one message.
_LISTED = 15
#: What may be another answer an hour later is given so often a day.
_A_DAY = 3
_PAID_UNTIL = ("pago hasta el {}", "paid until {}", "pago até {}")
_ENDS = ("termina el {}", "ends on {}", "termina em {}")
_DUE = ("vence el {}", "due on {}", "vence em {}")


def answer(ctx: Context, number: str, client: Client, words: str) -> Outcome | None:
    """Answer one of the words, in the client's language; None for other messages."""
    if words in SERVICES:
        lines = _services(ctx, client)
        return _listed(ctx, number, client, "services", lines)
    if words in INVOICES:
        lines = _invoices(ctx, client)
        return _listed(ctx, number, client, "invoices", lines)
    if words in HELP:
        return _send(ctx, number, client, "inbound_help", [])
    return None


def _listed(
    ctx: Context, number: str, client: Client, what: str, lines: list[str]
) -> Outcome:
    name = f"inbound_{what}" if lines else f"inbound_no_{what}"
    return _send(ctx, number, client, name, lines)


def _services(ctx: Context, client: Client) -> list[str]:
    """Return a line for each service that is there, with the day until which."""
    found = [
        one
        for one in ctx.panel.services(client.id)
        if one.client_id == client.id and not one.ended
    ]
    return [_service_line(ctx, client, one) for one in found]


def _service_line(ctx: Context, client: Client, service: Service) -> str:
    cancelled = ctx.book.live_cancellation(service.id)
    words, day = _PAID_UNTIL, _paid_until(service)
    if cancelled is not None and cancelled.ends is not None:
        words, day = _ENDS, cancelled.ends
    named = f"• {name_of(service)}"
    if not service.active:
        named += f" [{service.status}]"
    if day is None:
        return named
    language = ctx.language_of(client)
    return f"{named}: {_say(words, language).format(ctx.post.day(day, language))}"


def _paid_until(service: Service) -> date | None:
    """Return the last day that is paid, the one before the next due day.

    None where nobody can say so: without periods, or where nothing was paid yet.
    """
    due, began = service.next_due, service.registered
    if due is None or service.cycle.months is None:
        return None
    return None if began is not None and due <= began else due - timedelta(days=1)


def _invoices(ctx: Context, client: Client) -> list[str]:
    found = [
        one
        for one in ctx.panel.invoices(client.id)
        if one.client_id == client.id and one.open
    ]
    return [_invoice_line(ctx, client, one) for one in found]


def _invoice_line(ctx: Context, client: Client, invoice: Invoice) -> str:
    language = ctx.language_of(client)
    owed = invoice.total if invoice.balance is None else invoice.balance
    amount = Amount(owed, invoice.currency or client.currency)
    line = f"• {invoice.number or invoice.id}: {ctx.post.money(amount, language)}"
    if invoice.due is not None:
        line += f", {_say(_DUE, language).format(ctx.post.day(invoice.due, language))}"
    return f"{line}, {invoice_url(ctx.company, invoice.id)}"


def _say(words: tuple[str, str, str], language: str) -> str:
    return words[labels.position(language)]


def _send(
    ctx: Context, number: str, client: Client, name: str, lines: list[str]
) -> Outcome:
    if not ctx.may_answer(number, name, _A_DAY):
        return {"from": number, "route": "self-service, answered today already"}
    language = ctx.language_of(client)
    shown = lines[:_LISTED]
    if len(lines) > _LISTED:
        shown.append(labels.more(len(lines) - _LISTED, language))
    uses = ctx.post.uses(name) - {"result", "client"}
    variables = ctx.facts.variables(uses, language)
    variables["client"] = client_view(client, language, ctx.company)
    variables["result"] = View({"count": len(lines), "list": "\n".join(shown)})
    text = ctx.post.render(name, language, variables)
    state = ctx.post.send(number, text, key=ctx.key, client_id=client.id)
    return {"from": number, "route": "self-service", "message": name, "state": state}
