"""An executive's upgrade: quoted from the panel as it is now, then ordered once.

The command and the console go through here; what follows an order (invoice, check,
publication, change) is jobs.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from bridge.billing.model import Client, Cycle, Product, Refusal, Service
from bridge.billing.upgrades import UpgradeQuote, quote
from bridge.errors import HeldBack, OverCap, StaleRow, TextError
from bridge.gather import native_pending, upgrade_case
from bridge.hooks.end_upgrade import WAITING
from bridge.hooks.invoice_upgrade import order_id, order_values
from bridge.hooks.records import step_key
from bridge.ledger import StoreBook
from bridge.panel import PanelReads
from bridge.preparing import Bench
from bridge.store import Store, book, limits, outbox
from bridge.store.limits import Full
from bridge.store.outbox import NewJob
from bridge.views import company_view, language_of

#: Orders that may be ended by hand: nothing was begun, or staff have it.
ENDABLE = WAITING
_MINUTE = timedelta(minutes=1)
#: The jobs that carry an order out, in order.
STEPS = ("invoice", "publish", "apply", "package")


@dataclass(frozen=True)
class Quoted:
    """A quote with what it was worked out for, as the panel has it at that moment."""

    quote: UpgradeQuote
    service: Service
    client: Client
    to_name: str


def price(
    bench: Bench,
    service_id: int,
    product_id: int,
    cycle: Cycle | None,
    *,
    panel: PanelReads | None = None,
) -> Quoted:
    """Quote a plan change; *cycle* None is the service's own. Only reads.

    Raises RemoteError; Reason.NOT_FOUND where the panel knows no such thing.
    """
    asked = panel or bench.panel
    now = bench.now()
    today = now.astimezone(bench.zone).date()
    hookmap = bench.map.current
    ours = StoreBook(bench.store, hookmap.company, now, today)
    service = asked.service(service_id)
    client = asked.client(service.client_id)
    order = ours.pending_order(service_id)
    case = upgrade_case(
        asked,
        service,
        client,
        product_id,
        cycle or service.cycle,
        today,
        hookmap.policies.upgrades,
        charges=ours.paid_charges(service_id),
        pending=(order is not None and not order.native)
        or native_pending(asked, service.client_id),
        date_format=bench.date_format,
        earlier_owners=ours.earlier_owners(service_id),
        known=ours.order,
    )
    return Quoted(quote(case), service, client, case.new_product.name)


@dataclass(frozen=True)
class Offers:
    """The plans that may be asked for, with their prices in the client's currency."""

    service: Service
    client: Client
    plans: list[tuple[Product, dict[Cycle, Decimal]]]


def offers(bench: Bench, service_id: int, *, panel: PanelReads | None = None) -> Offers:
    """Return what a service may become: the map's `paths:`, or all that is sold.

    Those of its own group come first, its own plan last. Whether it really may is
    what `price` tells. Raises RemoteError as it does.
    """
    asked = panel or bench.panel
    service = asked.service(service_id)
    client = asked.client(service.client_id)
    catalogue = asked.products()
    group = {one.id: one.group_id for one in catalogue}.get(service.product_id)
    wanted = bench.map.current.policies.upgrades.paths.get(service.product_id)
    plans = []

    def far(product: Product) -> tuple[bool, bool]:
        return product.id == service.product_id, product.group_id != group

    for product in sorted(catalogue, key=far):
        prices = product.prices.get(client.currency, {})
        sold = {c: prices[c] for c in Cycle if c.months is not None and c in prices}
        if sold and (wanted is None or product.id in wanted):
            plans.append((product, sold))
    return Offers(service, client, plans)


def sentence(bench: Bench, quoted: Quoted, language: str = "") -> str:
    """Return a refusal as the client would read it, in *language* or in his."""
    words = language or language_of(quoted.client, bench.language)
    return _refusal(bench, quoted.quote.refusal, words) or quoted.quote.reason


def not_active(bench: Bench, service: Service, language: str) -> str:
    """Return why no plan may be asked for, in *language*; empty where one may."""
    if service.active:
        return ""
    told = _refusal(bench, Refusal.SERVICE_NOT_ACTIVE, language)
    return told or f"The service is {service.status}, not Active."


def _refusal(bench: Bench, refusal: Refusal | None, language: str) -> str:
    hookmap = bench.map.current
    contact = hookmap.policies.upgrades.contact
    variables = {"company": company_view(hookmap.company, contact)}
    try:
        return str(hookmap.texts.render(f"refusal_{refusal}", language, variables).text)
    except TextError:
        return ""


def order(bench: Bench, quoted: Quoted, who: str, seed: str) -> str | None:
    """Keep an allowed quote as an order and return its id; its jobs do the rest.

    The same *seed* again is the same order, made once. None where another upgrade
    of the service is pending. Raises OverCap where no more may be ordered, and
    HeldBack while staff hold plan changes back: then nothing is. A dry run orders
    nothing that counts, so no cap holds for it.
    """
    found, service = quoted.quote, quoted.service
    now = bench.now()
    id = order_id(service.id, found.product_id, found.cycle.value, seed)
    values = order_values(service, found, quoted.to_name, now)
    client = service.client_id
    job = NewJob(
        key=step_key(id, "invoice"),
        event_id=None,
        action="invoice_upgrade",
        rule="upgrade",
        run_at=now,
        parameters={"order": id},
        acts=True,
        client_id=client,
    )

    def put(db: sa.Connection) -> str | Full | bool:
        limits.lock(db, now)
        if book.order(db, id) is not None:
            return True
        hindrance = _hindrance(db, bench, quoted, now)
        if hindrance is not None:
            return hindrance
        book.keep(db, "upgrades", id, values, now, was="")
        book.note(db, now, who, "order upgrade", id, service=service.id)
        outbox.put(db, [job], now)
        return True

    # Another process may order between the look and the writing: then it may be
    # this very order.
    with suppress(StaleRow):
        done = bench.store.write(put)
        if done is True:
            return id
        _raise(done, client)
    with bench.store.read() as db:
        return id if book.order(db, id) is not None else None


def may_order(bench: Bench, quoted: Quoted) -> bool:
    """Tell whether no upgrade of the service is pending; raises what `order` would."""
    with bench.store.read() as db:
        found = _hindrance(db, bench, quoted, bench.now())
    _raise(found, quoted.service.client_id)
    return found is None


def _hindrance(
    db: sa.Connection, bench: Bench, quoted: Quoted, now: datetime
) -> str | Full | None:
    """Return why nothing may be ordered, None where something may.

    The stop switch's reason, a cap that is full, "" where another upgrade is pending.
    """
    service = quoted.service
    if book.pending_order(db, service.id) is not None:
        return ""
    if why := limits.held(db):
        return why
    caps = bench.map.current.policies.upgrades.caps
    over = () if bench.dry_run else limits.orders(db, service.client_id, caps, now)
    return max(over, key=lambda one: one.again_at, default=None)


def _raise(hindrance: str | Full | bool | None, client_id: int) -> None:
    if isinstance(hindrance, Full):
        raise _over(hindrance, client_id)
    if hindrance and isinstance(hindrance, str):
        raise HeldBack(hindrance)


def _over(full: Full, client_id: int) -> OverCap:
    whose = f" of client {client_id}" if full.cap == "client" else ""
    when = "hour" if full.cap == "hour" else "24 hours"
    name = "client_per_day" if full.cap == "client" else full.cap
    reason = (
        f"Plan changes{whose} ordered in the last {when}: {full.count}; the cap is "
        f"{full.most} (policies.upgrades.max_orders_per_{name})"
    )
    # Told to the minute, so not a second before there is room.
    later = full.again_at + _MINUTE - timedelta.resolution
    at = later.replace(second=0, microsecond=0)
    return OverCap(reason, at, cap=full.cap, most=full.most, count=full.count)


def end(store: Store, row: Any, who: str, reason: str, now: datetime) -> bool:
    """End an order by hand, as *row* shows it: nothing is applied any more.

    Nobody is told. False where it is another by now, or a job works on it.
    """
    steps = [step_key(row.id, step) for step in STEPS]

    def put(db: sa.Connection) -> bool:
        fresh = book.order(db, row.id)
        if fresh is None or fresh.state != row.state or row.state not in ENDABLE:
            return False
        if any(outbox.state_of(db, step) == "running" for step in steps):
            return False
        why = f"ended by staff: {reason}"
        outbox.withdraw(db, steps, why, now)
        values = {"state": "ended", "reason": why}
        book.keep(db, "upgrades", row.id, values, now, row.state)
        book.note(db, now, who, "end upgrade", row.id, reason=reason, was=row.state)
        return True

    try:
        return bool(store.write(put))
    except StaleRow:
        return False
