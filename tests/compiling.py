"""What one engine compiled serves the engines of all tests.

SQLAlchemy compiles a statement once for each engine: in a bridge that is once, in the
tests once for each of them, as every test opens a store of its own.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache


class _Alike:
    """A dialect like any other of its kind: all are of one library and one server."""

    _compiled: LRUCache[Any, Any]

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))

    @classmethod
    def engine_created(cls, engine: sa.Engine) -> None:
        """Have an engine keep what it compiles with the others."""
        engine.update_execution_options(compiled_cache=cls._compiled)


class SQLite(_Alike, SQLiteDialect_pysqlite):
    """SQLite, compiling once."""

    supports_statement_cache = True
    _compiled = LRUCache(2000)


class PostgreSQL(_Alike, PGDialect_psycopg):
    """PostgreSQL, compiling once."""

    supports_statement_cache = True
    _compiled = LRUCache(2000)


def share() -> None:
    """Have every engine made from here on share what is compiled."""
    registry.register("sqlite", __name__, SQLite.__name__)
    registry.register("postgresql.psycopg", __name__, PostgreSQL.__name__)
