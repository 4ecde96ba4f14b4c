"""The few words in which the two databases differ."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def insert(dialect: str, table: sa.Table) -> Any:
    """Return an INSERT that knows ON CONFLICT on the database of that name."""
    if dialect == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def among(column: sa.Column[Any], *words: str) -> sa.ColumnElement[bool]:
    """Return `column IN (words)` with the words written out.

    A partial index is only used when its condition stands in the statement
    itself (https://www.sqlite.org/partialindex.html, section 3.1).
    """
    # As text, not as values to be filled in at each execution: that costs more than
    # these queries themselves.
    written = [
        sa.literal_column(f"'{word}'", sa.Text) for word in words if _plain(word)
    ]
    if len(written) == 1:  # SQLite does not see that IN ('new') is = 'new'
        return column == written[0]
    return column.in_(written)


def _plain(word: str) -> bool:
    if not word.replace(" ", "").isalpha():
        raise ValueError(f"{word!r} is no word that can stand in a statement")
    return True


def skip_locked(db: sa.Connection, query: sa.Select[Any]) -> sa.Select[Any]:
    """Lock the rows of *query* for this transaction, passing over locked ones.

    SQLite needs no such lock: its writer is alone.
    """
    if db.dialect.name == "postgresql":
        return query.with_for_update(skip_locked=True)
    return query


def before_first(
    db: sa.Connection, column: sa.Column[Any], mark: str
) -> sa.ColumnElement[str]:
    """Return what stands in a text column before the first *mark*, a single character.

    Of a text without it that is nothing on SQLite, and all of it on PostgreSQL.
    """
    if db.dialect.name == "postgresql":
        return sa.func.split_part(column, mark, 1)
    return sa.func.substr(column, 1, sa.func.instr(column, mark) - 1)
