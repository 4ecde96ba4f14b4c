"""Texts as templates: drafts, submitting, listing, and sending by them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bridge.demo.whatsapp.cloud import CloudStub
from bridge.demo.whatsapp.server import StubServer
from bridge.demo.whatsapp.twilio import TwilioStub
from bridge.errors import ErrorClass, Reason, RemoteError, SendError, TextError
from bridge.placeholders import split
from bridge.textfiles import Text, read_all
from bridge.transport import Transport
from bridge.whatsapp import Template, TemplateDraft, TemplateState
from bridge.whatsapp.reading import fitted
from bridge.whatsapp.templates import chosen, current, draft, findings
from tests.whatsapp.providers import HELLO, now, provider, received, serving

CONFIG = Path(__file__).parents[2] / "config" / "messages"
TEXTS = read_all(CONFIG).texts
BASE = "https://panel.example"
STUBS = {"cloud": CloudStub, "twilio": TwilioStub}
windowed = pytest.mark.parametrize("name", STUBS)


def text(body: str, url: str = "", label: str = "Ver", **more: str) -> Text:
    parts = tuple(split(body)[0])
    return Text(
        "aviso",
        "es",
        parts,
        label=label if url else "",
        url=tuple(split(url)[0]),
        **more,
    )


@pytest.fixture
def stub(name):
    return STUBS[name](now)


@pytest.fixture
def adapter(name, stub):
    with StubServer(stub) as server, Transport(pool=2, total=5.0) as transport:
        yield provider(name, server.url, transport)


# --- Drafts ---


@pytest.mark.parametrize("key", sorted(TEXTS), ids="/".join)
def test_every_text_that_comes_with_the_bridge_can_be_a_template(key):
    found = TEXTS[key]
    examples = [f"ejemplo{n}" for n, _ in enumerate(found.placeholders)]

    made = draft(found, examples, address=f"{BASE}/viewinvoice.php?id=1", base=BASE)

    assert (made.name, made.language) == key
    assert made.body.count("{{") == len(examples)
    assert bool(made.url) == bool(found.label)


@pytest.mark.parametrize("name", STUBS)
def test_every_text_that_comes_with_the_bridge_is_taken_by_the_provider(
    name, adapter, stub
):
    for key in sorted(TEXTS):
        found = TEXTS[key]
        examples = [f"ejemplo{n}" for n, _ in enumerate(found.placeholders)]
        made = draft(found, examples, address=f"{BASE}/x.php?id=1", base=BASE)
        state = adapter.push(made)
        assert (state.status, state.fits(made)) in (
            ("PENDING", True),
            ("RECEIVED", True),
        )

    listed = {(one.name, one.language): one for one in adapter.templates()}

    assert stub.refused == []
    assert set(listed) == set(TEXTS)
    assert {one.status for one in listed.values()} == {"PENDING"}


def test_a_text_becomes_a_numbered_body_with_a_button():
    source = text(
        "Hola {{ client.first_name }}, la factura {{ invoice.number }} está lista.",
        "{{ invoice.url }}",
        "Ver factura",
    )
    address = f"{BASE}/viewinvoice.php?id=1"

    made = draft(source, ["Ana\n María", "A-1"], address=address, base=f"{BASE}/")

    assert made == TemplateDraft(
        "aviso",
        "es",
        "utility",
        "Hola {{1}}, la factura {{2}} está lista.",
        ("Ana María", "A-1"),
        "Ver factura",
        f"{BASE}/{{{{1}}}}",
        address,
    )


@pytest.mark.parametrize(
    ("url", "address", "wanted", "example"),
    [
        (f"{BASE}/ayuda", "", f"{BASE}/ayuda", ""),
        (
            f"{BASE}/i?id={{{{ invoice.number }}}}",
            f"{BASE}/i?id=9",
            f"{BASE}/i?id={{{{1}}}}",
            f"{BASE}/i?id=9",
        ),
    ],
)
def test_a_buttons_address_may_be_fixed_or_begin_so(url, address, wanted, example):
    made = draft(text("Hola, esto es un aviso.", url), [], address=address)

    assert (made.url, made.url_example) == (wanted, example)


LONG = "Hola {{ client.first_name }}, " + "bla " * 300
WRONG = [
    (text("{{ client.first_name }}, hola y bienvenida a todo esto."), "begin or end"),
    (text("Hola, bienvenida a todo esto {{ client.first_name }}."), "begin or end"),
    (text("Hola a {{ client.first_name }} {{ client.email }} y más."), "side by side"),
    (text(LONG), "holds 1024"),
    (text("Hola {{ client.first_name }}, bien."), "needs at least 3 words"),
    (text("Hola {{ client.first_name }},\testo es un aviso."), "tab"),
    (text("Hola, es esto.", "{{ invoice.url }}/x"), "at the end"),
    (text("Hola, es esto.", "https://x.example/{{ invoice.id }}{{ quote.id }}"), "one"),
    (text("Hola, es esto.", category="authentication"), "authentication"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "said"), WRONG)
def test_what_cannot_be_a_template_says_why(source, said):
    (found,) = findings(source)

    assert said in found
    with pytest.raises(TextError, match=r"text aviso \(es\)"):
        draft(source, ["x"] * len(source.placeholders), base=BASE)


@pytest.mark.parametrize(
    ("examples", "address", "base", "said"),
    [
        ([], f"{BASE}/x", BASE, "1 examples"),
        (["Ana"], "https://other.example/x", BASE, "does not lie below"),
        (["Ana"], f"{BASE}/", BASE, "does not lie below"),
        (["Ana"], "http://panel.example/x", "http://panel.example", "https://"),
        (["Ana"], "/x", "", "https://"),
        (["Ana"], f"{BASE}/{'x' * 2000}", BASE, "too long"),
    ],
)
def test_a_draft_is_refused_with_what_is_missing(examples, address, base, said):
    source = text("Hola {{ client.first_name }}, es un aviso.", "{{ invoice.url }}")

    with pytest.raises(TextError, match=said):
        draft(source, examples, address=address, base=base)


# --- The nearest language ---

STATES = [
    TemplateState("aviso", "es", "APPROVED", "1"),
    TemplateState("aviso", "es_AR", "APPROVED", "2"),
    TemplateState("aviso", "pt_BR", "APPROVED", "3"),
    TemplateState("aviso", "en", "REJECTED", "4"),
    TemplateState("otro", "en", "APPROVED", "5"),
]


@pytest.mark.parametrize(
    ("language", "default", "id"),
    [
        ("es_AR", "", "2"), ("es_MX", "", "1"), ("es", "", "1"), ("pt", "", "3"),
        ("pt_PT", "", "3"), ("en", "es", "1"), ("en", "", None), ("fr", "pt_BR", "3"),
    ],
)  # fmt: skip
def test_the_nearest_approved_language_is_chosen(language, default, id):
    found = chosen(STATES, "aviso", language, default)

    assert (found.id if found else None) == id


def test_a_state_tells_what_a_message_needs_of_it():
    body = "Hola {{1}}, la factura {{2}} está lista."
    state = TemplateState(
        "aviso", "es", "APPROVED", "HX1", body=body, url=f"{BASE}/{{{{3}}}}"
    )
    fixed = TemplateState("aviso", "es", "APPROVED", body="Hola.", url=f"{BASE}/ayuda")

    assert state.template == Template("aviso", "es", "HX1", f"{BASE}/", 1024 - 30)
    assert fixed.template == Template("aviso", "es", "", "", 1024 - 5)


# --- Submitting ---

DRAFT = TemplateDraft(
    "aviso",
    "es",
    "utility",
    "Hola {{1}}, la factura {{2}} está lista.",
    ("Ana", "A-1"),
    "Ver factura",
    f"{BASE}/{{{{1}}}}",
    f"{BASE}/viewinvoice.php?id=1",
)


@windowed
def test_a_template_is_submitted_listed_and_changed(name, adapter, stub):
    first = adapter.push(DRAFT)
    changed = replace(DRAFT, body="Hola {{1}}, tu factura {{2}} ya está lista.")
    if name == "cloud":
        stub.review("aviso", "es", "APPROVED")

    second = adapter.push(changed, first.id)
    *_, listed = adapter.templates()

    assert stub.refused == []
    assert first.fits(DRAFT)
    assert not first.fits(changed)
    assert listed.fits(changed)
    assert listed.id == second.id
    assert (listed.label, listed.approved) == ("Ver factura", False)


@pytest.mark.parametrize("name", ["twilio"])
def test_an_approved_content_stays_until_the_next_one_is_approved(name, adapter, stub):
    bodies = [f"Hola {{{{1}}}}, la factura {{{{2}}}} es la {n}." for n in range(5)]
    ids = [stub.add("aviso", "es", bodies[0])]
    other, draft_of_his = stub.add("aviso", "en", "Hi."), stub.add("aviso", "es", "x")
    stub.contents[draft_of_his]["approval"]["status"] = "unsubmitted"

    def push(body):
        ids.append(adapter.push(replace(DRAFT, body=body), ids[-1]).id)
        left = {one.id for one in adapter.templates()} - {other, draft_of_his}
        return [ids.index(id) for id in ids if id in left]

    def shown():
        known = {one.language: one.id for one in current(adapter.templates())}
        return ids.index(known["es"])

    assert (push(bodies[1]), shown()) == ([0, 1], 0)
    assert (push(bodies[2]), shown()) == ([0, 2], 0)
    stub.contents[ids[2]]["approval"]["status"] = "approved"
    assert shown() == 2
    assert (push(bodies[3]), shown()) == ([2, 3], 2)
    assert {other, draft_of_his} <= set(stub.contents)


def test_pages_of_templates_are_all_read():
    stub = CloudStub(now)
    for n in range(8):
        stub.templates.add(
            f"t{n}", "es", "Hola.", status="REJECTED" if n else "APPROVED"
        )
    stub.templates.review("t7", "es", "REJECTED", "INVALID_FORMAT")
    with StubServer(stub) as server, Transport(pool=2, total=5.0) as transport:
        found = provider("cloud", server.url, transport).templates()

    assert [one.name for one in found] == [f"t{n}" for n in range(8)]
    assert [one.approved for one in found] == [True] + [False] * 7
    assert (found[0].reason, found[7].reason) == ("", "INVALID_FORMAT")


NONSENSE = ["{}", "[]", "17", "null", '{"data": null, "contents": null}',
            '{"error": {"code": 1}}', '{"data": {}, "contents": {}}',
            '{"data": [17], "contents": ["x"]}']  # fmt: skip


@windowed
@pytest.mark.parametrize("body", NONSENSE)
def test_a_list_that_is_none_is_no_empty_list(name, body):
    with (
        serving([{"status": 200, "text": body}]) as server,
        Transport(pool=1) as line,
        pytest.raises(RemoteError) as caught,
    ):
        provider(name, server.url, line).templates()

    assert caught.value.reason is Reason.UNREADABLE


@windowed
def test_an_empty_list_is_one(name):
    page = {"data": [], "contents": []}
    with serving([{"status": 200, "json": page}]) as server, Transport(pool=1) as line:
        assert provider(name, server.url, line).templates() == []


ENDLESS = {
    "cloud": {"data": [], "paging": {"cursors": {"after": "A"}, "next": "https://x/"}},
    "twilio": {"contents": [], "meta": {"next_page_url": "https://x.example/v1/C"}},
}


@windowed
def test_a_list_without_an_end_is_not_taken_for_the_whole(name):
    pages = [{"status": 200, "json": ENDLESS[name]}] * 200
    with (
        serving(pages) as server,
        Transport(pool=1) as line,
        pytest.raises(RemoteError, match="list of templates has") as caught,
    ):
        provider(name, server.url, line).templates()

    assert caught.value.reason is Reason.UNREADABLE


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "Aviso"}, "the name"),
        ({"language": "español"}, "the language"),
        ({"body": "{{1}} hola, son dos {{2}} palabras más."}, "the start"),
        ({"examples": ("Ana",)}, "example"),
        ({"url": "https://x/{{1}}/y", "url_example": ""}, "button"),
    ],
)
def test_a_refused_template_is_told_in_metas_words(changed, said):
    with StubServer(CloudStub(now)) as server, Transport(pool=1) as transport:
        adapter = provider("cloud", server.url, transport)

        with pytest.raises(RemoteError, match=said) as caught:
            adapter.push(replace(DRAFT, **changed))

    assert caught.value.reason is Reason.REFUSED
    assert "(code 100)" in caught.value.detail


@pytest.mark.parametrize("name", ["evolution", "waha"])
def test_a_gateway_has_no_templates(name):
    adapter = provider(name, "http://127.0.0.1:1", None)

    assert adapter.templates() == []
    with pytest.raises(RemoteError, match="it has no templates"):
        adapter.push(DRAFT)


# --- Sending ---


def approved(name: str, stub: object) -> Template:
    """Put the invoice's template in and return what a message needs of it."""
    body, url = "Hola {{1}}, la factura {{2}} está lista.", f"{BASE}/{{{{1}}}}"
    if name == "twilio":
        id = stub.add("invoice_created", "es", body, f"{BASE}/{{{{3}}}}")
        return Template("invoice_created", "es", id, f"{BASE}/", 994)
    stub.templates.add("invoice_created", "es", body, url)
    return Template("invoice_created", "es", "", f"{BASE}/", 994)


@windowed
def test_outside_the_window_the_template_carries_the_values(name, adapter, stub):
    stub.open = set()
    template = approved(name, stub)

    receipt = adapter.send(replace(HELLO, free=False, template=template))

    (taken,) = stub.taken
    assert (taken.id, taken.template, taken.language) == (
        receipt.id, "invoice_created", "es",
    )  # fmt: skip
    assert taken.text == "Hola Ana, la factura 1234 está lista."
    assert taken.values[:2] == ("Ana", "1234")
    tail = taken.button if name == "cloud" else taken.values[2]
    assert tail == "viewinvoice.php?id=1"
    assert stub.refused == []


@windowed
def test_free_text_outside_the_window_fails_later_with_its_class(name, adapter, stub):
    stub.open = set()

    adapter.send(HELLO)

    (posted,) = stub.take()
    (found,) = adapter.read(received(posted, name))
    assert found.kind is ErrorClass.AS_TEMPLATE
    assert found.tag == HELLO.tag


@windowed
@pytest.mark.parametrize(
    "changed",
    [
        {"template": None},
        {"button": None},
        {"button": ("Ver", "https://elsewhere.example/x")},
        {"button": ("Ver", f"{BASE}/")},
    ],
)
def test_without_a_fitting_template_nothing_is_sent(name, changed, adapter, stub):
    message = replace(HELLO, free=False, template=approved(name, stub))

    with pytest.raises(SendError) as caught:
        adapter.send(replace(message, **changed))

    assert caught.value.kind is ErrorClass.FIX
    assert stub.asks == 0


@windowed
def test_a_panels_values_are_taken_whatever_is_in_them(name, adapter, stub):
    odd = (" Ana\n\tMaría      de\u2028 la\x00 ", "\r\n")
    template = approved(name, stub)

    adapter.send(replace(HELLO, values=odd, free=False, template=template))

    assert stub.taken[0].values[:2] == ("Ana María de la\N{REPLACEMENT CHARACTER}", "-")
    assert stub.refused == []


@windowed
def test_long_values_are_cut_until_the_whole_fits(name, adapter, stub):
    template = approved(name, stub)

    adapter.send(
        replace(HELLO, values=("A" * 3000, "1234"), free=False, template=template)
    )

    assert stub.refused == []
    assert len(stub.taken[0].text) == 1024
    assert stub.taken[0].values[1] == "1234"


def test_a_template_without_values_and_button_is_sent_without_parts():
    stub = CloudStub(now)
    stub.templates.add("aviso", "es", "Hola, esto es un aviso.")
    with StubServer(stub) as server, Transport(pool=1) as transport:
        adapter = provider("cloud", server.url, transport)
        message = replace(
            HELLO, values=(), free=False, template=Template("aviso", "es")
        )

        adapter.send(message)

    assert (stub.refused, stub.taken[0].template) == ([], "aviso")


@pytest.mark.parametrize(
    ("values", "room", "wanted"),
    [
        ((), 10, []),
        (("abc", "de"), 5, ["abc", "de"]),
        (("abcd", "de"), 5, ["abc…"[:2] + "…", "de"]),
        (("aaaa", "bbbb"), 4, ["a…", "b…"]),
        (("aaaa", "bbbb"), 0, ["…", "…"]),
        (("", " \n"), 5, ["-", "-"]),
    ],
)
def test_values_share_the_room_there_is(values, room, wanted):
    found = fitted(values, room)

    assert found == wanted
    assert all(found)


def test_a_tag_that_is_too_long_is_a_mistake_of_ours():
    adapter = provider("cloud", "http://127.0.0.1:1", None)

    with pytest.raises(SendError, match="fix: the tag is longer"):
        adapter.send(replace(HELLO, tag="x" * 513))
