"""The console's addresses, and the application around them."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

import flask_login
import structlog
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    g,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf
from werkzeug.exceptions import HTTPException

from bridge.console import door, logins, pages
from bridge.console.door import PLACE, Turned
from bridge.console.parts import Console, console, load
from bridge.console.throttle import Busy, TooLate
from bridge.console.words import LANGUAGES, Words, of_request, visible
from bridge.errors import Reason, RemoteError, StoreUnavailable

log = structlog.get_logger("console")
blueprint = Blueprint(
    "console",
    __name__,
    url_prefix=PLACE,
    template_folder="templates",
    static_folder="static",
)

#: What is seen without a login.
_OPEN = ("console.login", "console.log_in", "console.static")
_TEMPLATES = {"trim_blocks": True, "lstrip_blocks": True}
_SAID = {404: "not_found", 405: "wrong_method", 413: "too_large"}


def mount(app: Flask, parts: Console) -> None:
    """Put the console under /console/ of an application; nothing else of it changes."""
    manager = flask_login.LoginManager()
    manager.session_protection = "basic"
    manager.user_loader(load)
    app.login_manager = manager  # type: ignore[attr-defined]
    app.session_interface = door.Sessions(parts)
    app.config.update(door.cookies(parts))
    app.jinja_options = app.jinja_options | _TEMPLATES | {"finalize": visible}
    app.extensions["console"] = parts
    app.register_blueprint(blueprint)


def _words() -> Words:
    return cast(Words, g.words)


@blueprint.before_request
def _let_in() -> ResponseReturnValue | None:
    parts = console()
    g.me = None
    g.words = of_request(parts.bench.language, parts.bench.zone)
    door.let_in(parts)
    if request.endpoint == "console.static":
        return None
    user = flask_login.current_user
    if user.is_authenticated:
        g.me = user.name
    elif request.endpoint not in _OPEN:
        reads = request.method in ("GET", "HEAD")
        onward = request.full_path.rstrip("?") if reads else f"{PLACE}/"
        return redirect(url_for("console.login", next=onward), 303)
    return None


@blueprint.after_request
def _finish(response: Response) -> Response:
    return door.finish(response)


@blueprint.context_processor
def _context() -> dict[str, Any]:
    bench = console().bench
    circuit = bench.panel_circuit
    return {
        "t": g.words,
        "me": g.me,
        "csrf_token": generate_csrf,
        "languages": _languages(),
        "dry_run": bench.dry_run,
        "held_back": circuit.reason if circuit.open else "",
        "product": f"WHMCS bridge · {bench.map.current.company.name}".rstrip(" ·"),
    }


def _languages() -> list[tuple[str, str, str]]:
    """Return code, name and address of each language, for this page in it."""
    reads = request.method in ("GET", "HEAD") and request.endpoint is not None
    known = request.args.to_dict() if reads else {}
    place = request.path if reads else f"{PLACE}/"
    found = []
    for code, name in LANGUAGES.items():
        found.append((code, name, f"{place}?{urlencode({**known, 'lang': code})}"))
    return found


@blueprint.get("/login")
def login() -> ResponseReturnValue:
    """Show the form to log in."""
    return logins.show_login()


@blueprint.post("/login")
def log_in() -> ResponseReturnValue:
    """Log in."""
    return logins.log_in(_words())


@blueprint.post("/logout")
def log_out() -> ResponseReturnValue:
    """Log out."""
    return logins.log_out()


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """Show the orders, and the form for a new plan change."""
    return pages.home()


@blueprint.get("/quote")
def quote() -> ResponseReturnValue:
    """Show what a plan change costs."""
    return pages.quote(_words())


@blueprint.post("/upgrades")
def order() -> ResponseReturnValue:
    """Order a plan change."""
    return pages.order(_words())


@blueprint.get("/upgrades/<id>")
def follow(id: str) -> ResponseReturnValue:
    """Show an order."""
    return pages.follow(_words(), id)


@blueprint.get("/<path:rest>")
def nothing(rest: str) -> ResponseReturnValue:
    """Say that there is nothing at an address."""
    abort(404)


def _error(status: int, said: str, detail: str = "") -> Response:
    page = render_template("console/error.html", said=said, detail=detail)
    answer = Response(page, status)
    if status in (429, 503):
        answer.headers["Retry-After"] = "10"
    return answer


@blueprint.errorhandler(Turned)
def _turned(error: Turned) -> Response:
    log.info("console request turned away", why=error.word)
    return _error(error.status, _words()(error.word))


@blueprint.errorhandler(Busy)
def _busy(error: Busy) -> Response:
    return _error(503, _words()("busy"))


@blueprint.errorhandler(TooLate)
def _too_late(error: TooLate) -> Response:
    return _error(504, _words()("too_late"))


@blueprint.errorhandler(StoreUnavailable)
def _no_store(error: StoreUnavailable) -> Response:
    return _error(503, _words()("store_away"))


@blueprint.errorhandler(RemoteError)
def _no_panel(error: RemoteError) -> Response:
    if error.reason is Reason.NOT_FOUND:
        return _error(404, _words()("panel_knows_none"), error.detail)
    return _error(503, _words()("panel_away"), f"{error.reason.value}: {error.detail}")


@blueprint.errorhandler(HTTPException)
def _http(error: HTTPException) -> ResponseReturnValue:
    code = error.code or 500
    if code < 400:
        return error.get_response()
    return _error(code, _words()(_SAID.get(code, "unforeseen")))


@blueprint.errorhandler(Exception)
def _unforeseen(error: Exception) -> Response:
    log.error("console request failed", error=type(error).__name__, path=request.path)
    return _error(500, _words()("unforeseen"))
