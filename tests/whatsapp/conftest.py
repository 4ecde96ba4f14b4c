"""A bridge wired to a simulated Cloud API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import Kit

from bridge import upkeep, wiring
from bridge.demo.whatsapp.cloud import CloudStub
from bridge.demo.whatsapp.server import StubServer
from bridge.settings import Secret, Settings
from bridge.store import talk
from bridge.transport import Transport
from bridge.whatsapp.phones import normalise
from tests.whatsapp.providers import GIVEN, PUBLIC
from tests.whatsapp.talking import Talk


@pytest.fixture
def wired(
    kit: Kit, bridge_for: Callable[..., wiring.Bridge]
) -> Iterator[Callable[..., Talk]]:
    cloud = CloudStub(kit.clock.now)
    transport = Transport(pool=4, version="test")
    with StubServer(cloud) as server:

        def make(**more: Any) -> Talk:
            given = {k: v.format(url=server.url) for k, v in GIVEN["cloud"].items()}
            others = {key: Secret(text) for key, text in given.items()}
            settings = Settings(
                whatsapp_provider="cloud", public_url=PUBLIC, others=others
            )
            adapter = wiring.make_provider(settings, kit.clock.now, transport=transport)
            bridge = bridge_for(provider=adapter, **more)
            parts = {name: getattr(kit, name) for name in Kit.__dataclass_fields__}
            outbox = type(kit.outbox)(kit.world, bridge.app(), kit.secret, instance="t")
            return Talk(**parts | {"bridge": bridge, "outbox": outbox}, cloud=cloud)

        yield make
    transport.close()


@pytest.fixture
def talk_(wired: Callable[..., Talk]) -> Talk:
    """Everybody wrote lately; the index of telephones is built."""
    made = wired()
    while upkeep.index_phones(made.bridge.bench):
        pass
    now = made.clock.now()
    for client in made.world.clients.values():
        number = normalise(client.phonenumber, client.country)
        if number:
            made.bridge.store.write(lambda db, n=number: talk.wrote(db, n, now))
    return made
