"""Who wants no alerts: what a word changes, for a number and for the client who has it.

A word counts from the moment it is on disk. Whose number it is the panel alone knows
for sure; where the index names one client, he is stopped with it until that was asked.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from bridge.store import book, talk
from bridge.store.arrived import BY_PROVIDER
from bridge.store.dialect import insert
from bridge.store.tables import contacts, events

#: Marks of when somebody last told whether he wants marketing begin so.
MARKETING = "marketing:"


def heard(
    db: sa.Connection, number: str, said: str, stops: bool, at: datetime, event: str
) -> None:
    """Note a word that came in just now; a stop is one of the number's client, too.

    Where the index knows more clients than one, or none, the panel is asked first.
    """
    if not talk.word(db, number, said, stops, at, event) or not stops:
        return
    clients = talk.clients_with(db, number)
    if len(clients) == 1:
        talk.word(db, talk.name_of_client(clients[0]), said, True, at, event)


def obey(
    db: sa.Connection,
    number: str,
    clients: Collection[int],
    said: str,
    stops: bool,
    at: datetime,
    event: str,
) -> None:
    """Note a word for a number and for those who have it, as the panel says now."""
    for name in (number, *map(talk.name_of_client, clients)):
        talk.word(db, name, said, stops, at, event)


def stopped_by(db: sa.Connection, event: str) -> list[int]:
    """Return the clients whom the word of *event* stopped, as the index named them."""
    if not event:
        return []
    query = sa.select(contacts.c.number).where(*_of_clients(event))
    names = db.execute(query).scalars().all()
    return sorted(int(name.removeprefix(talk.name_of_client(""))) for name in names)


def take_back(db: sa.Connection, event: str, clients: Collection[int]) -> None:
    """Let alerts go on to these *clients*, if it was the word of *event* that stopped.

    The index named them, and they have another number.
    """
    names = [talk.name_of_client(client_id) for client_id in clients]
    change = sa.update(contacts).where(
        *_of_clients(event), contacts.c.number.in_(names)
    )
    gone = dict.fromkeys(("opted_out_at", "opted_out_by", "opted_at", "opted_event"))
    db.execute(change.values(gone))


def _of_clients(event: str) -> tuple[sa.ColumnElement[bool], ...]:
    named = contacts.c.number.startswith(talk.name_of_client(""))
    stopped = contacts.c.opted_out_at.is_not(None)
    return contacts.c.opted_event == event, named, stopped


def refused(db: sa.Connection, number: str, told: str, at: datetime) -> None:
    """Note that the provider says a number wants nothing of us; his own word stands.

    *told* is the provider's name and code. It is no word of his: one that he wrote
    before, and that comes in later, counts.
    """
    values = {"opted_out_at": at, "opted_out_by": f"{BY_PROVIDER}{told}"}
    statement = insert(db.dialect.name, contacts).values(values | {"number": number})
    began = sa.or_(contacts.c.opted_at.is_(None), contacts.c.opted_at <= at)
    db.execute(
        statement.on_conflict_do_update(
            index_elements=["number"],
            set_=values,
            where=sa.and_(contacts.c.opted_out_at.is_(None), began),
        )
    )


def marketing(db: sa.Connection, number: str, at: datetime, *, wanted: bool) -> None:
    """Note whether a number wants marketing; an older wish changes nothing."""
    last = book.marked(db, f"{MARKETING}{number}")
    if last is not None and last[0] > at:
        return
    book.mark(db, f"{MARKETING}{number}", at)
    talk.note_contact(db, number, no_marketing_at=None if wanted else at)


def left(db: sa.Connection, client_id: int, since: datetime) -> list[str]:
    """Return the telephones that a client gave up since then, as the panel wrote them.

    Only an edit that the panel's side told of is known here.
    """
    query = sa.select(events.c.context).where(
        events.c.client_id == client_id,
        events.c.occurred_at >= since,
        events.c.hookpoint == "ClientEdit",
    )
    told = db.execute(query.limit(100)).scalars()
    return [str(old) for one in told if (old := one.get("old_phonenumber"))]
