"""Every sentence is there in each language, with the same gaps, and is used."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter
from zoneinfo import ZoneInfo

import pytest

from bridge.billing.model import Cycle
from bridge.console.sentences import SENTENCES
from bridge.console.words import LANGUAGES, Words, visible

CONSOLE = Path(__file__).parents[2] / "bridge" / "console"
ZONE = ZoneInfo("America/Argentina/Buenos_Aires")
SOURCES = [*CONSOLE.glob("*.py"), *CONSOLE.glob("templates/console/*.html")]
TABLES = ("sentences.py", "troubles.py")
#: Names whose end is worked out: what they begin with.
BEGINNINGS = ("state_", "step_", "is_", "line_", "why_", "basis_", "status_")


def gaps(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


@pytest.mark.parametrize("name", SENTENCES)
def test_a_sentence_has_the_same_gaps_in_each_language(name):
    found = SENTENCES[name]

    assert len(found) == len(LANGUAGES)
    assert all(one.strip() == one and one for one in found)
    assert len({frozenset(gaps(one)) for one in found}) == 1


def test_every_sentence_is_used_and_every_used_one_is_there():
    code = "".join(
        path.read_text("utf-8") for path in SOURCES if path.name not in TABLES
    )
    named = set(re.findall(r"""\bt\(["'](\w+)["'][,) ]""", code))

    quoted = set(re.findall(r"""["'](\w+)["']""", code))
    unused = {
        name for name in set(SENTENCES) - quoted if not name.startswith(BEGINNINGS)
    }
    assert {name for name in named if not name.endswith("_")} <= set(SENTENCES)
    assert unused == set()


def test_a_name_that_is_no_sentence_is_an_error():
    with pytest.raises(KeyError):
        Words("es", ZONE)("nothing")


def test_what_fills_a_gap_is_not_read_as_a_gap():
    said = Words("en", ZONE)("held_back", reason="{0} {t} %s {reason}")

    assert said == "Calls to the panel are held back: {0} {t} %s {reason}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_cycle_has_a_word(language):
    words = Words(language, ZONE)

    assert all(words.cycle(cycle.value) for cycle in Cycle)


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("50", "ARS", "50,00 ARS"),
        ("-100.00", "USD", "-100,00 US$"),
        ("149.995", "USD", "149,995 USD"),
        ("1500.5", "CLP", "1.500,5 CLP"),
        ("1500", "CLP", "1.500 CLP"),
    ],
)
def test_an_amount_that_is_not_rounded_shows_all_its_places(amount, currency, shown):
    assert Words("es", ZONE).money(amount, currency) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ñandú ✨ 日本", "Ñandú ✨ 日本"),
        ("a\nb\tc", "a\nb\tc"),
        ("a\x00b\x1bc\x7f", "a\ufffdb\ufffdc\ufffd"),
        ("\u202eevil\u2066", "\ufffdevil\ufffd"),
        ("zero\u200bwidth", "zero\ufffdwidth"),
        ("\ud800", "\ufffd"),
    ],
)
def test_signs_that_nobody_sees_are_made_visible(text, shown):
    assert visible(text) == shown
    assert visible(7) == 7
