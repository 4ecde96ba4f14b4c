"""Whatever is wrong, the page is as it was, soon, and empty of our words."""

from __future__ import annotations

import io
import json
import socket
from types import SimpleNamespace

import pytest

from bridge.server import Server

PAID = {"invoiceid": 1}
#: Connecting 0.5 s, all tries 2 s, and what a loaded machine adds.
LONGEST = 2.9


@pytest.mark.parametrize("behave", ["hang", "dribble", "endless"])
def test_a_bridge_that_does_not_finish_holds_a_page_two_seconds(
    stage, receiver, behave
):
    receiver.behave = behave
    fire = [
        ["InvoicePaid", PAID, 3],
        ["ShoppingCartValidateUpgrade", {"id": 1, "pid": 2}],
    ]

    told = stage.page(fire=fire)

    assert told["answers"] == [[], [], [], [[]]]
    assert told["took"] < LONGEST
    assert len(stage.rows()) == 3
    assert stage.page(fire=fire[:1])["took"] < 0.5


def test_a_bridge_that_takes_no_connection_holds_a_page_half_a_second(stage):
    # A listener whose queue is full neither refuses nor accepts.
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        callers = [socket.socket() for _ in range(3)]
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(address)
        stage.setting("address", f"http://127.0.0.1:{address[1]}")

        told = stage.page(fire=[["InvoicePaid", PAID, 2]])

        for caller in callers:
            caller.close()
    assert told["took"] < 1.2
    (first, second) = stage.rows()
    assert first["error"] == "the bridge could not be reached in time"
    assert (first["strikes"], second["tries"]) == (0, 0)


def by_name(stage, receiver):
    """Give the add-on the bridge's address by name, not by number."""
    stage.setting("address", receiver.url.replace("127.0.0.1", "localhost"))


def test_a_page_waits_for_no_name_server(stage, receiver):
    """curl would wait ten seconds for one that is dead, whatever its time limits."""
    by_name(stage, receiver)

    told = stage.page(fire=[["InvoicePaid", PAID], ["ShoppingCartValidateUpgrade", {}]])
    waiting = stage.rows()
    last_error = stage.state()["last_error"]
    stage.cron()
    stage.fire("InvoicePaid", PAID)

    assert told["answers"] == [[], [[]]]
    assert len(waiting) == 1
    assert "the name of the bridge was not looked up yet" in last_error
    assert stage.state()["bridge_ip"] == "localhost 127.0.0.1"
    assert (stage.rows(), len(receiver.posts())) == ([], 2)


def test_a_page_goes_where_the_name_led_last(stage, receiver):
    """Nothing listens at .2; the cron finds out that the bridge has moved."""
    by_name(stage, receiver)
    known = "REPLACE INTO mod_hookbridge_state VALUES ('bridge_ip', ?, 1)"
    stage.sql(known, "localhost 127.0.0.2")

    stage.fire("InvoicePaid", PAID)
    left = stage.state()["last_error"]
    stage.no_pause()
    stage.cron()

    assert left == "nothing listens at the address of the bridge"
    assert stage.state()["bridge_ip"] == "localhost 127.0.0.1"
    assert len(receiver.posts()) == 1


@pytest.mark.parametrize(
    "kept",
    ["other.example 127.0.0.1", "localhost", "localhost x", "", "localhost ::1 a"],
)
def test_what_is_kept_of_another_name_is_not_used(stage, receiver, kept):
    by_name(stage, receiver)
    stage.sql("REPLACE INTO mod_hookbridge_state VALUES ('bridge_ip', ?, 1)", kept)

    stage.fire("InvoicePaid", PAID)

    assert receiver.got == []


def test_a_bridge_that_is_down_is_said_in_words(stage):
    told = stage.page(fire=[["InvoicePaid", PAID]])

    assert told["took"] < 1
    assert stage.state()["last_error"] == "nothing listens at the address of the bridge"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("secret", "", "The secret is not set."),
        ("secret", "whsec_abc", "The secret is not one of the bridge: it begins with whsec_ and is base64 of 24 bytes or more."),
        ("address", "", "The address of the bridge is not set."),
        ("address", "http://bridge.example.com", "The address of the bridge must begin with https:// (http:// only for this machine)."),
        ("address", "javascript:alert(1)", "The address of the bridge is not an address like https://bridge.example.com."),
        ("address", "https://user:pw@bridge.example.com", "The address of the bridge is not an address like https://bridge.example.com."),
    ],
)  # fmt: skip
def test_without_settings_rows_wait_and_the_reason_is_said(stage, name, value, words):
    stage.setting(name, value)

    assert stage.fire("InvoicePaid", PAID) == []
    assert stage.fire("ShoppingCartValidateUpgrade", {"id": 1, "pid": 2}) == [[]]

    assert [row["state"] for row in stage.rows()] == ["waiting"]
    assert words in stage.state()["last_error"]
    stage.cron()
    assert "pause" not in stage.state()


def test_without_any_setting_at_all_it_is_the_same(stage):
    stage.sql("DELETE FROM tbladdonmodules")

    assert stage.fire("InvoicePaid", PAID) == []
    assert stage.cron(["ClientAdd", {"client_id": 1}])["answers"] == [[]]

    assert len(stage.rows()) == 2


@pytest.fixture
def without(stage):
    """Return a function that takes one of the add-on's tables away for a while."""
    gone = []

    def take(table):
        stage.sql(f"RENAME TABLE {table} TO {table}_gone")
        gone.append(table)

    yield take
    for table in gone:
        stage.sql(f"RENAME TABLE {table}_gone TO {table}")


def test_without_the_outbox_the_event_is_sent_from_memory_once(
    stage, receiver, without
):
    without("mod_hookbridge_outbox")

    told = stage.page(fire=[["InvoicePaid", PAID, 2]])

    assert told["answers"] == [[], []]
    assert [one.type for one in receiver.got] == ["InvoicePaid", "InvoicePaid"]
    said = stage.sql("SELECT description FROM tblactivitylog")
    assert len(said) == 1
    assert "mod_hookbridge_outbox cannot be written" in said[0]["description"]


def test_without_any_table_of_ours_pages_and_cron_go_on(stage, receiver, without):
    without("mod_hookbridge_outbox")
    without("mod_hookbridge_state")

    assert stage.page(fire=[["InvoicePaid", PAID]])["answers"] == [[]]
    assert stage.fire("ShoppingCartValidateUpgrade", {"id": 1, "pid": 2}) == [[]]
    stage.cron_process(["InvoicePaid", PAID])


def test_a_full_disk_is_no_matter_of_the_page(stage, receiver):
    # A column that takes no more is what a full disk looks like from here: the
    # INSERT is refused. (A quota on the folder needs root and a file system.)
    stage.sql(
        "CREATE TRIGGER full_disk BEFORE INSERT ON mod_hookbridge_outbox FOR EACH ROW"
        " SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'The table is full'"
    )
    try:
        told = stage.page(fire=[["InvoicePaid", PAID]])
    finally:
        stage.sql("DROP TRIGGER full_disk")

    assert told["answers"] == [[]]
    assert [one.type for one in receiver.got] == ["InvoicePaid"]


def test_a_locked_table_of_the_panel_costs_only_the_context(stage, receiver):
    stage.sql("RENAME TABLE tblinvoiceitems TO tblinvoiceitems_gone")
    try:
        stage.fire("InvoicePaid", PAID, as_="client")
    finally:
        stage.sql("RENAME TABLE tblinvoiceitems_gone TO tblinvoiceitems")

    body = json.loads(receiver.got[0].body)
    assert body["data"] == {"invoiceid": 1}
    assert body["context"] == {"actor": "client"}


ODD = [
    ("an object", {"*": [{"object": "x"}]}),
    ("several", {"*": [{"object": "x"}, True, None]}),
    ("nothing", {"*": []}),
    ("a text", {"*": ["text"]}),
    ("null", {"*": [None]}),
    ("nulls inside", {"invoiceid": None, "invoice": None}),
    ("lists inside", {"invoiceid": [1, 2], "status": {"a": 1}}),
    ("bytes that are no text", {"invoiceid": 1, "status": {"bytes": "636166e9"}}),
]


@pytest.mark.parametrize(
    "arguments", [one[1] for one in ODD], ids=[one[0] for one in ODD]
)
def test_odd_variables_are_no_matter(stage, receiver, arguments):
    for hookpoint in (
        "InvoiceCreated",
        "ClientEdit",
        "AfterModuleSuspend",
        "DomainDelete",
    ):
        assert stage.fire(hookpoint, arguments) == []
    for hookpoint in ("OrderProductUpgradeOverride", "PreUpgradeCheckout"):
        assert stage.fire(hookpoint, arguments) == [[]]

    sent = [json.loads(one.body) for one in receiver.posts()]
    assert [type(one["data"]) for one in sent] == [dict] * 4


def test_variables_that_hold_themselves_cost_no_time(stage, receiver):
    """Arrays in PHP may: what is looked through ends somewhere."""
    code = (
        "require 'init.php'; $a = ['client_id' => 5, 'city' => 'Salta', 'password' => 'MARKED-1'];"
        "for ($n = 0; $n < 300; $n++) { $a['x' . $n] = &$a; }"
        "$began = microtime(true); Stage::fire('ClientAdd', [$a]); echo microtime(true) - $began;"
    )

    assert float(stage.php(code)) < 1
    (body,) = [json.loads(one.body) for one in receiver.posts()]
    assert body["data"] == {"client_id": 5, "city": "Salta"}


def test_what_the_bridge_says_is_no_markup_in_the_panels_log(stage, receiver):
    title = "<script>alert(1)</script>\n\x00a & b"
    receiver.behave = lambda got: (400, title)

    stage.fire("InvoicePaid", PAID)

    (row,) = stage.rows()
    said = stage.sql("SELECT description FROM tblactivitylog")[0]["description"]
    for text in (row["error"], said):
        assert "script alert(1) /script a & b" in text
        assert "<" not in text


def test_an_event_always_fits_however_long_its_texts_are(stage, receiver):
    fat = "😀" * 30_000
    names = ["firstname", "lastname", "companyname", "email", "address1", "address2", "city",
             "state", "postcode", "country", "phonenumber", "tax_id"]  # fmt: skip
    lines = ", ".join(
        f"({n}, 1, '{'Hosting' * 4}', {n}, '', 1, '2026-11-02')" for n in range(1, 900)
    )
    stage.sql(
        "INSERT INTO tblinvoiceitems (id, invoiceid, type, relid, description, amount, duedate)"
        f" VALUES {lines}"
    )

    stage.fire("ClientAdd", {"client_id": 5} | dict.fromkeys(names, fat))
    stage.fire(
        "InvoiceCreated", {"invoiceid": 1, "status": fat, "source": fat, "user": fat}
    )

    client, invoice = receiver.posts()
    assert max(len(client.body), len(invoice.body)) <= 256 * 1024
    assert json.loads(client.body)["data"]["client_id"] == 5
    assert set(json.loads(client.body)["data"]["city"]) == {"😀"}
    assert len(json.loads(invoice.body)["context"]["invoice_lines"]) == 100


def test_writing_into_the_panels_log_makes_no_loop(stage, receiver):
    receiver.hookpoints = {
        "hookpoints": ["LogActivity", "InvoicePaid"],
        "decisions": [],
        "map": "2",
    }
    stage.cron()
    receiver.behave = 400

    stage.fire("InvoicePaid", PAID)

    assert [row["hookpoint"] for row in stage.rows()] == ["InvoicePaid"]


def test_an_answer_that_is_lost_brings_the_row_again_as_a_duplicate(
    stage, bridge, world, sent
):
    """To the add-on, a bridge that is killed in mid-answer is just that."""
    app, answers, bodies = bridge.app(), [], []

    def loses(environ, start_response):
        body = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(body)
        bodies.append(body)
        told = b"".join(app.wsgi_app(environ, start_response))
        answers.append(json.loads(told)["status"])
        return [told[:5]] if len(answers) == 1 else [told]

    server = Server(SimpleNamespace(wsgi_app=loses), "127.0.0.1", 0, threads=2)
    server.start()
    stage.setting("address", f"http://127.0.0.1:{server.port}")
    stage.fire("UserChangePassword", {"userid": 1, "password": "x"})
    (row,) = stage.rows()
    stage.no_pause()

    stage.cron()
    server.stop()
    bridge.worker.drain()

    assert row["tries"] == 1
    assert answers[:2] == ["accepted", "duplicate"]
    assert bodies[0] == bodies[1]
    assert stage.rows() == []
    assert len(sent) == 1
