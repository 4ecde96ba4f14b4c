"""The add-on's page in the admin area: what it shows, what its buttons do."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from bridge import __version__
from bridge.signing import new_secret

from .doors import PATH, Door, request, signed
from .stage import ADDON, FILES

LANGUAGES = ("english", "spanish", "portuguese-br")


@pytest.fixture(scope="module")
def door(panel_stage):
    for statement in (FILES / "transfers.sql").read_text().split(";\n"):
        if statement.strip():
            panel_stage.sql(statement)
    door = Door(panel_stage)
    yield door
    door.close()


@pytest.fixture
def whmcs(panel_stage, secret, door):
    panel_stage.clock = None
    panel_stage.reset("http://127.0.0.1:1", secret)
    yield panel_stage
    assert door.complaints == ""


class _Read(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.texts: list[str] = []
        self.buttons: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.names += [name for name, _ in attrs]
        if tag == "button":
            self.buttons.append(dict(attrs)["value"])

    def handle_data(self, data):
        self.texts.append(data.strip())


def read(answer):
    """Return the page's own part, read; the frame around it is the stage's."""
    assert answer.status == 200
    assert "Warning:" not in answer.text
    assert "Deprecated:" not in answer.text
    found = _Read()
    found.feed(answer.text[answer.text.index('<div class="hookbridge">') :])
    return found


def text(answer):
    return " ".join(filter(None, read(answer).texts))


def put(whmcs, seq, state="waiting", **more):
    row = {
        "seq": seq,
        "id": f"msg_{seq}",
        "hookpoint": "InvoicePaid",
        "body": '{"type":"InvoicePaid","data":{"invoiceid":1}}',
        "state": state,
        "created_at": int(time.time()) - 7200,
        **more,
    }
    marks = ", ".join("?" * len(row))
    whmcs.sql(
        f"INSERT INTO mod_hookbridge_outbox ({', '.join(row)}) VALUES ({marks})",
        *row.values(),
    )


def note(whmcs, name, value, ago=60):
    whmcs.sql(
        "REPLACE INTO mod_hookbridge_state (name, value, updated_at) VALUES (?, ?, ?)",
        name, value, int(time.time()) - ago,
    )  # fmt: skip


def test_an_empty_queue_says_so(whmcs, door):
    page = text(door.page())

    assert "Waiting 0, and 0 that stepped aside" in page
    assert "Age of the oldest none" in page
    assert "Last success never" in page
    assert "Last error never" in page
    assert "None: everything was taken, or is on its way." in page


def test_the_queue_is_told_in_numbers_and_words(whmcs, door):
    put(whmcs, 1)
    put(whmcs, 2, created_at=int(time.time()) - 60)
    put(whmcs, 3, "aside")
    put(whmcs, 4, "parked", created_at=1)
    note(whmcs, "last_success", "3 rows taken", ago=180)
    note(whmcs, "last_error", "nothing listens at the address of the bridge", ago=7200)
    note(whmcs, "pause", "", ago=-240)

    page = text(door.page())

    assert "Waiting 2, and 1 that stepped aside" in page
    assert "Age of the oldest 2 h" in page
    assert "Parked 1" in page
    assert re.search(r"Last success 3 min ago \(\d{4}-[-\d: ]+\): 3 rows taken", page)
    assert re.search(r"Last error 2 h ago .*: nothing listens at the address", page)
    assert "Next try in 3 min" in page or "Next try in 4 min" in page


def test_rows_in_trouble_have_their_buttons(whmcs, door):
    put(whmcs, 7, "parked", tries=1, error="HTTP 400 Not a delivery: no type")
    put(whmcs, 8, "aside", hookpoint="ClientEdit")

    answer = door.page()

    page = read(answer)
    assert page.buttons.count("again") == page.buttons.count("drop") == 1
    told = text(answer)
    assert re.search(r"InvoicePaid parked 2 h ago .* 1 HTTP 400 Not a delivery", told)
    assert "ClientEdit stepped aside" in told


def states(whmcs):
    return {row["seq"]: row["state"] for row in whmcs.rows("1 = 1")}


def test_chosen_rows_go_back_into_the_queue(whmcs, door):
    for seq in (1, 2, 3):
        put(whmcs, seq, "parked", strikes=5)

    answer = door.page(hookbridge_do="again", rows=[1, 3])

    assert "Put back into the queue: 2." in text(answer)
    assert states(whmcs) == {1: "waiting", 2: "parked", 3: "waiting"}


def test_rows_are_dropped_when_staff_say_so_twice(whmcs, door):
    for seq in (1, 2, 3):
        put(whmcs, seq, "parked")

    asked = door.page(hookbridge_do="drop", rows=[1, 3])
    before = states(whmcs)
    done = door.page(hookbridge_do="drop_sure", rows=[1, 3])

    assert "Drop the chosen rows (2)?" in text(asked)
    assert 'name="rows[]" value="3"' in asked.text
    assert asked.text.count(" checked>") == 2
    assert set(before) == {1, 2, 3}
    assert "Dropped: 2." in text(done)
    assert states(whmcs) == {2: "parked"}
    log = whmcs.sql("SELECT description AS d FROM tblactivitylog")
    assert [row["d"] for row in log] == ["Hook bridge: staff dropped 2 rows (1, 3)."]


@pytest.mark.parametrize("do", ["again", "drop", "drop_sure"])
def test_nothing_chosen_is_said(do, whmcs, door):
    put(whmcs, 1, "parked")

    assert "No row was chosen." in text(door.page(hookbridge_do=do))
    assert states(whmcs) == {1: "parked"}


def test_rows_that_wait_cannot_be_dropped(whmcs, door):
    put(whmcs, 1)
    put(whmcs, 2, "sent")

    door.page(hookbridge_do="drop_sure", rows=[1, 2])

    assert states(whmcs) == {1: "waiting", 2: "sent"}


ODD = ["", "0", "-1", "1 OR 1=1", "1e3", "9" * 30, "<script>", "../1"]


def test_odd_row_numbers_choose_nothing(whmcs, door):
    put(whmcs, 1, "parked")

    answer = door.page(hookbridge_do="drop_sure", rows=ODD)

    assert "No row was chosen." in text(answer)
    assert states(whmcs) == {1: "parked"}


def test_a_form_without_the_panels_token_does_nothing(whmcs, door):
    put(whmcs, 1, "parked")

    for token in ("", "other"):
        answer = door.page(hookbridge_do="drop_sure", rows=[1], token=token)
        assert "Invalid Token" in answer.text

    assert states(whmcs) == {1: "parked"}


def test_a_link_does_nothing(whmcs, door):
    put(whmcs, 1, "parked")

    door.ask("GET", "/addonmodules.php?hookbridge_do=drop_sure&rows[]=1&token=stage")

    assert states(whmcs) == {1: "parked"}


def test_every_form_carries_the_token(whmcs, door):
    put(whmcs, 1, "parked")

    page = door.page().text

    assert page.count("<form") == page.count('name="token" value="stage"') >= 3


def test_no_script_is_needed(whmcs, door):
    put(whmcs, 1, "parked")

    names = read(door.page()).names

    assert "script" not in names
    assert not [name for name in names if name.startswith("on")]


HOSTILE = "\"'><script>alert(1)</script>&\u202e\x00"


def test_everything_shown_is_escaped(whmcs, door):
    put(whmcs, 1, "parked", hookpoint=HOSTILE[:60], error=HOSTILE, id=HOSTILE[:60])
    for name in ("last_error", "last_success", "transfer_unsigned"):
        note(whmcs, name, HOSTILE)
    whmcs.setting("address", "https://bridge.example.com/" + HOSTILE)
    kept = {"hookpoints": [HOSTILE, "InvoicePaid"], "decisions": [], "map": HOSTILE}
    note(whmcs, "hookpoints", json.dumps(kept))
    whmcs.sql(
        "INSERT INTO mod_hookbridge_transfers VALUES"
        " ('x', ?, 'y', 1, 2, 3, '{}', '2026-11-25 10:00:00')",
        HOSTILE,
    )

    answer = door.page()

    assert "script" not in read(answer).names
    assert "<script" not in answer.text
    assert answer.text.count("&lt;script&gt;") >= 5


def test_texts_of_the_language_are_escaped_too(whmcs, door):
    path = whmcs.folder / "modules/addons/hookbridge/lang/hostile.php"
    path.write_text("<?php $_ADDONLANG = ['queue' => '<script>', 'waiting' => 5];")
    try:
        answer = door.page("hostile")
    finally:
        path.unlink()

    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_bytes_that_are_no_text_are_shown_somehow(whmcs, door):
    whmcs.sql("ALTER TABLE mod_hookbridge_outbox MODIFY error VARBINARY(255) NOT NULL")
    try:
        put(whmcs, 1, "parked")
        whmcs.sql("UPDATE mod_hookbridge_outbox SET error = 0x41FF42 WHERE seq = 1")
        answer = door.page()
    finally:
        whmcs.sql("DELETE FROM mod_hookbridge_outbox")
        whmcs.sql(
            "ALTER TABLE mod_hookbridge_outbox MODIFY error VARCHAR(255) NOT NULL"
            " DEFAULT ''"
        )

    assert "A\ufffdB" in answer.text


def test_fifty_of_many_are_shown(whmcs, door):
    for seq in range(1, 61):
        put(whmcs, seq, "parked")

    page = door.page().text

    assert page.count('type="checkbox"') == 50
    assert 'value="60"' in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_is_there_in_every_language(language, whmcs, door):
    put(whmcs, 1, "parked", error="the bridge could not be reached in time")
    note(whmcs, "last_error", "the name of the bridge cannot be found")

    page = text(door.page(language))

    english = language == "english"
    assert ("Rows in trouble" in page) is english
    assert ("could not be reached in time" in page) is english
    assert ("cannot be found" in page) is english
    assert not re.search(r"\b[a-z]+_[a-z_]+\b", page.replace("msg_1", "")), page
    assert not re.search(r"\{\d\}", page)


def test_both_kinds_of_portuguese_read_the_same_words(whmcs, door):
    brazil, portugal = (
        read(door.page(f"portuguese-{land}")).texts for land in ("br", "pt")
    )

    assert brazil == portugal
    assert "Waiting" not in brazil


def words(language):
    source = (ADDON / "lang" / f"{language}.php").read_text(encoding="utf-8")
    found = re.findall(r"^\$_ADDONLANG\['(.*?)'\] = '(.*)';$", source, re.M)
    assert len(found) == source.count("$_ADDONLANG[")
    return dict(found)


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_a_translation_has_the_same_keys_and_places(language):
    english, other = words("english"), words(language)
    plain = {name: word for name, word in other.items() if "said: " not in name}

    assert plain.keys() == english.keys()
    for name, word in plain.items():
        places = r"\{\d\}"
        assert sorted(re.findall(places, word)) == sorted(
            re.findall(places, english[name])
        ), name


def test_every_word_that_is_used_is_written_down():
    source = "".join(
        (ADDON / "lib" / f"{name}.php").read_text()
        for name in ("Page", "Buttons", "Probe", "Words")
    )
    used = set(re.findall(r"->(?:html|text|head|add|tell)\('(\w+)'", source))
    used |= set(re.findall(r"(?:'bad'|'warn'|'good'), '(\w+)'", source))
    used |= {f"do_{do}" for do in re.findall(r"button\('(\w+)'", source)}

    levels = {"good", "warn", "bad"}
    assert used - words("english").keys() - levels == {"do_"}


SENTENCES = re.compile(r"'((?:the|The|nothing|PHP|no) [^'\\]{12,}?)[ (]*'")


def test_every_sentence_of_the_addon_is_translated():
    source = "".join(
        (ADDON / "lib" / f"{name}.php").read_text()
        for name in ("Sender", "Answer", "Settings", "Signer")
    )
    said = set(SENTENCES.findall(source))
    known = {n.removeprefix("said: ") for n in words("spanish") if "said: " in n}

    assert len(said) > 12
    unknown = {one for one in said if not any(one in k or k in one for k in known)}
    assert unknown == set()


def press(whmcs, door, address, language="english"):
    whmcs.setting("address", address)
    return text(door.page(language, hookbridge_do="test"))


@pytest.fixture
def real_time(clock):
    """The bridge with today's time, as PHP has."""
    clock.set(datetime.now(UTC))


def test_the_test_finds_all_well(real_time, whmcs, door, address):
    page = press(whmcs, door, address)

    assert re.search(r"The bridge answered in \d+ ms\.", page)
    assert re.search(r"Clocks: [+-]\d s apart\. Good\.", page)
    assert "Signature: accepted." in page
    assert re.search(r"Map: version \S+, \d+ hookpoints\.", page)
    assert f"Versions: bridge {__version__}, add-on {__version__}." in page


def test_a_wrong_secret_is_named(real_time, whmcs, door, address):
    whmcs.setting("secret", new_secret())

    page = press(whmcs, door, address)

    assert "Signature: refused. The secret here is none of" in page
    assert "accepted" not in page


def test_another_panels_name_is_named(real_time, whmcs, door, address):
    assert "(HTTP 404)" in press(whmcs, door, f"{address}/hooks/other")


def test_a_bridge_that_is_down_is_named(whmcs, door):
    page = press(whmcs, door, "http://127.0.0.1:1")

    assert "nothing listens at the address of the bridge" in page


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("address", "", "The address of the bridge is not set."),
        ("address", "http://bridge.example.com", "must begin with https://"),
        ("secret", "", "The secret is not set."),
        ("secret", "whsec_AAAA", "The secret is not one of the bridge"),
    ],
)
def test_what_is_not_set_up_is_said_at_once(setting, value, words, whmcs, door):
    whmcs.setting(setting, value)

    page = text(door.page())
    tested = text(door.page(hookbridge_do="test"))
    asked = text(door.page(hookbridge_do="ask"))

    assert "Nothing is sent. The " in page
    assert words in page
    assert "Not tested:" in tested
    assert "Not tested:" in asked


class Fake:
    """Something that listens and answers one thing, byte for byte."""

    def __init__(self, answer: bytes, wait: float = 0.0) -> None:
        self._answer, self._wait = answer, wait
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.seen = b""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with self._socket, self._socket.accept()[0] as line:
            self.seen = line.recv(65536)
            threading.Event().wait(self._wait)
            try:
                line.sendall(self._answer)
            except OSError:
                return


def http(body, status="200 OK", **headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.title()}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def gmt(seconds):
    at = datetime.fromtimestamp(time.time() + seconds, UTC)
    return at.strftime("%a, %d %b %Y %H:%M:%S GMT")


LIST = b'{"hookpoints":["InvoicePaid"],"decisions":[],"map":"m1"}'
PROBLEM = b'{"title":"Not signed","detail":"The signature or its time is not right."}'


def test_clocks_that_differ_a_little_are_a_warning(whmcs, door):
    page = press(whmcs, door, Fake(http(LIST, date=gmt(90))).address)

    assert re.search(r"Clocks: the bridge's is \+(89|90|91) s off", page)
    assert "Signature: accepted." in page


def test_clocks_that_differ_much_are_why_it_is_refused(whmcs, door):
    refused = http(PROBLEM, "401 Unauthorized", date=gmt(-900))

    page = press(whmcs, door, Fake(refused).address)

    assert re.search(r"Clocks: the bridge's is -(899|900|901) s off", page)
    assert "because the clocks differ too much" in page
    assert "BRIDGE_SIGNING_SECRETS" not in page


@pytest.mark.parametrize("date", ["", "yesterday-ish", "\x01"])
def test_an_answer_without_a_time_is_not_compared(date, whmcs, door):
    assert "carries no date" in press(whmcs, door, Fake(http(LIST, date=date)).address)


def test_versions_are_compared_when_the_bridge_tells_its_own(whmcs, door):
    def with_version(version):
        body = LIST[:-1] + b',"version":"' + version + b'"}'
        return press(whmcs, door, Fake(http(body, date=gmt(0))).address)

    same, other = with_version(b"0.1.9"), with_version(b"0.2.0")

    assert "Versions: bridge 0.1.9, add-on 0.1.0." in same
    assert "whmcs-bridge addon build" in other


OTHERS = {
    "a login page": http(b"<h1>Log in</h1><script>alert(1)</script>"),
    "a redirect": http(b"", "302 Found", location="https://elsewhere.example"),
    "an empty answer": http(b""),
    "a list": http(b"[]"),
    "another shape": http(b'{"hookpoints":"InvoicePaid","decisions":[],"map":"1"}'),
    "an error": http(b"{}", "500 Oops"),
    "busy": http(b"", "503 Busy"),
}


@pytest.mark.parametrize("answer", OTHERS.values(), ids=OTHERS)
def test_what_is_no_bridge_is_told_from_one(answer, whmcs, door):
    page = press(whmcs, door, Fake(answer).address)

    assert "Something answered, but not as the bridge does: HTTP" in page
    assert "Signature: accepted." not in page


def test_a_bridge_that_hangs_costs_two_seconds(whmcs, door):
    began = time.monotonic()

    page = press(whmcs, door, Fake(http(LIST), wait=5).address)

    assert "the bridge did not finish its answer in time" in page
    assert time.monotonic() - began < 4


def test_the_ping_is_signed_and_changes_nothing(whmcs, door):
    fake = Fake(http(LIST, date=gmt(0)))

    press(whmcs, door, fake.address)

    seen = fake.seen.decode().lower()
    assert seen.startswith("get /hooks/whmcs/hookpoints http/1.1")
    assert "webhook-signature: v1," in seen
    assert "hookpoints" not in whmcs.state()
    assert whmcs.rows() == []


def test_asking_now_registers_what_the_map_uses(real_time, whmcs, door, address):
    before = text(door.page())
    whmcs.setting("address", address)

    answer = door.page(hookbridge_do="ask")

    page = text(answer)
    assert "until then those of its default map are registered" in before
    assert "InvoicePaid told in the default map" in before
    assert "The bridge answered; its list is registered" in page
    assert "InvoicePaid told in the bridge's map" in page
    assert "PreUpgradeCheckout asked in the bridge's map" in page
    assert "AfterCronJob own the add-on itself" in page


def test_asking_in_vain_keeps_the_last_list(whmcs, door):
    note(whmcs, "hookpoints", LIST.decode())

    page = text(door.page(hookbridge_do="ask"))

    assert "The last good list stays." in page
    assert "InvoicePaid told in the bridge's map" in page
    assert "its map is version m1" in page


def test_a_decision_the_addon_does_not_know_is_told(whmcs, door):
    kept = {"hookpoints": [], "decisions": ["NewDecision"], "map": "m2"}
    note(whmcs, "hookpoints", json.dumps(kept))

    assert "this version of the add-on cannot ask it" in text(door.page())


def test_moved_services_and_turned_away_requests_are_shown(whmcs, door, secret):
    door.ask("POST", PATH, request(), signed(new_secret(), request()))
    whmcs.sql(
        "INSERT INTO mod_hookbridge_transfers VALUES ('x', 'msg_moved', 'y', 81, 82,"
        " 83, '{}', ?)",
        datetime.fromtimestamp(time.time() - 3 * 86400, UTC).strftime("%F %T"),
    )

    page = text(door.page())

    assert re.search(r"A request was turned away, last \d s ago .*no signature", page)
    assert re.search(r"81 82 83 3 days ago .* msg_moved", page)


@pytest.mark.parametrize("table", ["outbox", "state", "transfers"])
def test_a_missing_table_is_a_sentence(table, whmcs, door):
    name = f"mod_hookbridge_{table}"
    whmcs.sql(f"RENAME TABLE {name} TO hidden")
    try:
        answer = door.page()
    finally:
        whmcs.sql(f"RENAME TABLE hidden TO {name}")

    broken = "deactivate and activate the add-on" in text(answer)
    assert broken is (table != "transfers")
    assert "SQLSTATE" not in answer.text


def test_the_secret_is_nowhere_on_the_page(real_time, whmcs, door, address, secret):
    whmcs.setting("address", address)
    pages = [door.page(hookbridge_do=do) for do in ("test", "ask")]
    whmcs.setting("address", "https://user:MARKEDpass@bridge.example.com/x")
    pages.append(door.page())

    for answer in pages:
        for mark in (secret, secret[6:], "MARKEDpass"):
            assert mark not in answer.text
