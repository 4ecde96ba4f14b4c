"""YAML that remembers its lines, and what it refuses."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import ConfigError
from bridge.yamlfile import SIZE_LIMIT, parse, read_text, shown
from bridge.yamlpass import spelled

WORDS = [
    ("0123", "0123"),
    ("no", "no"),
    ("on", "on"),
    ("yes", "yes"),
    ("2026-01-01", "2026-01-01"),
    ("20:00", "20:00"),
    (".inf", ".inf"),
    ("1e3", "1e3"),
    ("0x10", "0x10"),
    ("1_000", "1_000"),
    ("99999999999999999999", "99999999999999999999"),
    ("=", "="),
    ('"5"', "5"),
]
VALUES = [
    ("5", 5),
    ("-3", -3),
    ("3.50", 3.5),
    ("true", True),
    ("false", False),
    ("null", None),
    ("~", None),
    ("", None),
]


@pytest.mark.parametrize(("written", "read"), WORDS, ids=[word for word, _ in WORDS])
def test_what_looks_like_something_else_stays_text(written, read):
    document = parse(f"key: {written}\n", "map.yaml")

    assert document.data["key"] == read
    assert isinstance(document.data["key"], str)


@pytest.mark.parametrize(("written", "read"), VALUES)
def test_plain_numbers_and_true_false_null_are_values(written, read):
    found = parse(f"key: {written}\n", "map.yaml").data["key"]

    assert found == read
    assert type(found).__mro__[-2] is type(read).__mro__[-2] or read == 3.5


def test_a_place_knows_its_line_and_column():
    text = "hooks:\n  InvoicePaid:\n    - do: a\n    - when: x\n      do: b\n"
    document = parse(text, "map.yaml")

    assert document.mark(("hooks", "InvoicePaid", 1, "do")) == (5, 7)
    assert document.mark(("hooks", "InvoicePaid", 1)) == (4, 7)
    assert document.mark(("hooks", "InvoicePaid")) == (2, 3)


def test_a_place_inside_braces_knows_its_column():
    document = parse("then: [{do: send_alert, message: hello}]\n", "map.yaml")

    assert document.mark(("then", 0, "message")) == (1, 25)


def test_a_place_that_is_not_there_gets_the_nearest_line():
    document = parse("a:\n  b: 1\n", "map.yaml")

    assert document.mark(("a", "c", "d")) == (1, 1)


def test_lines_count_from_where_the_yaml_begins_in_its_file():
    document = parse("a: 1\nb: 2\n", "text.txt", offset=1)

    assert document.mark(("b",)) == (3, 1)


def test_a_place_is_spelled_as_people_write_it():
    assert spelled(("hooks", "InvoicePaid", 1, "do")) == "hooks.InvoicePaid[1].do"


def test_a_path_below_here_is_shown_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert shown(tmp_path / "config" / "hooks.yaml") == "config/hooks.yaml"
    assert shown(Path("/etc/hooks.yaml")) == "/etc/hooks.yaml"


def problems(text):
    with pytest.raises(ConfigError) as caught:
        parse(text, "map.yaml")
    return [str(problem) for problem in caught.value.problems]


REFUSED = {
    "anchor": ("a: &x 1\n", "anchors (&)"),
    "alias": ("b: *x\n", "aliases (*)"),
    "tag": ("a: !!python/object:os.system x\n", "tags are not used"),
    "own tag": ("a: !secret x\n", "tags are not used"),
    "merge": ("<<: {a: 1}\n", "merges (<<)"),
    "directive": ("%YAML 1.1\n---\na: no\n", "directives (%)"),
    "second document": ("a: 1\n---\nb: 2\n", "a second document"),
    "key that is a list": ("? [a]\n: 1\n", "a key must be a plain word"),
    "unquoted braces": ("a: {{ b.c }}\n", 'begins with "{{" needs quotes'),
    "unquoted braces and more": ("a: {{ b.c }} d\n", 'begins with "{{" needs quotes'),
    "flow depth": ("a: " + "[" * 5000 + "\n", "nested too deeply"),
    "block depth": ("\n".join("  " * n + f"k{n}:" for n in range(500)), "too deeply"),
    "half a character": ('a: "\\ud800"\n', "half a character"),
    "NUL": ("a: \0\n", "U+0000 may not stand here"),
    "tab": ("a:\n\t- b\n", "a tab: indent with blanks"),
    "quote": ('a: "b\n', "a quote or bracket is not closed"),
    "size": ("a: " + "x" * SIZE_LIMIT, "larger than 256 KiB"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_map_never_needs_is_refused(case):
    text, words = REFUSED[case]

    assert words in problems(text)[0]


def test_a_bomb_of_aliases_is_refused_before_it_is_built():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]

    assert "anchors (&)" in problems("\n".join(lines))[0]


def test_every_key_that_stands_twice_is_told_with_its_first_line():
    text = "a: 1\na: 2\nb:\n  - {c: 1, c: 2}\na: 3\n"

    assert problems(text) == [
        'map.yaml:2:1: a: the key "a" stands twice (first on line 1)',
        'map.yaml:4:12: b[0].c: the key "c" stands twice (first on line 4)',
        'map.yaml:5:1: a: the key "a" stands twice (first on line 1)',
    ]


def test_an_absent_file_is_told_as_such(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_text(tmp_path / "hooks.yaml")


def test_a_directory_in_place_of_the_file_is_told_as_such(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_text(tmp_path)


def test_a_file_over_the_limit_is_not_read_on(tmp_path):
    path = tmp_path / "hooks.yaml"
    path.write_bytes(b"#" * (SIZE_LIMIT + 1))

    with pytest.raises(ConfigError, match="larger than 256 KiB"):
        read_text(path)


def test_a_file_in_another_encoding_is_told_with_its_line(tmp_path):
    path = tmp_path / "hooks.yaml"
    path.write_bytes(b"a: 1\nb: ma\xf1ana\n")

    with pytest.raises(ConfigError, match=r"hooks\.yaml:2:1: not UTF-8"):
        read_text(path)


def test_a_mark_of_byte_order_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "hooks.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")

    assert read_text(path) == "a: 1\n"


@settings(max_examples=examples(300), deadline=None)
@given(st.text(alphabet="ab:-[]{}'\"#&*!|>?%@`~, \n\t0.1<=\\", max_size=60))
def test_no_text_raises_anything_but_a_config_error(text):
    with contextlib.suppress(ConfigError):
        parse(text, "map.yaml")
