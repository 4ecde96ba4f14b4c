"""WhatsApp messages that came in, as the webhook keeps them, for tests of answers."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from conftest import Kit

from bridge.billing.model import Client
from bridge.events import Body, Subject
from bridge.hooks.transferring import fields_of
from bridge.store import book, inbox
from bridge.views import View
from bridge.whatsapp.phones import normalise

STRANGER = "+5491155551234"


def number_of(kit: Kit, name: str) -> str:
    """Return the full number of a client by his first name, or the name itself."""
    for client in kit.world.clients.values():
        if client.firstname == name:
            found = normalise(client.phonenumber, client.country, default_country="AR")
            return found or ""
    return {"stranger": STRANGER, "hidden": ""}.get(name, name)


def who(kit: Kit, number: str) -> str:
    """Return the first name of the client with this number, stranger for others."""
    for client in kit.world.clients.values():
        if number and number_of(kit, client.firstname) == number:
            return client.firstname
    return "stranger"


def write(
    kit: Kit,
    sender: str,
    text: str,
    id: str = "",
    payload: str = "",
    written: datetime | None = None,
) -> str:
    """Put a message into the inbox as the webhook does; return the event's id.

    The telephones of all clients count as read. *written* is the provider's stamp.
    """
    now = kit.clock.now()
    kit.bridge.store.write(lambda db: book.mark(db, "phones", now, next=0))
    number = number_of(kit, sender)
    count = len(kit.events())
    event = f"console:{id or f'wamid-{count + 1}'}"
    data: dict[str, Any] = {
        "from": number,
        "text": text,
        "payload": payload,
        "kind": "text",
        "number": "line",
    }
    digest = hashlib.sha256(repr((number, text)).encode()).hexdigest()
    delivery = inbox.Accepted(
        id=event,
        panel="whatsapp",
        digest=digest,
        body=Body("WhatsAppMessage", now, data, {}),
        occurred_at=written or now,
        subject=Subject(),
    )
    kit.bridge.store.write(lambda db: inbox.put(db, delivery, now))
    return event


def request(
    kit: Kit,
    service: int = 1,
    giver: str = "Ana",
    taker: str = "Gabriela",
    language: str = "es",
) -> str:
    """Return the text of a request as the link has it, with the panel's own words."""
    panel = kit.bridge.bench.panel
    found = {}
    for name in (giver, taker):
        row = next(c for c in kit.world.clients.values() if c.firstname == name)
        client: Client = panel.client(row.id)
        found[name] = client
    fields = fields_of(found[giver], found[taker], panel.service(service))
    texts = kit.bridge.map.current.texts
    return texts.render("transfer_request", language, {"transfer": View(fields)}).text
