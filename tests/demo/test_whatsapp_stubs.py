"""The simulated providers refuse what the real ones refuse."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlencode

import pytest

from bridge.demo.whatsapp import cloud, evolution, twilio, waha
from bridge.demo.whatsapp.stub import Ask

JSON = {"content-type": "application/json"}
LOGIN = base64.b64encode(f"{twilio.SID}:{twilio.AUTH_TOKEN}".encode()).decode()
AUTH = {
    cloud.CloudStub: {"authorization": f"Bearer {cloud.TOKEN}"},
    twilio.TwilioStub: {"authorization": f"Basic {LOGIN}"},
    evolution.EvolutionStub: {"apikey": evolution.KEY},
    waha.WahaStub: {"x-api-key": waha.KEY},
}
PATHS = {
    cloud.CloudStub: f"/v25.0/{cloud.NUMBER_ID}/messages",
    twilio.TwilioStub: f"/2010-04-01/Accounts/{twilio.SID}/Messages.json",
    evolution.EvolutionStub: f"/message/sendText/{evolution.INSTANCE}",
    waha.WahaStub: "/api/sendText",
}
GOOD = {
    cloud.CloudStub: {
        "messaging_product": "whatsapp",
        "to": "+5491155551234",
        "type": "text",
        "text": {"body": "Hola"},
    },
    twilio.TwilioStub: {
        "To": "whatsapp:+5491155551234",
        "From": f"whatsapp:{twilio.SENDER}",
        "Body": "Hola",
    },
    evolution.EvolutionStub: {"number": "5491155551234", "text": "Hola"},
    waha.WahaStub: {
        "session": "default",
        "chatId": "5491155551234@c.us",
        "text": "Hola",
    },
}
KINDS = list(GOOD)
each = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def ask(kind, body, **headers: str) -> Ask:
    known = AUTH[kind] | {name.replace("_", "-"): v for name, v in headers.items()}
    if kind is twilio.TwilioStub:
        form = {"content-type": "application/x-www-form-urlencoded"}
        return Ask("POST", PATHS[kind], "", form | known, urlencode(body).encode())
    return Ask("POST", PATHS[kind], "", JSON | known, json.dumps(body).encode())


def template(**changed: object) -> dict[str, object]:
    known = {"name": "aviso", "language": {"code": "es"}}
    known["components"] = [
        {"type": "body", "parameters": [{"type": "text", "text": "Ana"}]}
    ]
    head = {"messaging_product": "whatsapp", "to": "+5491155551234", "type": "template"}
    return head | {"template": known | changed}


@each
def test_a_good_request_is_taken(kind):
    stub = kind()

    assert stub.handle(ask(kind, GOOD[kind])).status in (200, 201)
    assert (len(stub.taken), stub.refused) == (1, [])


@each
def test_another_key_path_or_content_type_is_refused(kind):
    stub = kind()
    wrong = {name: f"{value}x" for name, value in AUTH[kind].items()}
    good = ask(kind, GOOD[kind])

    assert stub.handle(ask(kind, GOOD[kind], **wrong)).status == 401
    assert stub.handle(ask(kind, GOOD[kind], content_type="text/plain")).status == 400
    elsewhere = Ask("POST", f"{good.path}s", "", good.headers, good.body)
    assert stub.handle(elsewhere).status >= 400
    assert (stub.taken, len(stub.refused)) == ([], 3)


@each
@pytest.mark.parametrize("key", ["Body", "text", "to", "To", "number", "chatId"])
def test_a_missing_unknown_or_odd_part_is_refused(kind, key):
    stub, good = kind(), GOOD[kind]
    tries = [good | {"surprise": "x"}]
    if key in good:
        tries += [good | {key: "no"}] if key not in ("Body", "text") else []
        tries += [{k: v for k, v in good.items() if k != key}, good | {key: ""}]

    statuses = [stub.handle(ask(kind, one)).status for one in tries]

    assert all(status >= 400 for status in statuses)
    assert (stub.taken, len(stub.refused)) == ([], len(tries))


@each
def test_an_unknown_parameter_of_the_address_is_refused(kind):
    stub, good = kind(), ask(kind, GOOD[kind])

    found = stub.handle(Ask("POST", good.path, "debug=1", good.headers, good.body))

    assert found.status == 400
    assert (stub.taken, len(stub.refused)) == ([], 1)


def test_waha_refuses_an_unknown_parameter_of_a_look_up():
    stub = waha.WahaStub()
    headers = {"x-api-key": waha.KEY}
    query = "phone=5491155551234&session=default&engine=x"

    found = stub.handle(Ask("GET", "/api/contacts/check-exists", query, headers, b""))

    assert found.status >= 400
    assert len(stub.refused) == 1


TEMPLATES = [
    (template(name="other"), 132001),
    (template(language={"code": "es_AR"}), 132001),
    (template(components=[]), 132000),
    (
        template(
            components=[
                {"type": "body", "parameters": [{"type": "text", "text": "a\n"}]}
            ]
        ),
        132018,
    ),
    (
        template(
            components=[{"type": "body", "parameters": [{"type": "text", "text": " "}]}]
        ),
        132018,
    ),
    (template(components=[{"type": "footer", "parameters": ["x"]}]), 100),
    (template(policy="x"), 100),
    (template(language={"code": "es", "region": "AR"}), 100),
    (GOOD[cloud.CloudStub] | {"text": {"body": "x" * 4097}}, 100),
    (GOOD[cloud.CloudStub] | {"biz_opaque_callback_data": "x" * 513}, 100),
]


@pytest.mark.parametrize(("body", "code"), TEMPLATES)
def test_the_cloud_refuses_templates_and_texts_that_do_not_fit(body, code):
    stub = cloud.CloudStub()
    stub.templates.add("aviso", "es", "Hola {{1}}, esto es un aviso.")

    answer = stub.handle(ask(cloud.CloudStub, body))

    assert json.loads(answer.body)["error"]["code"] == code
    assert stub.taken == []


def test_twilio_takes_either_a_body_or_a_template():
    stub = twilio.TwilioStub()
    sid = stub.add("aviso", "es", "Hola {{1}}, esto es un aviso.")
    good = {k: v for k, v in GOOD[twilio.TwilioStub].items() if k != "Body"}
    good["ContentSid"] = sid

    def code(**more: str) -> int:
        return json.loads(stub.handle(ask(twilio.TwilioStub, good | more)).body)["code"]

    assert code(Body="Hola", ContentVariables='{"1": "Ana"}') == 21654
    assert code(ContentVariables='{"1": ""}') == 21656
    assert code(ContentVariables="Ana") == 21656
    assert code(ContentVariables='{"2": "Ana"}') == 63028
    assert code(ContentSid="HX1", ContentVariables='{"1": "Ana"}') == 63027
    assert stub.taken == []


@each
def test_what_is_played_comes_once_and_what_is_unknown_is_told(kind):
    stub = kind()
    stub.play("server_down")

    statuses = [stub.handle(ask(kind, GOOD[kind])).status for _ in range(2)]

    assert statuses[0] in (502, 503)
    assert statuses[1] in (200, 201)
    with pytest.raises(KeyError, match="server_up"):
        stub.play("server_up")


@each
def test_a_webhook_that_is_not_taken_waits(kind):
    stub = kind()
    stub.write("+5491155551234", "Hola")

    assert stub.deliver(lambda hook: 503) == 0
    assert stub.deliver(lambda hook: 200) == 1
    assert stub.deliver(lambda hook: 200) == 0
