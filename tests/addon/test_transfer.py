"""transfer.php: a service changes hands once, or not at all."""

from __future__ import annotations

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from bridge.signing import new_secret

from .doors import MARKS, PATH, Door, Holder, copied, furnish, new_id, request
from .doors import signed as signed_at
from .stage import ADDON, FILES

SECRET = new_secret()
#: The time on both sides: however slow the machine, what is just in time stays so.
NOW = 1_795_600_000
signed = partial(signed_at, now=NOW)


@pytest.fixture(scope="module")
def door(panel_stage):
    for statement in (FILES / "transfers.sql").read_text().split(";\n"):
        if statement.strip():
            panel_stage.sql(statement)
    door = Door(panel_stage, clock=NOW)
    yield door
    door.close()


@pytest.fixture
def whmcs(panel_stage, door):
    panel_stage.clock = None
    panel_stage.reset("https://bridge.example.com", SECRET)
    furnish(panel_stage)
    yield panel_stage
    assert door.complaints == ""


def move(door, body=None, id="", **more):
    body = request(**more) if body is None else body
    return door.ask("POST", PATH, body, signed(SECRET, body, id))


def owners(whmcs):
    services = whmcs.sql("SELECT id, userid FROM tblhosting ORDER BY id")
    addons = whmcs.sql("SELECT id, userid FROM tblhostingaddons ORDER BY id")
    return {f"{row['id']}": row["userid"] for row in services + addons}


BEFORE = {"1": 2, "9": 2, "11": 2, "12": 2, "19": 2}
AFTER = {"1": 3, "9": 2, "11": 3, "12": 3, "19": 2}


def moves(whmcs):
    return whmcs.sql("SELECT * FROM mod_hookbridge_transfers")


def test_a_service_moves_with_its_addons_and_nothing_else(whmcs, door):
    answer = move(door, id="msg_one")

    assert answer.status == 200
    assert answer.told == {
        "transfer": "msg_one",
        "status": "moved",
        "changed": {
            "service": 1,
            "from": 2,
            "to": 3,
            "addons": [11, 12],
            "subscriptions": [],
            "certificates": [],
        },
    }
    assert owners(whmcs) == AFTER
    assert whmcs.sql("SELECT userid FROM tbldomains")[0]["userid"] == 2
    assert len(moves(whmcs)) == 1


def test_both_clients_logs_tell_of_it(whmcs, door):
    move(door)

    rows = whmcs.sql("SELECT userid, description FROM tblactivitylog ORDER BY id")
    assert [row["userid"] for row in rows] == [2, 3]
    assert {row["description"] for row in rows} == {
        "Hook bridge: service 1 moved from client 2 to client 3."
    }


def test_the_old_owners_subscriptions_and_certificates_are_seen_to(whmcs, door):
    whmcs.sql("UPDATE tblhosting SET subscriptionid = 'S-1' WHERE id = 1")
    whmcs.sql("UPDATE tblhosting SET subscriptionid = 'S-9' WHERE id = 9")
    whmcs.sql("UPDATE tblhostingaddons SET subscriptionid = 'S-12' WHERE id = 12")
    whmcs.sql("INSERT INTO tblsslorders (id, userid, serviceid) VALUES (7, 2, 1)")
    whmcs.sql("INSERT INTO tblsslorders (id, userid, serviceid) VALUES (8, 2, 9)")

    changed = move(door).told["changed"]

    assert changed["subscriptions"] == ["service:1", "addon:12"]
    assert changed["certificates"] == [7]
    kept = whmcs.sql("SELECT subscriptionid AS s FROM tblhosting ORDER BY id")
    assert [row["s"] for row in kept] == ["", "S-9"]
    orders = whmcs.sql("SELECT userid FROM tblsslorders ORDER BY id")
    assert [row["userid"] for row in orders] == [3, 2]
    log = whmcs.sql("SELECT description AS d FROM tblactivitylog")[0]["d"]
    assert "cancel it at the payment gateway" in log
    assert "S-1" not in log


def test_the_same_request_twice_moves_once(whmcs, door):
    first = move(door, id="msg_twice")
    whmcs.sql("UPDATE tblhosting SET userid = 2 WHERE id = 1")

    again = move(door, id="msg_twice")

    assert again.status == 200
    assert again.told == first.told | {"status": "already"}
    assert owners(whmcs)["1"] == 2
    assert len(whmcs.sql("SELECT id FROM tblactivitylog")) == 2


def test_the_id_of_another_transfer_is_refused(whmcs, door):
    move(door, id="msg_other")

    answer = move(door, id="msg_other", service=9)

    assert (answer.status, answer.told["code"]) == (409, "other_body")
    assert owners(whmcs) == AFTER


def test_ids_are_told_apart_by_their_case(whmcs, door):
    move(door, id="msg_A")

    answer = move(door, id="msg_a", service=9)

    assert answer.told["status"] == "moved"


@pytest.mark.parametrize("id", ["~" * 256, "<script>", "'--", '"\\', "ü"[:0] + "{}"])
def test_an_odd_id_is_an_id(id, whmcs, door):
    first, again = move(door, id=id), move(door, id=id)

    assert (first.told["status"], again.told["status"]) == ("moved", "already")
    assert first.told["transfer"] == id


def invoice(status, kind, relid, id=50):
    return [
        f"INSERT INTO tblinvoices (id, userid, status) VALUES ({id}, 2, '{status}')",
        "INSERT INTO tblinvoiceitems (id, invoiceid, type, relid, description, amount)"
        f" VALUES ({id}, {id}, '{kind}', {relid}, '', 1)",
    ]


def upgrade(status, kind, relid):
    return (
        "INSERT INTO tblupgrades (id, type, relid, originalvalue, newvalue, amount,"
        f" status) VALUES (70, '{kind}', {relid}, '21', '22,annually', 50, '{status}')"
    )


CANCEL = "INSERT INTO tblcancelrequests (relid, type) VALUES ({}, 'Immediate')"
CLIENT = (
    "INSERT INTO tblclients (id, firstname, email, email_verified)"
    " VALUES (4, '', '{}', 1)"
)
REFUSED = {
    "no first client": (["DELETE FROM tblclients WHERE id = 2"], "no_client"),
    "no second client": (["DELETE FROM tblclients WHERE id = 3"], "no_client"),
    "a closed client": (
        ["UPDATE tblclients SET status = 'Closed' WHERE id = 3"],
        "client_closed",
    ),
    "the same e-mail": (
        ["UPDATE tblclients SET email = ' ANA@example.com' WHERE id = 3"],
        "same_email",
    ),
    "an e-mail that a third has": ([CLIENT.format("Beto@example.com")], "shared_email"),
    "first not verified": (
        ["UPDATE tblclients SET email_verified = 0 WHERE id = 2"],
        "not_verified",
    ),
    "second not verified": (
        ["UPDATE tblclients SET email_verified = 0 WHERE id = 3"],
        "not_verified",
    ),
    "no service": (["DELETE FROM tblhosting WHERE id = 1"], "no_service"),
    "another owner": (["UPDATE tblhosting SET userid = 4 WHERE id = 1"], "other_owner"),
    "it is the second's already": (
        ["UPDATE tblhosting SET userid = 3 WHERE id = 1"],
        "other_owner",
    ),
    "currencies": (
        ["UPDATE tblclients SET currency = 2 WHERE id = 3"],
        "currencies_differ",
    ),
    "a cancellation": ([CANCEL.format(1)], "cancellation_pending"),
    "an upgrade": ([upgrade("Pending", "package", 1)], "upgrade_pending"),
    "options": ([upgrade("Pending", "configoptions", 1)], "upgrade_pending"),
    "an add-on's upgrade": ([upgrade("Pending", "addon", 12)], "upgrade_pending"),
    "an open invoice": (invoice("Unpaid", "Hosting", 1), "invoice_open"),
    "a discount's": (invoice("Unpaid", "PromoHosting", 1), "invoice_open"),
    "of an add-on": (invoice("Unpaid", "Addon", 12), "invoice_open"),
    "being paid": (invoice("Payment Pending", "Hosting", 1), "invoice_open"),
    "in collections": (invoice("Collections", "Addon", 11), "invoice_open"),
    "in a state we never heard of": (invoice("Escrow", "Hosting", 1), "invoice_open"),
    "of an upgrade": (
        [upgrade("Completed", "package", 1), *invoice("Unpaid", "Upgrade", 70)],
        "invoice_open",
    ),
} | {
    f"{status}": (
        [f"UPDATE tblhosting SET domainstatus = '{status}' WHERE id = 1"],
        "not_active",
    )
    for status in ("Pending", "Suspended", "Terminated", "Cancelled", "Fraud")
}


@pytest.mark.parametrize(("statements", "code"), REFUSED.values(), ids=REFUSED)
def test_what_the_panel_knows_against_it_refuses_it(statements, code, whmcs, door):
    for statement in statements:
        whmcs.sql(statement)
    before = owners(whmcs)

    answer = move(door, id="msg_refused")

    assert answer.status == 409
    assert set(answer.told) == {"transfer", "status", "reason", "code"}
    assert (answer.told["status"], answer.told["code"]) == ("refused", code)
    assert answer.told["reason"].endswith(".")
    assert owners(whmcs) == before
    assert moves(whmcs) == []
    assert whmcs.sql("SELECT * FROM tblactivitylog") == []


def test_one_client_is_not_two(whmcs, door):
    answer = move(door, new=2)

    assert (answer.status, answer.told["code"]) == (409, "same_client")


ALLOWED = {
    "paid": invoice("Paid", "Hosting", 1),
    "cancelled": invoice("Cancelled", "Hosting", 1),
    "refunded": invoice("Refunded", "Addon", 11),
    "a draft": invoice("Draft", "Hosting", 1),
    "another service's": invoice("Unpaid", "Hosting", 9),
    "another's add-on": invoice("Unpaid", "Addon", 19),
    "a domain with its number": invoice("Unpaid", "Domain", 1),
    "an add-on number that is the service's": invoice("Unpaid", "Hosting", 11),
    "an upgrade number that is the service's": invoice("Unpaid", "Upgrade", 1),
    "a finished upgrade": [upgrade("Completed", "package", 1)],
    "an add-on of that number's upgrade": [upgrade("Pending", "addon", 1)],
    "a cancellation elsewhere": [CANCEL.format(9)],
}


@pytest.mark.parametrize("statements", ALLOWED.values(), ids=ALLOWED)
def test_what_concerns_something_else_does_not_stop_it(statements, whmcs, door):
    for statement in statements:
        whmcs.sql(statement)

    assert move(door).told["status"] == "moved"


def test_a_refusal_is_not_for_ever(whmcs, door):
    whmcs.sql(CANCEL.format(1))
    refused = move(door, id="msg_later")
    whmcs.sql("DELETE FROM tblcancelrequests")

    answer = move(door, id="msg_later")

    assert (refused.status, answer.told["status"]) == (409, "moved")


@pytest.mark.parametrize("value", ["on", "1", "Sí", "verified 2026-11-25"])
def test_a_custom_field_can_say_who_is_verified(value, whmcs, door):
    whmcs.sql("UPDATE tblclients SET email_verified = 0")
    fill = "INSERT INTO tblcustomfieldsvalues (fieldid, relid, value) VALUES (6, ?, ?)"
    whmcs.sql(fill, 2, value)
    refused = move(door, verified_field=6)
    whmcs.sql(fill, 3, value)

    answer = move(door, verified_field=6)

    assert (refused.told["code"], answer.told["status"]) == ("not_verified", "moved")


@pytest.mark.parametrize("value", ["", "0", "no", "off", "Não", " NÃO "])
def test_an_empty_custom_field_verifies_nobody(value, whmcs, door):
    fill = "INSERT INTO tblcustomfieldsvalues (fieldid, relid, value) VALUES (6, ?, ?)"
    whmcs.sql(fill, 2, value)
    whmcs.sql(fill, 3, value)

    assert move(door, verified_field=6).told["code"] == "not_verified"


@pytest.mark.parametrize("field", [7, 8], ids=["of a product", "of nobody"])
def test_a_field_that_is_not_the_clients_verifies_nobody(field, whmcs, door):
    for relid in (2, 3):
        whmcs.sql(
            "INSERT INTO tblcustomfieldsvalues (fieldid, relid, value)"
            " VALUES (?, ?, 'on')",
            field, relid,
        )  # fmt: skip

    assert move(door, verified_field=field).told["code"] == "not_verified"


def test_no_field_is_the_panels_own_word(whmcs, door):
    assert move(door, verified_field=None).told["status"] == "moved"


LOCKED = "SELECT id FROM tblhosting WHERE id = 1 FOR UPDATE"


def waiting(whmcs, count):
    """Wait until *count* transactions wait for a lock."""
    until = time.monotonic() + 10
    query = "SELECT COUNT(*) AS n FROM information_schema.INNODB_TRX"
    while whmcs.sql(f"{query} WHERE trx_state = 'LOCK WAIT'")[0]["n"] < count:
        assert time.monotonic() < until
        # MariaDB renews this table when nobody has read it for a tenth of a second.
        threading.Event().wait(0.15)


def together(whmcs, door, held, *asked):
    """Ask while *held* is locked, let go when all wait for it; return the answers.

    One after the other: a worker of PHP's server that does not wait yet could take
    two requests, and would answer them in turn.
    """
    calls = []
    with ThreadPoolExecutor() as pool, Holder(whmcs, held) as holder:
        for number, one in enumerate(asked, 1):
            calls.append(pool.submit(move, door, **one))
            waiting(whmcs, number)
        holder.release()
        return [call.result() for call in calls]


def test_two_at_once_with_one_id_move_once(whmcs, door):
    answers = together(whmcs, door, LOCKED, {"id": "msg_race"}, {"id": "msg_race"})

    assert sorted(a.told["status"] for a in answers) == ["already", "moved"]
    assert answers[0].told["changed"] == answers[1].told["changed"]
    assert len(moves(whmcs)) == 1
    assert len(whmcs.sql("SELECT id FROM tblactivitylog")) == 2


def test_two_at_once_to_different_clients_move_once(whmcs, door):
    whmcs.sql(CLIENT.format("carla@example.com"))

    answers = together(whmcs, door, LOCKED, {"new": 3}, {"new": 4})

    assert sorted(a.status for a in answers) == [200, 409]
    assert {a.told.get("code") for a in answers} == {None, "other_owner"}
    assert len(moves(whmcs)) == 1


def test_crossing_moves_do_not_block_each_other(whmcs, door):
    whmcs.sql("UPDATE tblhosting SET userid = 3 WHERE id = 9")
    clients = "SELECT id FROM tblclients FOR UPDATE"
    crossing = {"service": 9, "old": 3, "new": 2}

    answers = together(whmcs, door, clients, {"service": 1}, crossing)

    assert [a.told["status"] for a in answers] == ["moved", "moved"]


def test_a_refusal_of_the_first_lets_the_second_try(whmcs, door):
    """The second waited for the id; the first gave it back."""
    whmcs.sql(CANCEL.format(1))

    answers = together(whmcs, door, LOCKED, {"id": "msg_back"}, {"id": "msg_back"})

    assert [a.status for a in answers] == [409, 409]
    assert moves(whmcs) == []


def test_rows_that_somebody_else_holds_make_it_busy(whmcs, door):
    with Holder(whmcs, LOCKED):
        began = time.monotonic()
        answer = move(door, id="msg_busy")  # in vain after 30 s, the database's own 50
        took = time.monotonic() - began

    assert answer.status == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.told["status"] == "busy"
    assert took > 4
    assert owners(whmcs) == BEFORE
    assert move(door, id="msg_busy").told["status"] == "moved"


def test_a_failure_halfway_undoes_everything(whmcs, door):
    """The second of two updates fails: the first is undone with it."""
    whmcs.sql(
        "CREATE TRIGGER stop BEFORE UPDATE ON tblhostingaddons FOR EACH ROW"
        " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'MARKEDpass'"
    )
    try:
        answer = move(door, id="msg_half")
    finally:
        whmcs.sql("DROP TRIGGER stop")

    assert answer.status == 500
    assert answer.told["reason"] == "The panel failed; nothing was changed."
    assert owners(whmcs) == BEFORE
    assert moves(whmcs) == []
    log = whmcs.sql("SELECT description AS d FROM tblactivitylog")
    assert "a transfer failed" in log[0]["d"]
    assert "MARKED" not in json.dumps(log)
    assert move(door, id="msg_half").told["status"] == "moved"


def test_tables_without_transactions_are_left_to_staff(whmcs, door):
    whmcs.sql("ALTER TABLE tblhostingaddons ENGINE=MyISAM")
    try:
        answer = move(door)
    finally:
        whmcs.sql("ALTER TABLE tblhostingaddons ENGINE=InnoDB")

    assert (answer.status, answer.told["code"]) == (409, "no_transactions")
    assert owners(whmcs) == BEFORE


def test_the_table_of_moves_is_made_when_it_is_missing(whmcs, door):
    whmcs.sql("DROP TABLE mod_hookbridge_transfers")

    assert move(door).told["status"] == "moved"


def test_a_panel_without_the_younger_columns_will_do(whmcs, door):
    whmcs.sql("ALTER TABLE tblhostingaddons DROP COLUMN userid, DROP subscriptionid")
    whmcs.sql("RENAME TABLE tblsslorders TO hidden")
    try:
        answer = move(door)
    finally:
        whmcs.sql("RENAME TABLE hidden TO tblsslorders")
        whmcs.sql(
            "ALTER TABLE tblhostingaddons ADD userid INT NOT NULL DEFAULT 2,"
            " ADD subscriptionid VARCHAR(64) NOT NULL DEFAULT ''"
        )

    assert answer.told["changed"]["addons"] == [11, 12]


def refused_with_nothing_done(whmcs, answer, status):
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.told) == {"status", "reason"}
    assert owners(whmcs) == BEFORE
    assert moves(whmcs) == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_post_is_answered(method, whmcs, door):
    body = request()

    answer = door.ask(method, PATH, body, signed(SECRET, body))

    assert answer.status == 405
    assert answer.headers["allow"] == "POST"
    assert owners(whmcs) == BEFORE


KINDS = ["text/plain", "", "application/x-www-form-urlencoded", "application/jsonx"]


@pytest.mark.parametrize("kind", KINDS)
def test_only_json_is_read(kind, whmcs, door):
    body = request()

    answer = door.ask("POST", PATH, body, signed(SECRET, body) | {"Content-Type": kind})

    refused_with_nothing_done(whmcs, answer, 415)


def test_json_with_a_charset_is_json(whmcs, door):
    body = request()
    kind = {"Content-Type": "Application/JSON; charset=utf-8"}

    answer = door.ask("POST", PATH, body, signed(SECRET, body) | kind)

    assert answer.told["status"] == "moved"


def test_a_large_body_is_not_read(whmcs, door):
    body = request() + b" " * 20_000

    refused_with_nothing_done(
        whmcs, door.ask("POST", PATH, body, signed(SECRET, body)), 413
    )


UNSIGNED = {
    "no headers": lambda h: {"Content-Type": h["Content-Type"]},
    "no id": lambda h: h | {"webhook-id": ""},
    "another id": lambda h: h | {"webhook-id": "msg_another"},
    "an id with a dot": lambda h: h | {"webhook-id": "a.b"},
    "another time": lambda h: (
        h | {"webhook-timestamp": str(int(h["webhook-timestamp"]) + 1)}
    ),
    "a time in words": lambda h: h | {"webhook-timestamp": "now"},
    "another version": lambda h: (
        h | {"webhook-signature": h["webhook-signature"].replace("v1,", "v2,")}
    ),
    "no signature": lambda h: h | {"webhook-signature": "v1,"},
    "another key": lambda h: h | signed(new_secret(), request(), h["webhook-id"]),
    "too old": lambda h: signed(SECRET, request(), skew=-301),
    "too new": lambda h: signed(SECRET, request(), skew=301),
}


@pytest.mark.parametrize("change", UNSIGNED.values(), ids=UNSIGNED)
def test_what_is_not_signed_just_now_is_turned_away(change, whmcs, door):
    headers = change(signed(SECRET, request()))

    answer = door.ask("POST", PATH, request(), headers)

    refused_with_nothing_done(whmcs, answer, 401)
    assert answer.told["reason"] == "The signature or its time is not right."


def test_a_changed_body_is_not_signed(whmcs, door):
    answer = door.ask("POST", PATH, request(new=4), signed(SECRET, request()))

    refused_with_nothing_done(whmcs, answer, 401)


@pytest.mark.parametrize("skew", [-300, 300])
def test_five_minutes_off_is_near_enough(skew, whmcs, door):
    answer = door.ask("POST", PATH, request(), signed(SECRET, request(), skew=skew))

    assert answer.told["status"] == "moved"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", "password"])
def test_without_a_usable_secret_nobody_gets_in(secret, whmcs, door):
    whmcs.setting("secret", secret)

    refused_with_nothing_done(
        whmcs, door.ask("POST", PATH, request(), signed(SECRET, request())), 401
    )


def test_the_older_of_two_secrets_gets_in(whmcs, door):
    whmcs.setting("secret", f"{new_secret()} {SECRET}")

    assert move(door).told["status"] == "moved"


def test_staff_see_why_the_last_one_was_turned_away(whmcs, door):
    door.ask("POST", PATH, request(), signed(new_secret(), request()))

    assert "no signature fits" in whmcs.state()["transfer_unsigned"]


BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[1,2,3]",
    "a number": b"7",
    "null": b"null",
    "deep": b"[" * 8000,
    "not UTF-8": b'{"type":"\xff"}',
    "no type": b'{"data":{}}',
    "another type": request().replace(b'"transfer"', b'"InvoicePaid"'),
    "no data": b'{"type":"transfer"}',
    "data in a list": b'{"type":"transfer","data":[1,2,3]}',
    "a text": request(service="1"),
    "a fraction": request(service=1.5),
    "true": request(service=True),
    "null id": request(service=None),
    "a list of ids": request(service=[1]),
    "an object": request(old={"$gt": 0}),
    "none": request(new=0),
    "below none": request(new=-3),
    "too large": request(new=2**31),
    "far too large": request(new=10**30),
    "injected": request(service="1 OR 1=1"),
    "a field in words": request(verified_field="email"),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_signed_body_of_another_form_is_named(body, whmcs, door):
    answer = move(door, body)

    refused_with_nothing_done(whmcs, answer, 400)
    assert re.search(r'"(data|type)[."]|not a JSON object', answer.told["reason"])


def test_nothing_secret_is_in_any_answer_or_log(whmcs, door):
    """Service user, password, keys: not where it works, and not where it fails."""
    answers = [move(door), move(door, service=9), move(door, service=77), move(door)]
    answers.append(door.ask("POST", PATH, request(), signed(new_secret(), request())))
    logs = whmcs.sql("SELECT * FROM tblactivitylog") + moves(whmcs)
    kept = whmcs.sql("SELECT name, value FROM mod_hookbridge_state")

    seen = json.dumps([logs, kept]) + "".join(a.body.decode() for a in answers)
    for mark in (*MARKS, SECRET, SECRET[6:], "ana@example.com"):
        assert mark not in seen


INITS = {
    "prints": "<?php echo 'stray'; echo \"\\n\"; trigger_error('MARKEDpass');"
    " require __DIR__ . '/real.php'; echo 'more';",
    "prints late": "<?php require __DIR__ . '/real.php';"
    " register_shutdown_function(function () { echo 'late'; });",
    "has its own buffers": "<?php ob_start(); ob_start('strtoupper'); echo 'x';"
    " require __DIR__ . '/real.php';",
    "has buffers that change case": "<?php ob_start(function ($x) {"
    " return strtoupper($x); }); echo 'x'; require __DIR__ . '/real.php';",
    "makes a session": "<?php session_start(); header('X-Powered-By: MARKEDpass');"
    " require __DIR__ . '/real.php';",
}


@pytest.mark.parametrize("init", INITS.values(), ids=INITS)
def test_whatever_the_panel_prints_the_answer_is_json(init, whmcs, tmp_path):
    door = Door(whmcs, copied(whmcs, tmp_path / "panel", init), clock=NOW)
    try:
        answer = move(door)
    finally:
        door.close()

    assert answer.status == 200
    assert answer.told["status"] == "moved"
    assert "set-cookie" not in answer.headers
    assert "MARKED" not in str(answer)


BROKEN = {
    "ends": "<?php exit('Down for Maintenance');",
    "fails": "<?php require 'MARKEDpass.php';",
    "throws": "<?php throw new RuntimeException('MARKEDpass');",
    "redirects": "<?php header('Location: /install/'); exit;",
    "does nothing": "<?php",
    "has no database": '<?php putenv(\'STAGE_DATABASE={"host":"127.0.0.1",'
    '"port":1,"database":"x","username":"MARKEDuser","password":'
    "\"MARKEDpass\"}'); require __DIR__ . '/real.php';",
}


@pytest.mark.parametrize("init", BROKEN.values(), ids=BROKEN)
def test_a_panel_that_does_not_load_is_no_move(init, whmcs, tmp_path):
    door = Door(whmcs, copied(whmcs, tmp_path / "panel", init), clock=NOW)
    try:
        answer = move(door)
    finally:
        door.close()

    refused_with_nothing_done(whmcs, answer, 503)
    assert "location" not in answer.headers
    assert answer.headers["retry-after"] == "5"
    assert "MARKED" not in str(answer)


def test_an_addon_that_is_a_link_finds_its_panel(whmcs, tmp_path):
    folder = copied(whmcs, tmp_path / "panel", "<?php require __DIR__ . '/real.php';")
    addon = folder / "modules/addons/hookbridge"
    addon.rename(tmp_path / "elsewhere")
    addon.symlink_to(tmp_path / "elsewhere")
    door = Door(whmcs, folder, clock=NOW)
    try:
        answer = move(door)
    finally:
        door.close()

    assert answer.told["status"] == "moved"


def test_a_second_call_on_another_day_is_signed_anew(whmcs, door):
    id = new_id()
    body = request()
    first = door.ask("POST", PATH, body, signed(SECRET, body, id, skew=-60))

    again = door.ask("POST", PATH, body, signed(SECRET, body, id))

    assert (first.told["status"], again.told["status"]) == ("moved", "already")


@pytest.mark.parametrize("file", sorted(ADDON.rglob("*.php")), ids=lambda p: p.name)
def test_no_other_file_of_the_addon_says_anything(file: Path, whmcs, door):
    if file.name == "transfer.php":
        return

    answer = door.ask("GET", f"/modules/addons/hookbridge/{file.relative_to(ADDON)}")

    assert answer.body in (b"", b"This file cannot be accessed directly")
