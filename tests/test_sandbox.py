"""Conditions and placeholders: what holds, and what may not be written."""

from __future__ import annotations

import contextlib
import time
from datetime import date
from decimal import Decimal
from types import SimpleNamespace

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.billing.money import Amount
from bridge.errors import Reason, RemoteError, TextError
from bridge.placeholders import Placeholder, split
from bridge.sandbox import compile_when

VARIABLES = {
    "event": SimpleNamespace(
        type="Immediate", changed=["nombre", "correo"], priority="High", deptid=2
    ),
    "invoice": SimpleNamespace(
        total=Amount(Decimal("10.10"), "USD"),
        balance=Amount(Decimal(0), "USD"),
        status="Unpaid",
        due=date(2026, 12, 9),
    ),
    "client": SimpleNamespace(first_name=None, company=""),
    "result": {"count": 4, "list": "a"},
}

HOLDS = [
    "invoice.total > 0",
    "invoice.total == 10.1",
    "invoice.total >= 10.10 and invoice.total <= 10.10",
    "invoice.total != 10.2",
    "0.1 < invoice.total",
    "invoice.total.amount > 1.5",
    "invoice.total.currency == 'USD'",
    "invoice.total * 2 > 20.1",
    "invoice.total - invoice.balance == 10.1",
    "not invoice.balance",
    "event.type == 'Immediate'",
    "event.type in ['Immediate', 'Other']",
    "event.type not in ['Other']",
    "event.type | lower == 'immediate'",
    "'correo' in event.changed",
    "event.changed",
    "event.changed | length == 2",
    "event.foo is not defined",
    "client.first_name is none",
    "(client.company | default('none')) == 'none'",
    "result.count > 3",
    "7 % 2 == 1 and 7 // 2 == 3 and -event.deptid == -2",
]


@pytest.mark.parametrize("source", HOLDS)
def test_a_condition_that_is_true_holds(source):
    assert compile_when(source).holds(VARIABLES) is True


FAILS = ["invoice.total > 100", "event.type == 'immediate'", "event.deptid in [1, 3]"]


@pytest.mark.parametrize("source", FAILS)
def test_a_condition_that_is_not_true_does_not_hold(source):
    assert compile_when(source).holds(VARIABLES) is False


def test_a_condition_tells_the_names_it_uses():
    found = compile_when("invoice.total > 0 and event.type in ['a'] or client")

    assert found.names == {("invoice", "total"), ("event", "type"), ("client", None)}


MISTAKES = {
    "event.type = 'a'": 'to compare write "=="',
    "event.type ==": "it stops in the middle",
    "": "it stops in the middle",
    "event.type 'a'": "was not expected here",
    "event.type.upper()": "calls are not used here",
    "range(10)": "calls are not used here",
    "event.type[0]": "brackets after a name",
    "event['type']": "brackets after a name",
    "9 ** 9": '"**" is not used here',
    "'a' * 9": '"*" is for numbers only',
    "9 * 'a'": '"*" is for numbers only',
    "[1] * 9": '"*" is for numbers only',
    "'%9999s' % 1": '"%" is for numbers only',
    "'a' + 'b'": '"+" is for numbers only',
    "'a' ~ event.type": '"~" is not used here',
    "{'a': 1}": "braces are not used here",
    "1 if event.type else 2": '"if ... else" is not used here',
    "event.type | lowr": 'no filter "lowr" (did you mean "lower"?)',
    "event.type | center(9)": 'no filter "center"',
    "event.type | default": '"default" takes one value',
    "event.type | default(value=1)": "give its values without names",
    "event.type | default(event.x)": "takes plain texts or numbers only",
    "event.type is odd": 'no test "odd"',
    "event.a.b": "goes too deep: write variable.field",
    "invoice.total.__class__": "goes too deep",
    "event.type }} x {{": "was not expected here",
    "(" * 2000: "nested too deeply",
    "not " * 1000 + "event": "nested too deeply",
    "[" * 60 + "]" * 60: "nested too deeply",
    "event.type or " * 300: "longer than 4096 characters",
    "$": "unexpected char",
}


@pytest.mark.parametrize("source", MISTAKES, ids=lambda source: source[:30])
def test_a_condition_that_may_not_be_written_is_refused_in_words(source):
    with pytest.raises(TextError) as caught:
        compile_when(source)

    assert MISTAKES[source] in str(caught.value)


AT_RUN_TIME = {
    "event.foo == 1": "has no attribute 'foo'",
    "nobody.name": "'nobody' is undefined",
    "event.type * 5": '"*" is for numbers only',
    "event.changed * 5": '"*" is for numbers only',
    "event.type % 5": '"%" is for numbers only',
    "event.type > 5": "not supported between",
    "1 / 0": "zero",
    "event.__class__": "unsafe",
}


@pytest.mark.parametrize("source", AT_RUN_TIME)
def test_a_condition_that_cannot_be_worked_out_says_why(source):
    with pytest.raises(TextError) as caught:
        compile_when(source).holds(VARIABLES)

    assert AT_RUN_TIME[source] in str(caught.value)
    assert source in str(caught.value)


class Away:
    """A variable whose lookup finds the panel away."""

    @property
    def total(self):
        raise RemoteError("panel", Reason.UNREACHABLE, "no answer")


def test_a_panel_that_is_away_is_no_mistake_of_the_condition():
    with pytest.raises(RemoteError):
        compile_when("invoice.total > 0").holds({"invoice": Away()})


def test_only_the_variables_that_are_used_are_looked_up():
    class Lazy(dict):
        def __missing__(self, name):
            raise AssertionError(name)

        def __getitem__(self, name):
            assert name == "event"
            return VARIABLES[name]

        def __contains__(self, name):
            return True

    assert compile_when("event.type == 'Immediate'").holds(Lazy())


def test_a_long_sum_takes_no_time_worth_telling():
    began = time.monotonic()
    compile_when("9*" * 30 + "9 > invoice.total").holds(VARIABLES)

    assert time.monotonic() - began < 2


def test_a_text_is_split_into_words_and_placeholders():
    parts, mistakes = split("Hola {{ client.first_name | upper }}, chau")

    assert mistakes == []
    assert [type(part) for part in parts] == [str, Placeholder, str]
    assert (parts[1].variable, parts[1].field) == ("client", "first_name")
    assert parts[1].filters == ("upper",)


TEXT_MISTAKES = {
    "a {{ b.c": '"{{" without "}}"',
    "a }} b": '"}}" without "{{"',
    "a { b.c } d": 'one brace: write "{{ ... }}"',
    "{% for x in y %}": "no {% %} and no {# #}",
    "{# a #}": "no {% %} and no {# #}",
    "{{- b.c }}": 'write "{{" instead of "{{-"',
    "{{ b }}": '"b" alone says nothing',
    "{{ b.c.d }}": "goes too deep",
    "{{ b.c() }}": "only {{ variable.field }}",
    "{{ b.c + 1 }}": "only {{ variable.field }}",
    "{{ 'x' }}": "only {{ variable.field }}",
    "{{ b['c'] }}": "only {{ variable.field }}",
    "{{ b.c if b.d }}": "only {{ variable.field }}",
    "{{ b.c | indent }}": 'no filter "indent"',
    "{{ b.c | xmlattr }}": 'no filter "xmlattr"',
    "{{ b.c | lenght }}": 'no filter "lenght"',
    "{{ b.c | truncate(1, 2) }}": '"truncate" takes one value',
    "{{ b.c | truncate(b.d) }}": "takes plain texts or numbers only",
    "{{ b.c" + " | upper" * 500 + " }}": "more than 8 filters",
    "{{ }}": "it stops in the middle",
    "{{ b.$ }}": "unexpected char",
}


@pytest.mark.parametrize("source", TEXT_MISTAKES, ids=lambda source: source[:30])
def test_a_text_that_may_not_be_written_is_refused_in_words(source):
    _, mistakes = split(source)

    assert TEXT_MISTAKES[source] in " ".join(what for _, what in mistakes)


def test_each_mistake_of_a_text_is_told_with_its_offset():
    _, mistakes = split("Hola {{ a }}, {{ b.c | nope }}")

    assert [offset for offset, _ in mistakes] == [5, 14]


SIGNS = "ab.e('\")[]{}|=<>!*%+-/~, \n0 19invoice.total event in not and or is if else"


@settings(max_examples=examples(300), deadline=None)
@given(st.text(alphabet=SIGNS, max_size=80))
def test_no_condition_raises_anything_but_a_text_error(source):
    with contextlib.suppress(TextError):
        compile_when(source).holds(VARIABLES)


@settings(max_examples=examples(300), deadline=None)
@given(st.text(alphabet="{}%#-a.b|('\") \n", max_size=80))
def test_no_text_raises_while_it_is_split(source):
    parts, mistakes = split(source)

    assert isinstance(parts, list)
    assert all(0 <= offset <= len(source) for offset, _ in mistakes)
