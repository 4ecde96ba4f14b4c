"""The add-on's life at the panel: activated, upgraded, removed; and who acts there."""

from __future__ import annotations

import json
import signal

import pytest

from bridge.demo.panel_example import ANA, PLAN_150
from tests.test_run import Running, messages, written
from tests.test_run import stage as running  # noqa: F401 - a fixture

from .link import Link
from .stage import until
from .test_every_hookpoint import ANAS_PLAN, ANAS_RADIO, BRUNOS_PLAN, CASES

MODULE = "require 'init.php'; require_once 'modules/addons/hookbridge/hookbridge.php';"
ACTORS = [
    ("client", 1, "client"),
    ("guest", 0, "client"),  # registers, so that ClientAdd is his own doing
    ("admin", 0, "admin"),
    ("masquerading", 1, "admin"),
    ("api", 0, "api"),
    ("callback", 0, "system"),
    ("cron", 0, "system"),
]


def call(stage, function, *arguments):
    """Call one of the add-on's functions as the panel does."""
    code = f"{MODULE} echo json_encode({function}(...$given));"
    return json.loads(stage.php(code, *arguments))


@pytest.mark.parametrize(("page", "client", "actor"), ACTORS)
def test_who_acts_is_told(stage, receiver, page, client, actor):
    stage.fire("InvoicePaid", {"invoiceid": 1}, as_=page, client=client)

    assert json.loads(receiver.got[0].body)["context"]["actor"] == actor


def test_the_panels_cron_is_the_system(stage, receiver):
    stage.cron_process(["InvoicePaid", {"invoiceid": 1}])

    assert json.loads(receiver.posts()[0].body)["context"]["actor"] == "system"


def test_the_configuration_asks_for_address_and_secret(stage):
    told = call(stage, "hookbridge_config")

    assert list(told["fields"]) == ["address", "secret", "drop_table"]
    assert told["fields"]["secret"]["Type"] == "password"


def test_activating_again_keeps_the_rows(stage, receiver):
    receiver.behave = 503
    stage.fire("InvoicePaid", {"invoiceid": 1})

    told = call(stage, "hookbridge_activate")

    assert told["status"] == "success"
    assert call(stage, "hookbridge_upgrade", {"version": "0.0.1"}) is None
    assert len(stage.rows()) == 1


def test_removal_keeps_the_rows_unless_told(stage, receiver):
    receiver.behave = 503
    stage.fire("InvoicePaid", {"invoiceid": 1})

    kept = call(stage, "hookbridge_deactivate")
    rows = stage.rows()
    stage.sql(
        "INSERT INTO tbladdonmodules (module, setting, value)"
        " VALUES ('hookbridge', 'drop_table', 'on')"
    )
    dropped = call(stage, "hookbridge_deactivate")
    left = stage.sql("SHOW TABLES LIKE 'mod_hookbridge%'")
    call(stage, "hookbridge_activate")

    assert (kept["status"], len(rows)) == ("success", 1)
    assert (dropped["description"], left) == ("The tables are dropped.", [])


def test_a_secret_that_the_panel_keeps_encrypted_is_read(stage, receiver, secret):
    stage.setting("secret", "enc:" + secret[::-1])
    code = (
        "function decrypt($text) { return strrev(substr($text, 4)); }"
        "require 'init.php'; echo HookBridge\\Settings::load()->problem();"
    )

    assert stage.php(code) == ""


def test_a_real_bridge_that_is_killed_and_comes_back_gets_everything(stage, running):  # noqa: F811 - the fixture of the same name
    """`whmcs-bridge run` as a process, the add-on in PHP, real time."""
    _, env, file = running
    stage.clock = None
    first = Running(env, "run").ready()
    stage.setting("address", first.address)
    stage.fire("UserChangePassword", {"userid": 1, "password": "x"})
    told = messages(file, 1)
    first.end(signal.SIGKILL)
    for user in (2, 3, 4):
        stage.fire("UserChangePassword", {"userid": user, "password": "x"})
    waiting = stage.rows()
    env["BRIDGE_LISTEN"] = first.address.removeprefix("http://")

    again = Running(env, "run").ready()
    stage.no_pause()
    stage.cron_process()
    left = stage.rows()
    told = messages(file, 4)
    status = again.end(signal.SIGTERM)

    assert (len(waiting), left, status) == (3, [], 0)
    assert len({one["event"] for one in told}) == 4


def test_a_long_queue_does_not_hold_a_visitor_whose_page_cannot_leave(stage, receiver):
    """The web server of the stage keeps the visitor until the very end."""
    receiver.behave = lambda got: receiver.after(0.05)
    stage.setting("address", "")
    stage.page(fire=[["InvoicePaid", {"invoiceid": 1}, 100]])
    stage.setting("address", receiver.url)

    told = stage.page(fire=[["InvoicePaid", {"invoiceid": 1}]])

    assert told["took"] < 1
    assert 1 <= len(receiver.got) <= 10
    receiver.behave = "ok"
    stage.cron()
    assert stage.rows() == []


def everything(world):
    """Have each hookpoint of the default map happen, as staff and clients would."""
    world.add_client("Nora", "Paz", "n@example.com", phonenumber="+54.91140000099")
    world.change_password(1, client_hook_too=True)
    world.edit_client(ANA, phonenumber="+54.91140009999", city="Salta")
    world.cancel_invoice(world.generate_renewal(BRUNOS_PLAN).id)
    world.remind_invoice(world.generate_renewal(BRUNOS_PLAN).id)
    _, invoice = world.order(ANA, PLAN_150)
    world.pay_invoice(invoice.id)
    world.suspend(BRUNOS_PLAN, "Overdue on Payment")
    world.suspend(ANAS_PLAN, "Overdue on Payment")
    world.unsuspend(ANAS_PLAN)
    world.pay_invoice(world.upgrade(ANAS_PLAN, PLAN_150).invoice.id)
    world.terminate(ANAS_RADIO)
    world.request_cancellation(BRUNOS_PLAN)
    world.deliver_quote(1)
    world.delete_domain(2)


def test_a_real_bridge_is_told_every_hookpoint_and_tells_the_clients(stage, running):  # noqa: F811 - the fixture of the same name
    """Stage, add-on, `whmcs-bridge run`, the panel's API over HTTP, the console."""
    world, env, file = running
    stage.clock = None
    bridge = Running(env, "run").ready()
    stage.setting("address", bridge.address)
    link = Link(world, stage)
    stage.cron()

    everything(world)
    left = stage.rows()
    wanted = set().union(*(texts for _, texts, _ in CASES.values()))
    until(lambda: wanted <= {one["message"] for one in written(file)}, "not all")
    status = bridge.end(signal.SIGTERM)

    assert (left, status) == ([], 0)
    assert set(CASES) <= {hook.type for hook in link.fired}
    assert {one["message"] for one in written(file)} == wanted
    assert link.answers == [[[]], [{"price": 50, "discount": 0}], [{"amount": 50}]]
