"""The stage with the add-on, and a bridge that listens on a socket for it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from bridge.server import Server

from .link import Link
from .receiver import Receiver
from .stage import MariaDB, Stage, missing


@pytest.fixture(scope="session")
def panel_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A database and a web server with the stage, for all tests of the session."""
    if why := missing():
        pytest.skip(why)
    quick = (
        "--innodb-flush-log-at-trx-commit=0",
        "--skip-log-bin",
        "--innodb-buffer-pool-size=32M",
    )
    with ExitStack() as opened:
        server = MariaDB(*quick)
        opened.callback(server.stop)
        stage = Stage(tmp_path_factory.mktemp("panel"), server)
        opened.callback(stage.stop)
        yield stage


@pytest.fixture
def address(bridge: Any, received: Any) -> Iterator[str]:
    """The address of a bridge that listens."""
    server = Server(bridge.app(), "127.0.0.1", 0, threads=4)
    server.start()
    yield f"http://127.0.0.1:{server.port}"
    server.stop()


@pytest.fixture
def stage(panel_stage: Stage, secret: str, clock: Any) -> Iterator[Stage]:
    """The stage, emptied, with the bridge's clock; its add-on has no address yet.

    A notice, a warning or a deprecation in the add-on fails the test.
    """
    panel_stage.clock = None
    panel_stage.reset("http://127.0.0.1:1", secret)
    panel_stage.clock = clock
    panel_stage.complaints()
    yield panel_stage
    assert panel_stage.complaints() == ""


@pytest.fixture
def link(stage: Stage, address: str, world: Any) -> Link:
    """The simulated company on the stage, wired to the bridge that listens."""
    stage.setting("address", address)
    return Link(world, stage)


@pytest.fixture
def received(bridge: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that gives the bodies that came to the bridge, as they were."""
    bodies: list[bytes] = []
    app = bridge.app()
    inner = app.wsgi_app

    def watched(environ: Any, start_response: Any) -> Any:
        body = environ["wsgi.input"].read()
        if environ["REQUEST_METHOD"] == "POST":
            bodies.append(body)
        environ["wsgi.input"] = io.BytesIO(body)
        return inner(environ, start_response)

    app.wsgi_app = watched
    monkeypatch.setattr(bridge, "app", lambda: app)
    return lambda: [json.loads(one) for one in bodies]


@pytest.fixture
def receiver(stage: Stage) -> Iterator[Receiver]:
    """A bridge that behaves as it is told; the add-on has its address."""
    found = Receiver()
    stage.setting("address", found.url)
    yield found
    found.stop()
