"""Who may come in at all: address, origin, token; and what every answer carries."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Request, Response, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask_wtf.csrf import validate_csrf
from wtforms.validators import ValidationError

from bridge.allowing import allowed
from bridge.console.parts import Console
from bridge.errors import StoreUnavailable
from bridge.store import operators

#: Where the console stands, and all its cookies.
PLACE = "/console"
#: Largest form that is read, in bytes.
LARGEST = 16 * 1024
#: The panel's and clients' words are shown as text; nothing else is loaded or framed.
#: ``data:`` is for the arrows that the style sheet draws in itself.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # With no-referrer browsers would send "Origin: null" along with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Turned(Exception):
    """A request that is not let in; *word* names the sentence that says why."""

    def __init__(self, status: int, word: str) -> None:
        super().__init__(word)
        self.status = status
        self.word = word


class Sessions(SecureCookieSessionInterface):
    """Signed cookies for the console alone: no other address has a session."""

    def __init__(self, parts: Console) -> None:
        self._parts = parts

    def get_cookie_secure(self, app: Flask) -> bool:
        """Send the cookie over https only where that is how the console is reached."""
        return super().get_cookie_secure(app) or request.is_secure

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Read the cookie; None (a session that cannot be written) elsewhere."""
        if not request.path.startswith(f"{PLACE}/"):
            return None
        if app.secret_key is None:
            try:
                app.secret_key = self._parts.key("cookies")
            except StoreUnavailable:
                return None  # the door says so
        return super().open_session(app, request)


def let_in(parts: Console) -> None:
    """Look at a request before anything else does; raises Turned, StoreUnavailable."""
    request.max_content_length = LARGEST
    if parts.trusted_proxies == 0 and _forwarded():
        raise Turned(403, "proxy_not_trusted")
    if not allowed(request.remote_addr or "", parts.allow):
        raise Turned(403, "address_not_allowed")
    with parts.bench.store.read() as db:
        if operators.newest_change(db) is None:
            raise Turned(404, "no_operator")
    if request.method not in ("GET", "HEAD"):
        _from_our_own_page(parts)


def _forwarded() -> bool:
    """Tell whether a proxy passed this on: then the address is only the proxy's."""
    names = ("X-Forwarded-For", "Forwarded", "X-Real-IP")
    return any(request.headers.get(name) for name in names)


def _from_our_own_page(parts: Console) -> None:
    ours = {origin(request.host_url), origin(parts.public_url)} - {""}
    said = request.headers.get("Origin") or origin(request.referrer or "")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if said not in ours or site not in ("same-origin", "none"):
        raise Turned(400, "other_origin")
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError as error:
        raise Turned(400, "no_token") from error


def origin(address: str) -> str:
    """Return scheme, host and port of an address as browsers write them, or ""."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (
        f":{port}" if port not in (None, usual) else ""
    )


def within(address: str) -> str:
    """Return a page of the console to go on to; its first page for anything else."""
    plain = address.isascii() and address.isprintable() and "\\" not in address
    if plain and address.startswith(f"{PLACE}/") and "//" not in address:
        return address
    return f"{PLACE}/"


def finish(response: Response) -> Response:
    """Give an answer its headers; pages are kept by nobody."""
    response.headers.update(HEADERS)
    if request.endpoint != "console.static":
        response.headers["Cache-Control"] = "no-store"
    return response


def cookies(parts: Console) -> dict[str, Any]:
    """Return Flask's settings of the session's cookie."""
    return {
        "SESSION_COOKIE_NAME": "bridge_console",
        "SESSION_COOKIE_PATH": PLACE,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": parts.public_url.startswith("https:"),
        "WTF_CSRF_TIME_LIMIT": None,  # it ends with the session
    }


def anew() -> None:
    """Empty the session but for the language: nothing of it outlives a login."""
    language = session.get("lang")
    session.clear()
    if language:
        session["lang"] = language
