"""Compare our book with the panel's list, and mend: no hook is lost for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
import structlog

from bridge.billing.model import CancellationRequest, Invoice, Service
from bridge.dispatch import apply_job, end_job, move_job, terminate_job
from bridge.errors import Reason, RemoteError
from bridge.hooks.schedule_cancellation import (
    CERTAIN,
    IMMEDIATE,
    key_of,
    terminate_key,
)
from bridge.preparing import Bench
from bridge.store import book, handover, outbox, reports
from bridge.store.outbox import NewJob
from bridge.takingup import take_up

log = structlog.get_logger("reconcile")

#: A request younger than this may still be on its way through the book.
FRESH = timedelta(minutes=15)
#: More that vanish at once, and more than half, is a panel that shows nonsense.
_FEW = 3
#: Services looked up in one pass, at most; the next pass goes on.
LOOKED_UP = 300


@dataclass(frozen=True)
class Difference:
    """One thing in which book and panel differed. *what* names the mending."""

    what: str
    service_id: int
    detail: str


@dataclass
class Report:
    """What a comparison found; *complete* is false when it stopped at its limit."""

    differences: list[Difference] = field(default_factory=list)
    compared: int = 0
    complete: bool = True


def reconcile(
    bench: Bench,
    *,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Take up requests the book never heard of, withdraw those that vanished.

    Paid and cancelled upgrade invoices are looked for too. Raises RemoteError
    when the panel cannot be asked: then nothing was changed.
    """
    requests = bench.panel.cancellation_requests()
    report = Report(compared=len(requests))
    with bench.store.read() as db:
        live = book.live_cancellations(db)
        known = book.known_requests(db, [request.id for request in requests])
        orders = book.open_orders(db)
        moving = handover.list_transfers(db, states=["staff"], limit=LOOKED_UP)
    _vanished(bench, report, live, requests, dry_run)
    busy = {row.service_id: _may_end_sooner(row) for row in live}
    _unheard(bench, report, requests, known, busy, dry_run, progress)
    _invoices(bench, report, orders, dry_run)
    _passed_by_hand(bench, report, moving, dry_run)
    _without_a_job(bench, report, dry_run)
    return report


def _vanished(
    bench: Bench,
    report: Report,
    live: Any,
    requests: list[CancellationRequest],
    dry_run: bool,
) -> None:
    """Withdraw what was missing on two complete lists, ten minutes apart or more.

    One list may be wrong: rows that are taken out and put in while it is read page
    by page hide others, and a panel in trouble lists nothing. Where more vanish
    than a few and half of all, staff are told and nothing is withdrawn. A service
    that is listed under a newer request is not missing.
    """
    now = bench.now()
    listed = {request.service_id for request in requests}
    if 0 in listed:
        detail = "a row of the panel's list cannot be read: nobody is withdrawn"
        report.differences.append(Difference("unreadable", 0, detail))
        return
    missing = [row for row in live if row.service_id not in listed]
    back = [row.key for row in live if row.missing_at and row.service_id in listed]
    fresh = [row for row in missing if _settled(row, now) and row.missing_at is None]
    gone = [
        row
        for row in missing
        if _settled(row, now) and row.missing_at and now - row.missing_at >= CERTAIN
    ]
    for row in fresh:
        detail = f"request {row.request_id} is not listed: looked for again later"
        report.differences.append(Difference("missing", row.service_id, detail))
    if not dry_run and (back or fresh):
        keys = [row.key for row in fresh]
        bench.store.write(lambda db: book.missing(db, keys, back, now))
    if len(gone) > _FEW and 2 * len(gone) > len(live):
        _too_many(bench, report, len(gone), dry_run)
        return
    for row in gone:
        detail = f"request {row.request_id} is not on the panel's list any more"
        report.differences.append(Difference("withdrawn", row.service_id, detail))
        if not dry_run:
            change = partial(withdraw, row=row, reason=detail, now=now, vanished=True)
            bench.store.write(change)


def _settled(row: Any, now: datetime) -> bool:
    return bool(row.state != "acting" and now - row.changed_at >= FRESH)


def _too_many(bench: Bench, report: Report, count: int, dry_run: bool) -> None:
    """Tell staff, once a day, instead of withdrawing so many."""
    detail = (
        f"{count} requests vanished from the panel's list at once: nothing is "
        "withdrawn; look at the panel, and withdraw by hand what is to be"
    )
    report.differences.append(Difference("too many", 0, detail))
    log.error("too many requests vanished", count=count)
    if dry_run:
        return
    now = bench.now()
    job = NewJob(
        key=f"reconcile/{now:%Y-%m-%d}/too-many",
        event_id=None,
        action="log_activity",
        rule="reconcile",
        run_at=now,
        parameters={"text": f"[bridge] {detail}", "raw": True},
    )
    bench.store.write(partial(outbox.put, new=[job], now=now))


def withdraw(
    db: sa.Connection, row: Any, reason: str, now: datetime, *, vanished: bool = False
) -> bool:
    """Withdraw a cancellation that has not begun, and have its client told.

    One that *vanished* from the panel's list comes back when it is listed again.
    """
    fresh = book.cancellation(db, row.key)
    if fresh is None or fresh.state not in ("scheduled", "staff"):
        return False
    values: dict[str, Any] = {"state": "withdrawn", "reason": reason}
    if not vanished:
        values["missing_at"] = None
    book.keep(db, "cancellations", row.key, values, now, fresh.state)
    outbox.withdraw(db, [terminate_key(row.key)], reason, now)
    alert = NewJob(
        key=f"{row.key}/cancellation_withdrawn",
        event_id=row.event_id,
        action="send_alert",
        rule="cancellation",
        run_at=now,
        parameters={
            "message": "cancellation_withdrawn",
            "service_id": row.service_id,
            "client_id": row.client_id,
            "cancellation": row.key,
        },
    )
    outbox.put(db, [alert], now)
    return True


def _unheard(
    bench: Bench,
    report: Report,
    requests: list[CancellationRequest],
    known: dict[int, str],
    busy: dict[int, bool],
    dry_run: bool,
    progress: Callable[[int, int], None],
) -> None:
    """Take up what is new; *busy* are services in the book, and which may end sooner.

    An immediate request comes before a later end.
    """
    clear = [r for r in requests if not r.unclear]
    unknown = [r for r in clear if r.id not in known]
    news = [r for r in unknown if r.service_id not in busy]
    news += [r for r in unknown if r.immediate and busy.get(r.service_id)]
    news += [
        r for r in clear if r.service_id not in busy and known.get(r.id) == "vanished"
    ]
    if not bench.dry_run:
        # What was only rehearsed is real now.
        news += [r for r in clear if known.get(r.id) == "rehearsed"]
    report.complete = len(news) <= LOOKED_UP
    for done, request in enumerate(news[:LOOKED_UP], 1):
        progress(done, len(news))
        service = _service(bench, request)
        if service is None or service.ended:
            if not dry_run:
                _remember_as_over(bench, request, service)
            continue
        vanished = known.get(request.id) == "vanished"
        news_of_it = "is listed again" if vanished else "was never heard of"
        detail = f"request {request.id} {news_of_it}: taken up"
        report.differences.append(Difference("taken up", service.id, detail))
        if not dry_run:
            take_up(bench, request, service, again=vanished)


def _may_end_sooner(row: Any) -> bool:
    return bool(row.kind != IMMEDIATE and (row.state == "scheduled" or row.at is None))


def _service(bench: Bench, request: CancellationRequest) -> Service | None:
    try:
        return bench.panel.service(request.service_id)
    except RemoteError as error:
        if error.reason is Reason.NOT_FOUND:
            return None
        raise


def _remember_as_over(
    bench: Bench, request: CancellationRequest, service: Service | None
) -> None:
    """Keep a request whose service is gone, so that nobody asks about it again."""
    status = service.status if service else "unknown to the panel"
    values: dict[str, Any] = {
        "service_id": request.service_id,
        "client_id": service.client_id if service else 0,
        "request_id": request.id,
        "domain": service.domain if service else "",
        "product": service.product_name if service else "",
        "kind": "immediate" if request.immediate else "end_of_period",
        "requested_on": request.requested_on,
        "because": "over before the bridge heard of it",
        "way": "none",
        "state": "done",
        "reason": f"the service was {status} already",
    }
    key = key_of(request.service_id, request.id)
    now = bench.now()
    bench.store.write(lambda db: book.keep(db, "cancellations", key, values, now))


def _invoices(bench: Bench, report: Report, orders: Any, dry_run: bool) -> None:
    """Look whether the invoices of ordered upgrades were paid or cancelled."""
    now = bench.now()
    for row in orders:
        invoice = _invoice(bench, row.invoice_id)
        if invoice is not None and invoice.paid:
            if row.state != "invoiced":  # staff decide, or its publication goes on
                continue
            job, what = apply_job(row.id, None, now), "upgrade paid"
        elif invoice is None or invoice.void:
            job, what = end_job(row.id, None, now), "upgrade ended"
        else:
            continue
        status = invoice.status if invoice else "gone"
        detail = f"invoice {row.invoice_id} is {status}"
        report.differences.append(Difference(what, row.service_id, detail))
        if not dry_run:
            bench.store.write(partial(outbox.put, new=[job], now=now))


def _invoice(bench: Bench, invoice_id: int) -> Invoice | None:
    try:
        return bench.panel.invoice(invoice_id)
    except RemoteError as error:
        if error.reason is Reason.NOT_FOUND:
            return None
        raise


def _passed_by_hand(bench: Bench, report: Report, rows: Any, dry_run: bool) -> None:
    """See whether services that wait for staff belong to the new owner by now."""
    now = bench.now()
    for row in rows:
        try:
            owner = bench.panel.service(row.service_id).client_id
        except RemoteError as error:
            if error.reason is not Reason.NOT_FOUND:
                raise
            continue
        if owner != row.to_client_id:
            continue
        detail = f"client {owner} has it: the change of owner is over"
        report.differences.append(Difference("passed", row.service_id, detail))
        job = move_job(row, "move:seen", now)
        if not dry_run:
            bench.store.write(partial(outbox.put, new=[job], now=now))


def _without_a_job(bench: Bench, report: Report, dry_run: bool) -> None:
    """See that every scheduled cancellation has the job that will carry it out."""
    now = bench.now()
    with bench.store.read() as db:
        rows = reports.without_job(db)
    for row in rows:
        detail = f"{row.key} had no job: put in again"
        report.differences.append(Difference("job put in", row.service_id, detail))
    if rows and not dry_run:
        new = [terminate_job(row) for row in rows]
        bench.store.write(partial(outbox.put, new=new, now=now))
