"""Plan changes on the console: the working, the order made once, how far it is."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from time import monotonic

import pytest
import sqlalchemy as sa

from bridge.billing.model import Refusal
from bridge.console import pages
from bridge.console.throttle import Desk, TooLate
from bridge.demo.panel_example import (
    MAILBOXES_PRO,
    PLAN_100,
    PLAN_150,
    PLAN_220,
    SUPPORT,
    VPS_PRO,
)
from bridge.errors import Reason, RemoteError
from bridge.store import operators, tables

from .conftest import Visitor

QUOTE = f"/quote?service=1&product={PLAN_150}"


def rows(kit, table):
    with kit.bridge.store.read() as db:
        return db.execute(sa.select(table)).all()


def text_of(page: str) -> str:
    """Return what a page says, without its marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def order(visitor: Visitor, path: str = QUOTE) -> str:
    """Order what a page shows, and return the order's page."""
    answer = visitor.post("/upgrades", visitor.fields(path))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"]).removeprefix("/console")


def invoice_of(kit):
    [found] = [i for i in kit.world.invoices.values() if "[bridge" in i.notes]
    return found


# --- Choosing and working out ---


def test_a_service_shows_what_it_may_become_with_its_prices(ana):
    said = text_of(ana.get("/quote?service=1").text)

    assert "Ana Pérez (1)" in said
    assert "Plan 150 (mensual 15,00 ARS, anual 150,00 ARS)" in said
    assert "Como ahora: anual" in said
    assert said.index("Plan 220 (") < said.index("Radio") < said.index("Plan 100 (")


def test_a_service_that_is_not_active_offers_no_plan_and_says_why(ana, kit):
    kit.world.services[1].status = "Suspended"

    answer = ana.get("/quote?service=1")

    assert answer.status_code == 200
    assert "mientras el servicio está activo" in text_of(answer.text)
    assert '<select name="product"' not in answer.text


def test_only_what_the_map_offers_can_be_chosen(bridge_for, config_with, make_operator):
    make_operator()
    change = ("paths: {}", f"paths: {{{PLAN_100}: [{PLAN_220}]}}")
    visitor = Visitor(bridge_for(config_dir=config_with(change)).app())
    visitor.log_in()

    said = text_of(visitor.get("/quote?service=1").text)

    assert "Plan 220 (" in said
    assert "Plan 150 (" not in said


def test_a_quote_shows_its_working_line_by_line(ana):
    said = text_of(ana.get(QUOTE).text)

    assert "Precio del plan nuevo Plan 150, anual, 1 × precio de lista 150,00" in said
    assert "Ya pagado Factura 1: la última pagada cuyo período incluye hoy (" in said
    assert "-100,00 ARS Diferencia exacta 50,00 ARS" in said
    assert "Redondeo No hizo falta – A pagar 50,00 ARS" in said
    assert "Base: la factura pagada." in said
    assert "Se renueva a 150,00 ARS, anual, con vencimiento el" in said
    assert "Generar la factura de 50,00 ARS" in said


def test_rounding_is_shown_with_the_exact_difference(ana, kit):
    prices = kit.world.products[MAILBOXES_PRO].prices["CLP"]
    prices["Monthly"] = Decimal("25000.25")

    said = text_of(ana.get(f"/quote?service=5&product={MAILBOXES_PRO}").text)

    assert "mensual, 3 × precio de lista 75.000,75 CLP" in said
    assert "Diferencia exacta 45.000,75 CLP" in said
    assert "Una sola vez, al final: la mitad hacia arriba 0,25 CLP" in said
    assert "A pagar 45.001 CLP" in said


WORKINGS = {
    "quantity": (f"/quote?service=5&product={MAILBOXES_PRO}", "mensual, 3 × precio"),
    "free": (
        f"/quote?service=9&product={PLAN_150}&cycle=annually",
        "El plan actual es gratis",
    ),
    "another cycle": (
        f"/quote?service=2&product={PLAN_150}&cycle=annually",
        "Al habilitarse empieza un período nuevo: si fuera hoy, se renovaría a 150,00",
    ),
}


@pytest.mark.parametrize(("path", "words"), WORKINGS.values(), ids=WORKINGS)
def test_other_workings_are_told(path, words, ana):
    assert words in text_of(ana.get(path).text)


def test_an_upgrade_paid_before_is_a_line_of_the_next_one(ana, kit):
    order(ana)
    kit.work()
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.work()

    said = text_of(ana.get(f"/quote?service=1&product={PLAN_220}").text)

    assert "Cambio de plan anterior Pagado el 02/11/2026, en el mismo período" in said
    assert "A pagar 70,00 ARS" in said


# --- Refusals ---


class Unlisted(dict):
    """Currencies of which the price lists know the first four only."""

    def items(self):
        return list(super().items())[:4]


def of_another_currency(world):
    euro = replace(world.currencies["ARS"], id=5, code="EUR")
    world.currencies = Unlisted(world.currencies | {"EUR": euro})
    world.clients[1].currency = "EUR"


def paid_two_hundred(world):
    world.invoices[1].items[0].amount = Decimal(200)


REFUSALS = {
    Refusal.CYCLE_NOT_SOLD: (lambda w: None, (1, PLAN_150, "triennially")),
    Refusal.SERVICE_NOT_ACTIVE: (lambda w: w.suspend(1, "x"), (1, PLAN_150, "")),
    Refusal.INVOICE_OPEN: (lambda w: w.generate_renewal(1), (1, PLAN_150, "")),
    Refusal.UPGRADE_PENDING: (None, (1, PLAN_150, "")),
    Refusal.SAME_PLAN: (lambda w: None, (1, PLAN_100, "")),
    Refusal.NOT_OFFERED: (None, (1, PLAN_220, "")),
    Refusal.PAID_OPTIONS: (lambda w: None, (10, VPS_PRO, "")),
    Refusal.CURRENCY_DIFFERS: (of_another_currency, (1, PLAN_150, "")),
    Refusal.ONE_TIME: (lambda w: None, (8, SUPPORT, "monthly")),
    Refusal.COSTS_LESS: (paid_two_hundred, (1, PLAN_150, "")),
    Refusal.DOWNGRADE: (lambda w: None, (4, PLAN_100, "")),
    Refusal.NOT_PRICED: (lambda w: None, (1, PLAN_150, "free")),
}


@pytest.mark.store("sqlite")
@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_every_refusal_is_said_in_the_language_of_the_browser_and_not_ordered(
    refusal, kit, bridge_for, config_with, make_operator
):
    arrange, (service, product, cycle) = REFUSALS[refusal]
    make_operator()
    changes = []
    if refusal is Refusal.NOT_OFFERED:
        changes = [("paths: {}", f"paths: {{{PLAN_100}: [{PLAN_150}]}}")]
    bridge = bridge_for(config_dir=config_with(*changes))
    visitors = {
        language: Visitor(
            bridge.app(), **{"Accept-Language": language.replace("_", "-")}
        )
        for language in ("es", "en", "pt_BR")
    }
    forms = {}
    for language, visitor in visitors.items():
        visitor.log_in()
        forms[language] = visitor.fields(QUOTE)
    if refusal is Refusal.UPGRADE_PENDING:
        order(visitors["es"])
    elif arrange is not None:
        arrange(kit.world)
    before = len(rows(kit, tables.upgrades))
    company = {"company": {"contact": "https://clientes.example.com/contact.php"}}
    texts = bridge.map.current.texts

    for language, visitor in visitors.items():
        asked = {"service": str(service), "product": str(product), "cycle": cycle}
        page = visitor.get("/quote?" + "&".join(f"{k}={v}" for k, v in asked.items()))
        asked |= {"cycle": cycle or "annually", "key": language.ljust(22, "x")}
        told = visitor.post("/upgrades", forms[language] | asked)

        sentence = texts.render(f"refusal_{refusal}", language, company).text
        assert page.status_code == 200
        for shown in (page, told):
            assert sentence in re.sub(r"&#39;", "'", shown.text)
            assert "<form" not in shown.text[shown.text.index("<main") :]
        assert told.status_code == 409

    assert len(rows(kit, tables.upgrades)) == before
    noted = [row for row in rows(kit, tables.audit) if row.what == "order refused"]
    assert {(row.who, row.detail["why"]) for row in noted} == {
        ("ana (console)", str(refusal))
    }
    assert len(noted) == len(visitors)


def test_no_refusal_is_forgotten():
    assert set(REFUSALS) == set(Refusal)


# --- Ordering ---


def test_an_order_is_made_published_paid_and_applied(ana, kit):
    place = order(ana)
    being_made = ana.get(place)
    kit.work()
    waits = ana.get(place)
    invoice = invoice_of(kit)
    kit.world.pay_invoice(invoice.id)
    kit.work()
    done = ana.get(place)

    assert 'http-equiv="refresh" content="3"' in being_made.text
    assert "refresh" not in waits.text + done.text
    assert f"Factura en borrador · Factura {invoice.id} hecho" in text_of(waits.text)
    assert "factura publicada hecho Pagada por el cliente espera el pago" in text_of(
        waits.text
    )
    assert f"/viewinvoice.php?id={invoice.id}" in waits.text
    assert text_of(done.text).count(" hecho ") == 7
    assert (invoice.total, kit.world.service(1).pid) == (Decimal("50.00"), PLAN_150)
    assert kit.panel.refused == []
    [noted] = [row for row in rows(kit, tables.audit) if row.what == "order upgrade"]
    assert noted.who == "ana (console)"


def test_the_request_itself_changes_nothing_in_the_panel(ana, kit):
    order(ana)

    assert kit.panel.count("CreateInvoice") == 0
    assert kit.bridge.worker.wake.is_set()


def test_a_double_click_a_reload_and_the_way_back_order_once(ana, kit):
    form = ana.fields(QUOTE)

    first, second = (ana.post("/upgrades", form) for _ in range(2))
    kit.work()
    third = ana.post("/upgrades", form)

    places = {answer.headers["Location"] for answer in (first, second, third)}
    assert len(places) == 1
    assert sum(kit.panel.invoices_created.values()) == 1


def test_clicks_at_once_order_once(app, ana, kit):
    form = ana.fields(QUOTE)
    app.extensions["console"].desk = Desk(seats=16)
    twins = [Visitor(app) for _ in range(8)]
    for twin in twins:
        value = ana.cookie().value
        twin.client.set_cookie("bridge_console", value, path="/console")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda twin: twin.post("/upgrades", form), twins))
    kit.work()

    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert sum(kit.panel.invoices_created.values()) == 1


def test_two_operators_at_once_order_once(app, ana, kit, make_operator):
    make_operator("bea")
    bea = Visitor(app)
    bea.log_in("bea")
    forms = [(ana, ana.fields(QUOTE)), (bea, bea.fields(QUOTE))]

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda one: one[0].post("/upgrades", one[1]), forms))
    kit.work()

    assert sorted(answer.status_code for answer in answers) == [303, 409]
    assert sum(kit.panel.invoices_created.values()) == 1


def test_what_changed_since_it_was_shown_is_shown_anew_and_not_ordered(ana, kit):
    form = ana.fields(QUOTE)
    kit.world.products[PLAN_150].prices["ARS"]["Annually"] = Decimal(160)

    answer = ana.post("/upgrades", form)

    assert answer.status_code == 409
    assert "El cálculo cambió desde que lo vio" in answer.text
    assert "Generar la factura de 60,00 ARS" in answer.text
    assert rows(kit, tables.upgrades) == []


def test_the_form_shown_anew_can_be_ordered(ana, kit):
    form = ana.fields(QUOTE)
    kit.world.products[PLAN_150].prices["ARS"]["Annually"] = Decimal(160)
    ana.post("/upgrades", form)

    order(ana)
    kit.work()

    assert invoice_of(kit).total == Decimal("60.00")


@pytest.mark.parametrize(
    "changed",
    [
        {"service": "0"},
        {"service": "x"},
        {"service": "99999999999"},
        {"service": ""},
        {"product": "-1"},
        {"product": "１"},
        {"cycle": "weekly"},
        {"cycle": ""},
        {"key": ""},
        {"key": "short"},
        {"key": "x" * 65},
        {"key": "'; DROP TABLE x; --"},
        {"key": "\x00" * 20},
    ],
    ids=str,
)
def test_a_form_with_nonsense_is_400_with_a_sentence(changed, ana, kit):
    answer = ana.post("/upgrades", ana.fields(QUOTE) | changed)

    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert rows(kit, tables.upgrades) == []


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?service=",
        "?service=x",
        "?service=-1",
        "?service=1.5",
        "?service=99999999999",
        "?service=1&product=x",
        "?service=1&product=22&cycle=x",
        "?service=%00",
    ],
)
def test_a_question_with_nonsense_is_400_with_a_sentence(query, ana):
    answer = ana.get(f"/quote{query}")

    assert answer.status_code == 400
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize("path", ["/quote?service=999", "/quote?service=1&product=999"])
def test_what_the_panel_does_not_know_is_404_with_a_sentence(path, ana):
    answer = ana.get(path)

    assert answer.status_code == 404
    assert "El panel no conoce ese servicio o ese plan." in answer.text


@pytest.mark.parametrize("id", ["a" * 16, "x", "%00", "a" * 17, "../../etc"])
def test_an_order_that_is_not_there_is_404(id, ana):
    answer = ana.get(f"/upgrades/{id}")

    assert answer.status_code == 404
    assert "En esta dirección" in answer.text or "ningún pedido" in answer.text


# --- What stops an order ---


def test_in_a_dry_run_it_is_rehearsed_and_every_page_says_so(bridge_for, kit, kept):
    kit = replace(kit, bridge=bridge_for(dry_run=True))
    now = kit.clock.now()
    kit.bridge.store.write(lambda db: operators.add(db, "ana", kept, now))
    visitor = Visitor(kit.bridge.app())
    banner = "no se envía ni se cambia nada"
    login = visitor.get("/login")
    visitor.log_in()
    quoted = visitor.get(QUOTE)

    place = order(visitor)
    kit.work()
    followed = visitor.get(place)

    for page in (login, quoted, followed, visitor.get("/")):
        assert banner in page.text
    assert "Ensayar el pedido (no se factura)" in quoted.text
    assert "ensayado" in followed.text
    assert kit.panel.count("CreateInvoice") == 0


def test_a_panel_that_is_away_while_the_invoice_is_made_is_told(ana, kit):
    place = order(ana)
    kit.panel.faults.add("*", "error", None, seconds=60, message="Down")
    kit.work()

    said = ana.get(place).text

    assert 'content="30"' in said
    assert "Para el equipo" in said


def test_an_order_that_waits_for_staff_says_why(ana, kit):
    place = order(ana)
    kit.work()
    kit.world.pay_invoice(invoice_of(kit).id)
    kit.world.service(1).pid = PLAN_220
    kit.work()

    said = text_of(ana.get(place).text)

    assert "espera al equipo" in said
    assert "the service has plan 25 now: nothing was applied" in said
    assert "detenido" in said


def test_an_order_whose_invoice_was_cancelled_has_ended(ana, kit):
    place = order(ana)
    kit.work()
    kit.world.cancel_invoice(invoice_of(kit).id)
    kit.work()

    assert "terminado sin cambio" in ana.get(place).text


def test_the_same_price_is_ordered_without_an_invoice(ana, kit):
    kit.world.products[PLAN_150].prices["ARS"]["Annually"] = Decimal(100)
    assert "Cambiar el plan sin factura" in ana.get(QUOTE).text

    place = order(ana)
    kit.work()

    assert kit.world.service(1).pid == PLAN_150
    assert "Factura en borrador" not in ana.get(place).text


# --- The list ---


def test_orders_are_listed_the_open_ones_first_by_pages(ana, kit):
    now = kit.clock.now()
    given = {
        "client_id": 1,
        "from_product_id": 21,
        "to_product_id": 22,
        "from_product": "Plan 100",
        "to_product": "Plan 150",
        "cycle": "annually",
        "charge": Decimal(50),
        "currency": "ARS",
        "recurring": Decimal(150),
        "new_period": False,
        "working": [],
        "changed_at": now,
    }
    made = [
        given
        | {
            "id": f"{number:016x}",
            "service_id": 1000 + number,
            "native": number == 7,
            "state": "invoiced" if number < 3 else "done",
            "created_at": now + timedelta(minutes=number),
        }
        for number in range(pages.PAGE + 6)
    ]
    kit.bridge.store.write(lambda db: db.execute(sa.insert(tables.upgrades), made))

    def listed(query: str) -> list[int]:
        return [int(n) for n in re.findall(r">(1\d{3})</a>", ana.get(query).text)]

    first, second = listed("/"), listed("/?page=2")
    rest = [1000 + n for n in range(pages.PAGE + 5, 2, -1) if n != 7]
    assert first + second == [1002, 1001, 1000, *rest]
    assert len(first) == pages.PAGE
    assert listed("/?page=99") == second
    assert listed("/?page=x") == listed("/?page=0") == first
    assert "Página 2 de 2" in ana.get("/?page=2").text


def test_an_order_kept_before_lines_had_kinds_is_shown_all_the_same(ana, kit):
    place = order(ana)
    old = [
        {
            "label": "Plan 150, annually, 1 x",
            "amount": "150.00",
            "source": "list price",
        },
        {"label": "already paid", "amount": "-100.00", "source": "invoice 1"},
    ]
    change = sa.update(tables.upgrades).values(working=old)
    kit.bridge.store.write(lambda db: db.execute(change))

    said = text_of(ana.get(place).text)

    assert "already paid invoice 1 -100,00 ARS Diferencia exacta 50,00 ARS" in said


# --- Languages ---


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("es-AR,es;q=0.9", "Cambios de plan"),
        ("en-GB,en;q=0.8", "Plan changes"),
        ("pt-BR", "Mudanças de plano"),
        ("pt-PT,pt;q=0.9", "Mudanças de plano"),
        ("de,en;q=0.5", "Plan changes"),
        ("de", "Cambios de plan"),
        ("", "Cambios de plan"),
        (";;q=x,\x00", "Cambios de plan"),
    ],
)
def test_pages_are_in_the_language_the_browser_asks_for(asked, title, ana):
    ana.headers["Accept-Language"] = asked.replace("\x00", "")

    assert f"<h1>{title}</h1>" in ana.get("/").text


def test_the_language_can_be_switched_and_stays_over_a_login(app):
    visitor = Visitor(app)
    page = visitor.get("/login?next=/console/quote%3Fservice%3D1&lang=en").text

    visitor.log_in()

    assert "<h1>Log in</h1>" in page
    assert (
        'href="/console/login?next=%2Fconsole%2Fquote%3Fservice%3D1&amp;lang=es"'
        in page
    )
    assert "<h1>Plan changes</h1>" in visitor.get("/").text
    assert "<h1>Mudanças de plano</h1>" in visitor.get("/?lang=pt_BR").text
    assert "<h1>Mudanças de plano</h1>" in visitor.get("/?lang=xx").text


def test_amounts_and_days_are_written_as_in_that_language(ana):
    said = text_of(ana.get(f"{QUOTE}&lang=en").text)

    assert "ARS50.00" in said
    assert "due on May 2, 2027" in said


# --- Hostile data ---

HOSTILE = '<script>alert("1")</script>{{ 7*7 }}{0}%s\x1b[31m\u202egnp.exe\u200b=1+1'


def test_what_the_panel_says_is_shown_as_text_and_nothing_else(ana, kit):
    client = kit.world.clients[1]
    client.firstname, client.lastname = HOSTILE, "'\"><img src=x onerror=alert(1)>"
    kit.world.service(1).domain = HOSTILE
    kit.world.products[PLAN_150].name = HOSTILE
    kit.world.products[PLAN_100].name = HOSTILE

    place = order(ana)
    shown = [ana.get(path).text for path in ("/", "/quote?service=1", place)]
    shown += [ana.get(f"/quote?service=4&product={PLAN_150}").text]

    for page in shown:
        assert "&lt;script&gt;alert(" in page
        assert "49" not in re.findall(r"alert[^<]{0,60}", page)[0][:20]
        assert "{{ 7*7 }}{0}%s\ufffd[31m\ufffdgnp.exe\ufffd=1+1" in page
        for bad in ("<script", "<img", "\x1b", "\u202e", "\u200b"):
            assert bad not in page


def test_what_was_typed_comes_back_as_text(visitor):
    answer = visitor.log_in(name='"><script>')

    assert "<script" not in answer.text
    assert "&#34;&gt;&lt;script&gt;" in answer.text


# --- The panel is slow, away, or asked too much ---


def test_more_pages_at_once_than_seats_are_told_to_come_again(ana, app):
    desk = app.extensions["console"].desk = Desk(seats=1)
    gate, inside = threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        gate.wait(10)

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(desk.ask, wait)
        inside.wait(10)
        answer = ana.get(QUOTE)
        others = ana.client.get("/healthz").status_code
        gate.set()
        held.result(10)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert "demasiados pedidos a la vez" in answer.text
    assert others == 200
    assert ana.get(QUOTE).status_code == 200


def test_a_panel_that_takes_too_long_is_a_sentence(ana, app):
    console = app.extensions["console"]
    console.desk = Desk(seats=1, seconds=0.01)
    gate, panel = threading.Event(), console.quick_panel
    console.quick_panel = lambda seconds: gate.wait(10) and panel(seconds)

    late = ana.get(QUOTE)
    gate.set()

    assert late.status_code == 504
    assert "El panel no respondió a tiempo." in late.text


def test_all_calls_of_a_page_together_have_the_time_of_the_page(app, kit):
    asked: list[float] = []
    panel = app.extensions["console"].quick_panel
    hurried = pages.Hurried(
        lambda left: asked.append(left) or panel(left), monotonic() + 5
    )

    hurried.service(1)
    hurried.ends = monotonic() + 100
    hurried.service(1)
    hurried.ends = monotonic()
    with pytest.raises(TooLate):
        hurried.service(1)

    assert len(asked) == 2
    assert 4 < asked[0] <= 5
    assert asked[1] == 8


def test_a_panel_that_is_away_is_a_sentence(ana, kit):
    kit.panel.faults.add("*", "cut", None, seconds=60)

    answer = ana.get(QUOTE)

    assert answer.status_code == 503
    assert "No se puede consultar el panel ahora." in answer.text


def test_while_calls_are_held_back_the_panel_is_not_asked(ana, kit):
    denied = RemoteError("whmcs", Reason.DENIED_CREDENTIALS, "Authentication Failed")
    kit.bridge.bench.panel_circuit.failed(denied)
    calls = len(kit.panel.calls)

    answer = ana.get(QUOTE)

    assert answer.status_code == 503
    assert "Las llamadas al panel están en pausa: Authentication Failed" in answer.text
    assert len(kit.panel.calls) == calls
