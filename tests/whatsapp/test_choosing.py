"""Which provider the settings choose, and at which pace it sends."""

from __future__ import annotations

import pytest

from bridge import wiring
from bridge.errors import ConfigError
from bridge.settings import Settings
from bridge.whatsapp.cloud import CloudProvider
from bridge.whatsapp.console import ConsoleProvider
from bridge.whatsapp.evolution import EvolutionProvider
from bridge.whatsapp.twilio import TwilioProvider
from bridge.whatsapp.waha import WahaProvider
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


@pytest.mark.parametrize(
    ("per_second", "many", "milliseconds"),
    [(80.0, 80, 1000), (1.0, 1, 1000), (0.5, 1, 2000), (0.033, 1, 30303)],
)
def test_a_gateway_sends_one_message_in_many_seconds(per_second, many, milliseconds):
    rate = wiring.pace(per_second)

    assert (rate.limit, int(rate.interval)) == (many, milliseconds)
