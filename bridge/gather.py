"""Collects from the panel what the arithmetic in `billing/` is worked out from.

Reads only. A client's invoices are read newest first and no further back than
the question needs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from bridge.billing.cancellations import owed, service_end
from bridge.billing.model import (
    CancellationRequest,
    Client,
    Cycle,
    End,
    Invoice,
    PaidCharge,
    Service,
)
from bridge.billing.period_text import read_period
from bridge.billing.periods import Invoiced, next_period, own_lines
from bridge.billing.upgrade_case import UpgradeCase
from bridge.errors import Reason, RemoteError
from bridge.events import Event, read_id
from bridge.panel import Begin, PanelReads, begin_nothing
from bridge.policies import UpgradePolicy

#: How many of a client's newest invoices are looked through, besides the open ones.
FURTHEST = 60
#: Enough of a service's own invoices to see its last period and what is open.
_ENOUGH = 3
#: The invoice of an upgrade is among the newest that were paid.
_PAID = 10
_ORDER = re.compile(r"\[bridge upgrade ([0-9a-f]{16})\]")


def marker(order_id: str) -> str:
    """Return the text in its notes by which an order's invoice is known again."""
    return f"[bridge upgrade {order_id}]"


def invoices_of(
    panel: PanelReads,
    service: Service,
    begin: Begin = begin_nothing,
    earlier_owners: Sequence[int] = (),
) -> list[Invoice]:
    """Return the newest invoices that bill a service, with lines, newest first.

    Every open invoice of the owner's is read too, however old, since a cancelled
    service's open invoices stay owed. After them come those of *earlier_owners*,
    known by their own client id: the period they paid for runs on. One of theirs
    that is open is still an invoice of the service: it tells a period, and speaks
    against a plan change. Only its own client owes it, and only he is told of it.
    """
    return _look_through(panel, service, begin, earlier_owners).invoices


@dataclass
class _Found:
    """Those invoices, and whether older ones were left *unread*.

    *ours* are those that orders of plan changes made, for whichever service.
    """

    invoices: list[Invoice]
    unread: bool = False
    ours: list[Invoice] = field(default_factory=list)


def _look_through(
    panel: PanelReads, service: Service, begin: Begin, earlier_owners: Sequence[int]
) -> _Found:
    """Return what is found of a service among the invoices of all its owners."""
    owners = [service.client_id]
    owners += [one for one in earlier_owners if one != service.client_id]
    for owner in owners[1:]:
        begin("invoices", owner)
    found = _Found([])
    for owner in owners:
        known = (one for one in found.invoices if one.paid)
        paid = sum(1 for one in known if own_lines(one, service.id))
        his = _newest(panel, service.id, owner, paid, begin)
        found.invoices += his.invoices
        found.unread = found.unread or his.unread
        found.ours += his.ours
    return found


def _newest(
    panel: PanelReads, service_id: int, owner: int, paid: int, begin: Begin
) -> _Found:
    """Return an owner's; *paid* ones of the service were found already.

    One that was refunded does not count as paid, and speaks against guessing that
    its period is.
    """
    counting = [one for one in panel.invoices(owner) if one.counts or one.refunded]
    for listed in counting[1:_ENOUGH] if paid < _ENOUGH else ():
        begin("invoice", listed.id)  # these are read whatever stands on them
    found = _Found([], ours=[one for one in counting if _ORDER.search(one.notes)])
    for place, listed in enumerate(counting):
        if not listed.open and (paid >= _ENOUGH or place >= FURTHEST):
            found.unread = True
            continue
        invoice = panel.invoice(listed.id)
        if invoice.client_id != owner:
            continue
        if any(line.related_id == service_id for line in invoice.lines):
            found.invoices.append(invoice)
            paid += bool(invoice.paid and own_lines(invoice, service_id))
    return found


def request_for(panel: PanelReads, service_id: int) -> CancellationRequest | None:
    """Return the cancellation request that the panel lists for a service.

    What a list does not show is looked for in a second one: rows that are taken
    out and put in while it is read page by page can hide one in between. Raises
    RemoteError where a row that cannot be read may be the one.
    """
    for _ in range(2):
        requests = panel.cancellation_requests()
        listed = [one for one in requests if one.service_id == service_id]
        if listed:
            newest = max(listed, key=lambda request: request.id)
            _clear(newest)
            return newest
    for one in requests:
        if one.service_id == 0:
            _clear(one)
    return None


def _clear(request: CancellationRequest) -> None:
    if request.unclear:
        raise RemoteError(
            "panel",
            Reason.UNREADABLE,
            f"cancellation request {request.id}: {request.unclear}",
            sent=False,
        )


def end_of(
    panel: PanelReads,
    request: CancellationRequest,
    service: Service,
    today: date,
    date_format: str,
    event: Event | None = None,
    earlier_owners: Sequence[int] = (),
    charges: Sequence[PaidCharge] = (),
) -> tuple[End, list[Invoice]]:
    """Return when a service ends, and the invoices its owner owes. Raises NoPeriod.

    The last generated invoice decides, whoever was billed, or what a plan change
    among *charges* began since; an earlier owner's is never among those that are owed.
    """
    invoices = invoices_of(panel, service, earlier_owners=earlier_owners)
    end = service_end(
        request,
        service,
        invoices,
        today,
        date_format=date_format,
        line_dues=_line_dues(event, service, invoices, date_format),
        upgraded=_upgraded(panel, service, charges),
    )
    mine = [one for one in invoices if one.client_id == service.client_id]
    return end, [*reversed(owed(service.id, mine))]


def _upgraded(
    panel: PanelReads, service: Service, charges: Sequence[PaidCharge]
) -> Invoiced | None:
    """Return the last period that a plan change began, if it was not given back.

    One to another cycle than the service has by now says nothing of it.
    """
    of_it = [c for c in charges if c.begins is not None and c.begins is service.cycle]
    known = _as_now(panel, of_it, begin_nothing)
    begun = [c for c in known if c.status.casefold() == "paid"]
    if not begun:
        return None
    last = max(begun, key=lambda charge: charge.paid_on)
    period = next_period(last.paid_on, service.cycle)
    return Invoiced(period, "upgrade", last.invoice_id or 0)


def _line_dues(
    event: Event | None, service: Service, invoices: list[Invoice], date_format: str
) -> dict[int, date]:
    """Return the due day of each invoice's line, where the add-on's words fit it.

    The add-on tells due days without the invoice they stand on, so a day counts
    only where the line's own text begins with it, or where there is one of each.
    """
    told = _told_dues(event, service.id)
    own = [invoice for invoice in invoices if own_lines(invoice, service.id)]
    found: dict[int, date] = {}
    for invoice in own if told else []:
        for line in own_lines(invoice, service.id):
            period = read_period(line.description, date_format)
            if period is not None and period.first_day in told:
                found[invoice.id] = period.first_day
            elif period is None and len(told) == 1 and len(own) == 1:
                found[invoice.id] = next(iter(told))
    return found


def _told_dues(event: Event | None, service_id: int) -> set[date]:
    found = set()
    for line in event.context.get("invoice_lines", []) if event else []:
        mine = read_id(line.get("relid")) == service_id
        if mine and str(line.get("type", "")).casefold() == "hosting":
            with suppress(ValueError):
                found.add(date.fromisoformat(str(line.get("duedate", ""))[:10]))
    return found


def upgrade_paid(
    panel: PanelReads, client_id: int, upgrade_id: int
) -> tuple[Decimal, int] | None:
    """Return what a client paid for an upgrade, and the invoice that says so.

    Its line is of the kind Upgrade and names the upgrade's id. None where none of
    his newest paid invoices has it.
    """
    for listed in panel.invoices(client_id, "Paid")[:_PAID]:
        invoice = panel.invoice(listed.id)
        if invoice.client_id != client_id or not invoice.paid:
            continue
        own = [
            line.amount
            for line in invoice.lines
            if line.kind.casefold() == "upgrade" and line.related_id == upgrade_id
        ]
        if own:
            return sum(own, Decimal(0)), invoice.id
    return None


def native_pending(panel: PanelReads, client_id: int) -> bool:
    """Tell whether an upgrade that a client ordered in the panel waits to be paid.

    Its line names the upgrade's number, so of which of his services it is nobody
    can tell from outside.
    """
    waiting = (panel.invoice(i.id) for i in panel.invoices(client_id) if i.open)
    return any(
        line.kind.casefold() == "upgrade" for one in waiting for line in one.lines
    )


def _as_now(
    panel: PanelReads, charges: Sequence[PaidCharge], begin: Begin
) -> Iterator[PaidCharge]:
    """Yield charges with what their invoices are now; one that is gone was paid."""
    for charge in charges[1:]:
        if charge.invoice_id is not None:
            begin("invoice", charge.invoice_id)
    for charge in charges:
        if charge.invoice_id is not None:
            try:
                invoice = panel.invoice(charge.invoice_id)
            except RemoteError as error:
                if error.reason is not Reason.NOT_FOUND:
                    raise
            else:
                charge = replace(charge, status=invoice.status)
        yield charge


def begin_upgrade(begin: Begin, service: Service) -> None:
    """Have asked ahead what a plan change needs besides its service's owner."""
    begin("product", service.product_id)
    begin("invoices", service.client_id)


def upgrade_case(
    panel: PanelReads,
    service: Service,
    client: Client,
    product_id: int,
    cycle: Cycle,
    today: date,
    policy: UpgradePolicy,
    *,
    charges: tuple[PaidCharge, ...] = (),
    pending: bool = False,
    targets: list[int] | None = None,
    date_format: str = "DD/MM/YYYY",
    begin: Begin = begin_nothing,
    earlier_owners: Sequence[int] = (),
    known: Callable[[str], object] = bool,
) -> UpgradeCase:
    """Return everything that a plan change is priced from.

    *targets* are the plans that the panel offers, where the add-on told them;
    the map's own `paths:` come before those. *earlier_owners* had the service
    before: what they paid for the running period is paid. *known* tells of an order's
    id whether the book has it: it may have been brought back from an older copy.
    """
    offered = policy.paths.get(service.product_id)
    if offered is None and targets:
        offered = tuple(targets)
    found = _look_through(panel, service, begin, earlier_owners)
    return UpgradeCase(
        service=service,
        currency=client.currency,
        new_product=panel.product(product_id),
        old_product=panel.product(service.product_id),
        cycle=cycle,
        invoices=tuple(found.invoices),
        unread=found.unread,
        unknown=tuple(
            one for one in found.ours if not all(map(known, _ORDER.findall(one.notes)))
        ),
        today=today,
        charges=tuple(_as_now(panel, charges, begin)),
        upgrade_pending=pending,
        offered=None if offered is None else frozenset(offered),
        paid_basis=policy.paid_basis,
        ladders=policy.ladders,
        date_format=date_format,
    )
