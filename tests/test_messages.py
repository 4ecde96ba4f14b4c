"""Texts: loaded whole or not at all, filled strictly, never out of client data."""

from __future__ import annotations

import contextlib
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.billing.money import Amount
from bridge.errors import ConfigError, Reason, RemoteError, TextError
from bridge.messages import Texts
from bridge.placeholders import BODY_LIMIT, flatten

INVOICE = """---
category: utility
button: {text: "Ver factura", url: "{{ invoice.url }}"}
---
Hola {{ client.first_name }}, la factura {{ invoice.number }} \
por {{ invoice.total | money }} vence el {{ invoice.due | date }}. Gracias.
"""

VARIABLES = {
    "client": SimpleNamespace(first_name="Ana", last_name=None),
    "invoice": SimpleNamespace(
        number="A-7",
        total=Amount(Decimal("100"), "USD"),
        due=date(2026, 12, 9),
        url="https://panel.example/viewinvoice.php?id=7",
    ),
    "company": SimpleNamespace(name="Acme"),
}


def load(directory: Path, **files: str) -> Texts:
    for name, text in files.items():
        language, _, stem = name.partition("__")
        path = directory / language / f"{stem}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Texts.load(directory)


def test_a_text_is_filled_with_values_button_and_category(tmp_path):
    texts = load(tmp_path, es__invoice=INVOICE)

    made = texts.render("invoice", "es", VARIABLES)

    assert made.text == (
        "Hola Ana, la factura A-7 por 100,00 US$ vence el 09/12/2026. Gracias."
    )
    assert made.values == ("Ana", "A-7", "100,00 US$", "09/12/2026")
    assert made.button == ("Ver factura", "https://panel.example/viewinvoice.php?id=7")
    assert (made.name, made.language, made.category) == ("invoice", "es", "utility")


def test_where_there_are_no_buttons_the_link_is_the_last_line(tmp_path):
    made = load(tmp_path, es__invoice=INVOICE).render("invoice", "es", VARIABLES)

    assert made.whole.endswith(
        "Gracias.\n\nVer factura: https://panel.example/viewinvoice.php?id=7"
    )


def test_a_text_without_front_matter_is_utility_without_button(tmp_path):
    made = load(tmp_path, es__a="Hola a todos.\n").render("a", "es", {})

    assert (made.text, made.category) == ("Hola a todos.", "utility")
    assert made.button is None
    assert made.whole == made.text


def test_line_breaks_of_windows_are_line_breaks(tmp_path):
    path = tmp_path / "es" / "a.txt"
    path.parent.mkdir()
    path.write_bytes(b"---\r\ncategory: marketing\r\n---\r\nHola,\r\nchau.\r\n")

    made = Texts.load(tmp_path).render("a", "es", {})

    assert (made.text, made.category) == ("Hola,\nchau.", "marketing")


def test_a_text_tells_which_fields_it_uses_button_included(tmp_path):
    texts = load(tmp_path, es__invoice=INVOICE)

    assert texts.uses("invoice") == {
        ("client", "first_name"),
        ("invoice", "number"),
        ("invoice", "total"),
        ("invoice", "due"),
        ("invoice", "url"),
    }
    assert texts.uses_source("a {{ client.id }} b") == {("client", "id")}


LANGUAGES = [
    ("es", "es"),
    ("pt_BR", "pt_BR"),
    ("pt_PT", "pt_BR"),
    ("en-GB", "en"),
    ("fr", "es"),
    ("", "es"),
]


@pytest.mark.parametrize(("asked", "given_"), LANGUAGES)
def test_a_language_that_is_not_there_gets_the_nearest_one(tmp_path, asked, given_):
    texts = load(tmp_path, es__a="Hola.", en__a="Hello.", pt_BR__a="Olá.")

    assert texts.languages == ("es", "en", "pt_BR")
    assert texts.render("a", asked, {}).language == given_


@pytest.mark.parametrize(
    ("due", "name"), [(date(2026, 12, 9), "one"), (None, "one_undated")]
)
def test_where_a_day_is_missing_the_text_without_it_is_said(tmp_path, due, name):
    texts = load(tmp_path, es__one=INVOICE, es__one_undated="Hola, hay una factura.")
    invoice = SimpleNamespace(**{**vars(VARIABLES["invoice"]), "due": due})

    made = texts.render("one", "es", {**VARIABLES, "invoice": invoice})

    assert made.name == name


def test_every_problem_of_every_text_is_told_at_once(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, es__a="{{ clent.id }} x", es__b="{% if %}", en__a="x")

    assert len(caught.value.problems) == 3


def test_an_unknown_text_is_told_with_the_nearest_name(tmp_path):
    texts = load(tmp_path, es__welcome="Hola.")

    with pytest.raises(TextError, match=r'"welcom" .did you mean "welcome"'):
        texts.render("welcom", "es", {})


MISSING = {
    "{{ client.email }}": "has no attribute 'email'",
    "{{ service.name }}": 'there is no "service" here',
    "{{ invoice.number | money }}": "is not an amount of money",
}


@pytest.mark.parametrize("source", MISSING)
def test_what_is_not_there_is_an_error_that_names_text_and_field(tmp_path, source):
    texts = load(tmp_path, es__a="Hola.")

    with pytest.raises(TextError) as caught:
        texts.render_source(f"Hola {source} chau", "es", VARIABLES)

    assert source in str(caught.value)
    assert MISSING[source] in str(caught.value)


def test_an_error_names_the_text_and_its_language(tmp_path):
    texts = load(tmp_path, es__a="Hola {{ client.email }}, chau.")

    with pytest.raises(TextError, match=r"text a \(es\): .*client\.email"):
        texts.render("a", "es", VARIABLES)


def test_nothing_at_all_is_a_dash_never_a_blank(tmp_path):
    texts = load(tmp_path, es__a="Hola {{ client.last_name }}, chau.")

    made = texts.render("a", "es", VARIABLES)

    assert (made.text, made.values) == ("Hola -, chau.", ("-",))


def test_values_without_a_filter_are_written_by_their_kind():
    source = "a {{ invoice.total }} b {{ invoice.due }} c"

    assert Texts.render_source(source, "es", VARIABLES) == (
        "a 100,00 US$ b 09/12/2026 c"
    )


HOSTILE = [
    "{{ company.name }}",
    "{% for x in y %}",
    "{{ 9 ** 9 ** 9 }}",
    "%s %(a)s {0}",
    "\\g<0>",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_client_typed_is_never_a_template(name):
    variables = {**VARIABLES, "client": SimpleNamespace(first_name=name)}

    filled = Texts.render_source("Hola {{ client.first_name }}.", "es", variables)

    assert filled == f"Hola {name}."


def test_what_a_client_typed_cannot_add_lines_or_control_characters():
    name = "Ana\n\nSu cuenta está suspendida\x1b[31m\u202e\t    fin"
    variables = {"client": SimpleNamespace(first_name=name)}

    filled = Texts.render_source("Hola {{ client.first_name }}.", "es", variables)

    assert filled == "Hola Ana Su cuenta está suspendida [31m fin."


def test_only_lines_keeps_line_breaks_and_the_template_value_has_none(tmp_path):
    texts = load(tmp_path, es__several="Avisos:\n{{ result.list | lines }}\nEs todo.")

    made = texts.render("several", "es", {"result": {"list": "• uno\n\n•  dos\r\n"}})

    assert made.text == "Avisos:\n• uno\n• dos\nEs todo."
    assert made.values == ("• uno • dos",)


def test_values_are_cut_so_that_the_filled_template_fits(tmp_path):
    texts = load(tmp_path, es__a="x" * 900 + " {{ client.id }} y {{ client.email }} z")
    variables = {"client": SimpleNamespace(id="1" * 20, email="e" * 3000)}

    made = texts.render("a", "es", variables)

    fixed = 900 + len("  y  z")
    assert made.values[0] == "1" * 20
    assert made.values[1].endswith("…")
    assert fixed + sum(map(len, made.values)) == BODY_LIMIT


MANY = [f"• la factura {number} {'x' * 80}" for number in range(1, 21)]
CUT = [
    (MANY[:9], 9, ""),
    (MANY, 10, " … y 10 más"),
    ([*MANY, "… y 5 más"], 10, " … y 15 más"),
    (["• " + "y" * 2000, "• z"], 1, "y… … y 1 más"),
    (["y" * 2000], 1, "yyy…"),
]


@pytest.mark.parametrize(("lines", "told", "ends"), CUT)
def test_a_list_is_cut_at_whole_lines_and_says_how_many_are_left_out(
    tmp_path, lines, told, ends
):
    texts = load(tmp_path, es__several="Avisos:\n{{ result.list | lines }}\nEs todo.")

    made = texts.render("several", "es", {"result": {"list": "\n".join(lines)}})

    (value,) = made.values
    assert value.endswith(ends)
    assert value.startswith(" ".join(lines[:told])[:900])
    assert len("Avisos:\n\nEs todo.") + len(value) <= BODY_LIMIT
    assert made.text.splitlines()[1:-1] == lines


def test_a_text_too_long_when_filled_is_an_error():
    variables = {"client": SimpleNamespace(email="e" * 4000)}

    with pytest.raises(TextError, match="longer than 4096 characters when filled"):
        Texts.render_source("{{ client.email }} " * 2, "es", variables)


def test_a_source_too_long_is_an_error():
    with pytest.raises(TextError, match="longer than 4096"):
        Texts.render_source("x" * 5000, "es", {})


def test_a_panel_that_is_away_is_no_mistake_of_the_text():
    class Away:
        @property
        def email(self):
            raise RemoteError("panel", Reason.UNREACHABLE, "no answer")

    with pytest.raises(RemoteError):
        Texts.render_source("a {{ client.email }} b", "es", {"client": Away()})


def test_a_text_cannot_reach_into_python():
    with pytest.raises(TextError):
        Texts.render_source("a {{ client.__class__ }} b", "es", VARIABLES)


def test_the_version_is_the_same_for_the_same_texts(tmp_path):
    one = load(tmp_path / "one", es__a="Hola.")
    two = load(tmp_path / "two", es__a="Hola.")
    other = load(tmp_path / "three", es__a="Chau.")

    assert one.version == two.version
    assert one.version != other.version


@settings(max_examples=examples(200), deadline=None)
@given(st.text(max_size=200))
def test_no_value_breaks_a_text_or_leaves_a_blank(value):
    variables = {"client": SimpleNamespace(email=value)}

    filled = Texts.render_source("a {{ client.email }} b", "es", variables)

    assert filled == f"a {flatten(value)} b"
    assert "\n" not in filled
    assert "  " not in filled


@settings(max_examples=examples(200), deadline=None)
@given(st.text(alphabet="{}%#- |.client_nameurl\n:\"'", max_size=120))
def test_no_text_file_raises_anything_but_a_config_or_text_error(
    tmp_path_factory, source
):
    directory = tmp_path_factory.mktemp("texts")
    with contextlib.suppress(ConfigError, TextError):
        load(directory, es__a=f"---\n{source}").render("a", "es", VARIABLES)
    with contextlib.suppress(ConfigError, TextError):
        load(directory, es__a=source).render("a", "es", VARIABLES)
