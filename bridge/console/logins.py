"""Logging in and out: slow hashes, few tries, a new session each time."""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime
from typing import Any

import flask_login
import structlog
from flask import redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from bridge.console.door import PLACE, anew, within
from bridge.console.parts import Console, Operator, console, digest, new_login
from bridge.console.passwords import LONGEST, fits, read_name
from bridge.console.throttle import Wait
from bridge.console.words import Words
from bridge.store import book, operators

log = structlog.get_logger("console")

#: The cookie of a browser in which somebody logged in; it has tries of its own, so
#: that nobody else's wrong passwords keep him out.
KNOWN = "bridge_console_known"
_REMEMBERED = 90 * 24 * 60 * 60
#: How long a password may wait for its turn to be checked, in seconds.
_PATIENCE = 5.0


def show_login() -> ResponseReturnValue:
    """Show the form; who is logged in already goes on."""
    onward = within(request.args.get("next", ""))
    if flask_login.current_user.is_authenticated:
        return redirect(onward, 303)
    return render_template("console/login.html", onward=onward)


def log_in(words: Words) -> ResponseReturnValue:
    """Look at name and password; where they fit, a new session begins."""
    parts, now = console(), console().bench.now()
    given = request.form.get("name", "")
    password = request.form.get("password", "")[: LONGEST + 1]
    name = read_name(given)
    keys = _keys(parts, name or given[:64].lower())
    if wait := parts.throttle.take(keys, now):
        return _too_many(parts, name, wait, words, now)
    if not parts.hashing.acquire(timeout=_PATIENCE):
        return _again(words("busy"), 503, given)
    try:
        token = _checked(parts, name, password, now)
    finally:
        parts.hashing.release()
    if token is None or name is None:
        _note_refusal(parts, name, "wrong password", now)
        return _again(words("wrong_password"), 403, given)
    parts.throttle.forget(keys)
    log.info("console login", operator=name)
    anew()
    flask_login.login_user(Operator(name, token))
    return _remember(parts, name, redirect(within(request.form.get("next", "")), 303))


def log_out() -> ResponseReturnValue:
    """End the login, also for whoever has a copy of the cookie."""
    user = flask_login.current_user
    if user.is_authenticated:
        gone = digest(user.get_id())
        console().bench.store.write(lambda db: operators.end(db, gone))
    flask_login.logout_user()
    anew()
    return redirect(f"{PLACE}/login", 303)


def _checked(
    parts: Console, name: str | None, password: str, now: datetime
) -> str | None:
    """Return the token of a login that began; nobody's password takes as long."""
    kept = None
    if name is not None:
        with parts.bench.store.read() as db:
            kept = operators.password_of(db, name)
    if not fits(password, kept) or name is None or kept is None:
        return None
    return new_login(parts, name, kept, now, request.remote_addr or "")


def _keys(parts: Console, name: str) -> list[str]:
    """Return under what a try counts.

    A change of any operator, by command, lets everybody try anew: so nobody can be
    kept out for good.
    """
    if place := _known_place(parts, name):
        return [f"place {place}"]
    with parts.bench.store.read() as db:
        since = operators.newest_change(db)
    return [f"name {since} {name}", f"address {since} {request.remote_addr}"]


def _known_place(parts: Console, name: str) -> str:
    owner, _, rest = request.cookies.get(KNOWN, "").partition(":")
    place, _, seal = rest.partition(":")
    right = hmac.compare_digest(_seal(parts, owner, place).encode(), seal.encode())
    return place if right and owner == name else ""


def _seal(parts: Console, name: str, place: str) -> str:
    text = f"{name}:{place}".encode()
    return hmac.new(parts.key("known places"), text, "sha256").hexdigest()


def _remember(parts: Console, name: str, answer: Response) -> Response:
    place = _known_place(parts, name) or secrets.token_urlsafe(16)
    answer.set_cookie(
        KNOWN,
        f"{name}:{place}:{_seal(parts, name, place)}",
        max_age=_REMEMBERED,
        path=f"{PLACE}/login",
        secure=parts.public_url.startswith("https:") or request.is_secure,
        httponly=True,
        samesite="Lax",
    )
    return answer


def _too_many(
    parts: Console, name: str | None, wait: Wait, words: Words, now: datetime
) -> ResponseReturnValue:
    if wait.first:
        _note_refusal(parts, name, "too many tries", now)
    seconds = int(wait.time.total_seconds()) + 1
    said = words("too_many", minutes=-(-seconds // 60))
    page, status = _again(said, 429, request.form.get("name", ""))
    return page, status, {"Retry-After": str(seconds)}


def _again(said: str, status: int, name: str) -> tuple[str, int]:
    onward = within(request.form.get("next", ""))
    page = render_template(
        "console/login.html", onward=onward, problem=said, name=name[:32]
    )
    return page, status


def _note_refusal(parts: Console, name: str | None, why: str, now: datetime) -> None:
    """Write it down. A name that nobody has may be a password: it is not kept."""
    address = request.remote_addr or ""

    def put(db: Any) -> None:
        known = name is not None and operators.password_of(db, name) is not None
        who = str(name) if known else "nobody known"
        what = "console login refused"
        book.note(db, now, who, what, "console", address=address, why=why)

    parts.bench.store.write(put)
    log.warning("console login refused", address=address, why=why)
