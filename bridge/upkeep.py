"""What is kept up for WhatsApp: who has which telephone, templates, the session."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
import structlog

from bridge.errors import Reason, RemoteError
from bridge.preparing import Bench
from bridge.states import told_of
from bridge.store import book, held, outbox, progress, talk
from bridge.store.outbox import NewJob
from bridge.store.talk import Told
from bridge.tier import MARK
from bridge.whatsapp import TemplateState
from bridge.whatsapp.phones import normalise
from bridge.whatsapp.templates import current

log = structlog.get_logger("whatsapp")

#: Clients whose telephones are read in one step, and when all are read anew.
STEP = 100
ANEW = timedelta(days=7)
#: States are looked at once more for so long.
LATELY = timedelta(minutes=3)
#: How old a message is when its state is asked for: soon after a webhook would have
#: come, and when the provider has given up what it could not hand over (four hours).
ASKED_AT = (timedelta(minutes=15), timedelta(hours=5))
#: The first time, messages of so long before are asked for as well.
_BEGINS = timedelta(days=1)
#: So many are asked for at a time, at most.
_A_TIME = 50
#: Marks of how far it was asked begin so.
_ASKED = "states asked:"


def listens(bench: Bench) -> bool:
    """Tell whether the provider can bring messages of people."""
    return bench.provider.name != "console"


def index_phones(bench: Bench) -> int:
    """Read the telephones of the next clients; return how many were read.

    The panel cannot be searched by telephone, so the index is built by paging
    through all clients, and anew once a week; what changes meanwhile comes by
    ClientAdd and ClientEdit. Raises RemoteError.
    """
    now = bench.now()
    with bench.store.read() as db:
        mark = book.marked(db, "phones")
    at, place = (mark[0], int(mark[1].get("next", 0))) if mark else (now, 0)
    if mark and place == 0 and now - at < ANEW:
        return 0
    ids, total = bench.panel.client_ids(place, STEP)
    numbers = [(client_id, _number(bench, client_id)) for client_id in ids]
    after = place + len(ids)
    over = not ids or after >= total
    bench.store.write(
        partial(_remember, numbers=numbers, next=0 if over else after, now=now)
    )
    if over:
        log.info("telephones read", clients=total)
    return len(ids)


def _number(bench: Bench, client_id: int) -> str | None:
    try:
        client = bench.panel.client(client_id)
    except RemoteError as error:
        if error.reason is Reason.NOT_FOUND:
            return None
        raise
    return normalise(client.phone, client.country, default_country=bench.country)


def _remember(
    db: sa.Connection,
    *,
    numbers: list[tuple[int, str | None]],
    next: int,
    now: datetime,
) -> None:
    for client_id, number in numbers:
        talk.remember_phone(db, client_id, number, now)
    before = book.marked(db, "phones")
    whole = not next or bool(before and before[1].get("whole"))
    book.mark(db, "phones", now, next=next, whole=whole)


def sync_templates(bench: Bench) -> list[TemplateState]:
    """Bring our list of templates up to the provider's. Raises RemoteError."""
    if not bench.provider.windowed:
        return []
    states = bench.provider.templates()
    now = bench.now()
    bench.store.write(lambda db: keep_templates(db, states, now))
    return states


def reread_templates(bench: Bench) -> bool:
    """Read the templates anew where the provider told that one is another now.

    Someone may have edited it there: then it says something else than we know. False
    where none changed. Raises RemoteError.
    """
    with bench.store.read() as db:
        at = held.changed_at(db)
    if at is None:
        return False
    sync_templates(bench)
    bench.store.write(partial(held.were_read, at=at))
    return True


def sync_people(bench: Bench) -> int | None:
    """Keep to how many people a day may be written. Raises RemoteError."""
    limit = bench.provider.people_a_day()
    if limit is not None:
        name, now = MARK + bench.provider.name, bench.now()
        bench.store.write(lambda db: book.mark(db, name, now, people=limit))
    return limit


def keep_templates(
    db: sa.Connection, states: list[TemplateState], now: datetime
) -> None:
    """Keep templates as the provider has them; what it has not is forgotten.

    What was held back for one that is approved since we last looked goes now.
    """
    before = {(row.name, row.language): row for row in talk.known_templates(db)}
    for one in current(states):
        was = before.get((one.name, one.language))
        news = was is None or (was.status, was.body) != (one.status, one.body)
        if one.approved and news:
            held.release(db, one.name, now)
        values: dict[str, Any] = {
            "provider_id": one.id,
            "status": one.status,
            "category": one.category,
            "reason": one.reason,
            "body": one.body,
            "label": one.label,
            "url": one.url,
        }
        talk.note_template(db, one.name, one.language, now, **values)
    talk.forget_templates(db, {(one.name, one.language) for one in states})


def watch_session(bench: Bench) -> bool:
    """Ask whether the provider would send; staff are told, once a day, if not.

    A gateway's phone can be "connected" and dead: only asking finds it.
    """
    bad = [one.what for one in bench.provider.health() if one.level == "error"]
    if not bad:
        return True
    now = bench.now()
    name = bench.provider.name
    log.error("provider not well", provider=name, why=bad[0])
    job = NewJob(
        key=f"health:{name}/{now:%Y-%m-%d}",
        event_id=None,
        action="log_activity",
        rule="whatsapp",
        run_at=now,
        parameters={
            "text": f"[bridge] WhatsApp ({name}): {'; '.join(bad)}",
            "raw": True,
        },
    )
    bench.store.write(lambda db: outbox.put(db, [job], now))
    return False


def catch_up(bench: Bench) -> int:
    """Bring messages on that a state passed by; return how many.

    It happens where several write to the store at once.
    """
    since = bench.now() - LATELY
    with bench.store.read() as db:
        rows = progress.lagging(db, since)
    if rows:
        bench.store.write(partial(talk.catch_up, rows=rows))
    return len(rows)


def ask_states(bench: Bench) -> int:
    """Ask for states that no webhook told; return how many messages were asked for.

    Only of a provider that `answers`. A message that was taken and of which nothing
    more was heard is asked for twice, at the ages of ASKED_AT. Raises RemoteError; the
    next time it goes on with the message that was not answered.
    """
    if not bench.provider.answers or bench.provider_circuit.open:
        return 0
    return sum(_ask_at(bench, age) for age in ASKED_AT)


def _ask_at(bench: Bench, age: timedelta) -> int:
    """Ask for messages that have come to an *age* since the last ones, in order.

    The mark of that age holds how far it came: time and key of the last message.
    """
    name, now = bench.provider.name, bench.now()
    mark, until = f"{_ASKED}{name}/{age // timedelta(minutes=1)}", now - age
    with bench.store.read() as db:
        found = book.marked(db, mark)
        place = (found[0], found[1]["key"]) if found else (until - _BEGINS, "")
        rows = progress.unsettled(db, name, place, until, _A_TIME)
    told: list[Told] = []
    try:
        for row in rows:
            bench.slow_down()
            if (state := bench.provider.state_of(row.provider_id)) is not None:
                told.append(told_of(name, state, row.key))
            place = row.created_at, row.key
        if len(rows) < _A_TIME:
            place = max(place, (until, ""))
    finally:
        keep = partial(_keep_told, told=told, mark=mark, place=place, now=now)
        bench.store.write(keep)
    return len(rows)


def _keep_told(
    db: sa.Connection,
    *,
    told: list[Told],
    mark: str,
    place: tuple[datetime, str],
    now: datetime,
) -> None:
    if told:
        talk.tell_each(db, [(one, now) for one in told])
    at, key = place
    book.mark(db, mark, at, key=key)
