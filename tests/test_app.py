"""Health, readiness, metrics, and what any address answers to any request."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from bridge.app import allowed
from bridge.errors import Reason, RemoteError
from bridge.store import book, limits

CONFIG = Path(__file__).parent.parent / "config"
PROBLEM = "application/problem+json"
PAID = b'{"type":"InvoicePaid","data":{"invoiceid":1}}'

pytestmark = pytest.mark.store("sqlite")


@pytest.fixture
def client(kit) -> FlaskClient:
    return kit.client()


def beat(kit: Any) -> None:
    """Let a worker be heard of."""
    now = kit.clock.now()
    kit.bridge.store.write(lambda db: book.mark(db, "worker", now))


# --- Health and readiness ---


def test_healthz_says_alive(client):
    answer = client.get("/healthz")

    assert (answer.status_code, answer.get_json()) == (200, {"status": "alive"})


def test_readyz_is_200_with_store_map_and_worker(kit, client):
    beat(kit)

    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.get_json() == {"status": "ready", "warnings": []}


def test_readyz_is_503_with_the_reason_when_no_worker_was_ever_heard_of(client):
    answer = client.get("/readyz")

    assert (answer.status_code, answer.mimetype) == (503, PROBLEM)
    assert answer.get_json()["reasons"] == ["no worker was heard of lately"]


@pytest.mark.parametrize(("later", "status"), [(0, 200), (1, 503)])
def test_readyz_turns_red_when_the_worker_falls_silent(later, status, kit, client):
    beat(kit)
    kit.clock.advance(book.SILENCE + timedelta(seconds=later))

    assert client.get("/readyz").status_code == status


def test_readyz_is_503_when_the_store_is_closed(kit, client):
    beat(kit)
    kit.bridge.store.close()

    answer = client.get("/readyz")

    assert answer.status_code == 503
    [reason] = answer.get_json()["reasons"]
    assert reason == "the database cannot be written: the store is closed"


def test_readyz_stays_200_with_warnings_for_dry_run_and_an_open_circuit(
    kit, bridge_for
):
    kit.bridge = bridge_for(dry_run=True)
    beat(kit)
    locked = RemoteError("whmcs", Reason.DENIED_CREDENTIALS, "Authentication Failed")
    kit.bridge.bench.panel_circuit.failed(locked)

    answer = kit.client().get("/readyz")

    first, second = answer.get_json()["warnings"]
    assert answer.status_code == 200
    assert "calls to whmcs are held back" in first
    assert second.startswith("dry run: nothing is sent")


def test_readyz_says_that_the_stop_switch_holds(kit, client):
    beat(kit)
    now = kit.clock.now()
    kit.bridge.store.write(lambda db: limits.hold(db, now, "eva", "odd requests"))

    answer = client.get("/readyz")

    [warning] = answer.get_json()["warnings"]
    assert answer.status_code == 200
    assert "the stop switch holds terminations" in warning
    assert "eva" not in warning
    assert "odd" not in warning


def test_readyz_says_that_a_clock_behind_the_store_makes_acting_pause(kit, client):
    kit.world.change_password(1)
    kit.flush()
    kit.clock.set(kit.clock.now() - timedelta(minutes=6))
    beat(kit)

    answer = client.get("/readyz")

    [warning] = answer.get_json()["warnings"]
    assert answer.status_code == 200
    assert "holds something of 2026-11-02 13:00 UTC" in warning


@pytest.fixture
def own_config(tmp_path, copy_config) -> Path:
    """A copy of the map that a test may spoil."""
    return copy_config(tmp_path / "config")


def test_a_bad_map_is_a_warning_and_a_metric_and_the_old_one_stays(
    kit, bridge_for, own_config
):
    kit.bridge = bridge_for(config_dir=own_config)
    beat(kit)
    version = kit.bridge.map.current.version
    (own_config / "hooks.yaml").write_text("version: 1\nhooks: [", encoding="utf-8")

    kit.bridge.map.refresh()
    ready = kit.client().get("/readyz")
    metrics = kit.client().get("/metrics").text

    assert ready.status_code == 200
    assert "the newest map is not in use" in ready.get_json()["warnings"][0]
    assert kit.bridge.map.current.version == version
    assert "bridge_map_bad 1.0" in metrics


# --- Metrics ---


def test_metrics_are_in_the_prometheus_format_and_count(kit, client):
    headers = kit.headers("msg_1", PAID)
    client.post("/hooks/whmcs", data=PAID, headers=headers)
    client.post("/hooks/whmcs", data=PAID)

    answer = client.get("/metrics")

    assert answer.mimetype == "text/plain"
    assert 'bridge_deliveries_total{answer="accepted"} 1.0' in answer.text
    assert 'bridge_deliveries_total{answer="415"} 1.0' in answer.text
    assert "bridge_dry_run 0.0" in answer.text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("127.0.0.1", 200),
        ("::ffff:127.0.0.1", 200),
        ("127.0.0.2", 403),
        ("::1", 403),
        ("10.0.0.1", 403),
        ("", 403),
        ("unix:", 403),
    ],
)
def test_metrics_are_for_the_allowed_addresses_only(address, status, client):
    answer = client.get("/metrics", environ_base={"REMOTE_ADDR": address})

    assert answer.status_code == status
    assert status == 200 or answer.mimetype == PROBLEM


def test_a_forwarded_address_counts_only_from_a_trusted_proxy(bridge_for):
    spoofed = {"X-Forwarded-For": "127.0.0.1"}
    outside = {"REMOTE_ADDR": "10.0.0.1"}

    direct = bridge_for().app().test_client()
    behind = bridge_for(trusted_proxies=1).app().test_client()

    answer = direct.get("/metrics", headers=spoofed, environ_base=outside)
    assert answer.status_code == 403
    answer = behind.get("/metrics", headers=spoofed, environ_base=outside)
    assert answer.status_code == 200
    twice = {"X-Forwarded-For": "127.0.0.1, 10.0.0.9"}
    answer = behind.get("/metrics", headers=twice, environ_base=outside)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("address", "networks", "found"),
    [
        ("10.1.2.3", ("10.0.0.0/8",), True),
        ("11.1.2.3", ("10.0.0.0/8", "127.0.0.1"), False),
        ("fd00::1", ("fd00::/8",), True),
        ("10.1.2.3", (), False),
        ("nonsense", ("0.0.0.0/0",), False),
    ],
)
def test_an_address_lies_in_a_network_or_not(address, networks, found):
    assert allowed(address, networks) is found


# --- Any address, any method ---

METHODS = [
    ("/hooks/whmcs", {"POST"}),
    ("/decisions/whmcs", {"POST"}),
    ("/hooks/whmcs/hookpoints", {"GET", "HEAD"}),
    ("/healthz", {"GET", "HEAD"}),
    ("/readyz", {"GET", "HEAD"}),
    ("/metrics", {"GET", "HEAD"}),
]
EVERY = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "X"]


@pytest.mark.parametrize(("path", "allow"), METHODS)
def test_a_method_that_an_address_does_not_take_is_405_with_allow(path, allow, client):
    answers = [client.open(path, method=m) for m in EVERY if m not in allow]

    told = [set(one.headers["Allow"].split(", ")) for one in answers]
    assert {(one.status_code, one.mimetype) for one in answers} == {(405, PROBLEM)}
    assert told == [allow] * len(answers)


def test_head_of_health_is_an_empty_200(client):
    answer = client.head("/healthz")

    assert (answer.status_code, answer.data) == (200, b"")


LOST = [
    "/",
    "/hooks",
    "/hooks/",
    "/hooks/whmcs/",
    "//hooks/whmcs",
    "/hooks//whmcs",
    "/HOOKS/whmcs",
    "/hooks/whmcs/hookpoints/",
    "/hooks/whmcs/../../healthz",
    "/hooks/%77hmcs%2f",
    "/hooks/%ff%fe",
    "/static/x",
    "/.env",
    "/index.php?s=<script>alert(1)</script>",
    "/hooks/<script>",
    "/" + "x" * 4000,
]


@pytest.mark.parametrize("path", LOST, ids=lambda path: path[:30])
def test_an_address_nobody_lives_at_is_a_404_problem_and_never_a_redirect(path, client):
    read, posted = client.get(path), client.post(path, json={})

    assert posted.status_code == 404
    assert read.status_code in (404, 405)
    assert read.mimetype == posted.mimetype == PROBLEM
    assert b"<" not in read.data + posted.data
    assert "Location" not in {*read.headers.keys(), *posted.headers.keys()}


@pytest.mark.parametrize("host", ["evil.example", "a b", "\u00e9", "[::1", "x:99999"])
def test_a_strange_host_header_changes_nothing(host, client):
    answer = client.get("/healthz", headers={"Host": host})

    assert answer.status_code == 200


def test_what_nobody_foresaw_is_a_500_problem_without_a_word_of_it(kit, logged):
    app = kit.bridge.app()

    def broken() -> Any:
        raise RuntimeError("marked: the text of an error may hold anything")

    app.extensions["door"] = replace(app.extensions["door"], now=broken)
    headers = kit.headers("msg_1", PAID)

    answer = app.test_client().post("/hooks/whmcs", data=PAID, headers=headers)

    assert (answer.status_code, answer.mimetype) == (500, PROBLEM)
    [line] = logged.getvalue().splitlines()
    assert json.loads(line)["error"] == "RuntimeError"
    assert "marked" not in answer.text + line
    assert "Traceback" not in answer.text + line
