"""The book and the post that actions are given, over the store and a provider."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from bridge.billing.model import PaidCharge
from bridge.consents import Consents
from bridge.errors import Later, Skipped
from bridge.events import Event
from bridge.forming import template_of
from bridge.hooks import actions
from bridge.hooks.context import Context
from bridge.hooks.records import (
    HELD_BACK,
    Cancellation,
    Order,
    Person,
    Reserved,
    Sent,
    root_of,
)
from bridge.obeying import WishLedger
from bridge.onechange import SOON, tells_of_it, told_before
from bridge.owners import TransferLedger, reserved
from bridge.policies import Caps, Company
from bridge.rowviews import (
    cancellation_fields,
    cancellation_of,
    charge_of,
    order_of,
    upgrade_fields,
)
from bridge.store import (
    Store,
    answers,
    book,
    inbox,
    limits,
    outbox,
    people,
    reports,
    talk,
    told,
)
from bridge.store.astray import tells
from bridge.store.outbox import Finish, Job, NewJob


class StoreBook(TransferLedger, WishLedger):
    """`Book` and `Ledger` over the store; every call sees what is on disk now."""

    def __init__(
        self,
        store: Store,
        company: Company,
        now: datetime,
        today: date,
        consents: Consents | None = None,
    ) -> None:
        self._store = store
        self.consents = consents or Consents(store)
        self._company = company
        self._now = now
        self._today = today
        self.take: Callable[[int], list[dict[str, Any]]] = lambda limit: []

    def cancellation(self, key: str) -> Cancellation | None:
        """Return a cancellation by its key."""
        with self._store.read() as db:
            return cancellation_of(book.cancellation(db, key))

    def live_cancellation(self, service_id: int) -> Cancellation | None:
        """Return the open one of a service."""
        with self._store.read() as db:
            return cancellation_of(book.live_cancellation(db, service_id))

    def order(self, id: str) -> Order | None:
        """Return an ordered upgrade."""
        with self._store.read() as db:
            return order_of(book.order(db, id))

    def pending_order(self, service_id: int) -> Order | None:
        """Return the upgrade of a service that is not over."""
        with self._store.read() as db:
            return order_of(book.pending_order(db, service_id))

    def paid_charges(self, service_id: int) -> tuple[PaidCharge, ...]:
        """Return the upgrade charges paid for a service."""
        with self._store.read() as db:
            rows = book.paid_charges(db, service_id)
        return tuple(charge_of(row) for row in rows)

    def last_price(self, service_id: int) -> tuple[int, str] | None:
        """Return product and cycle of the last price asked for, within the hour."""
        since = self._now - timedelta(hours=1)
        with self._store.read() as db:
            row = book.last_price(db, service_id, since)
        if row is None:
            return None
        event = inbox.event_of(row)
        product_id = event.identifier("newproductid")
        cycle = str(event.value("newproductbillingcycle") or "")
        return None if product_id is None else (product_id, cycle)

    def same_change(
        self, event: Event, client_id: int, user_id: int | None
    ) -> tuple[str, datetime | None] | None:
        """Return the event that told of the same password change before this one.

        With it comes when to look again, where it is not known yet whether it tells.
        """
        with self._store.read() as db:
            around = inbox.about(db, client_id, user_id, event.occurred_at)
            before = told_before(event, around)
            if before is None:
                return None
            alerts = told.alerts_of(db, before)
            if not alerts and inbox.state_of(db, before) == "new":
                return before, self._now + SOON
        telling, known = tells_of_it(alerts, self._now)
        return (before, known) if telling else None

    def take_group(self, limit: int) -> list[dict[str, Any]]:
        """Take along the alerts that wait for the same rule and client."""
        return self.take(limit)

    def person(self, number: str, client_id: int | None = None) -> Person:
        """Return what is known of a telephone, and of the client who has it."""
        with self._store.read() as db:
            found = talk.contact(db, number, client_id)
        return Person(
            no_marketing=found.no_marketing,
            opted_at=found.opted_at,
            opted_event=found.opted_event,
            stopped=found.opted_out_at is not None,
            wrote_at=found.wrote_at,
        )

    def may_answer(self, number: str, kind: str, key: str, most: int) -> bool:
        """Reserve an answer to a number: so many of a kind a day, each for one job."""
        return self._store.write(
            lambda db: answers.reserve(db, number, kind, self._today, key, most)
        )

    def number_of_user(self, user: str) -> str:
        """Return the number that one with this identity shared lately, or ""."""
        with self._store.read() as db:
            return people.number_of(db, user, self._now)

    def stopped_alerts(self, number: str, client_id: int) -> str:
        """Return by which word, and when, a client stopped alerts; empty if not."""
        return self.consents.stopped(number, client_id)

    def clients_with(self, number: str) -> list[int]:
        """Return the clients who had this telephone when we last looked."""
        with self._store.read() as db:
            return talk.clients_with(db, number)

    def sent(self, key: str, provider_id: str) -> Sent | None:
        """Return a message that went out, by our key or the provider's id."""
        with self._store.read() as db:
            row = talk.message(db, key=key, provider_id=provider_id)
            job = outbox.get(db, row.job_key) if row is not None else None
        if row is None or job is None:
            return None
        return Sent(
            key=row.key,
            root=root_of(row.job_key),
            client_id=row.client_id,
            to=row.to,
            name=row.name,
            action=job.action,
            event_id=job.event_id,
            parameters=job.parameters,
            rule=job.rule,
            condition=job.condition,
            state=row.state,
            again=int(job.parameters.get("again", 0)),
            other_form=bool(row.other_form),
            template=template_of(row.form or ""),
            provider_id=row.provider_id or "",
            at=row.created_at,
        )

    def waited_for_staff(self, key: str) -> bool:
        """Tell whether a job waited for a person before, who let it run again."""
        with self._store.read() as db:
            tries = reports.attempts_of(db, [key])[key]
        return any(one.state == "parked" for one in tries)

    def wait_again(self, key: str, why: str) -> None:
        """Let the job of a message that was not sent after all wait once more."""
        reason = f"{HELD_BACK}{why}"
        self._store.write(lambda db: outbox.wait_again(db, key, reason, self._now))

    def close_window(self, number: str, at: datetime) -> None:
        """Note that the provider says the 24 hours of a number were over then."""
        self._store.write(lambda db: talk.close_window(db, number, at))

    def refuse_template(self, name: str, language: str, status: str, why: str) -> None:
        """Note what a template is since the provider refused it."""
        say = partial(talk.note_template, status=status, reason=why)
        self._store.write(lambda db: say(db, name, language, self._now))

    def held(self) -> str | None:
        """Return why what cannot be taken back is held, None when it is not."""
        with self._store.read() as db:
            return limits.held(db)

    def room(self, client_id: int, caps: Caps) -> Reserved:
        """Tell whether the caps allow one more termination."""
        with self._store.read() as db:
            found = limits.room(db, client_id, caps, self._now)
        return reserved(*found, "terminations", caps)

    def reserve(self, key: str, caps: Caps) -> Reserved:
        """Mark a termination as begun, within the caps."""
        found = self._store.write(
            lambda db: limits.reserve_termination(db, key, caps, self._now)
        )
        return reserved(*found, "terminations", caps)

    def begin_order(self, id: str, values: dict[str, Any], caps: Caps) -> Reserved:
        """Keep a new order of a plan change, whole, within the caps."""
        client, now = values["client_id"], self._now

        def put(db: sa.Connection) -> tuple[str, datetime | None]:
            limits.lock(db, now)
            over = limits.first(limits.orders(db, client, caps, now))
            if not over[0]:
                book.keep(db, "upgrades", id, values, now, was="")
            return over

        return reserved(*self._store.write(put), "upgrade orders", caps)

    def domain_name(self, domain_id: int) -> tuple[str, int | None] | None:
        """Return name and owner of a domain seen before."""
        with self._store.read() as db:
            return book.domain(db, domain_id)

    def cancellation_view(self, service_id: int) -> dict[str, Any] | None:
        """Return the newest cancellation of a service for a text.

        Raises Skipped where it was withdrawn: the client is told so by itself.
        """
        with self._store.read() as db:
            row = cancellation_of(book.newest_cancellation(db, service_id))
        if row is not None and row.state == "withdrawn":
            what = f"the cancellation of service {service_id} was withdrawn meanwhile"
            raise Skipped(what)
        return None if row is None else self._cancellation_fields(row)

    def _cancellation_fields(self, row: Cancellation) -> dict[str, Any]:
        return cancellation_fields(row, self._today, self._company)

    def ended_by_request(self, service_id: int) -> bool:
        """Tell whether a cancellation of this service was carried out within a day."""
        with self._store.read() as db:
            row = book.newest_cancellation(db, service_id)
        if row is None or row.acted_at is None or row.state not in ("acting", "done"):
            return False
        return bool(self._now - row.acted_at < timedelta(days=1))

    def upgrade_view(self, event: Event) -> dict[str, Any] | None:
        """Return the upgrade that an AfterProductUpgrade event is about."""
        number = event.identifier("upgradeid")
        if number is None:
            return None
        with self._store.read() as db:
            jobs = reports.jobs_of(db, [event.id])[event.id]
            row = order_of(book.order(db, f"native:{number}"))
        if row is not None:
            return upgrade_fields(row, self._company)
        for job in jobs:
            if job.key != f"{event.id}/record-upgrade":
                continue
            if job.state in ("waiting", "running"):
                again = self._now + timedelta(seconds=5)
                raise Later(f"upgrade {number} is not recorded yet", again)
            if job.reason:
                raise Skipped(job.reason)
        return None


def keep(
    db: sa.Connection, ctx: Context, job: Job, finish: Finish, now: datetime
) -> None:
    """Write what the action left, in the transaction of its outcome."""
    if finish.state == "retry":
        rows = messages_of(ctx, job, now)
        return keep_messages(db, [row for row in rows if row["state"] == "unsure"])
    for table, key, values, was in ctx.effects.rows:
        book.keep(db, table, key, values, now, was)
    for key, at in ctx.effects.moves:
        outbox.move(db, key, at)
    for key, at in ctx.effects.revives:
        outbox.revive(db, key, at)
    for key, reason in ctx.effects.withdraws:
        outbox.withdraw(db, [key], reason, now)
    new = [_new_job(entry, job) for entry in ctx.effects.later]
    outbox.put(db, new, now)
    keep_messages(db, messages_of(ctx, job, now))


def messages_of(ctx: Context | None, job: Job, now: datetime) -> list[dict[str, Any]]:
    """Return what went out for a job, as rows."""
    about = {"job_key": job.key, "event_id": job.event_id, "created_at": now}
    sent = getattr(ctx.post, "sent", []) if ctx is not None else []
    return [row | about for row in sent]


def keep_messages(db: sa.Connection, rows: list[dict[str, Any]]) -> None:
    """Write messages that went out; states that came before them count as well."""
    if not rows:
        return
    book.sent(db, rows)
    astray = [tells(row, row["created_at"]) for row in rows if row.get("reached")]
    outbox.put(db, astray, rows[0]["created_at"])
    early = [row for row in rows if row["state"] in ("unsure", "accepted", "sent")]
    if early:
        talk.catch_up(db, early)


def _new_job(entry: dict[str, Any], parent: Job) -> NewJob:
    registered = actions()[entry["action"]]
    parameters = dict(entry["parameters"])
    if entry["urgent"]:
        parameters["urgent"] = True
    return NewJob(
        key=entry["key"],
        event_id=entry["event_id"] or parent.event_id,
        action=entry["action"],
        rule=entry["rule"] or parent.rule,
        condition=entry["condition"],
        run_at=entry["run_at"],
        parameters=parameters,
        acts=registered.acts,
        urgent=bool(parameters.get("urgent")),
        client_id=parameters.get("client_id"),
    )
