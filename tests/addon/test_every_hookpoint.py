"""From the hook on the stage to the message: every hookpoint of the default map."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from bridge.demo.panel_example import ANA, BRUNO, PLAN_150
from bridge.demo.panel_rows import Line

ANAS_PLAN, BRUNOS_PLAN, ANAS_RADIO = 1, 2, 11


def renewal(world):
    return world.generate_renewal(BRUNOS_PLAN).id


def paid(world):
    world.pay_invoice(renewal(world))


def upgraded(world):
    world.pay_invoice(world.upgrade(ANAS_PLAN, PLAN_150).invoice.id)


def new_service(world):
    _, invoice = world.order(ANA, PLAN_150)
    world.pay_invoice(invoice.id)


def suspended(world):
    world.suspend(ANAS_PLAN, "Overdue on Payment")


def unsuspended(world):
    with world.muted():
        suspended(world)
    world.unsuspend(ANAS_PLAN)


def welcome(world):
    world.add_client("Nora", "Paz", "n@example.com", phonenumber="+54.91140000099")


# hookpoint: what happens, which messages it is told by, and (some) context
CASES = {
    "ClientAdd": (welcome, {"welcome"}, {"actor": "client"}),
    "UserChangePassword": (
        lambda world: world.change_password(1), {"password_changed"}, {},
    ),
    "ClientChangePassword": (
        lambda world: world.change_password(1, client_hook_too=True),
        {"password_changed"}, {},
    ),
    "ClientEdit": (
        lambda world: world.edit_client(ANA, phonenumber="+54.91140009999", city="Salta"),
        {"details_changed", "phone_changed_old"},
        {"changed": ["city", "phonenumber"], "old_phonenumber": "+54.91140000001"},
    ),
    "InvoiceCreated": (renewal, {"invoice_created"}, {"actor": "system"}),
    "InvoiceCancelled": (
        lambda world: world.cancel_invoice(renewal(world)),
        {"invoice_created", "invoice_cancelled"}, {},
    ),
    "InvoicePaid": (paid, {"invoice_created", "payment_received"}, {"actor": "client"}),
    "InvoicePaymentReminder": (
        lambda world: world.remind_invoice(renewal(world)),
        {"invoice_created", "invoice_reminder"}, {},
    ),
    "AfterModuleCreate": (
        new_service, {"invoice_created", "payment_received", "service_created"}, {},
    ),
    "AfterModuleSuspend": (suspended, {"service_suspended"}, {"actor": "admin"}),
    "AfterModuleUnsuspend": (unsuspended, {"service_reactivated"}, {}),
    "AfterModuleTerminate": (
        lambda world: world.terminate(ANAS_RADIO), {"service_terminated"}, {},
    ),
    "AfterProductUpgrade": (
        upgraded, {"invoice_created", "payment_received", "plan_changed"},
        {"upgrade": {"relid": 1, "type": "package", "originalvalue": "21",
                     "newvalue": "22,annually", "amount": "50.00",
                     "status": "Completed"}},
    ),
    "CancellationRequest": (
        lambda world: world.request_cancellation(BRUNOS_PLAN),
        {"cancellation_scheduled"}, {"actor": "client"},
    ),
    "QuoteStatusChange": (
        lambda world: world.deliver_quote(1), {"quote_available"}, {},
    ),
    "DomainDelete": (
        lambda world: world.delete_domain(2), {"domain_deleted"}, {},
    ),
}  # fmt: skip


DECISIONS = {
    "OrderProductUpgradeOverride", "PreUpgradeCheckout", "ShoppingCartValidateUpgrade",
}  # fmt: skip
# The simulated panel has one name for two actors, and names services more often.
SAID_OTHERWISE = {"actor", "service_id"}


def the_default_map(bridge):
    return set(bridge.map.current.rules)


def test_the_cases_are_the_hookpoints_of_the_default_map(stage, bridge):
    shown = stage.php(
        "require 'init.php'; echo json_encode(HookBridge\\Hookpoints::DEFAULTS);"
    )

    assert the_default_map(bridge) == set(CASES)
    assert sorted(CASES) == sorted(json.loads(shown))


@pytest.mark.parametrize("hookpoint", CASES)
def test_the_hook_is_told_as_the_map_says(
    hookpoint, link, bridge, world, sent, received
):
    happens, messages, context = CASES[hookpoint]

    happens(world)
    bridge.worker.drain()
    world.clock.advance(timedelta(minutes=1))
    bridge.worker.drain()

    (body,) = [one for one in received() if one["type"] == hookpoint]
    assert {one["message"] for one in sent} == messages
    assert body["context"].items() >= context.items()
    assert link.stage.rows() == []


def test_what_the_add_on_adds_is_what_the_panel_knows(link, world, bridge, received):
    """The simulated panel tells its own context: the tables must give the same."""
    happens = (renewal, upgraded, suspended)
    for one in happens:
        one(world)
    world.edit_client(ANA, city="Rosario", companyname="Ana SA")

    told = [hook for hook in link.fired if hook.type in {*CASES, *DECISIONS}]

    for body, hook in zip(received(), told, strict=True):
        assert body["type"] == hook.type
        expected = {k: v for k, v in hook.context.items() if k not in SAID_OTHERWISE}
        shown = {k: v for k, v in body["context"].items() if k not in SAID_OTHERWISE}
        assert shown == expected


def test_a_domain_that_is_gone_already_is_told_without_its_name(link, world, received):
    world.delete_domain(2)

    (body,) = received()

    assert "domain" not in body["context"]


def test_a_free_line_of_an_invoice_has_its_day(link, world, received):
    world.create_invoice(BRUNO, [Line("Trabajo", Decimal("10.00"))])

    (line,) = received()[0]["context"]["invoice_lines"]

    assert line == {
        "relid": 0,
        "type": "",
        "amount": "10.00",
        "duedate": line["duedate"],
    }
    assert len(line["duedate"]) == 10
