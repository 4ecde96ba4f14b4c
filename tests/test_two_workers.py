"""Two `worker` processes over one store send from one number as one would."""

from __future__ import annotations

import json
import os
import signal
import threading
from bisect import bisect_left
from datetime import UTC, datetime
from itertools import pairwise
from time import monotonic

import pytest

from bridge.demo.clock import Clock
from bridge.demo.panel import IDENTIFIER, SECRET, Panel
from bridge.demo.panel_server import PanelServer
from bridge.demo.whatsapp.cloud import CloudStub
from bridge.demo.whatsapp.server import StubServer
from bridge.demo.world import World
from bridge.store import Store, outbox, talk
from bridge.store.outbox import NewJob
from bridge.whatsapp.phones import normalise
from tests.conftest import SIGNING
from tests.test_run import NEVER_QUIET, ROOT, Running
from tests.whatsapp.providers import GIVEN

#: How many clients, how many messages to each, and the number's rate.
PEOPLE, EACH, RATE = 24, 2, 8
PATIENCE = 60.0


class Timed(CloudStub):
    """Notes when it took what for whom."""

    def __init__(self) -> None:
        super().__init__()
        self.states = ()
        self.went: list[tuple[float, str]] = []
        self.all = threading.Event()

    def accept(self, make, shape):
        reply = super().accept(make, shape)
        self.went.append((monotonic(), self.taken[-1].to))
        if len(self.went) == PEOPLE * EACH:
            self.all.set()
        return reply


@pytest.fixture
def stage(database_url, tmp_path, config_with):
    """A provider, and the environment of a worker that writes to a panel's clients."""
    world = World.filled(PEOPLE, 0, Clock.real("America/Argentina/Buenos_Aires"))
    cloud = Timed()
    env = {n: v for n, v in os.environ.items() if not n.startswith("BRIDGE_")}
    with PanelServer(Panel(world)) as panel, StubServer(cloud) as stub:
        given = {k: text.format(url=stub.url) for k, text in GIVEN["cloud"].items()}
        env |= given | {
            "HERE": str(tmp_path),
            "PYTHONPATH": str(ROOT),
            "BRIDGE_SIGNING_SECRETS": SIGNING,
            "BRIDGE_DATABASE_URL": database_url,
            "BRIDGE_CONFIG_DIR": str(config_with(NEVER_QUIET)),
            "BRIDGE_DRY_RUN": "false",
            "BRIDGE_WORKERS": "6",
            "WHATSAPP_PROVIDER": "cloud",
            "WHATSAPP_CLOUD_PER_SECOND": str(RATE),
            "WHMCS_URL": panel.url,
            "WHMCS_API_IDENTIFIER": IDENTIFIER,
            "WHMCS_API_SECRET": SECRET,
        }
        _queue(database_url, world)
        yield cloud, env


def _queue(url, world):
    """Put in messages that are due to people who wrote just now."""
    store, now = Store(url, readers=1), datetime.now(UTC)
    clients = list(world.clients.values())
    for client in clients:
        number = normalise(client.phonenumber, client.country)
        store.write(lambda db, to=number: talk.wrote(db, to, now))
    jobs = [
        NewJob(
            key=f"m{turn}-{client.id}",
            event_id=None,
            action="send_alert",
            rule="r",
            run_at=now,
            parameters={"message": "welcome", "client_id": client.id},
            urgent=True,
            client_id=client.id,
        )
        for turn in range(EACH)
        for client in clients
    ]
    store.write(lambda db: outbox.put(db, jobs, now))
    store.close()


def sent_by(running):
    """Return how many jobs a process says it has done."""
    said = [json.loads(line) for line in running.lines if line.startswith("{")]
    return sum(one.get("event") == "job" and one["state"] == "done" for one in said)


@pytest.mark.store("postgresql")  # on SQLite there is one worker
def test_two_workers_keep_the_rate_and_the_six_seconds_together(stage):
    cloud, env = stage
    two = [Running(env, "worker") for _ in range(2)]
    whole = cloud.all.wait(PATIENCE)
    statuses = [one.end(signal.SIGTERM) for one in two]

    assert whole, two[0].lines
    assert statuses == [0, 0]
    assert min(sent_by(one) for one in two) >= 5
    times = sorted(at for at, _ in cloud.went)
    within = [bisect_left(times, at + 2.0) - n for n, at in enumerate(times)]
    assert max(within) <= 1.25 * 2.0 * RATE  # two by themselves make twice as many
    to = {person: [] for _, person in cloud.went}
    for at, person in cloud.went:
        to[person].append(at)
    assert len(to) == PEOPLE
    apart = [later - at for went in to.values() for at, later in pairwise(went)]
    assert min(apart) >= 5.5  # on its way a message may lose what another one gains
