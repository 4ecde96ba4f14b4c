"""A text that its values make longer than the provider takes goes out all the same."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bridge import upkeep
from bridge.demo.panel_example import ANA
from bridge.demo.panel_rows import Line
from bridge.demo.whatsapp.server import StubServer
from bridge.demo.whatsapp.twilio import TwilioStub
from bridge.store import tables
from bridge.transport import Transport
from tests.looking import rows
from tests.whatsapp.providers import provider
from tests.whatsapp.test_neighbours import post

NUMBER = "+5491140000001"


@pytest.fixture
def twilio(kit):
    with StubServer(TwilioStub(kit.clock.now)) as server:
        yield server


def owes(kit, count):
    """Ana has so many open invoices, and her telephone is known."""
    with kit.world.muted():
        for _ in range(count):
            kit.world.create_invoice(ANA, [Line("Algo", Decimal("123456.78"))])


@pytest.mark.parametrize(("count", "lines"), [(3, 3), (16, 1)])
def test_many_invoices_are_told_within_what_twilio_takes(
    kit, bridge_for, twilio, count, lines
):
    owes(kit, count)
    with Transport(pool=2, total=5.0) as transport:
        bridge = bridge_for(provider=provider("twilio", twilio.url, transport))
        while upkeep.index_phones(bridge.bench):
            pass
        twilio.stub.write(NUMBER, "mis facturas")
        post(bridge, "twilio", twilio.stub)
        bridge.worker.drain()

    (taken,) = twilio.stub.taken
    (kept,) = rows(bridge.store, tables.messages)
    assert len(taken.text) <= 1600
    assert f"({count} en total)" in taken.text
    assert taken.text.count("\n• ") == lines
    assert taken.text.endswith("Área de clientes: https://clientes.example.com")
    assert kept.text == taken.text
