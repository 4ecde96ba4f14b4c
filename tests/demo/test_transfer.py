"""The add-on's endpoint that moves a service."""

import base64
import json

import pytest
from werkzeug.test import Client

from bridge.demo.hooks import sign
from bridge.demo.panel_example import ANA, CARLA, GABRIELA
from bridge.demo.panel_transfer import TRANSFER_PATH

SIGNING = "whsec_" + base64.b64encode(bytes(range(32))).decode()

ANAS_PLAN = 1


def move(panel, to, *, id="msg_1", late=0, secret=SIGNING, service=ANAS_PLAN):
    data = {"service_id": service, "from_client_id": ANA, "to_client_id": to}
    body = json.dumps({"type": "transfer", "data": data}).encode()
    stamp = int(panel.world.clock.now().timestamp()) + late
    headers = {"webhook-id": id, "webhook-timestamp": str(stamp)}
    headers["webhook-signature"] = sign(secret, id, stamp, body)
    return Client(panel).post(TRANSFER_PATH, data=body, headers=headers)


def test_without_the_addon_there_is_nothing_there(panel):
    assert move(panel, GABRIELA).status_code == 404


def test_a_service_moves_once_for_one_id(panel, world):
    panel.install_addon(SIGNING)

    first, again = move(panel, GABRIELA), move(panel, GABRIELA)

    assert (first.json["status"], again.json["status"]) == ("moved", "already")
    assert world.services[ANAS_PLAN].clientid == GABRIELA
    assert world.count("transfer") == 1


@pytest.mark.parametrize("wrong", [{"late": 301}, {"secret": "whsec_AAAA"}])
def test_a_wrong_signature_or_time_moves_nothing(panel, world, wrong):
    panel.install_addon(SIGNING)

    answer = move(panel, GABRIELA, **wrong)

    assert answer.status_code == 401
    assert world.services[ANAS_PLAN].clientid == ANA


REASONS = {
    "open": lambda world: world.generate_renewal(ANAS_PLAN),
    "active": lambda world: world.suspend(ANAS_PLAN),
    "cancellation": lambda world: world.request_cancellation(ANAS_PLAN),
    "verified": lambda world: setattr(world.clients[GABRIELA], "email_verified", False),
}


@pytest.mark.parametrize("reason", REASONS)
def test_what_does_not_hold_is_said_and_nothing_moves(panel, world, reason):
    panel.install_addon(SIGNING)
    REASONS[reason](world)

    answer = move(panel, GABRIELA)

    assert answer.status_code == 409
    assert reason in answer.json["reason"]
    assert world.services[ANAS_PLAN].clientid == ANA


def test_another_currency_is_refused(panel):
    panel.install_addon(SIGNING)

    assert "currencies" in move(panel, CARLA).json["reason"]
