"""Which provider the settings choose, and at which pace it sends."""

from __future__ import annotations

import io
from datetime import timedelta
from types import SimpleNamespace

import pytest

from bridge import wiring
from bridge.errors import ConfigError
from bridge.settings import Settings
from bridge.store import Store, tables
from bridge.whatsapp import Message
from bridge.whatsapp.cloud import CloudProvider
from bridge.whatsapp.console import ConsoleProvider
from bridge.whatsapp.evolution import EvolutionProvider
from bridge.whatsapp.twilio import TwilioProvider
from bridge.whatsapp.waha import WahaProvider
from tests.looking import rows
from tests.whatsapp.providers import now, provider

KINDS = {
    "cloud": CloudProvider,
    "twilio": TwilioProvider,
    "evolution": EvolutionProvider,
    "waha": WahaProvider,
}


@pytest.mark.parametrize("name", KINDS)
def test_the_settings_choose_the_provider(name):
    assert type(provider(name, "https://x.example", None)) is KINDS[name]


def test_the_console_is_chosen_without_any_setting():
    assert type(wiring.make_provider(Settings(), now)) is ConsoleProvider


def test_the_console_shows_the_time_of_the_place():
    shown = io.StringIO()
    zone = "America/Bogota"  # five hours behind Greenwich
    console = wiring.make_provider(Settings(timezone=zone), now, shown)
    console.send(Message("+573001234567", "Hola", "es", "n", "t", "e"))

    there = now() - timedelta(hours=5)
    assert f" ─ {there:%Y-%m-%d %H:%M} ─" in shown.getvalue()


def test_an_unknown_provider_is_a_problem():
    with pytest.raises(ConfigError, match='no provider "pigeon"'):
        wiring.make_provider(Settings(whatsapp_provider="pigeon"), now)


def test_a_rate_is_what_is_set():
    assert (
        provider("cloud", "https://x.example", None, PER_SECOND="1000").per_second
        == 1000
    )
    assert (
        provider("waha", "https://x.example", None, PER_SECOND="0.1").per_second == 0.1
    )


def test_a_slow_gateway_is_waited_for_in_the_outbox_not_in_a_thread():
    slow = SimpleNamespace(name="waha", per_second=0.033)
    wait = wiring.limiter(slow, SimpleNamespace(sqlite=True))
    for _ in range(3):  # thirty seconds apart, if it were here
        wait()


def test_a_quick_number_shares_its_rate_where_others_may_use_the_store(database_url):
    store = Store(database_url, readers=1)
    quick = SimpleNamespace(name="cloud", number="1", per_second=1000.0)
    wait = wiring.limiter(quick, store)
    for _ in range(3):
        wait()

    shared = [row.name for row in rows(store, tables.marks)]
    store.close()
    assert shared == ([] if store.sqlite else ["rate:cloud/1"])
