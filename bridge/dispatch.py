"""match: each new event becomes its jobs by the active map, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bridge.events import Event, catalogue
from bridge.hookmap import HookMap, Rule, Step
from bridge.hooks import Registered, actions
from bridge.hooks.schedule_cancellation import terminate_key
from bridge.store import book, inbox, outbox
from bridge.store.outbox import Job, NewJob

#: Events matched in one transaction, at most.
BATCH = 200
#: Hookpoints that ordered upgrades need, whatever the map says.
ALWAYS = ("AfterProductUpgrade", "InvoiceCancelled", "InvoicePaid", "InvoiceRefunded")
#: The state of an event that nothing comes of.
NO_RULE = "no rule"


def match(
    db: sa.Connection, hookmap: HookMap, now: datetime, limit: int = BATCH
) -> dict[str, Event]:
    """Turn the oldest new events into jobs; return those events by id.

    Conditions are looked at when a job runs: they may ask the panel, and no
    transaction is open then.
    """
    events = inbox.unmatched(db, limit)
    if not events:
        return {}
    new: list[NewJob] = []
    rows: list[tuple[int, str, str | None]] = []
    for event in events:
        found = jobs_of(event, hookmap, now) + _of_our_own(db, event, now)
        new += found
        state, reason = ("matched", None) if found else (NO_RULE, _why_none(event))
        rows.append((event.seq, state, reason))
        _remember(db, event)
    outbox.put(db, new, now)
    inbox.matched(db, rows, hookmap.version)
    return {event.id: event for event in events}


def foregone(event: Event, hookmap: HookMap) -> tuple[str, str] | None:
    """Return what `match` would say of an event that nothing comes of, else None.

    It needs no store: such an event is over when it is kept.
    """
    hookpoint = event.hookpoint
    if hookpoint in hookmap.rules or hookpoint in _OWN or _domain(event) is not None:
        return None
    return NO_RULE, _why_none(event)


def jobs_of(event: Event, hookmap: HookMap, now: datetime) -> list[NewJob]:
    """Return one job for each rule of the event's hookpoint."""
    rules = hookmap.rules.get(event.hookpoint, ())
    return [_job(event, rule, now) for rule in rules]


def step_job(
    parent_key: str,
    event_id: str | None,
    rule: str,
    steps: list[dict[str, Any]],
    now: datetime,
    result: dict[str, Any] | None,
) -> NewJob:
    """Return the job of the first of *steps*, which the rest follow."""
    step, rest = steps[0], steps[1:]
    parameters = dict(step["parameters"])
    if result:
        parameters["_result"] = result
    registered = actions()[step["do"]]
    return NewJob(
        key=f"{parent_key}/then:{step['name']}",
        event_id=event_id,
        action=step["do"],
        rule=rule,
        run_at=now,
        parameters=parameters,
        steps=[*step["then"], *rest],
        acts=registered.acts,
        urgent=bool(parameters.get("urgent")),
    )


def next_step(job: Job, now: datetime, result: dict[str, Any] | None) -> list[NewJob]:
    """Return the job of the first step after *job*, if there is one."""
    if not job.steps:
        return []
    given = (job.key, job.event_id, job.rule, job.steps)
    return [step_job(*given, now, result)]


def _job(event: Event, rule: Rule, now: datetime) -> NewJob:
    registered: Registered = actions()[rule.do]
    return NewJob(
        key=f"{event.id}/{rule.name}",
        event_id=event.id,
        action=rule.do,
        rule=rule.name,
        run_at=min(event.received_at, now),  # what was matched together has an order
        parameters=dict(rule.parameters),
        steps=[_plain(step) for step in rule.then],
        condition=rule.when.source if rule.when else None,
        acts=registered.acts,
        urgent=bool(rule.parameters.get("urgent")),
    )


def _plain(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "do": step.do,
        "parameters": dict(step.parameters),
        "then": [_plain(one) for one in step.then],
    }


def _why_none(event: Event) -> str:
    if event.hookpoint == "DomainStopRenewal" and event.panel != "whatsapp":
        wanted = [name for name in _DOMAIN if event.identifier(name) is None]
        named = " and ".join(wanted)
        return f"{named} must be there, as a whole number: no domain was changed"
    if event.hookpoint not in catalogue():
        return f'no rule, and the catalogue knows no hookpoint "{event.hookpoint}"'
    return f"no rule for {event.hookpoint} in the map"


def _of_our_own(db: sa.Connection, event: Event, now: datetime) -> list[NewJob]:
    """Return the jobs that follow whatever the map says: ordered upgrades."""
    make = _OWN.get(event.hookpoint)
    return make(db, event, now) if make else []


def _paid(db: sa.Connection, event: Event, now: datetime) -> list[NewJob]:
    invoice_id = event.identifier("invoiceid")
    row = book.order_by_invoice(db, invoice_id) if invoice_id else None
    return [apply_job(row.id, event.id, now)] if row is not None else []


def apply_job(order_id: str, event_id: str | None, now: datetime) -> NewJob:
    """Return the one job that applies a paid upgrade."""
    return NewJob(
        key=f"upgrade:{order_id}/apply:{event_id or now.isoformat()}",
        event_id=event_id,
        action="apply_upgrade",
        rule="upgrade",
        run_at=now,
        parameters={"order": order_id},
        acts=True,
    )


def _cancelled(db: sa.Connection, event: Event, now: datetime) -> list[NewJob]:
    invoice_id = event.identifier("invoiceid")
    row = book.order_by_invoice(db, invoice_id) if invoice_id else None
    return [end_job(row.id, event.id, now)] if row is not None else []


def end_job(order_id: str, event_id: str | None, now: datetime) -> NewJob:
    """Return the job that ends an order whose invoice was cancelled or refunded."""
    return NewJob(
        key=f"upgrade:{order_id}/end:{event_id or now.isoformat()}",
        event_id=event_id,
        action="end_upgrade",
        rule="upgrade",
        run_at=now,
        parameters={"order": order_id},
    )


def _written(db: sa.Connection, event: Event, now: datetime) -> list[NewJob]:
    """Return the job that answers a message; a hook of that name is no message."""
    if event.panel != "whatsapp":
        return []
    return [
        NewJob(
            key=f"{event.id}/answer",
            event_id=event.id,
            action="answer_message",
            rule="whatsapp",
            run_at=now,
            urgent=True,
        )
    ]


def _phone(db: sa.Connection, event: Event, now: datetime) -> list[NewJob]:
    """Return the job that looks at a client's telephone anew, where that is of use."""
    if book.marked(db, "phones") is None:
        return []
    return [
        NewJob(
            key=f"{event.id}/index-phone",
            event_id=event.id,
            action="index_phone",
            rule="whatsapp",
            run_at=now,
        )
    ]


def _upgraded(db: sa.Connection, event: Event, now: datetime) -> list[NewJob]:
    return [
        NewJob(
            key=f"{event.id}/record-upgrade",
            event_id=event.id,
            action="record_upgrade",
            rule="upgrade",
            run_at=now,
        )
    ]


#: What the add-on's page tells of a domain: which one, and who asked.
_DOMAIN = ("domainid", "userid")


def _unrenewed(db: sa.Connection, event: Event, now: datetime) -> list[NewJob]:
    """Leave a domain unrenewed, as its owner asked on the add-on's page."""
    domain, client = (event.identifier(name) for name in _DOMAIN)
    if event.panel == "whatsapp" or domain is None or client is None:
        return []
    return [
        NewJob(
            key=f"{event.id}/stop-renewal",
            event_id=event.id,
            action="stop_domain_renewal",
            rule="domain",
            run_at=now,
            parameters={"domain_id": domain, "client_id": client},
            acts=True,
            client_id=client,
        )
    ]


_OWN: dict[str, Callable[[sa.Connection, Event, datetime], list[NewJob]]] = {
    "WhatsAppMessage": _written,
    "DomainStopRenewal": _unrenewed,
    "ClientAdd": _phone,
    "ClientEdit": _phone,
    "InvoicePaid": _paid,
    "InvoiceCancelled": _cancelled,
    "InvoiceRefunded": _cancelled,
    "AfterProductUpgrade": _upgraded,
}


def _remember(db: sa.Connection, event: Event) -> None:
    """Keep a domain's name: its deletion comes without one."""
    if (domain := _domain(event)) is not None:
        number, values = domain
        book.keep(db, "domains", number, values, event.received_at)


def _domain(event: Event) -> tuple[int, dict[str, Any]] | None:
    """Return number, name and client of the domain that an event names, if it does."""
    name = event.context.get("domain")
    number = event.identifier("domainid") or event.identifier("params.domainid")
    if number is None or not isinstance(name, str) or not name:
        return None
    claims = event.identifier("userid") or event.identifier("params.userid")
    return number, {"name": name, "client_id": claims}


def move_job(row: Any, key: str, now: datetime) -> NewJob:
    """Return a job *key* that carries a change of owner out, or sees that it was."""
    return NewJob(
        key=f"{row.key}/{key}",
        event_id=None,
        action="transfer_service",
        rule="transfer",
        run_at=now,
        parameters={"transfer": row.key},
        acts=True,
        client_id=row.from_client_id,
    )


def terminate_job(row: Any) -> NewJob:
    """Return the one job that ends the service of a cancellation."""
    return NewJob(
        key=terminate_key(row.key),
        event_id=row.event_id,
        action="terminate_service",
        rule="cancellation",
        run_at=row.at,
        parameters={"cancellation": row.key},
        acts=True,
        client_id=row.client_id,
    )
