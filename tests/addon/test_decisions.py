"""Questions that the panel waits for: what is asked, and what an answer becomes."""

from __future__ import annotations

import json

import pytest

PRICED = {
    "oldproductid": 21, "oldproductname": "Plan 100", "newproductid": 22,
    "newproductname": "Plan 150", "days": 181, "totaldays": 365,
    "newproductbillingcycle": "annually", "price": 24.79, "discount": 0.0,
    "promoqualifies": False,
}  # fmt: skip
CHECKED = {
    "clientId": 1,
    "upgradeId": 7,
    "serviceId": 1,
    "amount": 24.79,
    "discount": 0.0,
}
QUESTIONS = {
    "OrderProductUpgradeOverride": PRICED,
    "PreUpgradeCheckout": CHECKED,
    "ShoppingCartValidateUpgrade": {"id": 1, "pid": 22},
}
OURS = {"as_": "client", "client": 1, "request": {"id": "1", "type": "package"}}


@pytest.fixture
def services(stage):
    """Service 1 is client 1's plan 21, service 2 client 2's; 21 may become 22 or 25."""
    stage.sql(
        "INSERT INTO tblhosting (id, userid, packageid, domain, username, password)"
        " VALUES (1, 1, 21, 'a.example', 'u', 'p'), (2, 2, 21, 'b.example', 'u', 'p'),"
        " (3, 1, 22, 'c.example', 'u', 'p')"
    )
    stage.sql(
        "INSERT INTO tblproduct_upgrade_products (product_id, upgrade_product_id)"
        " VALUES (21, 22), (21, 25), (22, 25)"
    )


def asked(receiver):
    return [
        json.loads(one.body) for one in receiver.got if one.path == "/decisions/whmcs"
    ]


# hookpoint, what the bridge returns, what the callback returns
GOOD = [
    ("OrderProductUpgradeOverride", {"price": "50.00", "discount": "0.00"},
     {"price": 50, "discount": 0}),
    ("OrderProductUpgradeOverride", {"price": "0.00"}, {"price": 0}),
    ("OrderProductUpgradeOverride", {"price": "60001"}, {"price": 60001}),
    ("PreUpgradeCheckout", {"amount": "50.01"}, {"amount": 50.01}),
    ("ShoppingCartValidateUpgrade", [], []),
    ("ShoppingCartValidateUpgrade", ["No es posible <b>.", "Dos"],
     ["No es posible &lt;b&gt;.", "Dos"]),
]  # fmt: skip
BAD = [
    None, 5, True, "50.00", {"price": 50.0}, {"price": "50,00"}, {"price": "-1.00"},
    {"price": "1e3"}, {"price": "NaN"}, {"price": ""}, {"price": "50.00", "days": "3"},
    {"price": None}, {"price": ["50.00"]}, {"amount": 5}, {"discount": "0.00"}, {},
    {"a": "sentence"}, [5], [""], ["x", None], [["x"]], {"price": "50.00 "}, {"price": "50.00\n"},
]  # fmt: skip


@pytest.mark.parametrize(("hookpoint", "told", "returned"), GOOD)
def test_an_opinion_is_what_the_panel_takes(
    stage, receiver, services, hookpoint, told, returned
):
    receiver.decision = told

    assert stage.fire(hookpoint, QUESTIONS[hookpoint], **OURS) == [returned]


@pytest.mark.parametrize("hookpoint", QUESTIONS)
def test_what_is_not_of_the_expected_kind_is_no_opinion(
    stage, receiver, services, hookpoint
):
    told = iter(BAD)
    receiver.decision = lambda got: next(told)

    for _ in BAD:
        assert stage.fire(hookpoint, QUESTIONS[hookpoint], **OURS) == [[]]

    assert len(asked(receiver)) == len(BAD)


@pytest.mark.parametrize(
    "behave", [401, 409, 500, 503, "html", "redirect", "cut", "other", "empty"]
)
@pytest.mark.parametrize("hookpoint", QUESTIONS)
def test_a_failure_is_no_opinion(stage, receiver, services, hookpoint, behave):
    receiver.behave = behave

    assert stage.fire(hookpoint, QUESTIONS[hookpoint], **OURS) == [[]]

    assert len(receiver.got) == 1
    assert hookpoint in stage.state()["last_error"]


def test_the_question_carries_service_and_targets(stage, receiver, services):
    stage.fire("OrderProductUpgradeOverride", PRICED, **OURS)
    stage.fire("ShoppingCartValidateUpgrade", {"id": 3, "pid": 25}, **OURS)
    stage.sql(
        "INSERT INTO tblupgrades (id, type, relid, originalvalue, newvalue, amount, status)"
        " VALUES (7, 'package', 1, '21', '22,annually', 24.79, 'Pending'),"
        " (8, 'package', 2, '21', '22,annually', 24.79, 'Pending')"
    )
    stage.fire("PreUpgradeCheckout", CHECKED, **OURS)
    stage.fire("PreUpgradeCheckout", CHECKED | {"upgradeId": 8}, **OURS)

    priced, validated, checked, strange = asked(receiver)
    assert priced["data"]["price"] == "24.79"
    assert priced["context"] == {
        "actor": "client",
        "service_id": 1,
        "upgrade_targets": [22, 25],
    }
    assert validated["context"]["upgrade_targets"] == [25]
    assert checked["context"]["upgrade"]["newvalue"] == "22,annually"
    assert "upgrade" not in strange["context"]


SERVICE_ID = [
    # page, client of the session, request, service that is priced
    ("client", 1, {"id": "1"}, 1),
    ("client", 1, {"id": 1}, 1),
    ("client", 1, {"serviceid": "1"}, 1),
    ("client", 1, {"id": "1", "serviceid": "1"}, 1),
    ("client", 1, {"id": "1", "serviceid": "999"}, 1),
    ("client", 1, {"id": "2"}, None),  # another client's
    ("client", 1, {"id": "3"}, None),  # has another plan
    ("client", 0, {"id": "1"}, None),  # nobody is logged in
    ("guest", 0, {"id": "1"}, None),
    ("client", 1, {}, None),
    ("client", 1, {"id": "1 OR 1=1"}, None),
    ("client", 1, {"id": ["1"]}, None),
    ("client", 1, {"id": "-1"}, None),
    ("client", 1, {"id": "0"}, None),
    ("client", 1, {"id": "1e0"}, None),
    ("client", 1, {"id": "99999999999999999999"}, None),
    ("admin", 0, {"id": "2"}, 2),
    ("admin", 0, {"id": "3"}, None),
    ("admin", 0, {"id": "1", "serviceid": "2"}, None),  # both fit: which one is meant?
    ("masquerading", 2, {"id": "2"}, 2),
    ("masquerading", 2, {"id": "1"}, None),
    ("api", 0, {"serviceid": "2"}, 2),
    ("api", 0, {"serviceid": "3"}, None),
    ("callback", 0, {"id": "1"}, None),
]  # fmt: skip


@pytest.mark.parametrize(("page", "client", "request_", "service"), SERVICE_ID)
def test_the_service_of_the_request_counts_only_when_it_fits(
    stage, receiver, services, page, client, request_, service
):
    receiver.decision = {"price": "50.00"}

    answers = stage.fire(
        "OrderProductUpgradeOverride", PRICED, as_=page, client=client, request=request_
    )

    if service is None:
        assert (answers, receiver.got) == ([[]], [])
        (said,) = stage.sql("SELECT description FROM tblactivitylog")
        assert "which service" in said["description"]
    else:
        assert answers == [{"price": 50}]
        assert asked(receiver)[0]["context"]["service_id"] == service


FORM = {"id": "1", "type": "package", "pid": "22", "billingcycle": "monthly"}
CYCLES = [
    # what the form says, the cycle that is told
    (FORM, "monthly"),
    ({**FORM, "id": None, "serviceid": "1"}, "monthly"),
    ({**FORM, "billingcycle": "semiannually"}, "semiannually"),
    ({**FORM, "pid": "25"}, None),  # another plan
    ({**FORM, "id": "2"}, None),  # another service
    ({**FORM, "pid": None}, None),
    ({**FORM, "billingcycle": None}, None),
    ({**FORM, "billingcycle": "Monthly' OR 1=1"}, None),
    ({**FORM, "billingcycle": ["monthly"]}, None),
    ({**FORM, "pid": ["22"]}, None),
    ({}, None),
]


@pytest.mark.parametrize(("form", "cycle"), CYCLES)
def test_the_cycle_of_the_form_counts_only_when_it_is_about_this_change(
    stage, receiver, services, form, cycle
):
    receiver.decision = []

    stage.fire(
        "ShoppingCartValidateUpgrade", {"id": 1, "pid": 22}, as_="client", client=1,
        request={name: value for name, value in form.items() if value is not None},
    )  # fmt: skip

    assert asked(receiver)[0]["context"].get("billing_cycle") == cycle


def test_the_same_question_twice_in_a_page_is_asked_once(stage, receiver, services):
    receiver.decision = {"price": "50.00"}

    told = stage.page(fire=[["OrderProductUpgradeOverride", PRICED, 5]], **OURS)

    assert told["answers"] == [[{"price": 50}]] * 5
    assert len(asked(receiver)) == 1


def test_questions_of_a_page_share_two_seconds(stage, receiver, services):
    receiver.behave = "hang"
    fire = [
        ["ShoppingCartValidateUpgrade", {"id": 1, "pid": pid}] for pid in range(22, 27)
    ]

    told = stage.page(fire=fire, **OURS)

    assert told["answers"] == [[[]]] * 5
    assert told["took"] < 2.9
    assert len(receiver.got) == 1


@pytest.mark.parametrize("behave", [503, "html"])
def test_after_a_failed_question_a_page_tries_nothing_more(
    stage, receiver, services, behave
):
    receiver.behave = behave
    ask = ["ShoppingCartValidateUpgrade", {"id": 1, "pid": 22}]
    other = ["ShoppingCartValidateUpgrade", {"id": 1, "pid": 25}]

    told = stage.page(fire=[ask, other, ["InvoicePaid", {"invoiceid": 1}]], **OURS)

    assert told["answers"] == [[[]], [[]], []]
    assert len(receiver.got) == 1
    assert len(stage.rows()) == 1


def test_a_question_goes_out_although_rows_are_being_waited_with(
    stage, receiver, services
):
    receiver.behave = 503
    stage.fire("InvoicePaid", {"invoiceid": 1})
    receiver.behave = "ok"
    receiver.decision = ["No."]

    assert stage.fire("ShoppingCartValidateUpgrade", {"id": 1, "pid": 22}) == [["No."]]
