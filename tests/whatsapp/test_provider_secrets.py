"""No key of a provider's is in an error, a representation or a log, whatever happens.

Every secret is a mark; the other side echoes what it was sent, headers and all.
"""

from __future__ import annotations

import base64
import http.server
import json
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import quote, unquote

import pytest
from effort import pick

from bridge.errors import BridgeError, Reason, RemoteError
from bridge.transport import Transport
from bridge.whatsapp import TemplateDraft
from tests.whatsapp.providers import HELLO, NAMES, SID, TEMPLATE, hook, provider

MARK = "Zq9+Mk/7~Wx"
SECRETS = {
    "cloud": ("TOKEN", "APP_SECRET", "VERIFY_TOKEN"),
    "twilio": ("AUTH_TOKEN",),
    "evolution": ("KEY", "WEBHOOK_TOKEN"),
    "waha": ("KEY", "HMAC_KEY"),
}
MARKED = {
    name: {secret: f"{MARK}-{secret}" for secret in secrets}
    for name, secrets in SECRETS.items()
}
#: Secrets of the bridge that are none of the provider's: it may have them all the same.
BESIDE = {name: f"{MARK}-{name}" for name in ("panel", "sentry", "database")}
DRAFT = TemplateDraft("aviso", "es", "utility", "Hola, esto es un aviso.")
STATUSES = [200, 201, 302, 400, 401, 403, 404, 408, 422, 429, 500, 503]
TRIED = pick(full=STATUSES, ci=STATUSES, quick=[200, 302, 401, 500])


def ways(mark: str) -> list[str]:
    """Return a mark in every way in which a vendor may repeat it."""
    raw = mark.encode()
    coded = [
        base64.b64encode(b"id:"[:before] + raw + b":x").decode() for before in range(3)
    ]
    plain = [mark, quote(mark, safe=""), raw.hex(), raw.hex().upper(), *coded]
    plain += [one.translate(str.maketrans("+/", "-_")) for one in coded]
    plain.append("".join(f"%{byte:02x}" for byte in raw))
    split = [r"\n".join(one[n : n + 9] for n in range(0, len(one), 9)) for one in plain]
    escaped = [json.dumps(one).replace("/", r"\/") for one in plain]
    every = ["".join(f"\\u{ord(c):04x}" for c in one) for one in plain]
    return [*plain, *split, *escaped, *every, *map(json.dumps, escaped)]


def read(text: str) -> str:
    """Return a text as somebody reads it who looks for a mark in it."""
    for _ in range(3):
        text = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text)
        text = unquote(re.sub(r"\\+[nr]|\\+(?=[/\"'])", "", text))
    return re.sub(r"\s", "", text).translate(str.maketrans("-_", "+/")).lower()


def forms(mark: str = MARK) -> set[str]:
    """Return every form that a mark could leave in."""
    login = base64.b64encode(f"{SID}:{mark}".encode()).decode()
    cores = [
        base64.b64encode(b"x" * n + mark.encode())
        .decode()
        .rstrip("=")[-(-8 * n // 6) : -1]
        for n in range(3)
    ]
    found = {mark, quote(mark, safe=""), mark.encode().hex(), login[48:58], *cores}
    return found | {read(one) for one in found}


@contextmanager
def echoing(status: int) -> Iterator[str]:
    """Serve answers that repeat the whole request wherever a message may stand."""

    class Echo(http.server.BaseHTTPRequestHandler):
        def handle_it(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            said = f"{self.path} {self.headers} {self.rfile.read(size)!r}"
            marked = [*MARKED[self.name_of()].values(), *BESIDE.values()]
            said += " " + " ".join(one for mark in marked for one in ways(mark))
            error = {"message": said, "code": 100, "fbtrace_id": said}
            error["error_data"] = {"details": said}
            body = json.dumps(
                {
                    "error": error,
                    "message": said,
                    "code": 21211,
                    "response": {"message": [said]},
                    "exception": {"message": said},
                    "status": said,
                }
            ).encode()
            self.send_response_only(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def name_of(self) -> str:
            known = {"authorization": "cloud", "apikey": "evolution"}
            known["x-api-key"] = "waha"
            found = next(known[k.lower()] for k in self.headers if k.lower() in known)
            basic = self.headers.get("authorization", "").startswith("Basic")
            return "twilio" if basic else found

        do_GET = do_POST = do_DELETE = handle_it  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Write no log."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def everything(adapter) -> list[str]:
    """Do all that an adapter can do and return all that is shown of it."""
    shown = [repr(adapter), str(adapter), repr(vars(adapter)["_settings"])]
    body = json.dumps({"entry": [], "event": MARK}).encode()
    request = hook(body, X_Bridge_Token=MARK, X_Hub_Signature_256=MARK)
    templated = replace(HELLO, free=False, template=TEMPLATE)
    for work in (
        lambda: adapter.send(HELLO),
        lambda: adapter.send(templated),
        adapter.health,
        adapter.templates,
        lambda: adapter.push(DRAFT),
        lambda: adapter.push(DRAFT, "1"),
        lambda: bool(adapter.check_number(HELLO.to)),
        lambda: adapter.find_number("1@lid"),
        lambda: adapter.verify(request),
        lambda: repr(request),
    ):
        try:
            shown.append(repr(work()))
        except BridgeError as error:
            # The cause as well: it would be shown in a traceback.
            known = (repr(error), str(error), vars(error), error.__cause__)
            shown += map(repr, known)
    return shown


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("status", TRIED)
def test_no_secret_is_on_show_after_any_answer(name, status, caplog):
    caplog.set_level(logging.DEBUG)
    with echoing(status) as url, Transport(pool=1, total=5.0) as transport:
        shown = everything(provider(name, url, transport, BESIDE, **MARKED[name]))

    # The addresses that urllib3 tells are silenced in a running bridge (`logs`).
    told = [r.getMessage() for r in caplog.records if r.name[:7] != "urllib3"]
    text = "\n".join([*shown, *told])
    for seen in (text.lower(), read(text)):
        assert {form for form in forms() if form.lower() in seen} == set()
    assert "1155551234" not in text.replace(" ", "")


class Breaking:
    """A transport that fails, and would tell all if it was asked to."""

    def __init__(self, sent: bool) -> None:
        self.sent = sent

    def send(self, call, **how):
        raise RemoteError("x", Reason.UNREACHABLE, "gone", sent=self.sent)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sent", [True, False])
def test_no_secret_is_on_show_without_an_answer(name, sent):
    adapter = provider(name, "http://127.0.0.1:1", Breaking(sent), **MARKED[name])

    text = "\n".join(everything(adapter))

    assert {form for form in forms() if form in text} == set()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_of_a_refusal_is_one_bounded_line(name):
    line = vars(provider(name, "http://127.0.0.1:1", None, **MARKED[name]))["_line"]

    said = line.scrub(
        f"a\nb\x1b[31m {MARK}-{SECRETS[name][0]} +54 9 11 5555-1234 " + "y " * 999
    )

    assert said.startswith("a b [31m … … y")
    assert len(said) <= 300
