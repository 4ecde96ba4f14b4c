"""Who may tell us something: signatures over the raw bytes, and nothing that raises."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from urllib.parse import urlencode

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.whatsapp import WebhookRequest
from tests.whatsapp.providers import NAMES, NOW, hook, provider

NOWHERE = "http://127.0.0.1:1"
#: One text in several spellings of JSON: each is signed as it stands.
TWINS = [
    '{"t":"Hola 🙂 / é"}'.encode(),
    rb'{"t":"Hola \ud83d\ude42 \/ \u00e9"}',
    rb'{"t":"Hola \ud83d\ude42 / \u00e9"}',
    rb'{"t": "Hola \ud83d\ude42 / \u00e9"}',
]
HOSTILE = [
    "",
    "é",
    "🙂",
    "\udcff",
    "sha256=",
    "sha256=" + "0" * 64,
    "\x00",
    "x" * 10_000,
]


def meta(body: bytes, key: str = "demo-app-secret") -> str:
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def waha(body: bytes, key: str = "demo-hmac-key") -> str:
    return hmac.new(key.encode(), body, hashlib.sha512).hexdigest()


def twilio(url: str, form: list[tuple[str, str]], key: str = "demo-auth-token") -> str:
    text = url + "".join(name + value for name, value in sorted(set(form)))
    return base64.b64encode(
        hmac.new(key.encode(), text.encode(), "sha1").digest()
    ).decode()


@pytest.fixture
def cloud():
    return provider("cloud", NOWHERE, None)


@pytest.mark.parametrize("body", TWINS)
def test_meta_signs_its_own_bytes(body, cloud):
    assert cloud.verify(hook(body, X_Hub_Signature_256=meta(body)))


@pytest.mark.parametrize("other", TWINS[1:])
def test_the_same_json_in_other_bytes_is_not_what_meta_signed(other, cloud):
    assert json.loads(other) == json.loads(TWINS[0])

    assert not cloud.verify(hook(other, X_Hub_Signature_256=meta(TWINS[0])))


def test_two_secrets_hold_while_one_is_replaced():
    cloud = provider("cloud", NOWHERE, None, APP_SECRET="new-one, demo-app-secret")
    body = TWINS[1]

    assert cloud.verify(hook(body, X_Hub_Signature_256=meta(body, "new-one")))
    assert cloud.verify(hook(body, X_Hub_Signature_256=meta(body)))
    assert not cloud.verify(hook(body, X_Hub_Signature_256=meta(body, "third")))
    assert not cloud.verify(hook(body, X_Hub_Signature_256=meta(body, "")))


def test_a_header_is_found_whatever_its_case(cloud):
    body = TWINS[0]
    request = WebhookRequest(
        "POST", headers={"x-hub-signature-256": meta(body)}, body=body
    )

    assert cloud.verify(request)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_header_is_a_no_and_never_an_error(name, value):
    adapter = provider(name, NOWHERE, None)
    names = (
        "X-Hub-Signature-256", "X-Twilio-Signature", "X-Bridge-Token",
        "X-Webhook-Hmac", "X-Webhook-Hmac-Algorithm",
    )  # fmt: skip
    headers = dict.fromkeys(names, value) | {"Authorization": f"Bearer {value}.{value}"}
    request = WebhookRequest("POST", "/x?bodySHA256=é", {}, headers, b"\xff\xfe=%zz&&")

    assert adapter.verify(request) is False
    assert adapter.verify(WebhookRequest("POST")) is False


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=examples(60), deadline=None)
@given(
    url=st.text(max_size=60),
    value=st.text(max_size=120),
    body=st.binary(max_size=200),
)
def test_no_request_at_all_makes_verifying_raise(name, url, value, body):
    adapter = provider(name, NOWHERE, None, public="")
    headers = {
        "X-Hub-Signature-256": value,
        "X-Twilio-Signature": value,
        "X-Webhook-Hmac": value,
        "X-Bridge-Token": value,
        "Authorization": f"Bearer {value}",
    }

    assert adapter.verify(WebhookRequest("POST", url, {}, headers, body)) is False


# --- WAHA ---


def test_the_example_of_wahas_documentation():
    body = b'{"event":"message","session":"default","engine":"WEBJS"}'
    adapter = provider("waha", NOWHERE, None, HMAC_KEY="my-secret-key")
    good = (
        "208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8"
        "097c462b2b17a6ce93b6b47a136cf2e78a33a63f6752c2c1631777076153fa89"
    )

    assert adapter.verify(hook(body, X_Webhook_Hmac=good))
    assert not adapter.verify(hook(body + b" ", X_Webhook_Hmac=good))


def test_waha_signs_with_sha512_and_nothing_else():
    adapter, body = provider("waha", NOWHERE, None), TWINS[0]
    signed = {"X_Webhook_Hmac": waha(body)}

    assert adapter.verify(hook(body, **signed, X_Webhook_Hmac_Algorithm="sha512"))
    assert not adapter.verify(hook(body, **signed, X_Webhook_Hmac_Algorithm="md5"))
    assert not adapter.verify(hook(TWINS[1], **signed))
    assert not adapter.verify(hook(body, X_Webhook_Hmac=waha(body, "other")))


# --- Twilio ---


def test_the_example_of_twilios_documentation():
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    adapter = provider("twilio", NOWHERE, None, public="", AUTH_TOKEN="12345")
    request = WebhookRequest(
        "POST",
        "https://mycompany.com/myapp.php?foo=1&bar=2",
        {"foo": "1", "bar": "2"},
        {"X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="},
        urlencode(form).encode(),
    )

    assert adapter.verify(request)


def test_a_json_body_is_signed_by_its_digest():
    body = b'{"CallSid":"CA1234567890ABCDE","Caller":"+12349013030"}'
    digest = "5ccde7145dfb8f56479710896586cb9d5911809d83afbe34627818790db0aec9"
    adapter = provider("twilio", NOWHERE, None, public="", AUTH_TOKEN="12345")

    def request(body: bytes) -> WebhookRequest:
        return WebhookRequest(
            "POST",
            f"https://example.com/myapp?bodySHA256={digest}",
            {"bodySHA256": digest},
            {"X-Twilio-Signature": "hPXmLwIy3Fgqv1i9KPmH/HhQ6zo="},
            body,
        )

    assert adapter.verify(request(body))
    assert not adapter.verify(request(body + b" "))


FORM = [("Body", "Hola 🙂 & é"), ("A", ""), ("M", "2"), ("M", "1"), ("M", "2")]
ADDRESS = "https://bridge.example/whatsapp/twilio"


@pytest.mark.parametrize(
    "signed",
    [ADDRESS, ADDRESS.replace(".example", ".example:443")],
    ids=["without the port", "with it"],
)
@pytest.mark.parametrize("tail", ["", "?tag=job%3A1"])
def test_twilio_signs_the_public_address_with_or_without_its_port(signed, tail):
    adapter = provider("twilio", NOWHERE, None)
    request = hook(
        urlencode(FORM).encode(),
        name="twilio",
        query=tail[1:],
        X_Twilio_Signature=twilio(signed + tail, FORM),
    )

    assert adapter.verify(request)


@pytest.mark.parametrize(
    "public",
    ["https://bridge.example:8443", "http://127.0.0.1:8080", "https://b.example/x"],
)
def test_twilio_signs_other_ports_and_paths_too(public):
    adapter = provider("twilio", NOWHERE, None, public=public)
    signature = twilio(f"{public}/whatsapp/twilio", FORM)

    assert adapter.verify(
        hook(urlencode(FORM).encode(), name="twilio", X_Twilio_Signature=signature)
    )


@pytest.mark.parametrize(
    "changed",
    [
        [*FORM, ("Z", "")],
        FORM[1:],
        [("Body", "Hola 🙂 & e"), *FORM[1:]],
        [("Bod", "yHola 🙂 & é!"), *FORM[1:]],
    ],
    ids=["one more", "one less", "another text", "shifted"],
)
def test_another_form_is_not_what_twilio_signed(changed):
    adapter = provider("twilio", NOWHERE, None)
    request = hook(
        urlencode(changed).encode(),
        name="twilio",
        X_Twilio_Signature=twilio(ADDRESS, FORM),
    )

    assert not adapter.verify(request)


def test_another_query_or_key_is_not_what_twilio_signed():
    adapter = provider("twilio", NOWHERE, None)
    body = urlencode(FORM).encode()
    signature = twilio(f"{ADDRESS}?tag=1", FORM)

    assert not adapter.verify(
        hook(body, name="twilio", query="tag=2", X_Twilio_Signature=signature)
    )
    assert not adapter.verify(
        hook(body, name="twilio", X_Twilio_Signature=twilio(ADDRESS, FORM, "other"))
    )


# --- Evolution ---


def jwt(key: str = "demo-webhook-token", algorithm: str = "HS256", **changed) -> str:
    def part(value: object) -> str:
        raw = json.dumps(value).encode()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    claims = {"app": "evolution", "action": "webhook", "exp": NOW.timestamp() + 600}
    claims["exp"] = int(claims["exp"])
    text = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims | changed)}"
    mac = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def test_evolution_shows_a_token_or_signs_one():
    adapter = provider("evolution", NOWHERE, None)

    assert adapter.verify(hook(X_Bridge_Token="demo-webhook-token"))
    assert adapter.verify(hook(Authorization=f"Bearer {jwt()}"))


@pytest.mark.parametrize(
    "token",
    [
        jwt("other"),
        jwt(algorithm="none"),
        jwt(exp=int(NOW.timestamp()) - 1),
        jwt(exp=None),
        jwt(app="another"),
        jwt(action="login"),
        jwt().rpartition(".")[0] + ".",
        jwt()[:-2],
        "a.b.c",
        "..",
    ],
)
def test_no_other_web_token_is_evolutions(token):
    adapter = provider("evolution", NOWHERE, None)

    assert not adapter.verify(hook(Authorization=f"Bearer {token}"))
    assert not adapter.verify(hook(X_Bridge_Token=token))


def test_without_a_token_of_its_own_evolution_shows_the_key():
    adapter = provider("evolution", NOWHERE, None, WEBHOOK_TOKEN="")

    assert adapter.verify(hook(X_Bridge_Token="demo-apikey"))
    assert not adapter.verify(hook(X_Bridge_Token=""))
