"""operators: who may log in to the console, and their passwords."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click
import sqlalchemy as sa

from bridge.commands.events import open_store, reading
from bridge.commands.shared import show, table, who
from bridge.console.passwords import hashed, read_name, weakness
from bridge.store import book, operators
from bridge.wiring import now as clock


class Name(click.ParamType[str]):
    """An operator's name: small letters, digits, and . _ - between them."""

    name = "name"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return it in small letters."""
        found = read_name(str(value))
        if found is None:
            self.fail("letters, digits and . _ - only, 32 at most", param, ctx)
        return found


_name = click.argument("name", type=Name())
_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)


@click.group("operators")
def operators_command() -> None:
    """Who may log in to the console. Without anybody there is no console."""


@operators_command.command("add")
@_name
@_stdin
def add_(name: str, password_stdin: bool) -> None:
    """Let NAME log in; asks for the password twice."""
    kept = hashed(_password(name, password_stdin))
    _change(
        "add operator",
        name,
        lambda db: operators.add(db, name, kept, clock()),
        f"There is an operator {name} already. See: operators password {name}",
    )
    click.echo(f"{name} may log in at /console/ now.")


@operators_command.command("password")
@_name
@_stdin
def password_(name: str, password_stdin: bool) -> None:
    """Give NAME another password; that ends sessions, and lets NAME in at once."""
    kept = hashed(_password(name, password_stdin))
    _change(
        "change password",
        name,
        lambda db: operators.change(db, name, kept, clock()),
        f"There is no operator {name}.",
    )
    click.echo(f"{name} has another password; sessions of {name} have ended.")


@operators_command.command("remove")
@_name
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove_(name: str, yes: bool) -> None:
    """Let NAME not log in any more; that ends his sessions."""
    if not yes:
        click.confirm(f"Remove operator {name}?", abort=True, err=True)
    _change(
        "remove operator",
        name,
        lambda db: operators.remove(db, name),
        f"There is no operator {name}.",
    )
    click.echo(f"{name} is no operator any more.")


@operators_command.command("list")
@click.option("--json", "as_json", is_flag=True)
def list_(as_json: bool) -> None:
    """List who may log in, and when each last did."""
    with reading() as store, store.read() as db:
        rows = operators.everybody(db)
    if as_json:
        return show([dict(row._mapping) for row in rows])
    shown = [
        [row.name, *(_day(at) for at in (row.created_at, row.changed_at, row.seen_at))]
        for row in rows
    ]
    head = ["name", "since (UTC)", "password set (UTC)", "last login (UTC)"]
    table(head, shown, "No operators, so there is no console. See: operators add")


def _day(at: Any) -> str:
    return "" if at is None else at.isoformat(timespec="minutes")[:16]


def _password(name: str, from_stdin: bool) -> str:
    if from_stdin:
        found = sys.stdin.readline().rstrip("\r\n")
    else:
        twice: Any = {"hide_input": True, "confirmation_prompt": True, "err": True}
        found = click.prompt("Password", **twice)
    if problem := weakness(name, found):
        raise click.ClickException(problem)
    return str(found)


def _change(
    what: str, name: str, put: Callable[[sa.Connection], bool], refusal: str
) -> None:
    by = who()

    def write(db: sa.Connection) -> bool:
        done = put(db)
        if done:
            book.note(db, clock(), by, what, name)
        return done

    if not open_store().write(write):
        raise click.ClickException(refusal)
