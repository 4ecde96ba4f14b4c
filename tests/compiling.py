"""What was compiled for one test serves all of them.

SQLAlchemy compiles a statement once for each engine, Werkzeug an address once for each
app: in a bridge that is once, in the tests once for each of them.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule


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


_compile = Rule._compile_builder
_builders: dict[Any, Any] = {}


def _compiled_once(rule: Rule, append_unknown: bool = True) -> Any:
    """Return what builds the address of a rule; rules that read alike share it."""
    key = (tuple(rule._trace), repr(rule.defaults), append_unknown)
    if key not in _builders:
        _builders[key] = _compile(rule, append_unknown)
    return _builders[key]


def share() -> None:
    """Have every engine and app made from here on share what is compiled."""
    Rule._compile_builder = _compiled_once  # type: ignore[method-assign]
    registry.register("sqlite", __name__, SQLite.__name__)
    registry.register("postgresql.psycopg", __name__, PostgreSQL.__name__)
