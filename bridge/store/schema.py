"""Migrations: bring a store to this program's schema, or say why it cannot be."""

from __future__ import annotations

from importlib.resources import files

import sqlalchemy as sa

from bridge.errors import StoreUnavailable, StoreUnusable
from bridge.store import engines

#: Where Alembic keeps a store's revision.
_VERSION = sa.table("alembic_version", sa.column("version_num"))


def known() -> list[str]:
    """Return the revisions that this program has, the oldest first.

    A revision is the number that its file begins with; a test holds them against
    what Alembic reads. Alembic itself is only imported to migrate: every command
    asks this.
    """
    versions = files("bridge.store").joinpath("migrations", "versions")
    names = (path.name for path in versions.iterdir())
    return sorted(name.split("_")[0] for name in names if name[:1].isdigit())


def newest() -> str:
    """Return the revision that this program writes."""
    return known()[-1]


def _upgrade(db: sa.Connection) -> None:
    from alembic.command import upgrade
    from alembic.config import Config

    config = Config()
    config.set_main_option(
        "script_location", str(files("bridge.store").joinpath("migrations"))
    )
    config.attributes["connection"] = db
    upgrade(config, "head")


def current(url: str, *, whole: bool = True) -> str | None:
    """Return the store's revision, None for an empty one.

    A damaged page is found now where the *whole* file is read, which takes a second
    for a gigabyte; else when it is needed. Raises StoreUnusable for a damaged file,
    StoreUnavailable when it is away.
    """
    engine = engines.reader(url, 1)
    try:
        with engine.connect() as db:
            if whole and url.startswith("sqlite"):
                _probe(db)
            return _revision(db)
    except sa.exc.OperationalError as error:
        raise StoreUnavailable(_words(error)) from error
    except sa.exc.DatabaseError as error:
        if url.startswith("sqlite"):
            raise _damaged(_words(error)) from error
        what = "look at BRIDGE_DATABASE_URL, and at what its user may do"
        raise StoreUnusable(f"{_words(error)}: {what}") from error
    finally:
        engine.dispose()


def migrate(url: str, *, whole: bool = True) -> tuple[str | None, str]:
    """Bring the store to the newest schema; return the revisions before and after.

    *whole* as in `current`. Raises StoreUnusable for a schema this program does not
    know.
    """
    before = current(url, whole=whole)
    if before is not None and before not in known():
        raise StoreUnusable(
            f"the store has schema {before}, which is newer than this program "
            f"({newest()}). Install the version that wrote it."
        )
    if before != newest():
        engine = engines.writer(url, 1)
        try:
            with engine.begin() as db:
                if db.dialect.name == "postgresql":
                    # Two processes that start at once: one migrates, one waits.
                    db.exec_driver_sql("SELECT pg_advisory_xact_lock(20261125)")
                _upgrade(db)
        finally:
            engine.dispose()
    return before, newest()


def _revision(db: sa.Connection) -> str | None:
    tables = sa.inspect(db).get_table_names()
    if "alembic_version" not in tables:
        if tables and db.dialect.name == "sqlite":
            raise StoreUnusable(
                "the file is another program's database: it holds the table "
                f'"{tables[0]}" and was not made by the bridge'
            )
        return None
    found = db.execute(sa.select(_VERSION.c.version_num)).scalar()
    return None if found is None else str(found)


def _probe(db: sa.Connection) -> None:
    """Read every page: damage is found here, not when a row is needed."""
    found = str(db.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    if found != "ok":
        raise _damaged(found.strip().replace("\n", " ")[:200])


def _damaged(why: str) -> StoreUnusable:
    return StoreUnusable(
        f"the store is damaged ({why}). Nothing was changed in it. Bring back the "
        "last backup (`whmcs-bridge db backup` made it) or move the file away to "
        "begin anew."
    )


def _words(error: sa.exc.DBAPIError) -> str:
    return str(error.orig).strip().split("\n", 1)[0][:200]
