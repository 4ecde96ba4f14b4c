"""The outbox: what leaves the panel, how it is signed, and when it goes again."""

import base64
import json
import threading
from datetime import timedelta
from decimal import Decimal
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from bridge.demo.hooks import Outbox, sign
from bridge.demo.panel_example import ANA, PLAN_150
from bridge.demo.panel_rows import Line
from bridge.demo.panel_wire import WireError

BRUNOS_PLAN = 2


@pytest.fixture
def outbox(world, bridge, signing):
    return Outbox(world, bridge, signing, instance="test")


def test_the_signature_is_that_of_the_public_specification():
    # The example of the Standard Webhooks specification and its libraries.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    id, stamp = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330

    signed = sign(secret, id, stamp, b'{"test": 2432232314}')

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_hook_arrives_signed_with_its_variables_and_context(
    world, outbox, bridge, signature
):
    world.pay_invoice(world.generate_renewal(BRUNOS_PLAN).id)

    outbox.flush()

    assert bridge.types() == ["InvoiceCreated", "InvoicePaid"]
    told, headers = bridge.got[0], bridge.headers[0]
    assert told["timestamp"] == "2026-11-20T15:00:00Z"
    assert told["data"]["source"] == "autogen"
    assert told["context"]["invoice_lines"][0]["relid"] == BRUNOS_PLAN
    assert headers["webhook-id"] == "msg_test_0000001"
    assert headers["webhook-signature"] == signature(headers, bridge.bodies[0])
    assert not outbox.pending
    assert len(outbox.delivered) == 2


def test_sent_again_id_and_body_stay_and_the_time_is_new(
    world, outbox, bridge, signature
):
    world.change_password(1)
    bridge.status = 503
    outbox.flush()
    world.clock.advance(timedelta(hours=1))
    bridge.status = 202

    outbox.flush()

    first, second = bridge.headers
    assert bridge.bodies[0] == bridge.bodies[1]
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 3600
    assert second["webhook-signature"] == signature(second, bridge.bodies[1])


def test_a_failure_ends_the_pass_and_nothing_overtakes(world, outbox, bridge):
    bridge.fails = {"ClientEdit"}
    world.edit_client(ANA, city="Salta")
    world.change_password(1)

    outbox.flush()

    assert bridge.types() == ["ClientEdit"]
    assert [row.type for row in outbox.pending] == ["ClientEdit", "UserChangePassword"]


def test_a_row_that_failed_five_times_steps_aside(world, outbox, bridge):
    bridge.fails = {"ClientEdit"}
    world.edit_client(ANA, city="Salta")
    world.change_password(1)

    for _ in range(5):
        outbox.flush()

    assert [row.type for row in outbox.delivered] == ["UserChangePassword"]
    assert [row.tries for row in outbox.pending] == [5]


@pytest.mark.parametrize("status", [400, 409, 413])
def test_what_can_never_be_taken_is_parked(world, outbox, bridge, status):
    bridge.status = status
    world.change_password(1)
    world.change_password(2)

    delivered = outbox.flush()

    assert delivered == 0
    assert len(outbox.parked) == 2
    assert not outbox.pending


@pytest.mark.parametrize(
    "answer", [b"<html>Log in</html>", b"{}", b'{"event": "msg_other"}', b"[]", b""]
)
def test_a_2xx_that_does_not_name_the_delivery_is_not_delivered(
    world, outbox, bridge, answer
):
    bridge.answer = answer
    world.change_password(1)

    outbox.flush()

    assert [row.tries for row in outbox.pending] == [1]


@pytest.mark.parametrize("status", [301, 401, 404, 500, 503])
def test_everything_else_is_tried_again(world, outbox, bridge, status):
    bridge.status = status
    world.change_password(1)

    outbox.flush()

    assert len(outbox.pending) == 1


def make_everything_secret_happen(world):
    client = world.add_client("Inés", "Paz", "ines@example.com")
    world.change_password(client.owner, client_hook_too=True)
    world.edit_client(client.id, city="Salta")
    service = world.add_service(client.id, 21)
    world.change_service_password(service.id)
    world.suspend(service.id, "x")
    world.break_module(service.id, "Terminate")
    world.set_status(service.id, "Active")


def test_no_secret_leaves_the_panel_by_the_list(world, outbox):
    make_everything_secret_happen(world)

    bodies = b"".join(row.body for row in outbox.pending)

    assert len(outbox.pending) == 9
    assert b"PANEL-SECRET" not in bodies
    assert b'"serviceid":12' in bodies


def test_a_careless_addon_lets_every_secret_out(world, outbox):
    outbox.leak = True
    make_everything_secret_happen(world)

    told = {row.type: json.loads(row.body)["data"] for row in outbox.pending}

    assert told["ClientAdd"]["password"].startswith("PANEL-SECRET-user-password")
    assert told["ClientEdit"]["olddata"]["password"].startswith("PANEL-SECRET")
    assert told["AfterModuleSuspend"]["params"]["serverpassword"].startswith("PANEL-")
    assert told["AfterModuleSuspend"]["params"]["configoption1"].startswith("PANEL-")


def test_letters_beyond_ascii_are_sent_as_they_are(world, outbox, bridge):
    world.edit_client(ANA, city="Córdoba")

    outbox.flush()

    assert "Córdoba".encode() in bridge.bodies[0]


def test_only_the_hookpoints_of_the_map_are_kept(world, outbox, bridge, signature):
    outbox.register()
    world.change_password(1)
    world.pay_invoice(world.generate_renewal(BRUNOS_PLAN).id)

    assert [row.type for row in outbox.pending] == ["InvoicePaid"]
    assert bridge.headers[0]["webhook-signature"] == signature(bridge.headers[0], b"")


def test_a_decision_is_asked_signed_and_its_value_returned(
    world, outbox, bridge, signature
):
    bridge.returns = {"OrderProductUpgradeOverride": {"price": "50.00"}}

    ordered = world.upgrade(1, PLAN_150)

    assert ordered.invoice.total == Decimal("50.00")
    first = outbox.decisions[0]
    assert (first.type, first.value) == ("ShoppingCartValidateUpgrade", None)
    assert bridge.headers[0]["webhook-signature"] == signature(
        bridge.headers[0], bridge.bodies[0]
    )
    assert len({headers["webhook-id"] for headers in bridge.headers}) == 3


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"event": "x", "return": ["no"]}'])
def test_a_decision_of_the_wrong_shape_is_no_opinion(world, outbox, bridge, answer):
    bridge.answer = answer

    ordered = world.upgrade(1, PLAN_150)

    assert not ordered.price.overridden
    assert {decision.value for decision in outbox.decisions} == {None}


def test_without_a_bridge_the_panel_decides_alone(world, signing):
    outbox = Outbox(world, "http://127.0.0.1:9", signing)

    ordered = world.upgrade(1, PLAN_150)

    assert not ordered.price.overridden
    assert len(outbox.decisions) == 3
    assert outbox.decisions[0].status is None


def test_what_is_not_answered_stays_and_says_why(world, signing):
    outbox = Outbox(world, "http://127.0.0.1:9", signing)
    world.change_password(1)

    outbox.flush()

    assert len(outbox.pending) == 1
    assert "ConnectionRefused" in outbox.last_error
    with pytest.raises(WireError):
        outbox.fetch_hookpoints()


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def address(bridge):
    server = make_server("127.0.0.1", 0, bridge, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_background_thread_sends_in_order_and_gets_over_failures(
    world, bridge, address, signing
):
    outbox = Outbox(world, address, signing)
    bridge.status = 503
    outbox.start()
    for number in range(1, 6):
        world.create_invoice(ANA, [Line(f"n{number}", Decimal(number))])
    bridge.status = 202

    emptied = outbox.wait_empty(10)
    outbox.stop()

    assert emptied
    ids = [row.id for row in outbox.delivered]
    assert ids == sorted(ids)
    assert len(ids) == 5


def test_a_decision_over_a_socket(world, bridge, address, signing):
    Outbox(world, address, signing)
    bridge.returns = {"PreUpgradeCheckout": {"amount": "50.00"}}

    assert world.upgrade(1, PLAN_150).invoice.total == Decimal("50.00")


def test_a_secret_that_is_not_base64_is_an_error(signing):
    with pytest.raises(ValueError, match=r"base64|padding|data"):
        sign("whsec_" + "%%%", "msg_1", 1, b"")
    assert base64.b64decode(signing.removeprefix("whsec_")) == bytes(range(32))
