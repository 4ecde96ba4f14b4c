"""Which words stop alerts and which begin them (RULES 1.6), with their near misses."""

from __future__ import annotations

import pytest

from bridge.demo.panel_example import ANA
from bridge.hooks.answer_message import CANCEL, START, STOP, folded
from tests.whatsapp.talking import Talk

#: What stops alerts, however it is typed.
STOPS = [
    "BAJA ALERTAS",
    "baja alertas",
    "Baja Alertas",
    "BAJA  ALERTAS!",
    "  baja\talertas\n",
    "¡Baja alertas!",
    "bajá alertas",
    "BÁJA ÁLERTAS",
    "bája alertas",
    "baja alertas.",
    "«baja alertas»",
    "*BAJA ALERTAS*",
    "_baja alertas_",
    "baja-alertas",
    "baja alertas 🙏",
    "🚫 BAJA ALERTAS 🚫🏽",
    "baja alertas",
    "\u200ebaja alertas\u200f",
    "ba\u200bja alertas",
    "baja\u00a0\u2003alertas\u200f",
    "\uff22\uff21\uff2a\uff21 \uff21\uff2c\uff25\uff32\uff34\uff21\uff33",
    "STOP",
    "stop",
    "Stop.",
    "stop!!!",
    '"STOP"',
    "🛑 stop",
    "stop ✋🏿",
    "STOP ALERTS",
    "unsubscribe",
    "PARAR ALERTAS",
    "Parar alertas, ",
    "remover alertas",
]
STARTS = [
    "ALTA ALERTAS",
    "alta alertas",
    "  Alta  Alertas. ",
    "¡ALTA ALERTAS!",
    "START",
    "Start!",
    "start alerts",
    "ativar alertas",
    "ATIVAR ALERTAS ✅",
    "activar alertas",
]
#: What asks to cancel a service, in this trade: it is told how, and stops no alert.
CANCELS = [
    "baja",
    "BAJA",
    "Baja.",
    "¡BAJA!",
    "baja 🙏",
    "dar de baja",
    "cancelar",
    "Cancelar",
    "CANCEL",
    "cancelación",
    "cancelamento",
]
#: What only sounds alike: an answer to any message, and nothing more.
NEITHER = [
    "STOP please",
    "please stop",
    "stop stop",
    "non-stop",
    "nonstop",
    "st op",
    "stopp",
    "stops",
    "don't stop",
    "no pares",
    "no parar alertas",
    "no baja alertas",
    "baja alertas no",
    "dar de baja las alertas",
    "baja de alertas",
    "baja alertas por favor",
    "bajas alertas",
    "baja alerta",
    "bajaalertas",
    "baja alertas 2",
    "alta",
    "altas alertas",
    "alertas",
    "start now",
    "restart",
    "starts",
    "S\u0422OP",
    "\u0412AJA ALERTAS",
    "no quiero que se cancele",
    "quiero cancelar la suscripción a las alertas",
    "🛑",
    "…",
]


@pytest.mark.parametrize("text", STOPS)
def test_it_stops_alerts(text):
    assert folded(text) in STOP


@pytest.mark.parametrize("text", STARTS)
def test_it_begins_alerts(text):
    assert folded(text) in START


@pytest.mark.parametrize("text", CANCELS)
def test_it_asks_how_to_cancel_and_stops_nothing(text):
    assert folded(text) in CANCEL
    assert folded(text) not in STOP | START


@pytest.mark.parametrize("text", NEITHER)
def test_it_is_a_message_like_any_other(text):
    assert folded(text) not in STOP | START | CANCEL


def test_no_word_means_two_things():
    assert not STOP & START
    assert not (STOP | START) & CANCEL
    assert {folded(word) for word in STOP | START | CANCEL} == STOP | START | CANCEL


#: One of each, through the door, with what is then so.
THROUGH = [
    ("BAJA  ALERTAS!", "inbound_stopped", True),
    ("stop ✋🏿", "inbound_stopped", True),
    ("\uff33\uff34\uff2f\uff30", "inbound_stopped", True),
    ("baja", "inbound_how_to_cancel", False),
    ("dar de baja las alertas", "inbound_reply", False),
    ("STOP please", "inbound_reply", False),
    ("no pares", "inbound_reply", False),
    ("START", "inbound_started", False),
]


@pytest.mark.parametrize(("text", "answer", "stopped"), THROUGH)
def test_what_is_written_is_answered_and_obeyed(talk_: Talk, text, answer, stopped):
    talk_.writes(ANA, text)

    assert talk_.texts == [answer]
    known = talk_.bridge.bench.consents.stopped(talk_.number(ANA), ANA)
    assert bool(known) == stopped
