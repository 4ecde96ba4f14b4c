"""The add-on's page in the client area: the link that is typed, and domains."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from conftest import Kit
from conversing import request as typed
from looking import texts

from .doors import Answer, Door
from .stage import FILES

LANGUAGES = ("english", "spanish", "portuguese-br", "portuguese-pt")
ANA, GABRIELA = 1, 7
FORM = {
    "whatsapp": "+54 9 11 5555-0100",
    "texts": {
        "es": "{from_name} {from_email} pasa {service_id} {service} a {to_name} {to_email}",
        "en": "{from_name} {from_email} gives {service_id} {service} to {to_name} {to_email}",
    },
}


@pytest.fixture(scope="module")
def door(panel_stage: Any) -> Iterator[Door]:
    for statement in (FILES / "transfers.sql").read_text().split(";\n"):
        if statement.strip():
            panel_stage.sql(statement)
    door = Door(panel_stage)
    yield door
    door.close()


@pytest.fixture
def area(panel_stage: Any, door: Door, secret: str) -> Iterator[Any]:
    """Ana and Gabriela, Ana's services and domains, in the panel's tables."""
    panel_stage.clock = None
    panel_stage.reset("http://127.0.0.1:1", secret)
    stage = panel_stage
    stage.sql("DELETE FROM tblproducts")
    stage.sql("INSERT INTO tblproducts (id, name) VALUES (21, 'Plan &amp; 100')")
    for id, first, last in (
        (ANA, "Ana", "P&eacute;rez"),
        (GABRIELA, "Gabriela", "Luz"),
    ):
        stage.sql(
            "INSERT INTO tblclients (id, firstname, lastname, email, status)"
            " VALUES (?, ?, ?, ?, 'Active')",
            id, first, last, f"{first.lower()}@example.com",
        )  # fmt: skip
    for id, owner, domain, status in (
        (1, ANA, "radioana.com.ar", "Active"),
        (2, ANA, "", "Active"),
        (3, ANA, "old.example", "Suspended"),
        (4, GABRIELA, "hers.example", "Active"),
    ):
        stage.sql(
            "INSERT INTO tblhosting (id, userid, packageid, domain, domainstatus,"
            " username, password) VALUES (?, ?, 21, ?, ?, '', '')",
            id, owner, domain, status,
        )  # fmt: skip
    for id, owner, domain, status, stopped in (
        (1, ANA, "radioana.com.ar", "Active", 0),
        (2, ANA, "stopped.example", "Active", 1),
        (3, ANA, "expired.example", "Expired", 0),
        (4, GABRIELA, "hers.example", "Active", 0),
    ):
        stage.sql(
            "INSERT INTO tbldomains (id, userid, domain, status, donotrenew, expirydate)"
            " VALUES (?, ?, ?, ?, ?, '2027-05-02')",
            id, owner, domain, status, stopped,
        )  # fmt: skip
    told(stage, FORM)
    yield stage
    assert door.complaints == ""


def told(stage: Any, form: Any) -> None:
    """Have the bridge have said which text and number belong to a change of owner."""
    answer = {"hookpoints": [], "decisions": [], "map": "1", "transfer": form}
    stage.sql("DELETE FROM mod_hookbridge_state WHERE name = 'hookpoints'")
    stage.sql(
        "INSERT INTO mod_hookbridge_state (name, value, updated_at)"
        " VALUES ('hookpoints', ?, 1)",
        json.dumps(answer),
    )


def page(door: Door, client: int = ANA, language: str = "english", **form: Any) -> str:
    """Show the page, or press one of its buttons."""
    return shown_at(door, f"/clientarea.php?client={client}&language={language}", form)


def shown_at(door: Door, path: str, form: dict[str, Any]) -> str:
    if not form:
        return _text(door.ask("GET", path))
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode({"token": "stage", **form}).encode()
    return _text(door.ask("POST", path, body, kind))


def _text(answer: Answer) -> str:
    assert answer.status == 200
    return answer.text


def link(shown: str) -> str | None:
    """Return the text that the link on a page types."""
    found = re.search(r'href="(https://wa\.me/[^"]*)"', shown)
    if found is None:
        return None
    parts = urlsplit(html.unescape(found[1]))
    assert parts.path == "/5491155550100"
    return parse_qs(parts.query)["text"][0]


GABRIELAS = {"email": "gabriela@example.com", "name": " Gabriela   Luz "}


def test_the_link_types_the_text_with_names_as_people_read_them(area, door):
    shown = page(door, hookbridge_do="link", service=1, **GABRIELAS)

    assert link(shown) == (
        "Ana Pérez ana@example.com gives 1 Plan & 100 (radioana.com.ar) to "
        "Gabriela Luz gabriela@example.com"
    )


def test_the_text_is_in_the_language_of_who_asks(area, door):
    shown = page(door, language="spanish", hookbridge_do="link", service=2, **GABRIELAS)

    assert link(shown) == (
        "Ana Pérez ana@example.com pasa 2 Plan & 100 a Gabriela Luz gabriela@example.com"
    )


def test_only_ones_own_active_services_and_domains_are_shown(area, door):
    shown = page(door)

    assert re.findall(r'<option value="(\d+)">', shown) == ["1", "2"]
    assert re.findall(r'name="domain" value="(\d+)"', shown) == ["1"]
    assert "hers.example" not in shown
    assert "stopped.example" not in shown


def test_the_service_that_was_chosen_stays_chosen_and_is_told_by_its_number(area, door):
    area.sql("UPDATE tblhosting SET domain = '' WHERE id = 1")  # one name for both

    shown = page(door, hookbridge_do="link", service=2, **GABRIELAS)

    assert '<option value="1">#1 Plan &amp; 100</option>' in shown
    assert '<option value="2" selected>#2 Plan &amp; 100</option>' in shown


WRONG = [
    {"service": 3, **GABRIELAS},
    {"service": 4, **GABRIELAS},
    {"service": "1x", **GABRIELAS},
    {"service": 1, "email": "no address", "name": "G"},
    {"service": 1, "email": "g@example.com", "name": "  "},
    {"service": 1},
]


@pytest.mark.parametrize("form", WRONG)
def test_there_is_no_link_for_what_is_not_ones_own_or_not_whole(area, door, form):
    assert link(page(door, hookbridge_do="link", **form)) is None


def test_of_the_other_client_nothing_is_looked_up(area, door):
    form = {"service": 1, "email": "nobody@example.com", "name": "Nadie"}

    assert "to Nadie nobody@example.com" in (
        link(page(door, hookbridge_do="link", **form)) or ""
    )


def test_what_is_typed_is_escaped(area, door):
    form = {"service": 1, "email": "g@example.com", "name": '"><script>x</script>'}

    shown = page(door, hookbridge_do="link", **form)

    assert "<script>" not in shown
    assert '"><script>x</script>' in (link(shown) or "")


@pytest.mark.parametrize(
    "form",
    [
        None,
        [],
        {"whatsapp": "", "texts": {"es": "x"}},
        {"whatsapp": "1", "texts": {"../x": "y"}},
    ],
)
def test_without_the_bridges_text_there_is_no_form(area, door, form):
    told(area, form)

    assert 'name="service"' not in page(door)


def test_nobody_is_shown_nothing(area, door):
    assert "<form" not in page(door, client=0)


def test_a_form_from_elsewhere_does_nothing(area, door):
    shown = page(door, token="x", hookbridge_do="stop_sure", domain=1)

    assert shown == "Invalid Token"
    assert area.sql("SELECT * FROM mod_hookbridge_outbox") == []


def test_a_domain_is_asked_about_once_more_before_the_wish_goes_out(area, door):
    asked = page(door, hookbridge_do="stop", domain=1)
    before = area.sql("SELECT * FROM mod_hookbridge_outbox")

    page(door, hookbridge_do="stop_sure", domain=1)

    (row,) = area.sql("SELECT hookpoint, body FROM mod_hookbridge_outbox")
    body = json.loads(row["body"])
    assert "until 2 May 2027" in asked
    assert before == []
    assert row["hookpoint"] == body["type"] == "DomainStopRenewal"
    assert body["data"] == {"userid": ANA, "domainid": 1}
    assert body["context"] == {"actor": "client"}
    assert area.sql("SELECT donotrenew AS n FROM tbldomains WHERE id = 1")[0]["n"] == 0


DAYS = {"english": "2 May 2027", "spanish": "02/05/2027", "portuguese-br": "02/05/2027"}


@pytest.mark.parametrize("language", DAYS)
def test_days_are_written_as_in_the_language(area, door, language):
    listed = page(door, language=language)
    asked = page(door, language=language, hookbridge_do="stop", domain=1)
    said = page(door, language=language, hookbridge_do="stop_sure", domain=1)

    assert f"<td>{DAYS[language]}</td>" in listed
    assert all(DAYS[language] in html.unescape(one) for one in (asked, said))
    assert "2027-05-02" not in listed + asked + said


def test_days_are_written_as_the_panel_writes_them_to_clients(area, door):
    path = f"/clientarea.php?client={ANA}&language=spanish&dates=1"

    listed = shown_at(door, path, {})
    asked = shown_at(door, path, {"hookbridge_do": "stop", "domain": 1})

    assert "<td>2nd May 2027</td>" in listed
    assert "el 2nd May 2027" in html.unescape(asked)


UNDATED = {
    "english": ("Not renew radioana.com.ar? When", "will not be renewed. You"),
    "spanish": ("¿No renovar radioana.com.ar? Cuando", "no se renovará. Le"),
    "portuguese-br": ("Não renovar radioana.com.ar? Quando", "não será renovado. Av"),
}


@pytest.mark.parametrize("language", UNDATED)
@pytest.mark.parametrize("day", [None, "0000-00-00"])
def test_of_a_domain_without_a_day_none_is_named(area, door, day, language):
    area.sql("UPDATE tbldomains SET expirydate = ? WHERE id = 1", day)

    asked = page(door, language=language, hookbridge_do="stop", domain=1)
    said = page(door, language=language, hookbridge_do="stop_sure", domain=1)

    assert UNDATED[language][0] in html.unescape(asked)
    assert UNDATED[language][1] in html.unescape(said)
    assert "0000" not in asked + said


@pytest.mark.parametrize("domain", [2, 3, 4, 99, "1 OR 1=1", ""])
def test_a_domain_that_is_not_ones_own_to_stop_is_left_alone(area, door, domain):
    page(door, hookbridge_do="stop_sure", domain=domain)

    assert area.sql("SELECT * FROM mod_hookbridge_outbox") == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_is_there(area, door, language):
    shown = page(door, language=language) + page(
        door, language=language, hookbridge_do="stop", domain=1
    )

    assert "area_" not in shown


def test_the_bridge_tells_the_form_and_takes_the_wish(kit: Kit) -> None:
    headers = kit.headers("msg_ask", b"")
    said = kit.client().get("/hooks/whmcs/hookpoints", headers=headers).get_json()
    body = json.dumps(
        {"type": "DomainStopRenewal", "data": {"userid": ANA, "domainid": 1}}
    ).encode()
    kit.client().post("/hooks/whmcs", data=body, headers=kit.headers("msg_1", body))
    kit.work()

    filled = said["transfer"]["texts"]["es"].format(
        from_name="Ana Pérez",
        from_email="ana@example.com",
        to_name="Gabriela Luz",
        to_email="gabriela@example.com",
        service_id=1,
        service="Plan 100 (radioana.com.ar)",
    )
    assert filled == typed(kit)
    assert said["transfer"]["whatsapp"] == "+54 9 11 5555-0100"
    assert kit.world.domains[1].donotrenew
    assert texts(kit) == ["domain_not_renewed"]


def test_a_wish_about_somebody_elses_domain_is_left_to_staff(kit: Kit) -> None:
    body = json.dumps(
        {"type": "DomainStopRenewal", "data": {"userid": GABRIELA, "domainid": 1}}
    ).encode()
    kit.client().post("/hooks/whmcs", data=body, headers=kit.headers("msg_1", body))
    kit.work()

    assert not kit.world.domains[1].donotrenew
    assert texts(kit) == []
