"""What the panel asks and waits for: an answer in time, kept, or no opinion."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from bridge.demo.hooks import Outbox
from bridge.demo.panel_upgrades import UpgradeRefusedError

PRICE = {
    "oldproductid": 21,
    "newproductid": 22,
    "newproductbillingcycle": "annually",
    "price": 24.79,
}
OF_ONE = {"service_id": 1, "upgrade_targets": [22]}
#: The body of the first question below, as it is posted.
QUESTION = json.dumps(
    {"type": "OrderProductUpgradeOverride", "data": PRICE, "context": OF_ONE}
).encode()
ROW = {"relid": 1, "newvalue": "22,annually"}


@pytest.fixture
def ask(kit) -> Callable[..., TestResponse]:
    """Return a function that asks one signed question."""
    client = kit.client()

    def post(
        hookpoint: str = "OrderProductUpgradeOverride",
        data: Any = PRICE,
        context: Any = OF_ONE,
        id: str = "msg_q",
        panel: str = "whmcs",
        **more: str,
    ) -> TestResponse:
        body = {"type": hookpoint, "data": data, "context": context}
        raw = json.dumps(body).encode()
        headers = kit.headers(id, raw, **more)
        return client.post(f"/decisions/{panel}", data=raw, headers=headers)

    return post


def said(answer: TestResponse) -> tuple[Any, str]:
    """Return value and reason of an answer that is one."""
    told = answer.get_json()
    assert answer.status_code == 200
    assert set(told) == {"event", "return", "reason"}
    assert (told["event"], bool(told["reason"])) == ("msg_q", True)
    assert "unforeseen" not in told["reason"]
    return told["return"], told["reason"]


class AtOnce:
    """A panel that answers none of these questions before all of them were asked."""

    def __init__(self, panel: Any, *questions: tuple[Any, ...]) -> None:
        self._panel = panel
        self._questions = questions
        self._all = threading.Barrier(len(questions), timeout=5)
        self.asked: list[tuple[Any, ...]] = []

    def with_deadline(self, seconds: float) -> AtOnce:
        return self

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def asked(*args: Any) -> Any:
            self.asked.append((name, *args))
            if (name, *args) in self._questions:
                self._all.wait()
            return getattr(self._panel, name)(*args)

        return asked


# --- Each hookpoint's answer ---


def test_the_price_of_an_upgrade_is_the_difference(ask):
    value, reason = said(ask())

    assert value == {"price": "50.00", "discount": "0.00"}
    assert "150.00 for the new plan less 100.00 already paid" in reason


def test_the_checkout_gets_the_amount(ask):
    data = {"clientId": 1, "upgradeId": 1, "serviceId": 1, "amount": 24.79}
    context = {"upgrade": ROW, "upgrade_targets": [22]}

    value, _ = said(ask("PreUpgradeCheckout", data, context))

    assert value == {"amount": "50.00"}


def test_the_checkout_knows_what_was_priced_just_before(ask):
    ask(id="msg_before")

    value, _ = said(ask("PreUpgradeCheckout", {"serviceId": 1}, {}))

    assert value == {"amount": "50.00"}


def test_an_upgrade_that_may_be_is_not_refused(ask):
    data, context = {"id": 1, "pid": 22}, {"upgrade_targets": [22]}

    assert said(ask("ShoppingCartValidateUpgrade", data, context))[0] == []


def test_a_downgrade_is_refused_with_a_sentence(ask, kit):
    kit.world.services[1].pid = 22
    data, context = {"id": 1, "pid": 21}, {"upgrade_targets": [21]}

    value, reason = said(ask("ShoppingCartValidateUpgrade", data, context))

    [sentence] = value
    assert isinstance(sentence, str)
    assert len(sentence) > 20
    assert reason.startswith("refused (")


@pytest.mark.store("sqlite")
@pytest.mark.parametrize(
    ("hookpoint", "data"),
    [
        ("OrderProductUpgradeOverride", PRICE),
        ("ShoppingCartValidateUpgrade", {"id": 1, "pid": 22}),
    ],
)
def test_what_can_be_asked_at_the_same_time_is(ask, kit, hookpoint, data):
    questions = [("client", 1), ("product", 21), ("invoices", 1)]
    panel = AtOnce(kit.bridge.bench.panel, *questions)
    kit.bridge.bench.panel = panel

    value, reason = said(ask(hookpoint, data))

    assert value is not None, reason
    assert sorted(panel.asked) == sorted(set(panel.asked))


@pytest.mark.parametrize(
    ("cycle", "refused"), [("monthly", True), ("annually", False), ("x", False)]
)
def test_a_cycle_that_costs_less_is_refused_where_it_is_told(ask, cycle, refused):
    data = {"id": 1, "pid": 22}
    context = {"upgrade_targets": [22], "billing_cycle": cycle}

    value, _ = said(ask("ShoppingCartValidateUpgrade", data, context))

    assert bool(value) is refused


def test_the_panels_own_way_refuses_a_cycle_that_costs_less(kit):
    with pytest.raises(UpgradeRefusedError):
        kit.world.upgrade(1, 22, "Monthly")

    assert kit.world.upgrades == {}


def test_the_panels_own_way_charges_what_was_answered(kit):
    ordered = kit.world.upgrade(1, 22, "Annually")

    assert ordered.invoice.total == 50
    assert [d.type for d in kit.outbox.decisions] == [
        "ShoppingCartValidateUpgrade",
        "OrderProductUpgradeOverride",
        "PreUpgradeCheckout",
    ]


def test_the_panels_own_way_refuses_a_downgrade(kit):
    kit.world.services[1].pid = 22
    kit.world.product(22).upgrades = (21,)

    with pytest.raises(UpgradeRefusedError):
        kit.world.upgrade(1, 21, "Annually")

    assert kit.world.count("invoice") == 0


# --- No opinion ---

DOUBTS = {
    "no service": ("OrderProductUpgradeOverride", PRICE, {}),
    "another plan than the service has": (
        "OrderProductUpgradeOverride",
        PRICE | {"oldproductid": 22},
        OF_ONE,
    ),
    "no new plan": ("OrderProductUpgradeOverride", {"oldproductid": 21}, OF_ONE),
    "no such service": (
        "OrderProductUpgradeOverride",
        PRICE,
        {"service_id": 999, "upgrade_targets": [22]},
    ),
    "a cycle nobody knows": (
        "OrderProductUpgradeOverride",
        PRICE | {"newproductbillingcycle": "weekly"},
        OF_ONE,
    ),
    "an id that is none": ("ShoppingCartValidateUpgrade", {"id": "1.0", "pid": 22}, {}),
    "a checkout without a choice": ("PreUpgradeCheckout", {"serviceId": 1}, {}),
    "a row of another service": (
        "PreUpgradeCheckout",
        {"serviceId": 1},
        {"upgrade": ROW | {"relid": 2}},
    ),
    "a hookpoint without a decision": ("InvoicePaid", {"invoiceid": 1}, {}),
    "an unknown hookpoint": ("SomethingNew", {}, {}),
}


@pytest.mark.parametrize("question", DOUBTS.values(), ids=DOUBTS.keys())
def test_on_doubt_there_is_no_opinion_and_the_event_shows_why(question, ask, kit):
    value, reason = said(ask(*question))

    [row] = kit.events()
    assert value is None
    assert (row.state, row.reason) == ("decided", reason)
    assert row.answer == {"return": None, "reason": reason}
    assert row.map_version == kit.bridge.map.current.version


FAULTS = ["html_500", "empty", "null", "wrong_type", "error", "redirect", "cut"]


@pytest.mark.parametrize("kind", [*FAULTS, "acts_but_loses_the_answer"])
def test_a_panel_that_answers_badly_gets_no_opinion(kind, ask, kit):
    kit.panel.faults.add("*", kind, None)

    assert said(ask())[0] is None


def test_a_decision_asks_the_panel_to_change_nothing(ask, kit):
    ask()

    asked = {call.action for call in kit.panel.calls}
    assert asked
    assert all(action.startswith("Get") for action in asked)
    assert kit.panel.refused == []


def test_a_question_makes_no_job(ask, kit):
    ask()

    assert kit.work() == 0
    assert kit.jobs() == []


@pytest.mark.parametrize("kind", ["slow", "dribble"])
def test_a_slow_panel_gets_its_answer_in_time_all_the_same(
    kind, kit, bridge_for, panel_server
):
    kit.bridge = bridge_for(panel_server, decision_seconds=0.5)
    kit.outbox = Outbox(kit.world, kit.bridge.app(), kit.secret)
    kit.panel.faults.add("*", kind, None, seconds=1.5)
    began = time.monotonic()

    kit.world.price_upgrade(kit.world.service(1), 22, "Annually")

    took = time.monotonic() - began
    [decision] = kit.outbox.decisions
    [row] = kit.events()
    assert (decision.status, decision.value) == (200, None)
    assert 0.3 < decision.seconds <= took < 0.9
    assert row.reason == decision.reason


def test_many_calls_that_are_each_in_time_are_not_so_together(
    kit, bridge_for, panel_server
):
    kit.bridge = bridge_for(panel_server, decision_seconds=0.5)
    kit.outbox = Outbox(kit.world, kit.bridge.app(), kit.secret)
    kit.panel.latency = 0.2

    kit.world.price_upgrade(kit.world.service(1), 22, "Annually")

    [decision] = kit.outbox.decisions
    [row] = kit.events()
    assert decision.value is None
    assert decision.seconds < 0.75
    assert row.reason == decision.reason == "no answer within 0.5 s"


# --- The same question again ---


def test_same_question_again_gets_the_same_answer_without_the_panel(ask, kit):
    first = ask()
    calls = len(kit.panel.calls)
    kit.world.product(22).prices["ARS"]["Annually"] *= 2

    again = ask()

    assert said(again) == said(first)
    assert len(kit.panel.calls) == calls > 0
    assert len(kit.events()) == 1


def test_no_opinion_stays_no_opinion_for_the_same_question(ask, kit):
    kit.panel.faults.add("*", "html_500", 1)
    first = ask()

    assert said(first)[0] is None
    assert said(ask()) == said(first)


def test_same_question_after_a_restart_gets_the_same_answer(ask, kit, bridge_for):
    first = ask()
    kit.bridge.close()
    kit.bridge = bridge_for()
    kit.panel.faults.outage = True

    again = kit.client().post(
        "/decisions/whmcs", data=QUESTION, headers=kit.headers("msg_q", QUESTION)
    )

    assert said(again) == said(first)


def test_same_id_with_another_question_is_409_and_counted(ask, kit):
    first = ask()

    refused = ask(data=PRICE | {"price": 1.0})

    assert refused.status_code == 409
    assert refused.mimetype == "application/problem+json"
    [row] = kit.events()
    assert row.conflicts == 1
    assert said(ask()) == said(first)


def test_a_delivery_is_no_question_asked_before(ask, kit):
    signed = kit.headers("msg_q", QUESTION)
    kit.client().post("/hooks/whmcs", data=QUESTION, headers=signed)

    value, reason = said(ask())

    assert value is None
    assert reason == "that id came before as a delivery, not as a question"


# --- The store fails ---


@pytest.mark.store("sqlite")
def test_an_answer_that_cannot_be_kept_is_not_given_and_not_late(ask, kit):
    url = kit.bridge.store.url
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db:
        db.execute("BEGIN IMMEDIATE")
        began = time.monotonic()

        value, reason = said(ask())

        assert time.monotonic() - began < 2.1
    assert value is None
    assert reason == "the answer could not be kept, so none is given"


@pytest.mark.postgres
@pytest.mark.store("postgresql")
def test_a_store_that_is_gone_gives_no_opinion(ask, postgres_gone):
    with postgres_gone():
        value, reason = said(ask())

    assert value is None
    assert reason == "the store cannot be read, so there is no opinion"
    assert said(ask())[0] == {"price": "50.00", "discount": "0.00"}


# --- The door before it ---


def test_a_question_passes_the_same_door(ask, kit):
    assert ask(webhook_signature="v1,AAAA").status_code == 401
    assert ask(Content_Type="text/plain").status_code == 415
    assert ask(panel="other").status_code == 404
    assert ask(hookpoint="").status_code == 400
    assert ask(data={"x": "x" * 262144}).status_code == 413
    assert kit.events() == []


def test_the_time_of_an_answer_is_measured(ask, kit):
    ask()

    registry = kit.bridge.bench.metrics.registry
    assert registry.get_sample_value("bridge_decision_seconds_count") == 1
