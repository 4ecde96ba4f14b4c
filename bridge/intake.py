"""receive, verify, store: POST /hooks/<panel>, and the panel's other addresses."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import perf_counter
from typing import Any

import structlog
from flask import Blueprint, Response, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from bridge import __version__
from bridge.decisions import Decider
from bridge.dispatch import ALWAYS, foregone
from bridge.errors import Refused, StoreUnavailable
from bridge.events import Body, Event, read_body, subject
from bridge.hookmap import HookMap, LiveMap
from bridge.metrics import Metrics
from bridge.signing import Delivery, verify
from bridge.store import Store, inbox
from bridge.store.inbox import Accepted
from bridge.textfiles import REQUEST
from bridge.views import company_view

log = structlog.get_logger("intake")
blueprint = Blueprint("intake", __name__)

#: Largest body taken, in bytes.
BODY_LIMIT = 256 * 1024
#: What a sender is asked to wait when nothing can be stored, in seconds.
RETRY_AFTER = 10


class Throttle:
    """Lets some log lines a second through and counts the rest."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._lock = threading.Lock()
        self._second = 0
        self._count = 0

    def passes(self, now: datetime) -> bool:
        with self._lock:
            if (second := int(now.timestamp())) != self._second:
                self._second, self._count = second, 0
            self._count += 1
            return self._count <= self._per_second


@dataclass
class Door:
    """What receiving needs. *keys* are the signing keys, newest first."""

    panel: str
    keys: list[bytes] = field(repr=False)
    store: Store
    map: LiveMap
    now: Callable[[], datetime]
    metrics: Metrics
    decider: Decider
    accepted: Callable[[], None] = lambda: None
    forgeries: Throttle = field(default_factory=lambda: Throttle(5))


def _door() -> Door:
    found: Door = current_app.extensions["door"]
    return found


@blueprint.post("/hooks/<panel>")
def receive(panel: str) -> ResponseReturnValue:
    """Take one delivery. Answering 2xx means it is on disk, nothing more."""
    door = _door()
    now = door.now()
    try:
        delivery = _verified(door, panel, now)
        accepted = _read(delivery, panel, read_body(delivery.body), now)
        accepted = _foregone(accepted, door.map.current, now)
        status = door.store.write_each(inbox.put_each, (accepted, now))
    except Refused as error:
        return refuse(door, error, now)
    except StoreUnavailable as error:
        return unavailable(door, error)
    if status == inbox.CONFLICT:
        return conflict(door, delivery.id)
    door.metrics.deliveries.labels(status).inc()
    if status == inbox.DUPLICATE:
        return {"event": delivery.id, "status": status}, 200
    if accepted.state == "new":
        door.accepted()
    return {"event": delivery.id, "status": status}, 202


@blueprint.post("/decisions/<panel>")
def decide(panel: str) -> ResponseReturnValue:
    """Answer the panel while it waits; null means no opinion, with the reason."""
    door = _door()
    now = door.now()
    began = perf_counter()
    try:
        delivery = _verified(door, panel, now)
        accepted = _read(delivery, panel, read_body(delivery.body), now)
    except Refused as error:
        return refuse(door, error, now)
    answer = door.decider.decide(accepted, now)
    if answer is None:
        return conflict(door, delivery.id)
    door.metrics.decisions.observe(perf_counter() - began)
    return {"event": delivery.id} | answer, 200


@blueprint.get("/hooks/<panel>/hookpoints")
def hookpoints(panel: str) -> ResponseReturnValue:
    """Tell the panel's side which hookpoints the active map and the bridge use."""
    door = _door()
    now = door.now()
    try:
        _known_panel(door, panel)
        verify(Delivery.read(request.headers, request.get_data()), door.keys, now)
    except Refused as error:
        return refuse(door, error, now)
    hookmap = door.map.current
    return {
        "hookpoints": sorted({*hookmap.rules, *ALWAYS}),
        "decisions": sorted(hookmap.decisions),
        "map": hookmap.version,
        "version": __version__,
        "transfer": {
            "whatsapp": hookmap.company.whatsapp,
            "texts": hookmap.texts.typed(
                REQUEST, {"company": company_view(hookmap.company, "")}
            ),
        },
    }, 200


def _verified(door: Door, panel: str, now: datetime) -> Delivery:
    """Return the delivery if it is signed, small, JSON by type, for a known panel."""
    _known_panel(door, panel)
    if request.mimetype != "application/json":
        raise Refused(
            415, "Not JSON by content type", "Send it as application/json.", "type"
        )
    length = request.content_length
    if length is not None and length > BODY_LIMIT:
        raise _too_large()
    body = request.stream.read(BODY_LIMIT + 1)
    if len(body) > BODY_LIMIT:
        raise _too_large()
    delivery = Delivery.read(request.headers, body)
    verify(delivery, door.keys, now)
    return delivery


def _known_panel(door: Door, panel: str) -> None:
    if panel != door.panel:
        detail = "No panel of that name is configured (BRIDGE_PANEL)."
        raise Refused(404, "Unknown panel", detail)


def _too_large() -> Refused:
    detail = f"A delivery may have {BODY_LIMIT // 1024} KiB at most."
    return Refused(413, "Too large", detail)


def _read(delivery: Delivery, panel: str, body: Body, now: datetime) -> Accepted:
    at = body.occurred_at or now
    event = Event(delivery.id, panel, body.hookpoint, body.data, body.context, at, now)
    digest = hashlib.sha256(delivery.body).hexdigest()
    return Accepted(delivery.id, panel, digest, body, at, subject(event))


def _foregone(accepted: Accepted, hookmap: HookMap, now: datetime) -> Accepted:
    """Return it as over where nothing comes of it by the map: nobody looks again."""
    found = foregone(accepted.event(now), hookmap)
    if found is None:
        return accepted
    state, reason = found
    version = hookmap.version
    return replace(accepted, state=state, reason=reason, map_version=version)


def refuse(door: Door, error: Refused, now: datetime) -> ResponseReturnValue:
    """Answer a delivery that is not taken; the log says more than the answer."""
    door.metrics.deliveries.labels(str(error.status)).inc()
    if door.forgeries.passes(now):
        log.warning("delivery refused", status=error.status, why=error.log)
    return problem(error.status, error.title, error.detail)


def conflict(door: Door, id: str) -> ResponseReturnValue:
    """Answer a known id that came with another body."""
    door.metrics.deliveries.labels(inbox.CONFLICT).inc()
    log.warning("same id, other body", delivery=id)
    detail = "That id is known with another body; the first one stands."
    return problem(409, "Another body", detail, event=id)


def unavailable(door: Door, error: StoreUnavailable) -> ResponseReturnValue:
    """Answer that nothing was kept and the sender should come again."""
    door.metrics.deliveries.labels("503").inc()
    log.error("cannot store", why=str(error))
    answer = problem(503, "Cannot be stored now", "Nothing was kept. Send it again.")
    answer.headers["Retry-After"] = str(RETRY_AFTER)
    return answer


def problem(status: int, title: str, detail: str = "", **more: Any) -> Response:
    """Return an RFC 9457 problem document."""
    body = {"type": "about:blank", "title": title, "status": status}
    if detail:
        body["detail"] = detail
    answer = jsonify(body | more)
    answer.status_code = status
    answer.mimetype = "application/problem+json"
    return answer
