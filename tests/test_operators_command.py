"""Operators are made, listed and removed by hand; only slow hashes are kept."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from bridge.console.passwords import fits
from bridge.store import operators, tables

GOOD = "correct horse battery"


def typed(password: str = GOOD) -> str:
    return f"{password}\n{password}\n"


def kept(kit, table):
    with kit.bridge.store.read() as db:
        return db.execute(sa.select(table)).all()


def test_an_operator_is_made_and_only_a_slow_hash_of_the_password_is_kept(shell, kit):
    result = shell("operators", "add", "Ana", text=typed())

    [row] = kept(kit, tables.operators)
    assert row.name == "ana"
    assert row.password.startswith("scrypt:32768:8:1$")
    assert fits(GOOD, row.password)
    assert GOOD not in result.output + repr(kept(kit, tables.audit))


def test_the_password_comes_from_standard_input_where_asked(shell, kit):
    shell("operators", "add", "ana", "--password-stdin", text=f"{GOOD}\n")

    assert fits(GOOD, kept(kit, tables.operators)[0].password)


@pytest.mark.parametrize(
    "password", ["short", "elevenchars", "aaaaaaaaaaaaaaaa", "carolina-carolina", ""]
)
def test_a_weak_password_is_refused(password, shell, kit):
    words = ("operators", "add", "carolina", "--password-stdin")

    result = shell(*words, status=1, text=f"{password}\n")

    assert "password" in result.output
    assert kept(kit, tables.operators) == []


@pytest.mark.parametrize("name", ["a b", "<b>", "ana\x1b", "ñ", "", "-x", "a" * 33])
def test_a_name_of_other_signs_is_refused(name, shell):
    shell("operators", "add", "--password-stdin", "--", name, status=2, text=GOOD)


def test_there_is_one_operator_of_a_name(shell, kit):
    shell("operators", "add", "ana", text=typed())

    result = shell(
        "operators", "add", "ANA", text=typed("another one of those"), status=1
    )

    assert "operators password ana" in result.output
    assert fits(GOOD, kept(kit, tables.operators)[0].password)


@pytest.mark.parametrize(
    "words", [("password", "ana"), ("remove", "ana", "--yes")], ids=lambda w: w[0]
)
def test_another_password_or_removal_ends_every_login(words, shell, kit):
    shell("operators", "add", "ana", text=typed())
    [row] = kept(kit, tables.operators)
    now = kit.clock.now()
    begun = kit.bridge.store.write(
        lambda db: operators.begin(db, "ana", row.password, "digest", now)
    )

    shell("operators", *words, text=typed("another one of those"))

    assert begun is True
    assert kept(kit, tables.logins) == []


def test_a_login_with_a_password_that_changed_meanwhile_is_not_kept(shell, kit):
    shell("operators", "add", "ana", text=typed())
    [row] = kept(kit, tables.operators)
    shell("operators", "password", "ana", text=typed("another one of those"))

    now = kit.clock.now()
    begun = kit.bridge.store.write(
        lambda db: operators.begin(db, "ana", row.password, "digest", now)
    )

    assert begun is False
    assert kept(kit, tables.logins) == []


@pytest.mark.parametrize("words", [("password", "x"), ("remove", "x", "--yes")])
def test_who_is_nobody_cannot_be_changed_or_removed(words, shell):
    result = shell("operators", *words, text=typed(), status=1)

    assert "no operator" in result.output


def test_removal_asks_first(shell, kit):
    shell("operators", "add", "ana", text=typed())

    shell("operators", "remove", "ana", text="n\n", status=1)

    assert len(kept(kit, tables.operators)) == 1


def test_the_list_shows_everybody_and_no_hash(shell):
    shell("operators", "add", "ana", text=typed())
    shell("user", "add", "bea", text=typed())

    found = json.loads(shell("operators", "list", "--json").stdout)
    table = shell("operators", "list").stdout

    assert [row["name"] for row in found] == ["ana", "bea"]
    assert "scrypt" not in json.dumps(found) + table
    assert table.splitlines()[1].split("\t")[0] == "ana"


def test_each_change_is_in_the_audit(shell, kit):
    shell("operators", "add", "ana", text=typed())
    shell("operators", "password", "ana", text=typed("another one of those"))
    shell("operators", "remove", "ana", "--yes")

    found = [(row.what, row.about) for row in kept(kit, tables.audit)]
    whats = ("add operator", "change password", "remove operator")
    assert found == [(what, "ana") for what in whats]


def test_the_secret_is_made_once(kit):
    first, again = (
        kit.bridge.store.write(lambda db: operators.secret(db, kit.clock.now()))
        for _ in range(2)
    )

    assert first == again
    assert len(first) == 32
