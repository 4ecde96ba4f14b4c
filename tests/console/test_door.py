"""Who may come in, from where, with what; and what every answer carries."""

from __future__ import annotations

import json
import re

import pytest

from bridge.console.door import origin, within
from bridge.errors import StoreUnavailable

from .conftest import HERE, Visitor

ORDER = {"service": "1", "product": "22", "cycle": "annually"}
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


def test_without_an_operator_there_is_no_console_but_a_hint(kit):
    visitor = Visitor(kit.bridge.app())

    for path in ("/", "/login", "/static/console.css", "/quote?service=1"):
        answer = visitor.get(path)
        assert answer.status_code == 404
        assert "whmcs-bridge operators add" in answer.text


def test_it_appears_with_the_first_operator_without_a_restart(kit, make_operator):
    visitor = Visitor(kit.bridge.app())
    assert visitor.get("/login").status_code == 404

    make_operator()

    assert visitor.get("/login").status_code == 200


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("127.0.0.1", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("127.0.0.2", 403),
        ("192.0.2.7", 403),
        ("", 403),
    ],
)
def test_it_is_open_to_this_machine_only_unless_told(address, status, visitor):
    where = {"REMOTE_ADDR": address}

    answer = visitor.get("/login", environ_base=where)

    assert answer.status_code == status
    assert (status == 403) == ("BRIDGE_CONSOLE_ALLOW" in answer.text)


def test_more_networks_may_be_allowed(bridge_for, make_operator):
    make_operator()
    visitor = Visitor(bridge_for(console_allow=("192.0.2.0/24",)).app())

    for address, status in (("192.0.2.7", 200), ("127.0.0.1", 403)):
        where = {"REMOTE_ADDR": address}
        assert visitor.get("/login", environ_base=where).status_code == status


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_what_an_untrusted_proxy_passes_on_is_not_taken_for_this_machine(header, app):
    answer = Visitor(app, **{header: "192.0.2.7"}).get("/login")

    assert answer.status_code == 403
    assert "BRIDGE_TRUSTED_PROXIES" in answer.text


def test_behind_a_trusted_proxy_the_visitors_own_address_counts(
    bridge_for, make_operator
):
    make_operator()
    app = bridge_for(trusted_proxies=1, console_allow=("192.0.2.7",)).app()

    for forwarded, status in (("192.0.2.7", 200), ("192.0.2.8", 403)):
        visitor = Visitor(app, **{"X-Forwarded-For": f"192.0.2.7, {forwarded}"})
        assert visitor.get("/login").status_code == status


@pytest.mark.parametrize("path", ["/", "/login", "/nowhere", "/static/console.css"])
def test_every_answer_forbids_scripts_frames_and_strangers(path, ana):
    answer = ana.get(path)

    headers = answer.headers
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_pages_are_kept_by_nobody(ana):
    assert ana.get("/").headers["Cache-Control"] == "no-store"
    assert "no-store" not in ana.get("/static/console.css").headers["Cache-Control"]


@pytest.mark.parametrize(
    "path", ["/login", "/", "/quote?service=1", "/quote?service=1&product=22"]
)
def test_no_page_has_a_script_or_a_style_of_its_own(path, ana, app):
    page = (Visitor(app) if path == "/login" else ana).get(path)

    assert page.status_code == 200
    assert not re.search(r"<script|<style|\son\w+=|\sstyle=|javascript:", page.text)


@pytest.mark.parametrize("token", [None, "", "wrong", "IjEi.aaaa.bbbb", "a.b", "ñ" * 9])
@pytest.mark.parametrize("path", ["/login", "/upgrades", "/logout"])
def test_a_form_without_its_token_is_refused_with_a_sentence(path, token, ana, kit):
    given = ORDER | ({} if token is None else {"csrf_token": token})

    answer = ana.post(path, given)

    assert answer.status_code == 400
    assert "no es de esta sesión" in answer.text
    assert kit.panel.count("CreateInvoice") == 0
    assert ana.get("/").status_code == 200


def test_a_token_of_another_session_is_refused(ana, app):
    other = Visitor(app)
    stolen = other.fields("/login")["csrf_token"]

    assert ana.post("/logout", {"csrf_token": stolen}).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:81"},
        {"Origin": "https://localhost"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": ""},
        {"Origin": "", "Referer": "https://evil.example/console/"},
        {"Origin": HERE, "Sec-Fetch-Site": "cross-site"},
        {"Origin": HERE, "Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_form_from_elsewhere_is_refused_with_a_sentence(headers, ana):
    fields = ana.fields("/quote?service=1&product=22")

    answer = ana.post("/upgrades", fields, **headers)

    assert answer.status_code == 400
    assert "vino de otro sitio" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": HERE, "Sec-Fetch-Site": "same-origin"},
        {"Origin": "", "Referer": f"{HERE}/console/quote?service=1"},
    ],
    ids=str,
)
def test_a_form_of_the_console_itself_is_taken(headers, ana):
    fields = ana.fields("/quote?service=1&product=22")

    assert ana.post("/upgrades", fields, **headers).status_code == 303


def test_a_form_from_the_public_address_is_taken(bridge_for, make_operator):
    make_operator()
    app = bridge_for(public_url="http://127.0.0.1:9").app()
    visitor = Visitor(app)
    fields = visitor.fields("/login")
    given = fields | {"name": "nobody", "password": "x"}

    assert visitor.post("/login", given, Origin="http://127.0.0.1:9").status_code == 403
    assert visitor.post("/login", given, Origin="http://127.0.0.1:8").status_code == 400


def test_a_form_that_is_too_large_is_refused(ana):
    fields = ana.fields("/quote?service=1&product=22")

    answer = ana.post("/upgrades", fields | {"more": "x" * 20_000})

    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/hooks/whmcs/hookpoints", "/healthz", "/metrics"])
def test_other_addresses_have_no_session(path, ana):
    answer = ana.client.get(path)

    assert "Set-Cookie" not in answer.headers
    assert "Vary" not in answer.headers
    assert "Content-Security-Policy" not in answer.headers


def test_other_addresses_do_not_even_ask_for_the_key_of_the_cookies(app):
    for path in ("/healthz", "/hooks/whmcs/hookpoints", "/console"):
        app.test_client().get(path, headers={"Cookie": "bridge_console=x"})
    before = app.secret_key

    Visitor(app).get("/login")

    assert before is None
    assert app.secret_key is not None


def test_what_is_not_there_is_said_in_a_page(ana):
    answer = ana.get("/nowhere")

    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "En esta dirección no hay nada." in answer.text


def test_another_method_is_405(ana):
    answer = ana.client.put("/console/")

    assert answer.status_code == 405
    assert json.loads(answer.text)["status"] == 405


@pytest.mark.parametrize("path", ["/login", "/", "/quote?service=1&product=22"])
def test_without_the_store_a_page_says_so(path, ana, kit):
    kit.bridge.store.close()

    answer = ana.get(path)

    assert answer.status_code == 503
    assert "La base de datos no responde" in answer.text


def test_a_process_that_never_had_the_secret_says_so_too(kit, make_operator):
    make_operator()
    app = kit.bridge.app()
    kit.bridge.store.close()

    assert Visitor(app).get("/login").status_code == 503


def test_an_error_nobody_foresaw_is_a_page_without_its_words(ana, app, logged):
    def fail(work):
        raise ValueError("secret words")

    app.extensions["console"].desk.ask = fail

    answer = ana.get("/quote?service=1&product=22")

    assert answer.status_code == 500
    assert "secret words" not in answer.text + logged.getvalue()
    assert "Algo imprevisto" in answer.text


def test_addresses_are_compared_as_browsers_write_them():
    assert origin("HTTPS://Bridge.Example:443/console/") == "https://bridge.example"
    assert origin("http://[::1]:8080/") == "http://[::1]:8080"
    for nonsense in ("", "null", "ftp://x", "http://", "http://x:y", "//x"):
        assert origin(nonsense) == ""


def test_a_place_to_go_on_to_lies_within_the_console():
    assert within("/console/quote?service=1&product=22") == (
        "/console/quote?service=1&product=22"
    )
    for other in ("", "/", "/console", "/consoles/", "/console//x", "/console/\x00"):
        assert within(other) == "/console/"


def test_a_store_that_fails_within_a_page_is_no_stack_trace(ana, kit, app):
    class Failing:
        def read(self):
            raise StoreUnavailable("gone with /a/path")

    app.extensions["console"].bench.store, store = Failing(), kit.bridge.store
    try:
        answer = ana.get("/")
    finally:
        app.extensions["console"].bench.store = store

    assert answer.status_code == 503
    assert "/a/path" not in answer.text
