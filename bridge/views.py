"""What conditions and texts may see: plain views of the panel's objects and ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge import labels
from bridge.billing.model import Client, Domain, Invoice, Quote, Service
from bridge.billing.money import Amount
from bridge.events import Event, catalogue
from bridge.policies import Company
from bridge.variables import FIELDS

#: The panel's names of languages (its `lang/` files) -> ours.
_LANGUAGES = {
    "spanish": "es",
    "english": "en",
    "portuguese-br": "pt_BR",
    "portuguese-pt": "pt_BR",
}


class View:
    """What a text may see of an object: the listed fields and nothing else."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_fields", dict(fields))

    def __getattr__(self, name: str) -> Any:
        try:
            return object.__getattribute__(self, "_fields")[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a view does not change")

    def fields(self) -> dict[str, Any]:
        """Return what it holds, for a preview or a record."""
        return dict(object.__getattribute__(self, "_fields"))


def language_of(client: Client, default: str) -> str:
    """Return es, en or pt_BR for a client."""
    return _LANGUAGES.get(client.language.casefold(), default)


def event_view(event: Event | None, language: str, *, held: bool = False) -> View:
    """Show an event: its own fields (nested ones flat), who did it, if it is *held*."""
    if event is None:
        return View(dict.fromkeys(FIELDS["event"], "") | {"held": held})
    known = catalogue().get(event.hookpoint)
    names = known.fields if known else ()
    shown: dict[str, Any] = {name.rpartition(".")[2]: "" for name in names}
    for name, value in event.data.items():
        if isinstance(value, dict):
            shown.update({k: _number(v) for k, v in value.items()})
        else:
            shown[name] = _number(value)
    shown.update(
        id=event.id,
        hookpoint=event.hookpoint,
        actor=event.context.get("actor", "unknown"),
        changed=labels.changed(event.context.get("changed", []), language),
        old_phone=event.context.get("old_phonenumber", ""),
        held=held,
    )
    return View(shown)


def _number(value: Any) -> Any:
    """Read a numeric text as the whole number it stands for (the panel sends both)."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value) if len(value) < 19 and not value.startswith("0") else value
    return value


def client_view(client: Client, language: str, company: Company) -> View:
    """Show a client."""
    return View(
        {
            "id": client.id,
            "first_name": client.first_name or client.full_name,
            "last_name": client.last_name,
            "full_name": client.full_name,
            "company": client.company,
            "email": client.email,
            "country": client.country,
            "language": language,
            "currency": client.currency,
            "status": client.status,
            "details_url": _page(company, "clientarea.php?action=details"),
        }
    )


def invoice_view(invoice: Invoice, currency: str, company: Company) -> View:
    """Show an invoice; amounts are in *currency*."""
    balance = invoice.total if invoice.balance is None else invoice.balance
    currency = invoice.currency or currency
    return View(
        {
            "id": invoice.id,
            "number": invoice.number or str(invoice.id),
            "status": invoice.status,
            "total": Amount(invoice.total, currency),
            "balance": Amount(balance, currency),
            "date": invoice.date,
            "due": invoice.due,
            "url": invoice_url(company, invoice.id),
        }
    )


def service_view(service: Service, currency: str, company: Company) -> View:
    """Show a service."""
    name = f"{service.product_name} ({service.domain})"
    return View(
        {
            "id": service.id,
            "product": service.product_name,
            "product_id": service.product_id,
            "domain": service.domain or service.product_name,
            "name": name if service.domain else service.product_name,
            "cycle": service.cycle.value,
            "status": service.status,
            "recurring": Amount(service.recurring, currency),
            "next_due": service.next_due,
            "suspension_reason": service.suspension_reason,
            "url": _page(
                company, f"clientarea.php?action=productdetails&id={service.id}"
            ),
        }
    )


def domain_view(domain: Domain) -> View:
    """Show a domain."""
    return View(
        {
            "id": domain.id,
            "name": domain.name,
            "status": domain.status,
            "expires": domain.expires,
        }
    )


def quote_view(quote: Quote, currency: str, company: Company) -> View:
    """Show a quote."""
    return View(
        {
            "id": quote.id,
            "subject": quote.subject,
            "stage": quote.stage,
            "total": Amount(quote.total, currency),
            "valid_until": quote.valid_until,
            "url": _page(company, f"viewquote.php?id={quote.id}"),
        }
    )


def company_view(company: Company, contact: str) -> View:
    """Show the company."""
    return View(
        {
            "name": company.name,
            "client_area": company.client_area,
            "whatsapp": company.whatsapp,
            "contact": contact or company.client_area,
            "services_url": _page(company, "clientarea.php?action=services"),
            "details_url": _page(company, "clientarea.php?action=details"),
        }
    )


def invoice_url(company: Company, invoice_id: int) -> str:
    """Return the page where a client sees and pays an invoice."""
    return _page(company, f"viewinvoice.php?id={invoice_id}")


def _page(company: Company, path: str) -> str:
    return f"{company.client_area.rstrip('/')}/{path}"
