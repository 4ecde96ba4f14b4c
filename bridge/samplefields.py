"""Made-up values of what a text may name: the examples that a template needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from bridge import views
from bridge.billing.money import Amount
from bridge.filters import WANTS
from bridge.placeholders import Placeholder
from bridge.policies import Company
from bridge.samples import SamplePanel
from bridge.textfiles import Text
from bridge.variables import FIELDS
from bridge.views import View

_CURRENCY = "ARS"
_TOTAL = Decimal("100.00")


def examples(
    text: Text, company: Company, today: date, contact: str = ""
) -> Mapping[str, View]:
    """Return every variable that *text* names, filled with invented values.

    The company's own are the real ones: whoever approves a template sees them.
    """
    known = _views(text.language, company, today, contact)
    found: dict[str, dict[str, Any]] = {}
    for part in _placed(text):
        view = known.get(part.variable)
        values = view.fields() if view is not None else {}
        if part.field not in values:
            values[part.field] = _by_kind(part, today)
        found.setdefault(part.variable, {})[part.field] = values[part.field]
    return {name: View(fields) for name, fields in found.items()}


def _placed(text: Text) -> Iterable[Placeholder]:
    return (part for part in (*text.parts, *text.url) if isinstance(part, Placeholder))


def _views(
    language: str, company: Company, today: date, contact: str
) -> dict[str, View]:
    panel = SamplePanel(today)
    client, service = panel.client(1), panel.service(1)
    return {
        "client": views.client_view(client, language, company),
        "invoice": views.invoice_view(panel.invoice(1234), _CURRENCY, company),
        "service": views.service_view(service, _CURRENCY, company),
        "domain": views.domain_view(panel.domain(1)),
        "quote": views.quote_view(panel.quote(12), _CURRENCY, company),
        "company": views.company_view(company, contact),
        "upgrade": View(
            {
                "from_product": panel.product(21).name,
                "to_product": panel.product(22).name,
                "charge": Amount(Decimal("50.00"), _CURRENCY),
                "invoice_id": 1234,
                "invoice_url": views.invoice_url(company, 1234),
            }
        ),
        "cancellation": View({"ends": today + timedelta(days=30), "days_left": 7}),
    }


def _by_kind(part: Placeholder, today: date) -> Any:
    """Return a value of the kind that the field has, or that its filter wants."""
    kind = FIELDS.get(part.variable, {}).get(part.field, ("", ""))[0]
    wanted = [WANTS[name][0] for name in part.filters[:1] if name in WANTS]
    made: dict[str, Any] = {
        "money": Amount(_TOTAL, _CURRENCY),
        "day": today,
        "list": ["uno", "dos"],
        "whole": 4,
        "flag": True,
    }
    return made.get(next(iter(wanted), kind), part.field.replace("_", " "))
