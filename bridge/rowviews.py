"""The rows in our own book as actions and texts see them, and what conditions saw."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from bridge.billing.model import Cycle, PaidCharge
from bridge.billing.money import Amount
from bridge.hooks.records import Cancellation, Order, Transfer
from bridge.policies import Company
from bridge.sandbox import Expression
from bridge.views import View, invoice_url


def cancellation_fields(
    row: Cancellation, today: date, company: Company
) -> dict[str, Any]:
    """Return what a text sees of a cancellation; *today* is the panel's."""
    owed = [
        f"{invoice['number'] or invoice['id']}: {invoice_url(company, invoice['id'])}"
        for invoice in row.owed or []
    ]
    return {
        "id": row.id,
        "kind": row.kind,
        "ends": row.ends,
        "requested_on": row.requested_on,
        "because": row.because,
        "days_left": max((row.ends - today).days, 0) if row.ends else 0,
        "owed": ", ".join(owed) or "—",
    }


def upgrade_fields(row: Order, company: Company) -> dict[str, Any]:
    """Return what a text sees of an upgrade."""
    invoice = row.invoice_id or 0
    return {
        "id": row.id,
        "service_id": row.service_id,
        "from_product": row.from_product,
        "to_product": row.to_product,
        "cycle": row.cycle,
        "charge": Amount(row.charge, row.currency),
        "currency": row.currency,
        "invoice_id": invoice,
        "invoice_url": invoice_url(company, invoice) if invoice else "",
    }


def cancellation_of(row: Any) -> Cancellation | None:
    """Make a Cancellation of a row."""
    if row is None:
        return None
    names = Cancellation.__dataclass_fields__
    return Cancellation(**{name: getattr(row, name) for name in names})


def order_of(row: Any) -> Order | None:
    """Make an Order of a row."""
    if row is None:
        return None
    return Order(**{name: getattr(row, name) for name in Order.__dataclass_fields__})


def charge_of(row: Any) -> PaidCharge:
    """Make a PaidCharge of the row of an upgrade that was paid."""
    begins = Cycle(row.cycle) if row.new_period else None
    paid = (row.service_id, row.charge, row.paid_on, row.invoice_id)
    return PaidCharge(*paid, begins=begins)


def transfer_of(row: Any) -> Transfer | None:
    """Make a Transfer of a row."""
    if row is None:
        return None
    names = Transfer.__dataclass_fields__
    return Transfer(**{name: getattr(row, name) for name in names})


def values_of(expression: Expression, variables: Mapping[str, Any]) -> dict[str, str]:
    """Return what a condition's fields are at the moment, for `events show`."""
    shown: dict[str, str] = {}
    for root, name in sorted(expression.names, key=str):
        view = variables.get(root)
        if name is None or not isinstance(view, View):
            continue
        shown[f"{root}.{name}"] = str(view.fields().get(name, "?"))[:100]
    return shown
