"""Short questions about a store, for tests that look at what came of something."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from conftest import Kit

from bridge.store import Store, book, tables


def rows(store: Store, table: sa.Table) -> list[Any]:
    """Return every row of a table, the oldest first."""
    with store.read() as db:
        return list(db.execute(sa.select(table).order_by(*table.primary_key)))


def cancellation(kit: Kit, service_id: int) -> Any:
    """Return the newest row of a service."""
    with kit.bridge.store.read() as db:
        return book.newest_cancellation(db, service_id)


def upgrade(kit: Kit, service_id: int) -> Any:
    """Return the newest ordered upgrade of a service."""
    found = [
        row
        for row in rows(kit.bridge.store, tables.upgrades)
        if row.service_id == service_id and not row.native
    ]
    return max(found, key=lambda row: row.created_at)


def job(kit: Kit, part: str) -> Any:
    """Return the one job whose key ends with *part*."""
    (found,) = [
        row for row in rows(kit.bridge.store, tables.jobs) if row.key.endswith(part)
    ]
    return found


def texts(kit: Kit) -> list[str]:
    """Return the names of the messages that went out, in order."""
    return [message["message"] for message in kit.sent]


def staff_lines(kit: Kit) -> list[str]:
    """Return what stands in the panel's activity log from the bridge."""
    return [
        line.description
        for line in kit.world.activity
        if line.description.startswith("[bridge]")
    ]
