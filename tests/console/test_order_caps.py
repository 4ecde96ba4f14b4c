"""The caps of ordered plan changes on the console: a sentence, and nothing lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge import upgrading
from bridge.store import limits, tables

from .conftest import Visitor
from .test_pages import QUOTE, rows, text_of

#: Another service of the same client's, and what it may become.
RADIO, RADIO_PRO = 11, 32


@pytest.fixture
def config(config_with):
    """A map with which one plan change of a client may be ordered in a day."""
    name = "max_orders_per_client_per_day"
    return config_with((f"{name}: 5", f"{name}: 1"))


@pytest.fixture
def eva(bridge_for, config, make_operator):
    """The operator, logged in; nothing was ordered yet."""
    make_operator()
    visitor = Visitor(bridge_for(config_dir=config).app())
    visitor.log_in()
    return visitor


@pytest.fixture
def ana(kit, eva):
    """The same, when one plan change of client 1 was ordered already."""
    quoted = upgrading.price(kit.bridge.bench, RADIO, RADIO_PRO, None)
    assert upgrading.order(kit.bridge.bench, quoted, "leo", "seed")
    return eva


SAID = {
    "es": "No se pidió nada. Cambios de plan de este cliente en 24 horas: 1; el tope "
    "es 1. Vuelve a haber lugar el 03/11/2026 10:01.",
    "en": "Nothing was ordered. Plan changes of this client in the last 24 hours: 1; "
    "the cap is 1. There is room again on Nov 3, 2026 10:01",
    "pt_BR": "Nada foi pedido. Mudanças de plano deste cliente em 24 horas: 1; o "
    "limite é 1. Volta a haver lugar em 03/11/2026 10:01.",
}


@pytest.mark.parametrize("language", SAID)
def test_over_the_cap_it_says_so_in_the_operators_language(kit, ana, language):
    fields = ana.fields(f"{QUOTE}&lang={language}")

    answer = ana.post("/upgrades", fields)

    assert answer.status_code == 409
    assert SAID[language] in text_of(answer.text).replace("\u202f", " ")
    assert len(rows(kit, tables.upgrades)) == 1
    assert rows(kit, tables.audit)[-1].detail["why"] == "over_client"


def test_the_quote_stays_and_can_be_ordered_when_there_is_room(kit, ana):
    fields = ana.fields(QUOTE)
    shown = ana.post("/upgrades", fields).text
    kit.clock.advance(timedelta(days=1, minutes=1))
    ana.log_in()

    answer = ana.post("/upgrades", ana.fields(QUOTE))

    assert "Generar la factura de 50,00 ARS" in shown
    assert answer.status_code == 303
    assert len(rows(kit, tables.upgrades)) == 2


def test_a_stolen_session_finds_the_same_caps_after_a_restart_and_elsewhere(
    kit, ana, bridge_for, config
):
    other = Visitor(bridge_for(config_dir=config).app())
    for name in ("bridge_console", "bridge_console_known"):
        cookie = ana.cookie(name)
        other.client.set_cookie(name, cookie.value, path=cookie.path)

    answer = other.post("/upgrades", other.fields(QUOTE))

    assert answer.status_code == 409
    assert len(rows(kit, tables.upgrades)) == 1


def test_the_command_and_the_console_count_together(
    kit, eva, config, shell, monkeypatch
):
    monkeypatch.setenv("BRIDGE_CONFIG_DIR", str(config))
    ordered = eva.post("/upgrades", eva.fields(QUOTE))

    words = ("upgrade", "order", str(RADIO), "--to", str(RADIO_PRO), "--yes")
    refused = shell(*words, status=1)

    assert ordered.status_code == 303
    assert "Nothing was ordered." in refused.stderr
    assert len(rows(kit, tables.upgrades)) == 1


HELD = {
    "es": "No se pidió nada. Los cambios de plan están detenidos: a thief (leo, ",
    "en": "Nothing was ordered. Plan changes are held back: a thief (leo, ",
    "pt_BR": "Nada foi pedido. As mudanças de plano estão suspensas: a thief (leo, ",
}


@pytest.mark.parametrize("language", HELD)
def test_while_staff_hold_plan_changes_back_it_says_so(kit, eva, language):
    fields = eva.fields(f"{QUOTE}&lang={language}")
    now = kit.clock.now()
    kit.bridge.store.write(lambda db: limits.hold(db, now, "leo", "a thief"))

    answer = eva.post("/upgrades", fields)

    assert answer.status_code == 409
    assert HELD[language] in text_of(answer.text)
    assert rows(kit, tables.upgrades) == []
