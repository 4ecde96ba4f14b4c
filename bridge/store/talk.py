"""WhatsApp's side of the store: states of messages, contacts, telephones, templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from bridge.store import arrived, astray, outbox
from bridge.store.dialect import insert
from bridge.store.outbox import NewJob
from bridge.store.progress import RANK, advance, failed_key, halted, id_of, named
from bridge.store.tables import (
    by_template,
    contacts,
    messages,
    phones,
    receipts,
    templates,
)

#: A person who wrote may be answered freely for a day; a little less, to be sure.
WINDOW = timedelta(hours=23, minutes=50)


@dataclass(frozen=True)
class Told:
    """One state of one message; *instead* and *wish* are passed on, and not kept."""

    provider: str
    provider_id: str
    tag: str
    state: str
    at: datetime
    kind: str = ""
    code: str = ""
    detail: str = ""
    to: str = ""
    instead: str = ""
    wish: str = ""


@dataclass(frozen=True)
class Contact:
    """What is known of a telephone (and of the client who has it)."""

    wrote_at: datetime | None = None
    opted_out_at: datetime | None = None
    no_marketing: bool = False
    opted_at: datetime | None = None
    opted_event: str = ""

    def window_open(self, now: datetime) -> bool:
        """Tell whether he wrote lately enough to be answered freely."""
        return self.wrote_at is not None and now - self.wrote_at < WINDOW


# --- States ---


def tell_each(db: sa.Connection, told: Sequence[tuple[Told, datetime]]) -> list[bool]:
    """Keep states, each once, and bring the messages up to date; false: known before.

    A failure becomes a job that decides by its class what happens next.
    """
    rows = [_receipt(one, now) for one, now in told]
    statement = _receipt_insert(db.dialect.name)
    kept = {
        (row.provider, row.provider_id, row.state)
        for row in db.execute(statement, rows)
    }
    fresh: list[bool] = []
    for one, _ in told:
        key = (one.provider, named(one.provider_id, one.tag), one.state)
        fresh.append(key in kept)
        kept.discard(key)
    known = [pair for pair, is_new in zip(told, fresh, strict=True) if is_new]
    outbox_now = max((now for _, now in told), default=None)
    if outbox_now is not None:
        arrived.after_all(db, [one for one, _ in known], outbox_now)
    advance(db, [one for one, _ in known])
    new = [_failure(db, one, now) for one, now in known if one.state == "failed"]
    if outbox_now is not None:
        new += astray.told(db, [one for one, _ in known], outbox_now)
        outbox.put(db, new, outbox_now)
    return fresh


_PASSING = ("instead", "wish")


def _receipt(one: Told, now: datetime) -> dict[str, Any]:
    kept = {name: value for name, value in vars(one).items() if name not in _PASSING}
    id = named(one.provider_id, one.tag)
    return kept | {"provider_id": id, "received_at": now}


@cache
def _receipt_insert(dialect: str) -> Any:
    names = ["provider", "provider_id", "state"]
    statement = insert(dialect, receipts).on_conflict_do_nothing(index_elements=names)
    return statement.returning(*(receipts.c[name] for name in names))


def _failure(db: sa.Connection, one: Told, now: datetime) -> NewJob:
    sent = message(db, key=one.tag, provider_id=one.provider_id)
    return NewJob(
        key=failed_key(one.provider, one.provider_id, one.tag),
        event_id=sent.event_id if sent is not None else None,
        action="settle_failure",
        rule="whatsapp",
        run_at=now,
        parameters={
            "provider_id": one.provider_id,
            "tag": one.tag,
            "kind": one.kind,
            "code": one.code,
            "detail": one.detail,
            "instead": one.instead,
            "wish": one.wish,
            "provider": one.provider,
            "to": one.to,
            "at": one.at.isoformat(),
        },
        urgent=True,
    )


_EARLY = sa.select(receipts).where(
    sa.or_(
        receipts.c.provider_id.in_(sa.bindparam("ids", expanding=True)),
        receipts.c.tag.in_(sa.bindparam("keys", expanding=True)),
    )
)


def catch_up(db: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Apply to messages just written the states that came before our own answer."""
    ids = [row["provider_id"] for row in rows if row.get("provider_id")]
    keys = [row["key"] for row in rows]
    early = db.execute(_EARLY, {"ids": ids, "keys": keys})
    found = [
        Told(
            *(r.provider, id_of(r.provider_id), r.tag, r.state, r.at),
            *(r.kind, r.code, r.detail, r.to or ""),
        )
        for r in early
    ]
    if found:
        advance(db, found)
        now = rows[0]["created_at"]
        outbox.put(db, astray.told(db, found, now), now)


# Built once: each of these is asked before every message.
_PROOF = sa.select(receipts).where(receipts.c.tag == sa.bindparam("its_tag"))
_NAMED = sa.select(templates).where(templates.c.name == sa.bindparam("its_name"))
_CONTACTS = sa.select(contacts).where(
    contacts.c.number.in_(sa.bindparam("names", expanding=True))
)


def proof(db: sa.Connection, tag: str) -> Any:
    """Return the state that says most of what came back with our *tag*, None if none.

    An attempt that failed as anything would, since nothing of ours was sent, is none:
    the same message waits to be sent.
    """
    said: dict[str, Any] = {}
    for row in db.execute(_PROOF, {"its_tag": tag}):
        before = said.get(row.provider_id)
        if before is None or RANK.get(row.state, 0) > RANK.get(before.state, 0):
            said[row.provider_id] = row
    left = [row for row in said.values() if not halted(row)]
    return max(left, key=lambda row: RANK.get(row.state, 0), default=None)


def message(db: sa.Connection, *, key: str = "", provider_id: str = "") -> Any:
    """Return a message by our key or the provider's id, None if none is known."""
    if key:
        found = db.execute(sa.select(messages).where(messages.c.key == key)).first()
        if found is not None:
            return found
    if not provider_id:
        return None
    query = sa.select(messages).where(messages.c.provider_id == provider_id)
    return db.execute(query.limit(1)).first()


def reached(db: sa.Connection, provider: str, since: datetime) -> dict[str, datetime]:
    """Return whom templates went to since then, each with the time of the last one."""
    at = messages.c.created_at
    query = sa.select(messages.c.to, sa.func.max(at)).group_by(messages.c.to)
    query = query.where(by_template, at > since, messages.c.provider == provider)
    return {row[0]: row[1] for row in db.execute(query)}


# --- Contacts ---


def contact(db: sa.Connection, number: str, client_id: int | None = None) -> Contact:
    """Return what is known of a number, and of the client it belongs to."""
    names = [number] if client_id is None else [number, name_of_client(client_id)]
    rows = list(db.execute(_CONTACTS, {"names": names}))
    wrote = [row.wrote_at for row in rows if row.number == number and row.wrote_at]
    out = [row for row in rows if row.opted_out_at is not None]
    events = [row.opted_event for row in rows if row.number == number]
    return Contact(
        wrote_at=wrote[0] if wrote else None,
        opted_out_at=out[0].opted_out_at if out else None,
        no_marketing=any(row.no_marketing_at is not None for row in rows),
        opted_at=max((row.opted_at for row in rows if row.opted_at), default=None),
        opted_event=(events[0] if events else "") or "",
    )


def wrote_since(db: sa.Connection, since: datetime) -> dict[str, datetime]:
    """Return who wrote since then, each with the time of his last message."""
    query = sa.select(contacts.c.number, contacts.c.wrote_at)
    found = db.execute(query.where(contacts.c.wrote_at > since))
    return {row.number: row.wrote_at for row in found}


def note_contact(db: sa.Connection, number: str, **values: Any) -> None:
    """Write what is known of a number anew; what is not given stays."""
    statement = insert(db.dialect.name, contacts).values(number=number, **values)
    db.execute(statement.on_conflict_do_update(index_elements=["number"], set_=values))


def wrote(db: sa.Connection, number: str, at: datetime) -> None:
    """Note that he wrote: the window is open. An older time changes nothing."""
    statement = insert(db.dialect.name, contacts).values(number=number, wrote_at=at)
    later = sa.or_(contacts.c.wrote_at.is_(None), contacts.c.wrote_at < at)
    db.execute(
        statement.on_conflict_do_update(
            index_elements=["number"], set_={"wrote_at": at}, where=later
        )
    )


def close_window(db: sa.Connection, number: str, at: datetime) -> None:
    """Note that the provider says it was closed then; who wrote since opened it."""
    before = sa.and_(contacts.c.number == number, contacts.c.wrote_at <= at)
    db.execute(sa.update(contacts).where(before).values(wrote_at=None))


def word(
    db: sa.Connection,
    number: str,
    said: str,
    stops: bool,
    at: datetime,
    event: str = "",
) -> bool:
    """Note a word that stops or begins alerts; an older one changes nothing: false."""
    values: dict[str, Any] = {"opted_out_at": at if stops else None}
    values |= {"opted_out_by": said, "opted_at": at}
    first = {"number": number, "opted_event": event if stops else None}
    out = contacts.c.opted_out_at
    # What the provider told was no word of his own: his is one more.
    told = contacts.c.opted_out_by.startswith(arrived.BY_PROVIDER)
    turns = sa.or_(out.is_(None), told) if stops else out.is_not(None)
    by = {"opted_event": sa.case((turns, event), else_=contacts.c.opted_event)}
    statement = insert(db.dialect.name, contacts).values(values | first)
    later = sa.or_(contacts.c.opted_at.is_(None), contacts.c.opted_at <= at)
    noted = statement.on_conflict_do_update(
        index_elements=["number"], set_=values | by, where=later
    )
    return db.execute(noted.returning(contacts.c.number)).first() is not None


def name_of_client(client_id: int | str) -> str:
    """Return under which name a client himself stands among the contacts."""
    return f"client:{client_id}"


def stopped(db: sa.Connection) -> dict[str, tuple[datetime, str]]:
    """Return everybody who wants no alerts: since when, and by which word."""
    names = ("number", "opted_out_at", "opted_out_by")
    query = sa.select(*(contacts.c[name] for name in names))
    rows = db.execute(query.where(contacts.c.opted_out_at.is_not(None)))
    return {row.number: (row.opted_out_at, row.opted_out_by or "") for row in rows}


# --- Telephones ---


def remember_phone(
    db: sa.Connection, client_id: int, number: str | None, now: datetime
) -> None:
    """Note a client's telephone as the panel has it now; None: he has none."""
    if number is None:
        db.execute(sa.delete(phones).where(phones.c.client_id == client_id))
        return
    values = {"number": number, "seen_at": now}
    statement = insert(db.dialect.name, phones).values(client_id=client_id, **values)
    db.execute(
        statement.on_conflict_do_update(index_elements=["client_id"], set_=values)
    )


def clients_with(db: sa.Connection, number: str) -> list[int]:
    """Return the clients who had this telephone when we last looked."""
    query = sa.select(phones.c.client_id).where(phones.c.number == number)
    return sorted(db.execute(query).scalars())


# --- Templates ---


def known_templates(db: sa.Connection) -> list[Any]:
    """Return every template, by name and language."""
    query = sa.select(templates).order_by(templates.c.name, templates.c.language)
    return list(db.execute(query))


def templates_named(db: sa.Connection, name: str) -> list[Any]:
    """Return a template in every language that the provider knows."""
    return list(db.execute(_NAMED, {"its_name": name}))


def forget_templates(db: sa.Connection, kept: set[tuple[str, str]]) -> None:
    """Drop the templates that the provider does not have any more."""
    for row in known_templates(db):
        if (row.name, row.language) not in kept:
            gone = sa.and_(
                templates.c.name == row.name, templates.c.language == row.language
            )
            db.execute(sa.delete(templates).where(gone))


def note_template(
    db: sa.Connection, name: str, language: str, now: datetime, **values: Any
) -> None:
    """Write what the provider says of a template; what is not given stays."""
    kept = {"changed_at": now, **values}
    names = ("provider_id", "status", "category", "reason", "body", "label", "url")
    fresh = dict.fromkeys(names, "")
    statement = insert(db.dialect.name, templates).values(
        {"name": name, "language": language, **fresh, **kept}
    )
    db.execute(
        statement.on_conflict_do_update(index_elements=["name", "language"], set_=kept)
    )
