"""The door: what is taken, kept once, refused, and what happens when it cannot be."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from effort import examples
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from bridge import __version__
from bridge.demo.hooks import sign
from bridge.intake import BODY_LIMIT
from bridge.settings import Secret
from bridge.signing import new_secret

PAID = b'{"type":"InvoicePaid","data":{"invoiceid":1}}'
OTHER = b'{"type":"InvoicePaid","data":{"invoiceid":2}}'
#: For what ends before the store, or says nothing about it.
ONE_STORE = pytest.mark.store("sqlite")
PROBLEM = "application/problem+json"


@pytest.fixture
def client(kit) -> FlaskClient:
    return kit.client()


@pytest.fixture
def post(kit, client) -> Callable[..., TestResponse]:
    """Return a function that posts a signed delivery; *more* are other headers."""

    def send(body: bytes = PAID, id: str = "msg_1", **more: str) -> TestResponse:
        headers = kit.headers(id, body, **more)
        return client.post("/hooks/whmcs", data=body, headers=headers)

    return send


def is_problem(answer: TestResponse, status: int) -> bool:
    """Tell whether an answer is a whole problem document of that status."""
    told = answer.get_json()
    assert answer.status_code == status
    assert answer.mimetype == PROBLEM
    assert (told["status"], told["type"]) == (status, "about:blank")
    assert set(told) <= {"type", "title", "status", "detail", "event"}
    return bool(told["title"])


def counted(kit, answer: str) -> float:
    """Return how many deliveries the metric counts with that answer."""
    name = "bridge_deliveries_total"
    registry = kit.bridge.bench.metrics.registry
    return registry.get_sample_value(name, {"answer": answer}) or 0.0


# --- Taken, once ---


def test_a_delivery_is_202_and_on_disk(kit, post):
    answer = post()

    assert answer.status_code == 202
    assert answer.mimetype == "application/json"
    assert answer.get_json() == {"event": "msg_1", "status": "accepted"}
    [row] = kit.events()
    assert (row.id, row.panel, row.hookpoint) == ("msg_1", "whmcs", "InvoicePaid")
    assert (row.data, row.state) == ({"invoiceid": 1}, "new")
    assert row.received_at == kit.clock.now()
    assert counted(kit, "accepted") == 1


def test_the_worker_is_woken(kit, post):
    kit.bridge.worker.wake.clear()

    post()

    assert kit.bridge.worker.wake.is_set()


def test_same_delivery_twice_is_one_event(kit, post):
    post()
    kit.clock.advance(timedelta(minutes=20))

    again = post()

    assert again.status_code == 200
    assert again.get_json() == {"event": "msg_1", "status": "duplicate"}
    assert len(kit.events()) == 1
    assert counted(kit, "duplicate") == 1


def test_same_id_with_another_body_is_409_and_the_first_stands(kit, post):
    post()

    refused = post(OTHER)

    assert is_problem(refused, 409)
    assert refused.get_json()["event"] == "msg_1"
    [row] = kit.events()
    assert (row.data, row.conflicts) == ({"invoiceid": 1}, 1)
    assert counted(kit, "conflict") == 1
    assert post().status_code == 200


def test_a_body_that_differs_in_blanks_only_is_another_body(post):
    post()

    assert post(PAID.replace(b":", b": ")).status_code == 409


def test_twenty_at_once_and_a_restart_make_one_event(kit, bridge_for):
    apps = [kit.bridge.app(), bridge_for().app()]
    headers = kit.headers("msg_1", PAID)

    first = at_once(apps[0], [(PAID, headers)] * 20)
    kit.bridge.close()
    second = at_once(apps[1], [(PAID, headers)] * 20)

    assert first == Counter({202: 1, 200: 19})
    assert second == Counter({200: 20})
    kit.bridge = bridge_for()
    assert len(kit.events()) == 1


def test_twenty_bodies_under_one_id_at_once_make_one_event(kit):
    bodies = [b'{"type":"InvoicePaid","data":{"invoiceid":%d}}' % n for n in range(20)]
    requests = [(body, kit.headers("msg_1", body)) for body in bodies]

    answers = at_once(kit.bridge.app(), requests)

    assert answers == Counter({202: 1, 409: 19})
    assert [row.conflicts for row in kit.events()] == [19]


def at_once(app: Any, requests: list[tuple[bytes, dict[str, str]]]) -> Counter[int]:
    """Post all requests at the same moment; return how often each status came."""
    answers: list[int] = []
    gate = threading.Barrier(len(requests))

    def one(body: bytes, headers: dict[str, str]) -> None:
        client = app.test_client()
        gate.wait(10)
        answer = client.post("/hooks/whmcs", data=body, headers=headers)
        answers.append(answer.status_code)

    together([lambda r=r: one(*r) for r in requests])
    return Counter(answers)


def together(functions: list[Callable[[], object]]) -> None:
    """Run functions in threads of their own, and wait for all."""
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


# --- Refused ---

UNSIGNED = {
    "no headers at all": {},
    "no signature": {"webhook-signature": ""},
    "no id": {"webhook-id": ""},
    "no timestamp": {"webhook-timestamp": ""},
    "a signature of another scheme": {"webhook-signature": "sha256=abcdef"},
    "an unknown version": {"webhook-signature": "v2,AAAA"},
    "bad base64": {"webhook-signature": "v1,%%%"},
    "not ASCII": {"webhook-signature": "v1,\u00e9\u00e9", "webhook-id": "\u00f1"},
    "an old timestamp": {"webhook-timestamp": "1"},
}


@ONE_STORE
@pytest.mark.parametrize("changed", UNSIGNED.values(), ids=UNSIGNED.keys())
def test_what_is_not_signed_is_401_and_nothing_is_kept(changed, kit, client, logged):
    headers = kit.headers("msg_1", PAID) | changed if changed else {}
    headers["Content-Type"] = "application/json"

    answer = client.post("/hooks/whmcs", data=PAID, headers=headers)

    assert is_problem(answer, 401)
    assert answer.get_json()["detail"] == "The signature or its time is not right."
    assert kit.events() == []
    [line] = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert (line["event"], line["status"]) == ("delivery refused", 401)
    assert len(line["why"]) > 20
    assert counted(kit, "401") == 1


@ONE_STORE
@pytest.mark.parametrize(("seconds", "status"), [(300, 202), (301, 401)])
@pytest.mark.parametrize("sign_of", [1, -1])
def test_a_delivery_may_be_five_minutes_off_and_no_more(
    seconds, status, sign_of, kit, client
):
    headers = kit.headers("msg_1", PAID)
    kit.clock.set(kit.clock.now() + timedelta(seconds=sign_of * seconds))

    answer = client.post("/hooks/whmcs", data=PAID, headers=headers)

    assert answer.status_code == status


@ONE_STORE
@pytest.mark.parametrize("method", ["post", "get"])
@pytest.mark.parametrize("name", ["other", "WHMCS", "whmcs%2f..", "%00", "\u00f1"])
def test_an_unknown_panel_is_404(name, method, kit, client):
    headers = kit.headers("msg_1", PAID)
    path = f"/hooks/{name}" + ("/hookpoints" if method == "get" else "")

    assert is_problem(getattr(client, method)(path, data=PAID, headers=headers), 404)
    assert kit.events() == []


TYPES = [
    ("application/json", 202),
    ("application/json; charset=utf-8", 202),
    ("APPLICATION/JSON", 202),
    ("text/plain", 415),
    ("application/x-www-form-urlencoded", 415),
    ("multipart/form-data; boundary=x", 415),
    ("application/problem+json", 415),
    ("application/jsonp", 415),
    ("", 415),
]


@ONE_STORE
@pytest.mark.parametrize(("kind", "status"), TYPES)
def test_only_json_by_content_type_is_taken(kind, status, post):
    answer = post(Content_Type=kind)

    assert answer.status_code == status
    assert status == 202 or is_problem(answer, 415)


@ONE_STORE
@pytest.mark.parametrize(("size", "status"), [(BODY_LIMIT, 202), (BODY_LIMIT + 1, 413)])
def test_a_body_of_256_kib_is_taken_and_a_byte_more_is_not(size, status, post):
    head, tail = b'{"type":"InvoicePaid","data":{"x":"', b'"}}'

    answer = post(head + b"x" * (size - len(head) - len(tail)) + tail)

    assert answer.status_code == status
    assert status == 202 or is_problem(answer, 413)


def test_a_body_without_a_length_is_counted_while_it_is_read(kit, client):
    body = b'{"type":"InvoicePaid","data":{"x":"%s"}}' % (b"x" * BODY_LIMIT)
    stream = io.BytesIO(body)
    environ = {"wsgi.input": stream, "wsgi.input_terminated": True}
    headers = kit.headers("msg_1", body)

    answer = client.post("/hooks/whmcs", headers=headers, environ_overrides=environ)

    assert is_problem(answer, 413)
    assert stream.tell() <= BODY_LIMIT + 1


BODIES = {
    "empty": (b"", 400),
    "not JSON": (b"type=InvoicePaid", 400),
    "not UTF-8": (b'{"type":"InvoicePaid","data":{"a":"\xff"}}', 400),
    "an array": (b"[]", 400),
    "null": (b"null", 400),
    "no type": (b"{}", 400),
    "a type that is no text": (b'{"type":5}', 400),
    "NaN": (b'{"type":"InvoicePaid","data":{"invoiceid":NaN}}', 400),
    "100,000 brackets": (b"[" * 100_000, 400),
    "data as a list": (b'{"type":"InvoicePaid","data":[1]}', 400),
    "data as null": (b'{"type":"InvoicePaid","data":null}', 400),
    "keys written twice": (b'{"type":"InvoicePaid","type":"InvoicePaid"}', 202),
    "a lone surrogate": (b'{"type":"InvoicePaid","data":{"invoiceid":"\\ud800"}}', 202),
    "a NUL": (b'{"type":"InvoicePaid","data":{"invoiceid":"a\\u0000b"}}', 202),
    "a huge number": (
        b'{"type":"InvoicePaid","data":{"invoiceid":1%s}}' % (b"0" * 300),
        202,
    ),
    "a float beyond all": (b'{"type":"InvoicePaid","data":{"invoiceid":1e999}}', 202),
    "a context of another kind": (b'{"type":"InvoicePaid","context":[1]}', 202),
    "a context full of other kinds": (
        b'{"type":"InvoicePaid","context":{"actor":[],"changed":{},"upgrade":5,'
        b'"invoice_lines":"x","service_id":{},"upgrade_targets":true,"domain":1}}',
        202,
    ),
    "a time of year one": (
        b'{"type":"UserChangePassword","timestamp":"0001-01-01T00:00:00Z",'
        b'"data":{"userid":1}}',
        202,
    ),
    "an unknown hookpoint": (b'{"type":"SomethingNew","data":{"id":1}}', 202),
}


@pytest.mark.parametrize(("body", "status"), BODIES.values(), ids=BODIES.keys())
def test_an_odd_body_is_400_or_stored_as_data_and_works(body, status, kit, post):
    answer = post(body)

    assert answer.status_code == status
    assert status == 202 or is_problem(answer, 400)
    assert len(kit.events()) == (1 if status == 202 else 0)
    kit.work()
    assert "unforeseen" not in repr(kit.jobs())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


@hypothesis_settings(max_examples=examples(60))
@given(
    hookpoint=st.sampled_from(["CancellationRequest", "ClientEdit", "Unknown", "\n"]),
    fields=st.dictionaries(
        st.sampled_from(["relid", "userid", "invoiceid", "params", "reason", "type"]),
        VALUES,
    ),
    context=VALUES,
)
def test_whatever_is_signed_is_taken_or_400(hookpoint, fields, context, kit, post):
    body = {"type": hookpoint, "data": fields, "context": context}
    raw = json.dumps(body).encode()

    status = post(raw, id=f"msg_{abs(hash(raw))}").status_code

    assert status in (200, 202, 400)


@ONE_STORE
@hypothesis_settings(max_examples=examples(60))
@given(body=st.binary(max_size=300))
def test_whatever_bytes_are_signed_are_400(body, post):
    assert post(body).status_code == 400


@ONE_STORE
@hypothesis_settings(max_examples=examples(60))
@given(
    names=st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]),
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60),
        min_size=1,
    )
)
def test_whatever_headers_come_without_a_signature_are_401(names, kit, client):
    headers = kit.headers("msg_1", PAID) | {"webhook-signature": "v1,AAAA"} | names

    answer = client.post("/hooks/whmcs", data=PAID, headers=headers)

    assert answer.status_code == 401


# --- Unknown and unused hookpoints ---


def test_an_unknown_hookpoint_is_kept_with_its_ids_and_has_no_rule(kit, post):
    body = b'{"type":"SomethingNew","data":{"serviceid":5,"name":"Ana","token":"x"}}'

    assert post(body).status_code == 202
    kit.work()

    [row] = kit.events()
    assert (row.data, row.state) == ({"serviceid": 5}, "no rule")
    assert row.reason == 'no rule, and the catalogue knows no hookpoint "SomethingNew"'
    assert kit.jobs() == []


def test_a_hookpoint_without_a_rule_is_kept_and_shown_as_such(kit, post):
    post(b'{"type":"TicketClose","data":{"ticketid":5}}')

    kit.work()

    [row] = kit.events()
    assert (row.state, row.reason) == ("no rule", "no rule for TicketClose in the map")


# --- Ids through the whole path ---

ODD_IDS = [
    "1\u00001", "1\u001b1", "1\r1", "11\u0000", "11 ", " 11", "１１", "11.0", "1.1e1",
    "11 OR 1=1", "11,1", "+11", "-11", "0x0b", str(2**64 + 11), "", 11.0, -11, 0,
    2**64 + 11, 2**63 + 11, True, False, None, [11], {"id": 11},
]  # fmt: skip


@ONE_STORE
@pytest.mark.parametrize("odd", ODD_IDS, ids=repr)
def test_an_odd_id_never_acts_on_another_service(odd, kit, post):
    for service in (1, 11):
        kit.world.request_cancellation(service, "Immediate")
    for row in kit.outbox.pending:
        kit.outbox._rows.remove(row)  # the panel's own word never comes
    data = {"userid": 1, "relid": odd, "type": "Immediate", "reason": ""}
    body = json.dumps({"type": "CancellationRequest", "data": data}).encode()

    assert post(body).status_code == 202
    kit.work()
    kit.advance(days=1)

    assert kit.world.count("termination") == 0
    assert kit.panel.count("ModuleTerminate") == 0
    assert [job.action for job in kit.jobs() if job.action == "terminate_service"] == []
    assert kit.sent == []


@pytest.mark.parametrize("plain", [11, "11", "011"], ids=repr)
def test_a_plain_id_does_act_on_that_service(plain, kit, post):
    kit.world.request_cancellation(11, "Immediate")
    for row in kit.outbox.pending:
        kit.outbox._rows.remove(row)
    data = {"userid": 1, "relid": plain, "type": "Immediate", "reason": ""}

    post(json.dumps({"type": "CancellationRequest", "data": data}).encode())
    kit.work()
    kit.advance(days=1)

    assert kit.panel.terminations == Counter({11: 1})


# --- The list of hookpoints ---


def test_the_panel_is_told_which_hookpoints_the_map_and_upgrades_use(kit, client):
    headers = kit.headers("msg_h", b"")

    answer = client.get("/hooks/whmcs/hookpoints", headers=headers)

    hookmap = kit.bridge.map.current
    told = answer.get_json()
    form = told.pop("transfer")
    assert answer.status_code == 200
    assert set(form["texts"]) == {"es", "en", "pt_BR"}
    assert told == {
        "hookpoints": sorted({*hookmap.rules, "InvoiceRefunded"}),
        "decisions": sorted(hookmap.decisions),
        "map": hookmap.version,
        "version": __version__,
    }
    assert "CancellationRequest" in told["hookpoints"]
    assert kit.events() == []


@ONE_STORE
def test_the_list_of_hookpoints_is_signed_for(client, kit):
    headers = kit.headers("msg_h", b"other")

    assert is_problem(client.get("/hooks/whmcs/hookpoints", headers=headers), 401)


def test_the_add_on_can_register_just_those(kit):
    kit.outbox.register()

    used = {*kit.bridge.map.current.rules, "InvoiceRefunded"}
    assert kit.outbox.registered == used


# --- It cannot be stored ---


def expect_503(answer: TestResponse) -> None:
    assert is_problem(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0


@contextlib.contextmanager
def locked(url: str) -> Iterator[None]:
    """Hold the database so that nobody else can write."""
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db:
            db.execute("BEGIN IMMEDIATE")
            yield
        return
    engine = sa.create_engine(url)
    with engine.begin() as db:
        db.exec_driver_sql("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        yield
    engine.dispose()


def test_a_locked_store_is_503_within_five_seconds_and_then_works(kit, post):
    began = time.monotonic()

    with locked(kit.bridge.store.url):
        answer = post()
        took = time.monotonic() - began

    expect_503(answer)
    assert took < 5
    assert kit.events() == []
    assert counted(kit, "503") == 1
    assert post().status_code == 202


def test_many_at_once_at_a_locked_store_are_all_answered_in_five_seconds(kit, post):
    def send(number: int) -> tuple[int, float]:
        began = time.monotonic()
        status = post(id=f"msg_{number}").status_code
        return status, time.monotonic() - began

    with locked(kit.bridge.store.url), ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, range(16)))

    assert {status for status, _ in answers} == {503}
    assert max(took for _, took in answers) < 5
    assert kit.events() == []


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of one megabyte."""
    path = tmp_path / "small"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system can only be mounted by root")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


@ONE_STORE
def test_a_full_disk_is_503_and_works_when_there_is_room(
    small_disk, sqlite_template, bridge_for, kit
):
    shutil.copyfile(sqlite_template, small_disk / "b.db")
    kit.bridge = bridge_for(database_url=f"sqlite:///{small_disk}/b.db")
    client = kit.client()
    assert client.post("/hooks/whmcs", data=PAID, headers=kit.headers("a", PAID))

    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    full = fill(kit, client)
    filler.unlink()

    expect_503(full)
    kept = {row.id for row in kit.events()}
    answer = client.post("/hooks/whmcs", data=PAID, headers=kit.headers("z", PAID))
    assert answer.status_code == 202
    assert "a" in kept


def fill(kit: Any, client: FlaskClient) -> TestResponse:
    """Post until the store takes nothing more; return that answer."""
    for number in range(200):
        body = json.dumps({"type": "TicketOpen", "data": {"subject": "x" * 2000}})
        headers = kit.headers(f"fill_{number}", body.encode())
        answer = client.post("/hooks/whmcs", data=body, headers=headers)
        if answer.status_code != 202:
            break
    return answer


@ONE_STORE
def test_an_error_while_writing_is_503_and_works_afterwards(kit, post, database_url):
    post(id="before")
    log = Path(database_url.removeprefix("sqlite:///") + "-wal")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, before[1]))
    try:
        refused = post()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    expect_503(refused)
    assert [row.id for row in kit.events()] == ["before"]
    assert post().status_code == 202


@pytest.mark.postgres
@pytest.mark.store("postgresql")
def test_an_absent_store_is_503_and_works_when_it_is_back(kit, post, postgres_gone):
    post(id="before")

    with postgres_gone():
        refused = post()

    expect_503(refused)
    assert post().status_code == 202
    assert {row.id for row in kit.events()} == {"before", "msg_1"}


# --- Floods ---


@ONE_STORE
def test_a_flood_of_forgeries_costs_few_lines_and_no_memory(kit, client, post, logged):
    headers = kit.headers("msg_1", OTHER)

    def forge(count: int) -> None:
        for _ in range(count):
            answer = client.post("/hooks/whmcs", data=PAID, headers=headers)
            assert answer.status_code == 401

    forge(200)
    tracemalloc.start()
    forge(50)
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(4):
        kit.clock.advance(timedelta(seconds=1))
        forge(200)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert len(logged.getvalue().splitlines()) <= 5 * 5  # five seconds by the clock
    assert grown < 300_000
    assert counted(kit, "401") == 1050
    assert kit.events() == []
    assert post().status_code == 202


# --- Keys ---


def environment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make *path* the only environment a bridge rereads."""
    monkeypatch.chdir(path)
    for name in list(os.environ):
        if name.startswith(("BRIDGE_", "WHMCS_", "WHATSAPP_")):
            monkeypatch.delenv(name)


def write_keys(way: str, path: Path, *secrets: str) -> None:
    """Write an environment with these secrets, in `.env` itself or in a file."""
    lines = {
        "WHMCS_URL": "https://panel.example",
        "WHMCS_API_IDENTIFIER": "x",
        "WHMCS_API_SECRET": "x",
        "BRIDGE_DRY_RUN": "true",
    }
    if way == ".env":
        lines["BRIDGE_SIGNING_SECRETS"] = ",".join(secrets)
    else:
        (path / "keys").write_text("\n".join(secrets), encoding="utf-8")
        lines["BRIDGE_SIGNING_SECRETS_FILE"] = str(path / "keys")
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    (path / "new").write_text(text, encoding="utf-8")
    (path / "new").rename(path / ".env")


@ONE_STORE
@pytest.mark.parametrize("way", [".env", "file"])
def test_keys_are_rotated_under_load_without_a_refused_delivery(
    way, kit, tmp_path, monkeypatch
):
    environment(tmp_path, monkeypatch)
    app, old, new = kit.bridge.app(), kit.secret, new_secret()
    secret, stop = [old], threading.Event()
    answers: Counter[tuple[str, int]] = Counter()
    stamp = int(kit.clock.now().timestamp())

    def send(sender: int) -> None:
        client, number = app.test_client(), 0
        while not stop.is_set():
            number, used = number + 1, secret[0]
            id = f"msg_{sender}_{number}"
            headers = kit.headers(id, PAID)
            headers["webhook-signature"] = sign(used, id, stamp, PAID)
            answer = client.post("/hooks/whmcs", data=PAID, headers=headers)
            answers[used, answer.status_code] += 1

    def rotate() -> None:
        for valid in ((old,), (new, old), (new, old), (new,)):
            write_keys(way, tmp_path, *valid)
            kit.bridge.reload_keys()
            secret[0] = valid[0]
            seen = sum(answers.values())
            while sum(answers.values()) < seen + 20:
                stop.wait(0.001)
        stop.set()

    together([rotate, *(lambda n=n: send(n) for n in range(4))])

    assert set(answers) == {(old, 202), (new, 202)}
    assert kit.bridge.settings.signing_secrets == (Secret(new),)
    assert not kit.bridge.settings.dry_run
    client = kit.client()
    refused = client.post("/hooks/whmcs", data=PAID, headers=kit.headers("late", PAID))
    assert refused.status_code == 401


@ONE_STORE
@pytest.mark.parametrize("broken", ["", "BRIDGE_SIGNING_SECRETS=\n", "\u00ff", "x y z"])
def test_a_broken_env_file_leaves_the_keys_as_they_are(
    broken, kit, post, tmp_path, monkeypatch
):
    environment(tmp_path, monkeypatch)
    (tmp_path / ".env").write_bytes(broken.encode("latin-1"))

    kit.bridge.reload_keys()

    assert post().status_code == 202


@ONE_STORE
def test_an_emptied_key_file_leaves_the_keys_as_they_are(
    kit, post, tmp_path, monkeypatch
):
    environment(tmp_path, monkeypatch)
    write_keys("file", tmp_path, "")

    kit.bridge.reload_keys()

    assert post().status_code == 202


@ONE_STORE
def test_nothing_is_printed_while_receiving(post, capfd, logged):
    for body in (PAID, OTHER, b""):
        post(body)

    assert capfd.readouterr() == ("", "")
