"""A world at a fixed noon, its panel as WSGI, and a bridge that only records."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.test import Client

from bridge.demo.clock import Clock
from bridge.demo.panel import IDENTIFIER, PATH, SECRET, Panel
from bridge.demo.world import World

SIGNING = "whsec_" + base64.b64encode(bytes(range(32))).decode()
NOON = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)

Calls = Callable[..., Any]


class FakeBridge:
    """A WSGI application that records and answers as a bridge would, or worse."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.status = 202
        self.answer: bytes | None = None
        self.returns: dict[str, object] = {}
        self.fails: set[str] = set()

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        headers = {n: environ["HTTP_" + n.upper().replace("-", "_")] for n in names}
        told = json.loads(body) if body else {"type": environ["PATH_INFO"]}
        self.bodies.append(body)
        self.headers.append(headers)
        self.got.append(told)
        status = 503 if told["type"] in self.fails else self.status
        answer: dict[str, object] = {"event": headers["webhook-id"]}
        if "decisions" in environ["PATH_INFO"]:
            status, answer["return"] = 200, self.returns.get(told["type"])
        if environ["PATH_INFO"].endswith("hookpoints"):
            status, answer = 200, {"hookpoints": ["InvoicePaid"], "decisions": []}
        start_response(f"{status} X", [("Content-Type", "application/json")])
        return [json.dumps(answer).encode() if self.answer is None else self.answer]

    def types(self) -> list[str]:
        return [told["type"] for told in self.got]


def signature(headers: dict[str, str], body: bytes) -> str:
    """Sign as the public specification says, with the standard library alone."""
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(bytes(range(32)), content, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


@pytest.fixture(name="signing")
def signing_secret() -> str:
    return SIGNING


@pytest.fixture(name="signature")
def signature_by_the_specification() -> Callable[[dict[str, str], bytes], str]:
    return signature


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
def world(clock: Clock) -> World:
    return World.example(clock)


@pytest.fixture
def panel(world: World) -> Panel:
    return Panel(world)


@pytest.fixture
def bridge() -> FakeBridge:
    return FakeBridge()


@pytest.fixture
def call(panel: Panel) -> Calls:
    """Return a function that calls an action and returns the answer's JSON."""

    def post(action: str, **params: object) -> Any:
        form = {
            "action": action,
            "identifier": IDENTIFIER,
            "secret": SECRET,
            "responsetype": "json",
        }
        sent = form | {name: str(value) for name, value in params.items()}
        return json.loads(Client(panel).post(PATH, data=sent).data)

    return post
