"""SIGKILL before and after every commit and call of a send: what then arrives twice.

With a provider that returns our tag: nothing. Where its states never come: a message
may be sent once more, no oftener.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from effort import FULL, pick
from sweep.story import MORNING, Child

from bridge.demo.clock import Clock
from bridge.demo.hooks import Outbox, Row, sign
from bridge.demo.panel import IDENTIFIER, SECRET, Panel
from bridge.demo.panel_server import PanelServer
from bridge.demo.whatsapp.cloud import CloudStub
from bridge.demo.whatsapp.server import StubServer
from bridge.demo.world import World
from bridge.store import Store, tables, talk
from tests.conftest import CONFIG
from tests.test_kill_sweep import empty, rows
from tests.whatsapp.providers import GIVEN

STEP = pick(full=1, ci=7, quick=17)


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    """The child program, its imports done."""
    warm = Child()
    yield warm
    warm.close()


@dataclass
class Scene:
    """A panel, a provider and a child that sends two alerts between them."""

    child: Child
    url: str
    secret: str
    states: bool
    #: How many processes in a row are killed at the same point.
    kills: int = 1
    #: Whom the alerts go to, and whether several go out at once.
    clients: tuple[int, ...] = (1, 2)
    threads: bool = False

    def __post_init__(self) -> None:
        self.clock = Clock(MORNING)
        self.world = World.example(self.clock)
        self.panel = Panel(self.world)
        self.cloud = CloudStub(self.clock.now)
        if not self.states:
            self.cloud.states = ()
        self.outbox = Outbox(self.world, _nobody, self.secret, instance="k")
        self.killed = 0

    def play(self, end_at: int) -> Scene:
        """Send while the child is killed at its n-th point, then let it finish."""
        for client in self.clients:
            self.world.change_password(client)
        self.rows = list(self.outbox.pending)
        with PanelServer(self.panel) as panel, StubServer(self.cloud) as cloud:
            self.start = {
                "secret": self.secret,
                "database": self.url,
                "config": str(CONFIG),
                "panel": panel.url,
                "identifier": IDENTIFIER,
                "api_secret": SECRET,
                "cloud": {
                    k: v.format(url=cloud.url) for k, v in GIVEN["cloud"].items()
                },
            } | ({"threads": True} if self.threads else {})
            self._begin(end_at)
            for _ in range(8 + 2 * self.kills):
                if not self._turn():
                    self.killed += 1
                    self._begin(end_at if self.killed < self.kills else 0)
                self.clock.advance(timedelta(minutes=11))
            self.child.say(stop=True)
            self.child.hear()
        return self

    def _begin(self, end_at: int) -> None:
        self.child.say(**self.start, end_at=end_at, now=self._now())
        if "killed" in self.child.hear():
            self.killed += 1
            self.clock.advance(timedelta(minutes=11))
            self._begin(end_at if self.killed < self.kills else 0)

    def _now(self) -> str:
        return self.clock.now().isoformat()

    def _turn(self) -> bool:
        """Let the child work; false when it was killed meanwhile."""
        hooks = self.cloud.take()
        told = [
            {"body": hook.body.decode(), "headers": dict(hook.headers)}
            for hook in hooks
        ]
        self.child.say(
            now=self._now(), rows=[self._signed(r) for r in self.rows], hooks=told
        )
        taken: set[str] = set()
        heard_of = 0
        while True:
            said = self.child.hear()
            if "accepted" in said:
                taken.add(said["accepted"])
            elif "heard_of" in said:
                heard_of += 1
            else:
                break
        self.rows = [row for row in self.rows if row.id not in taken]
        if "killed" in said:
            self.cloud.pending[:0] = hooks[heard_of:]
            return False
        return True

    def _signed(self, row: Row) -> dict[str, Any]:
        stamp = int(self.clock.now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": row.id,
            "webhook-timestamp": str(stamp),
            "webhook-signature": sign(self.secret, row.id, stamp, row.body),
        }
        return {"id": row.id, "body": row.body.decode(), "headers": headers}


def _nobody(*_: Any) -> Any:
    raise AssertionError("the parent posts nothing itself")


@pytest.fixture
def play(child: Child, database_url: str, secret: str) -> Callable[..., Scene]:
    """Return a function that plays the scene once, with the window open."""

    def tell(end_at: int, *, states: bool = True, **more: Any) -> Scene:
        empty(database_url)
        scene = Scene(child, database_url, secret, states, **more)
        store = Store(database_url, readers=1)
        for client in scene.world.clients.values():
            number = "+" + client.phonenumber.replace(".", "").lstrip("+")
            for one in (number, number.replace("+54", "+549")):
                store.write(lambda db, n=one: talk.wrote(db, n, MORNING))
        store.close()
        return scene.play(end_at)

    return tell


def sent_to(scene: Scene) -> Counter[str]:
    return Counter(one.tag for one in scene.cloud.taken)


@pytest.mark.parametrize("states", [True, False])
def test_killed_at_each_step_of_a_send(
    play: Callable[..., Scene], database_url: str, states: bool
) -> None:
    point, kills, twice = 1, 0, 0
    while True:
        scene = play(point, states=states)
        counts = sent_to(scene)
        unfinished = [
            (row.key, row.state, row.reason)
            for row in rows(database_url, tables.jobs)
            if row.state not in ("done", "skipped")
        ]
        assert unfinished == [], point
        assert len(counts) == len(scene.clients), point
        assert scene.cloud.refused == []
        assert max(counts.values()) <= (1 if states else 2), point
        twice += max(counts.values()) > 1
        kills += scene.killed
        if not scene.killed:
            break
        point += STEP

    assert kills > pick(full=5, ci=5, quick=1)
    assert states or twice or not FULL


@pytest.mark.parametrize("states", [True, False])
def test_killed_again_and_again_at_the_same_step(
    play: Callable[..., Scene], database_url: str, states: bool
) -> None:
    point, kills = 2, 0
    while True:
        scene = play(point, states=states, kills=4)
        counts = sent_to(scene)
        left = [
            (row.key, row.state, row.reason)
            for row in rows(database_url, tables.jobs)
            if row.state not in ("done", "skipped", "parked")
        ]
        assert left == [], point
        assert max(counts.values(), default=0) <= (1 if states else 2), point
        kills = max(kills, scene.killed)
        if not scene.killed:
            break
        point += 2 * STEP

    assert kills == 4


@pytest.mark.parametrize("states", [True, False])
def test_killed_while_several_go_out_at_once(
    play: Callable[..., Scene], database_url: str, states: bool
) -> None:
    many = tuple(World.example(Clock(MORNING)).clients)
    point, kills, open_at_a_kill = 1, 0, 0
    while True:
        scene = play(point, states=states, clients=many, threads=True)
        counts = sent_to(scene)
        left = [row for row in rows(database_url, tables.jobs) if row.state != "done"]
        assert [(row.key, row.reason) for row in left if row.state != "skipped"] == []
        assert scene.cloud.refused == []
        assert max(counts.values()) <= (1 if states else 2), point
        open_at_a_kill = max(open_at_a_kill, sum(n > 1 for n in counts.values()))
        kills += scene.killed
        if not scene.killed:
            break
        point += pick(full=1, ci=19, quick=29)

    assert kills > pick(full=5, ci=2, quick=1)
    assert states or open_at_a_kill or not FULL
