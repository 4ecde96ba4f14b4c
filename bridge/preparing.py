"""The bench: everything a job needs, laid out for it from the bridge's parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any, cast
from zoneinfo import ZoneInfo

import structlog

from bridge.billing.model import CancellationRequest
from bridge.breaker import Breaker
from bridge.consents import Consents
from bridge.errors import Later, SendError, Skipped
from bridge.events import Event
from bridge.facts import Facts
from bridge.hookmap import HookMap, LiveMap
from bridge.hooks import senders
from bridge.hooks.context import Context, held_back
from bridge.hooks.records import AGAIN
from bridge.hooks.transferring import transfer_fields
from bridge.ledger import StoreBook
from bridge.metrics import Metrics
from bridge.obeying import note_refusal
from bridge.panel import Panel
from bridge.posting import StorePost
from bridge.rowviews import cancellation_fields, upgrade_fields, values_of
from bridge.sandbox import compile_when
from bridge.sending import Before, Sending
from bridge.store import Store, claims, inbox, limits, reports
from bridge.store.outbox import Finish, Job, NewJob
from bridge.views import company_view
from bridge.watching import Shared, WatchedPanel
from bridge.whatsapp import Message, Provider, Receipt

log = structlog.get_logger("worker")

#: Longer than connect + total deadline + the panel's longest work on a call.
ACTING_LEASE = timedelta(minutes=5)
ALERT_LEASE = timedelta(minutes=3)
#: What happened so long ago is no news any more: `event.held`.
HELD = timedelta(hours=1)
#: Staff are told of so many single things an hour, then of the many.
TOLD_AN_HOUR = 20

_compiled = lru_cache(maxsize=512)(compile_when)


@dataclass
class Bench:
    """The parts that jobs are run with. *now* returns aware UTC.

    *slow_down* blocks until the provider's number may send again.
    """

    store: Store
    map: LiveMap
    panel: Panel
    provider: Provider
    now: Callable[[], datetime]
    zone: ZoneInfo
    language: str = "es"
    country: str = "AR"
    date_format: str = "DD/MM/YYYY"
    panel_name: str = "whmcs"
    dry_run: bool = True
    preview: bool = False
    metrics: Metrics = field(default_factory=Metrics)
    slow_down: Callable[[], None] = lambda: None
    panel_circuit: Breaker = field(init=False)
    sending: Sending = field(init=False)
    consents: Consents = field(init=False)
    _requests: Shared[list[CancellationRequest]] = field(init=False)

    def __post_init__(self) -> None:
        self.panel_circuit = Breaker(self.panel_name, self.now)
        self.consents = Consents(self.store)
        self.sending = Sending(
            self.store,
            lambda: self.provider,
            self.now,
            self.metrics,
            self.language,
            self.slow_down,
        )
        self._requests = Shared(lambda: self.panel.cancellation_requests())

    @property
    def provider_circuit(self) -> Breaker:
        """The circuit towards the provider."""
        return self.sending.circuit

    def anything_due(self, acts_only: bool = False) -> bool:
        """Look, without writing, whether there is an event or job to take."""
        with self.store.read() as db:
            return reports.anything_due(db, self.now(), acts_only)

    def more_than(self, group_key: str, count: int, now: datetime) -> bool:
        """Tell whether more than *count* alerts of a group wait and are due."""
        with self.store.read() as db:
            return reports.group_size(db, group_key, now) > count

    def events_of(self, jobs: list[Job]) -> dict[str, Event]:
        """Return the events of jobs, by id."""
        with self.store.read() as db:
            return inbox.many(db, [job.event_id for job in jobs if job.event_id])

    def context(
        self,
        job: Job,
        event: Event | None,
        now: datetime,
        *,
        panel: Panel | None = None,
        deliver: Callable[[Message], Receipt] | None = None,
        ahead: Executor | None = None,
    ) -> Context:
        """Return what an action gets for one job.

        *ahead* asks the panel what is known to be needed before it is.
        """
        hookmap = self.map.current
        shared = {"cancellation_requests": self._requests}
        watched = WatchedPanel(
            panel or self.panel,
            self.panel_circuit,
            dry_run=self.dry_run,
            hold=partial(self._hold, job),
            now=self.now if job.acts else None,
            instead=None if panel else shared,
            ahead=ahead,
        )
        asked = cast(Panel, watched)
        today = now.astimezone(self.zone).date()
        book = StoreBook(self.store, hookmap.company, now, today, self.consents)
        ctx = Context(
            key=job.key,
            event=event,
            facts=self._facts(job, event, asked, book, hookmap, now),
            panel=asked,
            book=book,
            post=self._post(job, event, hookmap, deliver),
            policies=hookmap.policies,
            company=hookmap.company,
            now=now,
            zone=self.zone,
            language=self.language,
            country=self.country,
            date_format=self.date_format,
            dry_run=self.dry_run,
            preview=self.preview,
            begin=watched.begin,
            urgent=job.urgent,
            attempts=job.attempts,
            created_at=job.created_at,
            rule=job.rule,
            group_key=job.group_key,
        )
        ctx.seen["calls"] = watched.calls
        return ctx

    def _facts(
        self,
        job: Job,
        event: Event | None,
        panel: Panel,
        book: StoreBook,
        hookmap: HookMap,
        now: datetime,
    ) -> Facts:
        """Return what a job's event leads to; nothing is looked up yet."""
        return Facts(
            event,
            panel,
            book,
            hookmap.company,
            contact=hookmap.policies.upgrades.contact,
            language=self.language,
            client_id=job.parameters.get("client_id"),
            service_id=job.parameters.get("service_id"),
            domain_id=job.parameters.get("domain_id"),
            held=event is not None and now - event.occurred_at > HELD,
            given=self._given(job, book, hookmap, now),
        )

    def _post(
        self,
        job: Job,
        event: Event | None,
        hookmap: HookMap,
        deliver: Callable[[Message], Receipt] | None,
    ) -> StorePost:
        """Return the way out for one job's messages; *deliver* stands in for it."""
        company = company_view(hookmap.company, hookmap.policies.upgrades.contact)
        before = self._before(job, event)
        return StorePost(
            hookmap.texts,
            deliver or partial(self.deliver, before=before, urgent=job.urgent),
            self.provider,
            job.event_id or "",
            {"company": company},
            str(job.parameters.get("other_form_of") or ""),
            self.sending.told_halted,
        )

    def _hold(self, job: Job) -> None:
        """Make sure that a job which acts is still ours, and not held back meanwhile.

        It is the last look before each writing call: the stop switch works from the
        moment on that it is on disk.
        """
        if not job.acts or job.epoch == 0:
            return
        self._still_ours(job)
        if job.action not in limits.STOPPED:
            return
        with self.store.read() as db:
            why = limits.held(db)
        if why is not None:
            raise held_back(why, self.now())

    def _still_ours(self, job: Job) -> None:
        now = self.now()
        with self.store.read() as db:
            held = claims.held_until(db, job)
        if held is not None and held - now > ACTING_LEASE / 2:
            return
        until = now + ACTING_LEASE
        if not self.store.write(lambda db: claims.extend(db, job, until)):
            raise Skipped("the claim was lost: another worker goes on")

    def _given(
        self, job: Job, book: StoreBook, hookmap: HookMap, now: datetime
    ) -> dict[str, Mapping[str, Any]]:
        """Return the variables that a job brings along."""
        given: dict[str, Mapping[str, Any]] = {
            "result": job.parameters.get("_result") or {}
        }
        key = job.parameters.get("cancellation")
        row = book.cancellation(key) if key else None
        if row is not None:
            today = now.astimezone(self.zone).date()
            given["cancellation"] = cancellation_fields(row, today, hookmap.company)
        id = job.parameters.get("order")
        order = book.order(id) if id else None
        if order is not None:
            given["upgrade"] = upgrade_fields(order, hookmap.company)
        name = job.parameters.get("transfer")
        moving = book.transfer(name) if name else None
        if moving is not None:
            given["transfer"] = transfer_fields(moving, self.zone)
        return given

    def condition(self, ctx: Context, job: Job) -> bool | None:
        """Return whether the rule's condition holds, None where there is none."""
        if not job.condition:
            return None
        expression = _compiled(job.condition)
        variables = ctx.facts.variables(root for root, _ in expression.names)
        ctx.seen["condition"] = values_of(expression, variables)
        return expression.holds(variables)

    def _before(self, job: Job, event: Event | None) -> Before:
        """Return what earlier attempts of a job may have sent."""
        answers = event is None or event.panel == "whatsapp"
        none = job.epoch == 1 and AGAIN not in job.key and not answers

        def note() -> None:
            if not self.store.write(lambda db: claims.note_repeat(db, job)):
                raise Skipped("the claim was lost: another worker goes on")

        return Before(job.maybe_sent, job.deaths > 0, note, none)

    def held(self, job: Job) -> Later | None:
        """Return why a job cannot write to anybody now, and until when, if so."""
        if self.dry_run or job.action not in senders():
            return None
        return self.sending.held(job.key)

    def deliver(
        self, message: Message, *, before: Before | None = None, urgent: bool = False
    ) -> Receipt:
        """Hand one message to the provider; dry runs send nothing."""
        if self.dry_run:
            return Receipt("dry-run", ())
        try:
            return self.sending.send(message, before or Before(), urgent=urgent)
        except SendError as error:
            if error.wish is not None and not message.asks:
                told = f"{error.provider} {error.code}"
                noted = (message.to, error.wish, told, self.now())
                note_refusal(self.store, self.consents, *noted)
            raise

    def tell_staff(
        self,
        job: Job,
        finish: Finish,
        ctx: Context | None,
        now: datetime,
        once: str = "",
    ) -> NewJob:
        """Return the job that tells staff of what waits for them.

        Of all that is told under the same *once*, the first alone is. A ticket is of
        a client: what is nobody's is left in the panel's log.
        """
        policy = self.map.current.policies.staff
        text = f"[bridge] {job.action} ({job.rule}) waits for a person: {finish.reason}"
        parameters: dict[str, Any] = {"text": text, "raw": True}
        action = "log_activity"
        client_id = ctx.client_id if ctx is not None else None
        if policy.ticket_department is not None and client_id is not None:
            action = "open_ticket"
            parameters |= {
                "subject": f"[bridge] {job.action} waits for a person",
                "department": policy.ticket_department,
            }
        if client_id is not None:
            parameters["client_id"] = client_id
        return NewJob(
            key=f"{once}/staff" if once else f"{job.key}/staff:{job.epoch}",
            event_id=job.event_id,
            action=action,
            rule=job.rule,
            run_at=now,
            parameters=parameters,
        )

    def tell_staff_of_many(self, told: NewJob, now: datetime) -> NewJob:
        """Return what takes the place of *told*, and of the rest of this hour's."""
        text = (
            f"[bridge] more than {TOLD_AN_HOUR} things wait for a person since "
            f"{now:%H}:00 UTC: whmcs-bridge events list --status parked"
        )
        return replace(
            told,
            key=f"staff:{now:%Y-%m-%dT%H}",
            event_id=None,
            action="log_activity",
            parameters={"text": text, "raw": True},
        )
