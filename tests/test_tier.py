"""No more people are written to by template in a day than Meta allows."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge import upkeep
from bridge.demo.whatsapp.cloud import CloudStub
from bridge.errors import Later, StoreUnavailable
from bridge.metrics import Metrics
from bridge.sending import Sending
from bridge.store import Store, book, recipients, tables, talk
from bridge.tier import DAY, MARK, SharedDay, Tier, reserve
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
        self.limit(LIMIT)
        given = {"status": "APPROVED", "body": "Hola."}
        store.write(lambda db: talk.note_template(db, "welcome", "es", START, **given))
        self.restart()

    def restart(self, several=None):
        self.sending = self.process(several)

    def process(self, several=None):
        """Return the way to the provider as another process has it."""
        return Sending(
            self.store,
            lambda: self.provider,
            lambda: self.now,
            Metrics(),
            several=several,
        )

    def limit(self, people):
        mark = MARK + "cloud"
        self.store.write(lambda db: book.mark(db, mark, self.now, people=people))

    def send(self, person, urgent=False, by=None):
        to = f"+54911{person:08d}"
        message = Message(to, "Hola.", "es", "welcome", f"tag-{person}")
        receipt = (by or self.sending).send(message, urgent=urgent)
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

    def waits(self, person, urgent=False, by=None):
        with pytest.raises(Later) as told:
            self.send(person, urgent, by)
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


class Away:
    """A store that is away at the first look."""

    def __init__(self, store):
        self._store, self._looked = store, False

    def read(self):
        if not self._looked:
            self._looked = True
            raise StoreUnavailable("away")
        return self._store.read()


def test_a_store_that_is_away_at_first_leaves_no_minute_without_a_limit(scene):
    fill(scene)
    tier = Tier(Away(scene.store), lambda: scene.provider, lambda: scene.now)
    with pytest.raises(StoreUnavailable):
        tier.admit("+5491100000100", "tag-100", urgent=False)

    assert refusal(tier, "+5491100000100", urgent=False) is not None


def test_staff_are_told_once_a_day(scene):
    fill(scene)
    for person in range(100, 105):
        scene.waits(person)

    (told,) = rows(scene.store, tables.jobs)
    assert "20 different people a day" in told.parameters["text"]


# --- Several processes ---


def test_two_processes_and_a_third_later_share_the_days_people(scene):
    one, two = scene.process(several=True), scene.process(several=True)
    for person in range(LIMIT - 5):
        scene.send(person, by=(one, two)[person % 2])
    first = scene.waits(100, by=one)
    scene.waits(101, by=two)
    three = scene.process(several=True)
    scene.now += timedelta(minutes=1)
    scene.waits(102, by=three)
    scene.send(3, by=three)
    scene.send(200, urgent=True, by=two)

    assert first.at == START + timedelta(days=1)
    assert len(scene.provider.sent) == LIMIT - 5 + 2


def test_who_was_written_to_without_a_limit_counts_when_there_is_one(scene):
    scene.limit(0)
    scene.restart(several=True)
    fill(scene)
    scene.limit(LIMIT)
    scene.restart(several=True)

    assert rows(scene.store, tables.recipients) == []
    assert scene.waits(100).at == START + timedelta(days=1)
    assert len(rows(scene.store, tables.recipients)) == LIMIT - 5


def test_who_an_older_worker_wrote_to_is_counted_at_the_next_look(scene):
    day = SharedDay(scene.store)
    scene.send(1, by=scene.process(several=True))
    day.look("cloud", scene.now)
    scene.send(2, by=scene.process(several=False))  # it counts for itself
    scene.now += timedelta(minutes=1)
    day.look("cloud", scene.now)

    counted = [row.person for row in rows(scene.store, tables.recipients)]
    assert counted == ["+5491100000001", "+5491100000002"]
    assert day.enter("cloud", "+5491100000003", scene.now, 2) == 2


def test_whose_day_is_over_is_forgotten_and_the_others_still_count(scene):
    scene.restart(several=True)
    for person in range(5):
        scene.send(person)
    scene.now += timedelta(hours=23)
    for person in range(5, LIMIT - 5):
        scene.send(person)
    scene.now += timedelta(hours=2)
    now = scene.now
    gone = scene.store.write(lambda db: recipients.prune(db, now))
    for person in range(200, 205):
        scene.send(person)

    assert gone == 5
    scene.waits(100)


def test_people_are_counted_in_the_store_where_several_processes_may_write(scene):
    scene.send(1)

    kept = [row.person for row in rows(scene.store, tables.recipients)]
    assert kept == ([] if scene.store.sqlite else ["+5491100000001"])


def test_no_process_exceeds_the_limit_however_many_ask_at_once(database_url):
    stores = [Store(database_url, readers=2) for _ in range(3)]
    mark = MARK + "cloud"
    stores[0].write(lambda db: book.mark(db, mark, START, people=LIMIT))
    tiers = [Tier(one, Windowed, lambda: START, several=True) for one in stores]

    def admitted(number):
        person = number % 60  # each is asked for twice
        refused = refusal(tiers[number % 3], person, urgent=number % 3 == 0)
        return None if refused else person

    with ThreadPoolExecutor(24) as pool:
        found = set(pool.map(admitted, range(120))) - {None}
    for store in stores:
        store.close()

    assert LIMIT - 5 <= len(found) <= LIMIT


STEPS = st.tuples(
    st.integers(0, 1),  # which process
    st.integers(0, 11),  # to whom
    st.booleans(),  # urgent
    st.sampled_from([0, 1, 60, 400, 1439, 1440]),  # minutes that pass before
)


@pytest.mark.parametrize("several", [False, True])
@given(st.lists(STEPS, max_size=40))
@settings(max_examples=40)
def test_no_day_has_more_people_and_nobody_waits_while_there_is_room(
    database_url, several, steps
):
    provider, limit, now = Windowed(), 7, [START]
    provider.name = f"cloud-{uuid.uuid4().hex}"  # nobody was written to by it yet
    store = Store(database_url, readers=1)
    mark = MARK + provider.name
    store.write(lambda db: book.mark(db, mark, START, people=limit))
    tiers = [
        Tier(store, lambda: provider, lambda: now[0], several=several) for _ in "ab"
    ]
    last: dict[int, datetime] = {}
    for process, person, urgent, minutes in steps:
        now[0] += timedelta(minutes=minutes)
        day = {who for who, at in last.items() if at > now[0] - DAY}
        most = limit if urgent else limit - reserve(limit)
        refused = refusal(tiers[process if several else 0], person, urgent)
        if refused is None:
            assert person in day or len(day) < most
            last[person] = now[0]
        else:
            assert person not in day
            assert len(day) >= most
            assert refused.at > now[0]
    store.close()


def refusal(tier, person, urgent):
    """Return why a person is not admitted, None if he is."""
    try:
        tier.admit(str(person), f"tag-{person}", urgent=urgent)
    except Later as later:
        return later
    return None


# --- What the provider says of its limit ---


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

    what = " of 2000 people a day were written to outside the 24 hours"
    assert f"0{what}" in [one["what"] for one in found]
    assert f"1{what}" in sent.stderr  # the test itself
