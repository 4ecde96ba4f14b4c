"""One webhook for many: what was written to our number is taken, a neighbour's is not.

The sender may be set in another form than the provider names it.
"""

from __future__ import annotations

from typing import Any

import pytest
from looking import rows

from bridge import wiring
from bridge.demo.whatsapp.twilio import TwilioStub
from bridge.settings import Secret, Settings
from bridge.store import tables
from tests.whatsapp.providers import GIVEN, HELLO, PUBLIC

SERVICE, ANOTHER = "MG" + "a" * 32, "MG" + "b" * 32


def wired_to(kit: Any, bridge_for: Any, name: str, **changed: str) -> Any:
    """Return a bridge with an adapter whose settings are *changed*, by last words."""
    given = {
        key: text.format(url="http://127.0.0.1:9") for key, text in GIVEN[name].items()
    }
    given |= {f"WHATSAPP_{name.upper()}_{key}": text for key, text in changed.items()}
    others = {key: Secret(text) for key, text in given.items()}
    settings = Settings(whatsapp_provider=name, public_url=PUBLIC, others=others)
    return bridge_for(
        provider=wiring.make_provider(settings, kit.clock.now, transport=None)
    )


def post(bridge: Any, name: str, stub: Any) -> None:
    """Post what a simulated provider has to say; it is answered 200 in any case."""
    for hook in stub.take():
        answer = (
            bridge.app()
            .test_client()
            .post(f"/whatsapp/{name}", data=hook.body, headers=dict(hook.headers))
        )
        assert answer.status_code == 200


def stopped(bridge: Any) -> list[str]:
    """Return the numbers that want no alerts."""
    found = rows(bridge.store, tables.contacts)
    return [row.number for row in found if row.opted_out_at]


@pytest.mark.parametrize(
    ("sender", "named", "service"),
    [
        (SERVICE, "+14155550100", SERVICE),
        (SERVICE, "+14155550100", ""),
        ("+14155550100", "+14155550100", SERVICE),
        ("+14155550100", "+14155550100", ""),
        ("+5215512345678", "+525512345678", ""),
        ("+525512345678", "+5215512345678", ""),
        ("+541155551234", "+5491155551234", ""),
        ("+5491155551234", "+541155551234", ""),
        ("+5531987654321", "+553187654321", ""),
    ],
)
def test_who_writes_stop_to_our_sender_is_heard(
    kit, bridge_for, sender, named, service
):
    bridge = wired_to(kit, bridge_for, "twilio", FROM=sender)
    stub = TwilioStub(kit.clock.now)
    stub.service = service
    stub.write(HELLO.to, "STOP", To=f"whatsapp:{named}")

    post(bridge, "twilio", stub)

    assert stopped(bridge) == [HELLO.to]


@pytest.mark.parametrize(
    ("sender", "service"),
    [(SERVICE, ANOTHER), ("+14155550199", ""), ("+14155550199", SERVICE), ("x", "")],
)
def test_what_was_written_to_another_sender_is_not_ours(
    kit, bridge_for, sender, service
):
    bridge = wired_to(kit, bridge_for, "twilio", FROM=sender)
    stub = TwilioStub(kit.clock.now)
    stub.service = service
    stub.write(HELLO.to, "STOP")

    post(bridge, "twilio", stub)

    assert stopped(bridge) == []
    assert rows(bridge.store, tables.events) == []
