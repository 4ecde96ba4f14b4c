"""A bridge that talks to a simulated Cloud API, and what tests do with the two."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from conftest import CONFIG, Kit
from looking import rows

from bridge.demo.panel_example import ANA
from bridge.demo.whatsapp.cloud import CloudStub
from bridge.store import tables
from bridge.templateform import numbered
from bridge.textfiles import read_all
from bridge.whatsapp.phones import normalise


@dataclass
class Talk(Kit):
    """A kit whose messages go to a simulated Cloud API."""

    cloud: CloudStub

    def number(self, client: int) -> str:
        """Return a client's telephone as the bridge writes it."""
        found = self.world.clients[client]
        number = normalise(found.phonenumber, found.country)
        assert number is not None
        return number

    def tell(self, **how: Any) -> list[int]:
        """Post what the provider has to say; return the answers' statuses."""
        client = self.client()
        return [
            client.post(
                "/whatsapp/cloud", data=hook.body, headers=dict(hook.headers)
            ).status_code
            for hook in self.cloud.take(**how)
        ]

    def writes(self, client: int, text: str, **more: Any) -> None:
        """A client writes, and what is due runs."""
        self.cloud.write(self.number(client), text, **more)
        assert set(self.tell()) == {200}
        self.work()

    def messages(self) -> list[Any]:
        """Return what stands in the book of messages."""
        found = rows(self.bridge.store, tables.messages)
        return sorted(found, key=lambda row: row.created_at)

    @property
    def texts(self) -> list[str]:
        """The names of the templates or texts that went out."""
        return [row.name for row in self.messages()]


def welcome(kit: Talk) -> Any:
    """Something happens to Ana that she is told of at once."""
    kit.world.change_password(ANA)
    kit.work()
    return kit.messages()[-1]


def fail(kit: Talk, code: int) -> None:
    kit.tell()
    kit.cloud.tell(kit.cloud.taken[-1], "failed", code)
    assert kit.tell() == [200]
    kit.work()


def the_template(kit: Talk, name: str) -> str:
    return numbered(read_all(CONFIG / "messages").texts[name, "es"].parts)


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def killed_after_sending(kit: Talk) -> Iterator[None]:
    """Let each send reach the provider, and the process end before it is recorded."""
    sends = kit.bridge.bench.provider.send

    def send(message):
        sends(message)
        raise Killed

    kit.bridge.bench.provider.send = send
    yield
    kit.bridge.bench.provider.send = sends


def work(kit: Talk) -> None:
    """Run what is due, until the process ends."""
    with suppress(Killed):
        kit.work()
