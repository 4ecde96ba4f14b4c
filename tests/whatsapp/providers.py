"""All four adapters, made for tests, and a server that answers as told."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from bridge import wiring
from bridge.settings import Secret, Settings
from bridge.whatsapp import Message, Provider, Template, WebhookRequest

NAMES = ("cloud", "twilio", "evolution", "waha")
NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
PUBLIC = "https://bridge.example"
SID = "AC" + "0a" * 16
#: What each adapter is told; `{url}` is the server's address.
GIVEN = {
    "cloud": {
        "WHATSAPP_CLOUD_URL": "{url}",
        "WHATSAPP_CLOUD_TOKEN": "demo-token",
        "WHATSAPP_CLOUD_NUMBER_ID": "106540352242922",
        "WHATSAPP_CLOUD_WABA_ID": "102290129340398",
        "WHATSAPP_CLOUD_APP_SECRET": "demo-app-secret",
        "WHATSAPP_CLOUD_VERIFY_TOKEN": "demo-verify-token",
    },
    "twilio": {
        "WHATSAPP_TWILIO_URL": "{url}",
        "WHATSAPP_TWILIO_CONTENT_URL": "{url}",
        "WHATSAPP_TWILIO_ACCOUNT_SID": SID,
        "WHATSAPP_TWILIO_AUTH_TOKEN": "demo-auth-token",
        "WHATSAPP_TWILIO_FROM": "+14155550100",
    },
    "evolution": {
        "WHATSAPP_EVOLUTION_URL": "{url}",
        "WHATSAPP_EVOLUTION_KEY": "demo-apikey",
        "WHATSAPP_EVOLUTION_INSTANCE": "ventas",
        "WHATSAPP_EVOLUTION_WEBHOOK_TOKEN": "demo-webhook-token",
    },
    "waha": {
        "WHATSAPP_WAHA_URL": "{url}",
        "WHATSAPP_WAHA_KEY": "demo-api-key",
        "WHATSAPP_WAHA_HMAC_KEY": "demo-hmac-key",
    },
}
HELLO = Message(
    to="+5491155551234",
    text="Hola Ana, la factura 1234 está lista. 🧾",
    language="es",
    name="invoice_created",
    tag="job:8842",
    values=("Ana", "1234"),
    button=("Ver factura", "https://panel.example/viewinvoice.php?id=1"),
)
TEMPLATE = Template(
    "invoice_created", "es", "HX" + "0" * 32, "https://panel.example/", 980
)


def now() -> datetime:
    """Return the one instant of these tests."""
    return NOW


def provider(
    name: str,
    url: str,
    transport: Any,
    beside: Mapping[str, str] = MappingProxyType({}),
    *,
    public: str = PUBLIC,
    **changed: str,
) -> Provider:
    """Return an adapter that talks to *url*; *changed* are settings by last words.

    *beside* holds other secrets of the bridge: panel, sentry, database.
    """
    prefix = f"WHATSAPP_{name.upper()}_"
    given = {key: text.format(url=url) for key, text in GIVEN[name].items()}
    given |= {prefix + key: text for key, text in changed.items()}
    others = {key: Secret(text) for key, text in given.items()}
    more: dict[str, Any] = {}
    if beside:
        more["whmcs_secret"] = Secret(beside["panel"])
        dsn = f"https://{quote(beside['sentry'], safe='')}@sentry.example/1"
        more["sentry_dsn"] = Secret(dsn)
        password = quote(beside["database"], safe="")
        more["database_url"] = f"postgresql+psycopg://u:{password}@h/d"
    settings = Settings(
        whatsapp_provider=name, public_url=public, others=others, **more
    )
    return wiring.make_provider(settings, now, transport=transport)


def hook(body: bytes = b"", *, name: str = "cloud", query: str = "", **headers: str):
    """Return a request to our address; *headers* with _ for -."""
    return WebhookRequest(
        "POST",
        f"/whatsapp/{name}" + (f"?{query}" if query else ""),
        dict(parse_qsl(query)),
        {key.replace("_", "-"): value for key, value in headers.items()},
        body,
    )


def received(posted: Any, name: str) -> WebhookRequest:
    """Return what a simulated provider posts as the bridge's door would give it."""
    return WebhookRequest(
        "POST",
        f"/whatsapp/{name}" + (f"?{posted.query}" if posted.query else ""),
        dict(parse_qsl(posted.query)),
        dict(posted.headers),
        posted.body,
    )


@dataclass
class Script:
    """A server that gives one prepared answer after the other."""

    answers: list[dict[str, Any]]
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def serving(answers: list[dict[str, Any]]) -> Iterator[Script]:
    """Serve a script: each answer has status, headers, json or text, or cut."""
    script = Script(list(answers))

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_it(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            script.asked.append(_read(self, self.rfile.read(size)))
            answer = script.answers.pop(0)
            body = answer.get("text", "").encode()
            if "json" in answer:
                body = json.dumps(answer["json"]).encode()
            self.send_response_only(answer["status"])
            for key, value in answer.get("headers", {}).items():
                self.send_header(key, value)
            cut = answer.get("cut", False)
            self.send_header("Content-Length", str(len(body) + 100 * cut))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = bool(cut)

        do_GET = do_POST = do_DELETE = handle_it  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Write no log."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _read(handler: Any, body: bytes) -> dict[str, Any]:
    parts = urlsplit(handler.path)
    headers = {key.lower(): value for key, value in handler.headers.items()}
    found = {"method": handler.command, "path": parts.path, "headers": headers}
    if parts.query:
        found["query"] = dict(parse_qsl(parts.query))
    kind = headers.get("content-type", "")
    if kind == "application/json":
        found["json"] = json.loads(body)
    elif kind == "application/x-www-form-urlencoded":
        found["form"] = dict(parse_qsl(body.decode(), strict_parsing=True))
    elif body:
        found["body"] = body.decode()
    return found
