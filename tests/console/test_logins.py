"""Logging in: guessing, fixation, copied cookies, and nobody is kept out for good."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from bridge.console.throttle import TRIES, WINDOW
from bridge.store import operators, tables

from .conftest import NAME, PASSWORD, Visitor

QUOTE = "/quote?service=1&product=22"
PAGES = (
    "/",
    "/quote?service=1",
    QUOTE,
    "/upgrades/" + "a" * 16,
)


def noted(kit):
    with kit.bridge.store.read() as db:
        rows = db.execute(sa.select(tables.audit).order_by(tables.audit.c.id)).all()
    return [(row.who, row.what, row.detail.get("why")) for row in rows]


def guess(visitor: Visitor, times: int, name: str = NAME) -> list[int]:
    return [
        visitor.log_in(name, f"wrong password {n}").status_code for n in range(times)
    ]


@pytest.mark.parametrize("path", [*PAGES, "/nowhere"])
def test_every_page_without_a_login_leads_to_the_login(path, visitor, kit):
    calls = len(kit.panel.calls)

    answer = visitor.get(path)

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/console/login?next=")
    assert len(kit.panel.calls) == calls


def test_nothing_is_ordered_without_a_login(visitor, kit):
    fields = visitor.fields("/login")
    order = fields | {"service": "1", "product": "22", "cycle": "annually"}

    answer = visitor.post("/upgrades", order | {"key": "k" * 22, "seen": ""})

    assert answer.headers["Location"].startswith("/console/login")
    assert noted(kit) == []


def test_the_right_password_opens_the_page_that_was_asked_for(visitor):
    asked = visitor.get(QUOTE).headers["Location"]
    onward = asked.partition("next=")[2]

    answer = visitor.log_in(onward=onward)

    assert answer.headers["Location"] == "/console/quote?service=1&product=22"
    assert visitor.get(QUOTE).status_code == 200


@pytest.mark.parametrize(
    "onward",
    [
        "https://evil.example/",
        "//evil.example/",
        "/console/..//evil.example",
        "/console/\\evil.example",
        "/hooks/whmcs",
        "/console/%0d%0aLocation:%20https://evil.example",
        "javascript:alert(1)",
    ],
)
def test_a_login_leads_nowhere_else(onward, visitor):
    fields = visitor.fields("/login")
    given = {"name": NAME, "password": PASSWORD, "next": onward}

    answer = visitor.post("/login", fields | given)

    place = answer.headers["Location"]
    assert place == "/console/" or (place == onward and "//" not in place)
    assert "\r" not in place


def test_a_login_begins_a_new_session_and_keeps_nothing_of_the_old_one(visitor):
    planted = visitor.fields("/login")["csrf_token"]
    before = visitor.cookie().value

    visitor.log_in()

    after = visitor.cookie().value
    assert before != after
    assert visitor.post("/logout", {"csrf_token": planted}).status_code == 400


def test_a_cookie_is_not_for_scripts_nor_for_other_sites(visitor):
    visitor.log_in()

    for name in ("bridge_console", "bridge_console_known"):
        cookie = visitor.cookie(name)
        assert cookie.http_only
        assert cookie.same_site == "Lax"
        assert not cookie.secure


def test_with_a_public_address_of_https_cookies_go_over_https_only(
    bridge_for, make_operator
):
    make_operator()
    app = bridge_for(public_url="https://bridge.example.com").app()
    visitor = Visitor(app)
    page = app.test_client().get("/console/login")

    assert "; Secure;" in page.headers["Set-Cookie"]
    assert visitor.get("/login").status_code == 200


def test_over_a_proxy_with_https_cookies_go_over_https_only(bridge_for, make_operator):
    make_operator()
    app = bridge_for(trusted_proxies=1).app()
    forwarded = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"}
    visitor = Visitor(app, Origin="https://localhost", **forwarded)

    answer = visitor.client.get("/console/login", headers=visitor.headers)

    assert "; Secure;" in answer.headers["Set-Cookie"]


def test_logging_out_ends_the_login_for_a_copy_of_the_cookie_too(ana, app):
    thief = Visitor(app)
    thief.client.set_cookie("bridge_console", ana.cookie().value, path="/console")
    assert thief.get("/").status_code == 200

    ana.post("/logout", ana.fields(QUOTE))

    assert thief.get("/").status_code == 303
    assert ana.get("/").status_code == 303


@pytest.mark.parametrize("how", ["another password", "removed"])
def test_a_session_ends_when_the_operator_is_changed(how, ana, kit, kept):
    now = kit.clock.now()
    change = {
        "another password": lambda db: operators.change(db, NAME, kept, now),
        "removed": lambda db: operators.remove(db, NAME),
    }[how]
    kit.bridge.store.write(lambda db: operators.add(db, "bea", kept, now))

    kit.bridge.store.write(change)

    assert ana.get("/").status_code == 303


def test_a_session_outlives_a_restart_and_ends_after_twelve_hours(ana, kit, bridge_for):
    other = Visitor(bridge_for().app())
    other.client.set_cookie("bridge_console", ana.cookie().value, path="/console")

    assert other.get("/").status_code == 200
    kit.clock.advance(operators.LASTS - timedelta(seconds=1))
    assert other.get("/").status_code == 200
    kit.clock.advance(timedelta(seconds=1))
    assert other.get("/").status_code == 303


def test_a_cookie_that_somebody_else_signed_is_no_login(ana, app):
    token, _, rest = ana.cookie().value.rpartition(".")
    thief = Visitor(app)
    thief.client.set_cookie("bridge_console", f"{token}.{rest[::-1]}", path="/console")

    assert thief.get("/").status_code == 303


def test_the_wrong_password_and_the_unknown_name_read_alike(visitor):
    wrong = visitor.log_in(password="not this one")
    nobody = visitor.log_in(name="nobody")

    assert (wrong.status_code, nobody.status_code) == (403, 403)
    assert "El nombre o la contraseña no es correcto." in wrong.text
    assert "El nombre o la contraseña no es correcto." in nobody.text


def test_after_five_wrong_passwords_even_the_right_one_must_wait(visitor, kit):
    assert guess(visitor, TRIES) == [403] * TRIES

    answer = visitor.log_in()

    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) <= WINDOW.total_seconds() + 1
    assert "Se puede volver a intentar en" in answer.text
    kit.clock.advance(WINDOW + timedelta(seconds=1))
    assert visitor.log_in().status_code == 303


def test_tries_are_counted_by_address_over_all_names(visitor, make_operator):
    make_operator("bea")
    for number in range(TRIES):
        guess(visitor, 1, f"name{number}")

    assert visitor.log_in("bea").status_code == 429


def test_tries_are_counted_by_name_over_all_addresses(bridge_for, make_operator):
    make_operator()
    visitor = Visitor(bridge_for(console_allow=("127.0.0.0/8",)).app())
    guess = visitor.fields("/login") | {"name": NAME, "password": "wrong password"}

    found = [
        visitor.post("/login", guess, place=f"127.0.0.{number}").status_code
        for number in range(2, TRIES + 3)
    ]

    assert found == [403] * TRIES + [429]


def test_who_logged_in_here_before_is_not_kept_out_by_others(ana, app):
    fields = ana.fields(QUOTE)
    ana.post("/logout", fields)
    assert guess(Visitor(app), TRIES + 1)[-1] == 429

    assert ana.log_in().status_code == 303


def test_his_own_wrong_passwords_make_him_wait_all_the_same(ana):
    ana.post("/logout", ana.fields(QUOTE))

    assert guess(ana, TRIES + 1)[-1] == 429


def test_the_cookie_of_a_known_browser_is_of_no_use_for_another_name(
    ana, make_operator
):
    make_operator("bea")
    ana.post("/logout", ana.fields(QUOTE))
    guess(ana, TRIES, "bea")

    assert ana.log_in("bea").status_code == 429
    assert ana.log_in().status_code == 303


def test_a_new_password_by_command_lets_everybody_try_at_once(visitor, kit, kept):
    guess(visitor, TRIES + 1)
    later = kit.clock.now() + timedelta(seconds=1)

    kit.bridge.store.write(lambda db: operators.change(db, NAME, kept, later))

    assert visitor.log_in().status_code == 303


def test_logins_and_refusals_are_in_the_audit_and_no_flood(visitor, kit):
    guess(visitor, TRIES + 4)
    kit.clock.advance(WINDOW + timedelta(seconds=1))
    visitor.log_in()

    wrong = (NAME, "console login refused", "wrong password")
    many = (NAME, "console login refused", "too many tries")
    assert noted(kit) == [
        *[wrong] * TRIES,
        many,
        (NAME, "console login", None),
    ]


def test_a_name_that_nobody_has_is_not_kept(visitor, kit, logged):
    visitor.log_in(name="hunter2-hunter2")

    assert noted(kit) == [("nobody known", "console login refused", "wrong password")]
    assert "hunter2" not in logged.getvalue()
    assert "console login refused" in logged.getvalue()
