"""When rows leave, in which order, over which line, and what becomes of each."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from itertools import pairwise

import pytest

from bridge.signing import Delivery, read_secret, verify

PAID = {"invoiceid": 1}


def hooks(stage, *ids, **asked):
    """Fire InvoicePaid for each of *ids*, in one page."""
    return stage.page(fire=[["InvoicePaid", {"invoiceid": id}] for id in ids], **asked)


def ids(got):
    return [json.loads(one.body)["data"]["invoiceid"] for one in got]


def later(stage, **by):
    stage.clock.advance(timedelta(**by))


def test_rows_leave_in_order_over_one_line_each_signed(stage, receiver, secret, clock):
    hooks(stage, 1, 2, 3)

    assert ids(receiver.got) == [1, 2, 3]
    assert len({one.line for one in receiver.got}) == 1
    for one in receiver.got:
        delivery = Delivery.read(one.headers, one.body)
        verify(delivery, [read_secret(secret)], clock.now())
        assert one.headers["content-type"] == "application/json"
    assert stage.rows() == []


def test_the_instant_is_the_hooks_own_with_the_panels_zone(stage, receiver):
    receiver.behave = 503
    hooks(stage, 1)
    receiver.behave = "ok"
    later(stage, minutes=30)

    stage.cron()

    first, again = receiver.posts()
    assert json.loads(again.body)["timestamp"] == "2026-11-02T10:00:00-03:00"
    assert again.body == first.body
    assert again.id == first.id
    assert (
        int(again.headers["webhook-timestamp"])
        - int(first.headers["webhook-timestamp"])
        == 1800
    )
    assert again.headers["webhook-signature"] != first.headers["webhook-signature"]


FAILURES = (
    500,
    503,
    502,
    401,
    403,
    404,
    405,
    415,
    429,
    "html",
    "redirect",
    "cut",
    "other",
    "empty",
    "endless",
)


@pytest.mark.parametrize("behave", FAILURES)
def test_what_is_no_answer_of_the_bridge_is_tried_again(stage, receiver, behave):
    receiver.behave = behave

    hooks(stage, 1, 2)

    assert ids(receiver.got) == [1]
    assert [row["state"] for row in stage.rows()] == ["waiting", "waiting"]
    assert stage.rows()[0]["error"]
    assert stage.state()["last_error"] == stage.rows()[0]["error"]
    receiver.behave = "ok"
    later(stage, minutes=10)
    hooks(stage, 3)
    assert ids(receiver.got) == [1, 1, 2, 3]
    assert stage.rows() == []


@pytest.mark.parametrize("behave", [400, 409, 413])
def test_what_will_never_be_taken_is_parked_and_the_rest_goes_on(
    stage, receiver, behave
):
    receiver.behave = lambda got: behave if ids([got]) == [2] else "ok"

    hooks(stage, 1, 2, 3)

    assert ids(receiver.got) == [1, 2, 3]
    (row,) = stage.rows()
    assert (row["state"], row["status"], row["error"]) == (
        "parked", behave, f"HTTP {behave} Not so",
    )  # fmt: skip
    (said,) = stage.sql("SELECT description FROM tblactivitylog")
    assert "parked" in said["description"]


def test_after_a_failure_nothing_more_is_tried_in_that_request(stage, receiver):
    receiver.behave = 503

    stage.cron_process(["InvoicePaid", PAID, 3])

    assert len(receiver.got) == 1


def test_the_pause_grows_with_each_failure_and_ends_with_a_success(stage, receiver):
    receiver.behave = 503
    tries, began = [], stage.clock.now()
    for _ in range(400):
        before = len(receiver.got)
        stage.cron() if tries else hooks(stage, 1)
        if len(receiver.got) > before:
            tries.append((stage.clock.now() - began).total_seconds())
        later(stage, seconds=30)
        if len(tries) == 9:
            break

    gaps = [after - before for before, after in pairwise(tries)]
    assert gaps[0] == 30
    assert 120 < max(gaps) <= 330
    receiver.behave = "ok"
    later(stage, minutes=6)
    stage.cron()
    assert "pause" not in stage.state()


def test_a_clock_that_was_set_back_makes_no_pause_of_days(stage, receiver):
    receiver.behave = 503
    hooks(stage, 1)
    receiver.behave = "ok"
    stage.sql(
        "UPDATE mod_hookbridge_state SET updated_at = updated_at + 86400 WHERE name = 'pause'"
    )

    stage.cron()

    assert stage.rows() == []


def until_aside(stage, receiver):
    for _ in range(12):
        stage.no_pause()
        stage.cron()
        if any(row["state"] == "aside" for row in stage.rows()):
            return
    raise AssertionError("it never stepped aside")


@pytest.mark.parametrize("behave", [500, 503, 403, "html", "cut"])
def test_a_row_that_alone_fails_steps_aside_and_is_tried_later(stage, receiver, behave):
    hooks(stage, 1)
    receiver.behave = lambda got: behave if got.body and ids([got]) == [2] else "ok"
    hooks(stage, 2, 3, 4)

    until_aside(stage, receiver)
    stage.no_pause()
    stage.cron()

    (row,) = stage.rows()
    assert (row["state"], row["tries"] >= 5) == ("aside", True)
    accepted = [id for id in ids(receiver.posts()) if id != 2]
    assert [id for id in accepted if id != 1] == [3, 4]
    receiver.behave = "ok"
    later(stage, hours=1)
    stage.cron()
    assert stage.rows() == []


def test_without_a_row_delivered_before_another_one_is_the_proof(stage, receiver):
    receiver.behave = lambda got: 500 if got.body and ids([got]) == [1] else "ok"
    hooks(stage, 1, 2, 3)

    until_aside(stage, receiver)
    stage.no_pause()
    stage.cron()

    assert [row["state"] for row in stage.rows()] == ["aside"]
    assert set(ids(receiver.posts())) == {1, 2, 3}


@pytest.mark.parametrize("behave", [503, "html", 500])
def test_after_two_hours_without_a_bridge_all_arrive_once_in_order(
    stage, receiver, behave
):
    hooks(stage, 0)
    receiver.got.clear()
    receiver.behave = behave
    for number in range(1, 25):
        stage.cron(["InvoicePaid", {"invoiceid": number}])
        later(stage, minutes=5)
    assert len(stage.rows()) == 24
    taken = []

    def well(got):
        if got.path == "/hooks/whmcs" and ids([got]) != [0]:
            taken.append(got)
        return "ok"

    receiver.behave = well
    later(stage, minutes=5)
    stage.cron()

    assert ids(taken) == list(range(1, 25))
    assert stage.rows() == []


def test_two_crons_at_once_send_no_row_twice(stage, receiver):
    receiver.behave = 503
    hooks(stage, *range(40))
    receiver.got.clear()
    stage.no_pause()
    receiver.behave = lambda got: receiver.after(0.01)
    crons = [threading.Thread(target=stage.cron_process) for _ in range(3)]
    for one in crons:
        one.start()
    for one in crons:
        one.join()

    assert ids(receiver.posts()) == list(range(40))
    assert stage.rows() == []


def test_a_courier_that_died_holds_the_rows_for_half_a_minute_only(stage, receiver):
    now = int(stage.clock.now().timestamp())
    stage.sql(
        "INSERT INTO mod_hookbridge_state VALUES ('courier', 'dead', ?)", now + 30
    )
    hooks(stage, 1)
    assert receiver.got == []

    later(stage, seconds=31)
    hooks(stage, 2)

    assert ids(receiver.got) == [1, 2]


def test_what_was_said_is_said_again_after_an_hour_and_then_forgotten(stage, receiver):
    receiver.behave = 400
    for minutes in (0, 10, 70):
        later(stage, minutes=minutes)
        hooks(stage, 1)
    lines = stage.sql("SELECT description FROM tblactivitylog")
    before = [name for name in stage.state() if name.startswith("said:")]

    later(stage, hours=3)
    stage.cron()

    assert (len(lines), len(before)) == (2, 1)
    assert [name for name in stage.state() if name.startswith("said:")] == []
    assert "last_error" in stage.state()


def test_nothing_is_dropped_before_30_days(stage, receiver):
    receiver.behave = 503
    hooks(stage, 1)
    later(stage, days=29, hours=23)
    hooks(stage, 2)
    stage.cron()
    assert len(stage.rows()) == 2

    later(stage, hours=2)
    stage.cron()

    assert [json.loads(row["body"])["data"]["invoiceid"] for row in stage.rows()] == [2]
    said = stage.sql("SELECT description FROM tblactivitylog")
    assert "1 rows older than 30 days" in said[-1]["description"]


def test_five_thousand_invoices_in_one_cron_leave_in_that_cron(stage, receiver):
    stage.cron_process(["InvoicePaid", PAID, 5000])

    assert stage.rows() == []
    assert len({one.id for one in receiver.posts()}) == 5000
    assert len(receiver.posts()) == 5000
    assert len({one.line for one in receiver.posts()}) <= 2


def test_the_cron_goes_on_only_while_the_bridge_is_swift(stage, receiver):
    receiver.behave = lambda got: receiver.after(0.6)
    stage.setting("address", "")
    hooks(stage, *range(20))
    stage.setting("address", receiver.url)

    told = stage.cron()

    assert told["cron"] < 3.5
    assert 3 <= len(receiver.posts()) <= 5


def test_a_row_in_a_transaction_that_never_ends_is_never_sent(stage, receiver):
    code = (
        "require 'init.php'; use WHMCS\\Database\\Capsule;"
        "Capsule::connection()->getPdo()->beginTransaction();"
        "Stage::fire('InvoicePaid', [['invoiceid' => 1]]);"
    )

    stage.php(code)

    assert receiver.got == []
    assert stage.rows() == []
