"""Taking up: a request whose delivery never came takes the path of one that did."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from bridge.billing.model import CancellationRequest, Service
from bridge.dispatch import NO_RULE
from bridge.events import Body, Subject
from bridge.hooks.schedule_cancellation import NOT_LISTED
from bridge.preparing import Bench
from bridge.store import inbox, reports
from bridge.store.inbox import Accepted

_AT_WORK = ("waiting", "joined", "running")


def take_up(
    bench: Bench, request: CancellationRequest, service: Service, *, again: bool
) -> None:
    """Put in the event of a request, once: however often it is found missing.

    *again*: it was withdrawn since, as it was on no list. One that was on none when
    it was taken up before is put in anew; one that met a map without a rule for it
    is matched by the next.
    """
    now = bench.now()
    kind = "Immediate" if request.immediate else "End of Billing Period"
    data = {
        "userid": service.client_id,
        "relid": service.id,
        "reason": request.reason,
        "type": kind,
    }
    rehearsed = "" if bench.dry_run else "live-"
    id = f"reconcile-{rehearsed}{request.id}"
    anew = f"{id}-{now:%Y%m%d%H%M}"
    made = Accepted(
        anew if again else id,
        bench.panel_name,
        digest=anew if again else id,
        body=Body("CancellationRequest", now, data, {"actor": "client"}),
        occurred_at=now,
        subject=Subject(service=service.id, claims=service.client_id),
    )

    def put(db: sa.Connection) -> None:
        version = bench.map.current.version
        if again or not inbox.match_anew(db, id, NO_RULE, version):
            new = not again and _was_not_listed(db, id)
            inbox.put(db, replace(made, id=anew, digest=anew) if new else made, now)

    bench.store.write(put)


def _was_not_listed(db: sa.Connection, event_id: str) -> bool:
    """Tell whether all that came of an event is that its request was on no list."""
    jobs = reports.jobs_of(db, [event_id])[event_id]
    if any(job.state in _AT_WORK for job in jobs):
        return False
    skipped = (job.reason or "" for job in jobs if job.state == "skipped")
    return any(reason.startswith(NOT_LISTED) for reason in skipped)
