"""No more people are written to by template in a day than Meta allows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge import upkeep
from bridge.demo.whatsapp.cloud import CloudStub
from bridge.errors import Later
from bridge.metrics import Metrics
from bridge.sending import Sending
from bridge.store import Store, book, tables, talk
from bridge.tier import MARK, reserve
from bridge.whatsapp import Message, Provider, Receipt
from bridge.whatsapp.cloud_account import tier
from tests.looking import rows
from tests.shells import cloud_shell, of_json

START = datetime(2026, 11, 2, 15, tzinfo=UTC)
LIMIT = 20


class Windowed(Provider):
    """Takes everything."""

    name, number, per_second, windowed = "cloud", "1", 1000.0, True

    def __init__(self):
        self.sent: list[str] = []

    def send(self, message):
        self.sent.append(message.tag)
        return Receipt(message.tag)


class Scene:
    """A way to a provider that may write to so many people; its clock stands."""

    def __init__(self, store):
        self.store, self.now, self.provider = store, START, Windowed()
        store.write(lambda db: book.mark(db, MARK + "cloud", START, people=LIMIT))
        given = {"status": "APPROVED", "body": "Hola."}
        store.write(lambda db: talk.note_template(db, "welcome", "es", START, **given))
        self.restart()

    def restart(self):
        self.sending = Sending(
            self.store, lambda: self.provider, lambda: self.now, Metrics()
        )

    def send(self, person, urgent=False):
        to = f"+54911{person:08d}"
        message = Message(to, "Hola.", "es", "welcome", f"tag-{person}")
        receipt = self.sending.send(message, urgent=urgent)
        about = {"name": "welcome", "language": "es", "text": "Hola.", "states": []}
        row = about | {
            "key": f"{message.tag}/{self.now.isoformat()}",
            "job_key": message.tag,
            "event_id": None,
            "client_id": None,
            "to": to,
            "provider": "cloud",
            "provider_id": receipt.id,
            "state": "accepted",
            "created_at": self.now,
            "form": receipt.detail["form"],
        }
        self.store.write(lambda db: book.sent(db, [row]))

    def waits(self, person, urgent=False):
        with pytest.raises(Later) as told:
            self.send(person, urgent)
        return told.value


@pytest.fixture
def scene(database_url):
    store = Store(database_url, readers=1)
    yield Scene(store)
    store.close()


def fill(scene, count=LIMIT - 5):
    for person in range(count):
        scene.send(person)
        scene.now += timedelta(minutes=1)


def test_when_the_days_people_are_used_up_others_wait_until_one_has_left(scene):
    fill(scene)
    first, second = scene.waits(100), scene.waits(101)

    assert "20 different people a day" in str(first)
    assert (first.at, second.at) == (
        START + timedelta(days=1),
        START + timedelta(days=1, minutes=1),
    )
    scene.now = first.at
    scene.send(100)
    assert scene.provider.sent[-1] == "tag-100"


def test_who_was_written_to_already_is_written_to_again(scene):
    fill(scene)
    scene.send(3)

    assert len(scene.provider.sent) == LIMIT - 4


def test_a_few_are_kept_for_what_is_urgent(scene):
    fill(scene)
    scene.waits(100)
    for person in range(200, 205):
        scene.send(person, urgent=True)

    assert scene.waits(205, urgent=True).at == START + timedelta(days=1)
    assert [reserve(limit) for limit in (3, 250, 2000)] == [3, 5, 40]


def test_free_text_counts_nobody(scene):
    fill(scene)
    now = scene.now
    scene.store.write(lambda db: talk.wrote(db, "+5491100000100", now))
    scene.send(100)

    assert scene.provider.sent[-1] == "tag-100"
    scene.waits(101)


def test_a_restart_knows_who_was_written_to(scene):
    fill(scene)
    scene.restart()

    assert scene.waits(100).at == START + timedelta(days=1)
    scene.send(3)


def test_staff_are_told_once_a_day(scene):
    fill(scene)
    for person in range(100, 105):
        scene.waits(person)

    (told,) = rows(scene.store, tables.jobs)
    assert "20 different people a day" in told.parameters["text"]


@pytest.mark.parametrize(
    ("said", "people"),
    [
        ("TIER_250", 250),
        ("TIER_2K", 2000),
        ("TIER_100K", 100_000),
        ("TIER_UNLIMITED", 0),
        ("", None),
        ("TIER_NOT_SET", None),
    ],
)
def test_metas_words_for_a_limit(said, people):
    assert tier(said) == people


def test_the_limit_is_kept_as_the_provider_tells_it(kit):
    kit.bridge.bench.provider.people_a_day = lambda: 250
    assert upkeep.sync_people(kit.bridge.bench) == 250
    kit.bridge.bench.provider.people_a_day = lambda: None
    upkeep.sync_people(kit.bridge.bench)
    name = MARK + kit.bridge.bench.provider.name
    with kit.bridge.store.read() as db:
        assert book.marked(db, name)[1] == {"people": 250}


def test_doctor_and_notify_test_show_how_many_are_used(shell, kit, monkeypatch):
    stub = CloudStub()
    stub.templates.add("hello_world", "en_US", "Hello World")
    with cloud_shell(shell, stub, monkeypatch):
        found = of_json(shell("doctor", "--json"))
        sent = shell("notify", "test", "--to", "+5491155551234")

    what = "0 of 2000 people a day were written to outside the 24 hours"
    assert what in [one["what"] for one in found]
    assert what in sent.stderr
