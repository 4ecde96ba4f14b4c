"""What we make of every answer that transfer.php, or what is in its way, may give."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bridge.billing.transfer_case import Move
from bridge.errors import MoveRefused, Reason, RemoteError
from bridge.signing import Delivery, read_secret, verify
from bridge.transport import Answer, Call
from bridge.whmcs_transfer import ask

NOW = datetime(2026, 11, 2, 13, 0, tzinfo=UTC)
KEY = read_secret("whsec_ZG9vciB0ZXN0cyBkb29yIHRlc3RzIGRvb3IgdGVzdHM=")
OLD = read_secret("whsec_b2xkIGRvb3Igb2xkIGRvb3Igb2xkIGRvb3Igb2xkIGQ=")
MOVE = Move("transfer-1-abc", 1, 2, 3, datetime(2026, 11, 1, tzinfo=UTC))


class Wire:
    """A transport that gives one answer and keeps what was asked."""

    def __init__(self, status: int, told: Any, headers: dict[str, str] | None = None):
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.answer = Answer(status, headers or {}, body)
        self.calls: list[Call] = []

    def send(self, call: Call, **_: Any) -> Answer:
        """Keep the call, give the answer."""
        self.calls.append(call)
        return self.answer


def moved(wire: Wire, move: Move = MOVE, now: datetime = NOW, keys: Any = (KEY, OLD)):
    return ask(wire, "https://p.example/x/", keys, move, timeout=5.0, now=now)


def told(status: str, **more: Any) -> dict[str, Any]:
    return {"transfer": MOVE.key, "status": status, **more}


def test_it_asks_signed_with_the_newest_secret_and_nothing_else():
    wire = Wire(200, told("moved", changed={"service": 1}))

    found = moved(wire)

    (call,) = wire.calls
    verify(Delivery.read(call.headers, call.body), [KEY], NOW)
    assert call.url == "https://p.example/x/modules/addons/hookbridge/transfer.php"
    assert call.headers["webhook-id"] == MOVE.key
    assert json.loads(call.body) == {
        "type": "transfer",
        "timestamp": "2026-11-01T00:00:00+00:00",
        "data": {"service_id": 1, "from_client_id": 2, "to_client_id": 3},
    }
    assert (found.again, found.changed) == (False, {"service": 1})


def test_asked_again_later_the_body_is_the_same():
    first, later = (
        Wire(200, told("moved")),
        Wire(200, told("already", changed={"a": 1})),
    )
    moved(first)

    found = moved(later, now=datetime(2026, 11, 9, tzinfo=UTC))

    assert first.calls[0].body == later.calls[0].body
    assert (found.again, found.changed) == (True, {"a": 1})


def test_the_custom_field_goes_along():
    wire = Wire(200, told("moved"))

    moved(wire, replace(MOVE, verified_field=9))

    assert json.loads(wire.calls[0].body)["data"]["verified_field"] == 9


def test_a_refusal_has_the_panels_code():
    with pytest.raises(MoveRefused) as caught:
        moved(Wire(409, told("refused", code="invoice_open", reason="Invoice 5.")))

    assert (caught.value.code, caught.value.sent) == ("invoice_open", False)


ANSWERS = [
    (404, b"<h1>Not Found</h1>", Reason.NOT_FOUND, False),
    (401, {"status": "error", "reason": "x"}, Reason.MISSING_PERMISSION, False),
    (503, told("busy"), Reason.RATE_LIMITED, False),
    (503, {"status": "error"}, Reason.RATE_LIMITED, False),
    (503, b"<h1>Maintenance</h1>", Reason.UNREADABLE, True),
    (500, told("failed"), Reason.UNREADABLE, True),
    (502, b"", Reason.UNREADABLE, True),
    (200, b"<html>login</html>", Reason.UNREADABLE, True),
    (200, {}, Reason.UNREADABLE, True),
    (200, [], Reason.UNREADABLE, True),
    (200, b"null", Reason.UNREADABLE, True),
    (200, {"transfer": "another", "status": "moved"}, Reason.UNREADABLE, True),
    (200, told("refused"), Reason.UNREADABLE, True),
    (302, b"", Reason.UNREADABLE, True),
    (409, b"<html>", Reason.UNREADABLE, True),
    (400, {"status": "error"}, Reason.UNREADABLE, True),
]


@pytest.mark.parametrize(("status", "body", "reason", "sent"), ANSWERS)
def test_anything_else_says_whether_to_look_first(status, body, reason, sent):
    with pytest.raises(RemoteError) as caught:
        moved(Wire(status, body))

    assert (caught.value.reason, caught.value.sent) == (reason, sent)


def test_without_a_secret_nothing_is_asked():
    wire = Wire(200, told("moved"))

    with pytest.raises(RemoteError) as caught:
        moved(wire, keys=())

    assert caught.value.reason is Reason.MISSING_PERMISSION
    assert wire.calls == []
