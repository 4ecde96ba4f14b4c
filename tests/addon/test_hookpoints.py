"""Which hookpoints are registered, asked for by the cron and kept."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

ODD = [
    [], "text", None, 5, {"hookpoints": ["InvoicePaid"]},
    {"hookpoints": "InvoicePaid", "decisions": [], "map": "x"},
    {"hookpoints": ["no such', 'thing"], "decisions": [], "map": "x"},
    {"hookpoints": [5], "decisions": [], "map": "x"},
    {"hookpoints": ["InvoicePaid"], "decisions": None, "map": "x"},
    {"hookpoints": ["InvoicePaid"], "decisions": [], "map": ["x"]},
]  # fmt: skip


def told(stage):
    kept = stage.state().get("hookpoints")
    return kept and json.loads(kept)["map"]


def asked(receiver):
    return [one for one in receiver.got if one.path.endswith("/hookpoints")]


def test_before_the_first_answer_it_is_the_default_map(stage, receiver):
    stage.fire("QuoteStatusChange", {"quoteid": 1, "status": "Delivered"})
    stage.fire("TicketOpen", {"ticketid": 1})

    assert [one.type for one in receiver.got] == ["QuoteStatusChange"]


def test_what_the_bridge_says_is_registered_from_the_next_page_on(stage, receiver):
    receiver.hookpoints = {"hookpoints": ["TicketOpen"], "decisions": [], "map": "m2"}

    stage.cron()
    answers = stage.fire("ShoppingCartValidateUpgrade", {"id": 1, "pid": 2})
    stage.fire("QuoteStatusChange", {"quoteid": 1, "status": "Delivered"})
    stage.fire("TicketOpen", {"ticketid": 7, "message": "x"})

    assert answers == []
    assert [json.loads(one.body)["data"] for one in receiver.posts()] == [
        {"ticketid": 7}
    ]


def test_a_rule_added_to_the_real_map_works_without_touching_the_panel(
    stage, address, bridge, received
):
    stage.setting("address", address)
    more = dict(bridge.map.current.rules) | {"TicketOpen": []}
    # A map of its own: the default one is shared by all tests.
    bridge.map._current = replace(bridge.map.current, rules=more)

    stage.cron()
    stage.fire("TicketOpen", {"ticketid": 7, "userid": 1})

    assert [one["data"] for one in received()] == [{"ticketid": 7, "userid": 1}]


def test_it_is_asked_anew_when_the_answer_is_over_five_minutes_old(stage, receiver):
    stage.cron()
    stage.clock.advance(timedelta(minutes=4, seconds=59))
    stage.cron()
    assert len(asked(receiver)) == 1

    stage.clock.advance(timedelta(seconds=1))
    stage.cron()

    assert len(asked(receiver)) == 2
    assert asked(receiver)[1].body == b""


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_any_other_answer_keeps_the_last_good_one(stage, receiver, odd):
    stage.cron()
    receiver.hookpoints = odd
    stage.clock.advance(timedelta(minutes=6))

    stage.cron()

    assert told(stage) == "m1"
    assert "Asking for the hookpoints" in stage.state()["last_error"]


@pytest.mark.parametrize("behave", [401, 404, 503, "html", "redirect", "cut"])
def test_a_failure_keeps_the_last_good_answer_too(stage, receiver, behave):
    stage.cron()
    receiver.behave = behave
    stage.clock.advance(timedelta(minutes=6))

    stage.cron()

    assert told(stage) == "m1"


def test_after_a_failed_row_the_cron_asks_nothing(stage, receiver):
    receiver.behave = 503

    stage.cron(["InvoicePaid", {"invoiceid": 1}])

    assert [one.path for one in receiver.got] == ["/hooks/whmcs"]


def test_the_whole_address_of_the_hooks_may_be_pasted(stage, receiver):
    stage.setting("address", f"{receiver.url}/hooks/other/")

    stage.fire("InvoicePaid", {"invoiceid": 1})
    stage.cron()

    assert [one.path for one in receiver.got] == [
        "/hooks/other",
        "/hooks/other/hookpoints",
    ]


def test_a_decision_nobody_here_can_read_is_not_registered(stage, receiver):
    receiver.hookpoints = {
        "hookpoints": [],
        "decisions": ["PreModuleTerminate"],
        "map": "3",
    }

    stage.cron()

    assert stage.fire("PreModuleTerminate", {"params": {"serviceid": 1}}) == []
    assert receiver.posts() == []
