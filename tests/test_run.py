"""`whmcs-bridge run` as a process: started, sent to, stopped, killed, started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.demo.clock import Clock
from bridge.demo.hooks import Outbox
from bridge.demo.panel import IDENTIFIER, SECRET, Panel
from bridge.demo.panel_server import PanelServer
from bridge.demo.world import World
from tests.conftest import SIGNING

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 20.0
#: The change of a map for a bridge that lives by the real clock.
NEVER_QUIET = ('quiet_hours: { from: "22:00", to: "08:00" }', "quiet_hours: null")


class Running:
    """A bridge in a process of its own; its log lines are read as they come."""

    def __init__(self, env: dict[str, str], *command: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bridge", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
            cwd=env["HERE"],
        )
        self.lines: list[str] = []
        self._listening = threading.Event()
        self._ended = threading.Event()
        self.address = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._drain = threading.Thread(target=self.process.stdout.read, daemon=True)
        self._drain.start()

    def _read(self) -> None:
        for line in self.process.stderr:
            self.lines.append(line)
            if '"listening"' in line:
                self.address = f"http://{json.loads(line)['address']}"
                self._listening.set()
        self._ended.set()
        self._listening.set()

    def ready(self) -> Running:
        assert self._listening.wait(PATIENCE)
        assert self.address, "".join(self.lines)
        return self

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        self._drain.join(PATIENCE)
        self.process.stdout.close()
        self.process.stderr.close()
        return status


@pytest.fixture
def sending():
    """Return a function that makes the panel's side of the hooks."""
    with ExitStack() as opened:

        def make(world: World, running: Running) -> Outbox:
            outbox = Outbox(world, running.address, SIGNING)
            opened.callback(outbox.stop)
            return outbox

        yield make


@pytest.fixture
def stage(tmp_path, config_with):
    """A panel with the real time, and the environment of a bridge for it."""
    clock = Clock.real("America/Argentina/Buenos_Aires")
    world = World.example(clock)
    never_quiet = config_with(NEVER_QUIET)
    with PanelServer(Panel(world)) as server:
        env = {n: v for n, v in os.environ.items() if not n.startswith("BRIDGE_")}
        env |= {
            "HERE": str(tmp_path),
            "PYTHONPATH": str(ROOT),
            "BRIDGE_SIGNING_SECRETS": SIGNING,
            "BRIDGE_DATABASE_URL": f"sqlite:///{tmp_path}/bridge.db",
            "BRIDGE_CONFIG_DIR": str(never_quiet),
            "BRIDGE_LISTEN": "127.0.0.1:0",
            "BRIDGE_DRY_RUN": "false",
            "WHMCS_URL": server.url,
            "WHMCS_API_IDENTIFIER": IDENTIFIER,
            "WHMCS_API_SECRET": SECRET,
            "WHATSAPP_CONSOLE_FILE": str(tmp_path / "messages.jsonl"),
        }
        yield world, env, tmp_path / "messages.jsonl"


def messages(file: Path, events: int, last: str = "") -> list[dict[str, str]]:
    """Return the messages once they tell of so many *events*, or what came in time.

    Events are counted and not lines: around a kill an alert may come twice. *last* is
    the name of a message that must be there too: an event may be told of by several.
    """

    def all_there(found: list[dict[str, str]]) -> bool:
        names = {one["message"] for one in found}
        told = len({one["event"] for one in found})
        return told >= events and (not last or last in names)

    waiting = threading.Event()
    until = datetime.now(UTC) + timedelta(seconds=PATIENCE)
    found = written(file)
    while not all_there(found) and datetime.now(UTC) < until:
        waiting.wait(0.02)
        found = written(file)
    return found


def written(file: Path) -> list[dict[str, str]]:
    """Return the messages that stand in the console's file by now."""
    if not file.exists():
        return []
    whole = file.read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def get(address: str) -> dict[str, object]:
    with urllib.request.urlopen(address, timeout=5) as answer:
        return json.loads(answer.read())


def test_a_hook_becomes_a_message_and_sigterm_ends_cleanly(stage, sending):
    world, env, file = stage
    running = Running(env, "run").ready()
    outbox = sending(world, running)
    world.suspend(1, "Overdue on Payment")

    outbox.flush()
    (found,) = messages(file, 1)
    ready = get(f"{running.address}/readyz")
    status = running.end(signal.SIGTERM)

    assert found["to"] == "+5491140000001"
    assert "Overdue on Payment" in found["text"]
    assert ready["status"] == "ready"
    assert status == 0
    assert "stopped" in running.lines[-1]


def test_what_was_accepted_before_a_kill_is_done_after_it(stage, sending):
    world, env, file = stage
    receiver = Running(env, "run").ready()
    outbox = sending(world, receiver)
    for service in (1, 2, 3, 4, 5):
        world.suspend(service, "x")
    outbox.flush()
    receiver.end(signal.SIGKILL)

    again = Running(env, "run").ready()
    found = messages(file, 5)
    again.end(signal.SIGTERM)

    assert outbox.pending == []
    assert len({one["event"] for one in found}) == 5


def test_a_second_bridge_on_the_same_file_is_refused_with_the_reason(stage):
    _, env, _ = stage
    first = Running(env, "run").ready()

    second = Running(env, "run")
    status = second.end(0)
    first.end(signal.SIGTERM)

    assert status == 3
    assert "another process owns" in "".join(second.lines)


def test_trigger_posts_a_signed_delivery_to_the_running_bridge(stage):
    _, env, file = stage
    running = Running(env, "run").ready()
    env = env | {"BRIDGE_LISTEN": running.address.removeprefix("http://")}
    command = [sys.executable, "-m", "bridge", "trigger", "InvoiceCreated"]

    done = subprocess.run(
        [*command, "--set", "invoiceid=1", "--id", "by-hand"],
        capture_output=True,
        text=True,
        env=env,
        cwd=env["HERE"],
        check=False,
    )
    found = messages(file, 1)
    running.end(signal.SIGTERM)

    assert done.returncode == 0, done.stderr
    assert '"status":"accepted"' in done.stdout.replace(" ", "")
    assert found[0]["event"] == "by-hand"


def test_trigger_prints_what_was_answered_as_json(stage):
    _, env, _ = stage
    running = Running(env, "run").ready()
    env = env | {"BRIDGE_LISTEN": running.address.removeprefix("http://")}
    command = [sys.executable, "-m", "bridge", "trigger", "InvoiceCreated"]

    done = subprocess.run(
        [*command, "--id", "by-hand", "--json"],
        capture_output=True,
        text=True,
        env=env,
        cwd=env["HERE"],
        check=False,
    )
    running.end(signal.SIGTERM)

    assert json.loads(done.stdout) == {
        "id": "by-hand",
        "status": 202,
        "answer": {"event": "by-hand", "status": "accepted"},
    }


def test_commands_that_change_something_work_beside_a_running_bridge(stage, sending):
    world, env, file = stage
    running = Running(env, "run").ready()
    outbox = sending(world, running)
    world.request_cancellation(11)
    outbox.flush()
    messages(file, 1)
    command = [sys.executable, "-m", "bridge", "cancellations", "withdraw"]

    done = subprocess.run(
        [*command, "service:11", "--yes"],
        capture_output=True,
        text=True,
        env=env,
        cwd=env["HERE"],
        check=False,
    )
    found = messages(file, 1, "cancellation_withdrawn")
    running.end(signal.SIGTERM)

    assert done.returncode == 0, done.stderr
    assert [one["message"] for one in found][-1] == "cancellation_withdrawn"


def test_a_bad_map_is_said_by_readyz_and_the_good_one_stays(stage):
    _, env, _ = stage
    running = Running(env, "run").ready()
    file = Path(env["BRIDGE_CONFIG_DIR"]) / "hooks.yaml"
    file.write_text("version: 1\nhooks: {Nothing: [{do: send_alrt}]}\n")
    waiting = threading.Event()
    until = datetime.now(UTC) + timedelta(seconds=PATIENCE)

    warnings: list[str] = []
    while datetime.now(UTC) < until and not any("map" in w for w in warnings):
        warnings = get(f"{running.address}/readyz")["warnings"]
        waiting.wait(0.05)
    running.end(signal.SIGTERM)

    assert any('did you mean "send_alert"' in warning for warning in warnings)
