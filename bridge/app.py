"""The Flask application: the panel's door, health, readiness and metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from flask import Blueprint, Flask, Response, current_app, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from bridge import callbacks, intake
from bridge.allowing import allowed
from bridge.callbacks import Ear
from bridge.console.blueprint import mount
from bridge.console.parts import Console
from bridge.errors import StoreUnavailable
from bridge.intake import Door, problem
from bridge.preparing import Bench
from bridge.store import book, limits, reports
from bridge.watching import out_of_step

log = structlog.get_logger("app")
blueprint = Blueprint("health", __name__)

_HELD = (
    "the stop switch holds terminations, changes of owner and plan changes back: "
    "`whmcs-bridge doctor` says why"
)


@dataclass
class Health:
    """What health, readiness and metrics are told from."""

    bench: Bench
    metrics_allow: tuple[str, ...] = ("127.0.0.1",)
    warnings: Callable[[], list[str]] = lambda: []


def create_app(
    door: Door, ear: Ear, health: Health, console: Console, *, trusted_proxies: int = 0
) -> Flask:
    """Build the application around a bridge that is wired already."""
    app = Flask("bridge", static_folder=None)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False  # a method like any other: 405
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.merge_slashes = False  # a delivery is never sent elsewhere
    app.extensions["door"] = door
    app.extensions["ear"] = ear
    app.extensions["health"] = health
    app.register_blueprint(intake.blueprint)
    app.register_blueprint(callbacks.blueprint)
    app.register_blueprint(blueprint)
    mount(app, console)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, _unforeseen)
    if trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=trusted_proxies, x_proto=trusted_proxies
        )
    return app


def _http_problem(error: HTTPException) -> ResponseReturnValue:
    answer = problem(error.code or 500, error.name, _advice(error))
    if error.code == 405 and error.get_response().headers.get("Allow"):
        answer.headers["Allow"] = error.get_response().headers["Allow"]
    return answer


def _advice(error: HTTPException) -> str:
    if error.code == 404:
        return "There is nothing at this address."
    if error.code == 405:
        return "This address does not take that method."
    return ""


def _unforeseen(error: Exception) -> ResponseReturnValue:
    log.error("request failed", error=type(error).__name__, path=request.path)
    return problem(500, "Internal error", "The log of the bridge says more.")


def _health() -> Health:
    found: Health = current_app.extensions["health"]
    return found


@blueprint.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Say that the process is alive."""
    return {"status": "alive"}


@blueprint.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Say whether deliveries are taken and worked on; warnings do not count."""
    health = _health()
    reasons = not_ready(health.bench)
    warnings = _warnings(health)
    if reasons:
        detail = "; ".join(reasons)
        return problem(503, "Not ready", detail, reasons=reasons, warnings=warnings)
    return {"status": "ready", "warnings": warnings}


def not_ready(bench: Bench) -> list[str]:
    """Return why the bridge is not ready, nothing where it is."""
    now = bench.now()
    try:
        bench.store.write(lambda db: book.mark(db, "probe", now))
        with bench.store.read() as db:
            heard = book.worker_heard(db, now)
    except StoreUnavailable as error:
        return [f"the database cannot be written: {error}"]
    if not heard:
        return ["no worker was heard of lately"]
    return []


def _warnings(health: Health) -> list[str]:
    bench = health.bench
    found = [f"the newest map is not in use: {p}" for p in bench.map.problems]
    for circuit in (bench.panel_circuit, bench.provider_circuit):
        if circuit.open:
            found.append(f"calls to {circuit.service} are held back: {circuit.reason}")
    if bench.dry_run:
        found.append("dry run: nothing is sent and nothing is changed")
    return found + _pauses(bench) + health.warnings()


def _pauses(bench: Bench) -> list[str]:
    """Return why what acts in the panel waits: by the stop switch, by the clock."""
    try:
        with bench.store.read() as db:
            why, newest = limits.held(db), reports.ahead(db, bench.now())
    except StoreUnavailable:
        return []
    found = [] if why is None else [_HELD]  # who and why is not for everybody
    if apart := out_of_step(bench.panel.clock_off()):
        found.append(apart)
    return found if newest is None else [*found, reports.why_paused(newest)]


@blueprint.get("/metrics")
def metrics() -> ResponseReturnValue:
    """Show the counters, to the addresses that may see them."""
    health = _health()
    if not allowed(request.remote_addr or "", health.metrics_allow):
        return problem(403, "Not for this address", "See BRIDGE_METRICS_ALLOW.")
    refresh(health.bench)
    return Response(health.bench.metrics.text(), mimetype="text/plain; version=0.0.4")


def refresh(bench: Bench) -> None:
    """Bring the gauges up to date."""
    gauges = bench.metrics
    gauges.map_bad.set(1 if bench.map.problems else 0)
    gauges.dry_run.set(1 if bench.dry_run else 0)
    for circuit in (bench.panel_circuit, bench.provider_circuit):
        gauges.circuit.labels(circuit.service).set(1 if circuit.open else 0)
    try:
        with bench.store.read() as db:
            counts = reports.open_jobs(db)
    except StoreUnavailable:
        return
    for state, count in counts.items():
        gauges.waiting.labels(state).set(count)
