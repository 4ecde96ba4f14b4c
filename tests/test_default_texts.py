"""The texts that come with the bridge say what the rules of the business demand."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bridge.billing.model import Refusal
from bridge.billing.money import Amount
from bridge.hookmap import HookMap, check_map, load_map
from bridge.messages import ENGINE_TEXTS
from bridge.placeholders import BODY_LIMIT
from bridge.textfiles import LABEL_LIMIT
from bridge.variables import FIELDS

CONFIG = Path(__file__).parent.parent / "config"
MAP: HookMap = load_map(CONFIG)
NAMES = sorted(MAP.texts.names())
LANGUAGES = ("es", "en", "pt_BR")
EACH = [(name, language) for name in NAMES for language in LANGUAGES]

KINDS = {
    "text": "texto",
    "whole": 7,
    "money": Amount(Decimal("50"), "USD"),
    "day": date(2026, 12, 9),
    "flag": True,
    "list": ["uno", "dos"],
}


def made_up(variable):
    fields = {name: KINDS[kind] for name, (kind, _) in FIELDS[variable].items()}
    return SimpleNamespace(**fields)


EVERYTHING = {variable: made_up(variable) for variable in FIELDS}
EVERYTHING["result"] = SimpleNamespace(count=4, list="• uno\n• dos")


def render(name, language="es"):
    return MAP.texts.render(name, language, EVERYTHING)


def rules(hookpoint):
    return MAP.rules[hookpoint]


def test_the_default_map_and_texts_have_no_problem_and_no_warning():
    assert [str(problem) for problem in check_map(CONFIG)] == []


SAYS = [
    ("ClientAdd", "welcome"),
    ("UserChangePassword", "password_changed"),
    ("ClientChangePassword", "password_changed"),
    ("InvoiceCreated", "invoice_created"),
    ("ClientEdit", "details_changed"),
    ("InvoiceCancelled", "invoice_cancelled"),
    ("InvoicePaid", "payment_received"),
    ("AfterModuleSuspend", "service_suspended"),
    ("AfterModuleUnsuspend", "service_reactivated"),
    ("AfterModuleTerminate", "service_terminated"),
    ("QuoteStatusChange", "quote_available"),
    ("DomainDelete", "domain_deleted"),
    ("InvoicePaymentReminder", "invoice_reminder"),
    ("AfterModuleCreate", "service_created"),
    ("AfterProductUpgrade", "plan_changed"),
]


@pytest.mark.parametrize(("hookpoint", "message"), SAYS)
def test_each_event_of_the_business_has_its_alert(hookpoint, message):
    first = rules(hookpoint)[0]

    assert (first.do, first.parameters["message"]) == ("send_alert", message)


URGENT = ["UserChangePassword", "ClientChangePassword", "ClientEdit"]


@pytest.mark.parametrize("hookpoint", URGENT)
def test_security_alerts_never_wait_for_the_morning(hookpoint):
    assert all(rule.parameters["urgent"] for rule in rules(hookpoint))


def test_no_other_alert_is_urgent():
    urgent = {
        hookpoint
        for hookpoint, found in MAP.rules.items()
        if any(rule.parameters.get("urgent") for rule in found)
    }

    assert urgent == set(URGENT)


def test_the_old_number_is_told_only_when_the_telephone_changed():
    rule = rules("ClientEdit")[1]

    assert rule.parameters["to"] == "old_phone"
    assert rule.when is not None
    assert rule.when.holds({"event": SimpleNamespace(old_phone="+54 11 5555")})
    assert not rule.when.holds({"event": SimpleNamespace(old_phone="")})


def quoted(status: str, stage: str) -> dict[str, Any]:
    return {"event": {"status": status}, "quote": {"stage": stage}}


def billed(total: str, status: str) -> dict[str, Any]:
    return {"invoice": {"total": Amount(Decimal(total), "USD"), "status": status}}


WHEN = [
    ("ClientEdit", 0, {"event": {"changed": ["correo"]}}, True),
    ("ClientEdit", 0, {"event": {"changed": []}}, False),
    ("QuoteStatusChange", 0, quoted("Delivered", "Delivered"), True),
    ("QuoteStatusChange", 0, quoted("Delivered", "Draft"), False),
    ("QuoteStatusChange", 0, quoted("Draft", "Draft"), False),
    ("InvoicePaid", 0, billed("1", "Paid"), True),
    ("InvoicePaid", 0, billed("1", "Unpaid"), False),
    ("InvoicePaid", 0, billed("0.00", "Paid"), False),
    ("InvoiceCancelled", 0, billed("1", "Cancelled"), True),
    ("InvoiceCancelled", 0, billed("1", "Paid"), False),
    ("CancellationRequest", 0, {"event": {"type": "Immediate"}}, True),
    ("CancellationRequest", 1, {"event": {"type": "Immediate"}}, False),
    ("CancellationRequest", 1, {"event": {"type": "End of Billing Period"}}, True),
]


@pytest.mark.parametrize(("hookpoint", "place", "variables", "holds"), WHEN)
def test_a_rule_applies_when_it_should(hookpoint, place, variables, holds):
    when = rules(hookpoint)[place].when

    assert when is not None
    assert when.holds(variables) is holds


REMINDERS = [
    ("reminder", "5", ["invoice_reminder"]),
    ("firstoverdue", "5", ["invoice_overdue"]),
    ("secondoverdue", "5", ["invoice_overdue"]),
    ("thirdoverdue", "5", ["invoice_overdue"]),
    ("reminder", "0", []),
    ("thirdoverdue", "0", []),
]


@pytest.mark.parametrize(("kind", "balance", "messages"), REMINDERS)
def test_each_reminder_of_the_panel_has_one_text(kind, balance, messages):
    variables = {
        "event": {"type": kind},
        "invoice": {"balance": Amount(Decimal(balance), "USD"), "status": "Unpaid"},
    }

    sent = [
        rule.parameters["message"]
        for rule in rules("InvoicePaymentReminder")
        if rule.when is not None and rule.when.holds(variables)
    ]

    assert sent == messages


def test_a_cancellation_is_scheduled_before_the_client_is_told():
    now, later = rules("CancellationRequest")

    assert (now.do, later.do) == ("schedule_cancellation", "schedule_cancellation")
    assert [s.parameters["message"] for s in now.then] == ["cancellation_scheduled_now"]
    assert [s.parameters["message"] for s in later.then] == ["cancellation_scheduled"]


def test_the_panel_is_answered_where_it_waits():
    assert {name: rule.do for name, rule in MAP.decisions.items()} == {
        "OrderProductUpgradeOverride": "price_upgrade",
        "PreUpgradeCheckout": "price_upgrade",
        "ShoppingCartValidateUpgrade": "refuse_downgrade",
    }


@pytest.mark.parametrize(("name", "language"), EACH)
def test_a_text_is_filled_without_a_blank_or_a_brace(name, language):
    made = render(name, language)

    assert made.language == language
    assert "{" not in made.whole
    assert "  " not in made.whole
    assert made.text == made.text.strip()


@pytest.mark.parametrize(("name", "language"), EACH)
def test_a_text_can_be_submitted_as_a_template(name, language):
    text = MAP.texts.text(name, language)
    words = "".join(part for part in text.parts if isinstance(part, str))

    assert isinstance(text.parts[0], str)
    assert isinstance(text.parts[-1], str)
    assert len(words) + 15 * len(text.placeholders) <= BODY_LIMIT
    assert len(text.label) <= LABEL_LIMIT
    assert "\n\n\n" not in render(name, language).text
    assert len(words.split()) > 2 * len(text.placeholders)


@pytest.mark.parametrize("name", NAMES)
def test_a_text_has_the_same_placeholders_in_every_language(name):
    orders = {
        language: sorted(
            (part.variable, part.field)
            for part in MAP.texts.text(name, language).placeholders
        )
        for language in LANGUAGES
    }

    assert orders["es"] == orders["en"] == orders["pt_BR"]


@pytest.mark.parametrize("name", ENGINE_TEXTS)
def test_a_text_that_the_bridge_sends_itself_uses_only_what_it_gets(name):
    assert {variable for variable, _ in MAP.texts.uses(name)} <= ENGINE_TEXTS[name]


PERSONAL = ["welcome", "password_changed", "details_changed", "phone_changed_old"]


@pytest.mark.parametrize("name", PERSONAL)
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_alert_about_personal_data_links_to_where_it_is_edited(name, language):
    button = MAP.texts.text(name, language).url

    assert [(part.variable, part.field) for part in button if not isinstance(part, str)]
    assert ("company", "details_url") in MAP.texts.uses_in(name, language)


LINKS = {
    "invoice_created": ("invoice", "url"),
    "payment_received": ("invoice", "url"),
    "invoice_reminder": ("invoice", "url"),
    "invoice_overdue": ("invoice", "url"),
    "quote_available": ("quote", "url"),
    "upgrade_invoice": ("upgrade", "invoice_url"),
}


@pytest.mark.parametrize("name", LINKS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_to_be_paid_or_accepted_is_linked(name, language):
    assert LINKS[name] in MAP.texts.uses_in(name, language)


NEEDS = {
    "invoice_created": {
        ("invoice", "number"),
        ("invoice", "total"),
        ("invoice", "due"),
    },
    "payment_received": {("invoice", "number"), ("invoice", "total")},
    "details_changed": {("event", "changed")},
    "service_suspended": {("service", "suspension_reason"), ("service", "name")},
    "domain_deleted": {("domain", "name")},
    "cancellation_reminder": {("cancellation", "ends"), ("cancellation", "days_left")},
    "cancellation_moved": {("cancellation", "ends")},
    "upgrade_invoice": {("upgrade", "charge"), ("upgrade", "to_product")},
    "several": {("result", "count"), ("result", "list")},
}


@pytest.mark.parametrize("name", NEEDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_alert_says_what_it_has_to(name, language):
    assert NEEDS[name] <= MAP.texts.uses_in(name, language)


#: What a client who cancels is told, in words of each language.
TOLD = {
    "es": [
        "09/12/2026",
        "no se reembolsa",
        "se siguen debiendo",
        "sitio web, correos, FTP y bases de datos",
        "el puerto, los streams y la música",
        "Nada se puede reservar",
        "no se puede revertir",
        "10 años y con un posible costo",
        "un servicio nuevo, con una factura nueva",
        "dominios no forman parte",
    ],
    "en": [
        "Dec 9, 2026",
        "not refunded",
        "still owed",
        "website, mail, FTP and databases",
        "the port, the streams and the uploaded music",
        "Nothing can be reserved",
        "cannot be reversed",
        "up to 10 years, possibly at a cost",
        "a new service and a new invoice",
        "Domains are not part",
    ],
    "pt_BR": [
        "09/12/2026",
        "não é reembolsado",
        "continuam devidas",
        "site, e-mails, FTP e bancos de dados",
        "a porta, os streams e as músicas",
        "Nada pode ser reservado",
        "não pode ser revertido",
        "até 10 anos e com um possível custo",
        "um novo serviço, com uma nova fatura",
        "domínios não fazem parte",
    ],
}


@pytest.mark.parametrize(
    "name", ["cancellation_scheduled", "cancellation_scheduled_now"]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_who_cancels_is_told_everything(name, language):
    text = render(name, language).text

    assert [words for words in TOLD[language] if words not in text] == []
    assert ("cancellation", "owed") in MAP.texts.uses_in(name, language)


OPT_OUT = [("es", "BAJA ALERTAS"), ("en", "STOP"), ("pt_BR", "STOP")]


@pytest.mark.parametrize(("language", "words"), OPT_OUT)
def test_the_welcome_tells_how_to_stop_the_alerts(language, words):
    assert words in render("welcome", language).text


@pytest.mark.parametrize("code", list(Refusal))
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_refusal_is_a_sentence_with_the_executives_contact(code, language):
    made = render(f"refusal_{code.value}", language)

    assert made.button is None
    assert "\n" not in made.text
    assert MAP.texts.uses_in(made.name, language) == {("company", "contact")}


MONEY_WORDS = re.compile(r"pag|factura|invoice|money|unpaid|fatura|deuda|debt", re.I)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_suspension_is_never_assumed_to_be_about_money(language):
    assert not MONEY_WORDS.search(render("service_suspended", language).text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_suspension_without_a_reason_says_so(language):
    service = SimpleNamespace(
        **{**vars(EVERYTHING["service"]), "suspension_reason": ""}
    )
    text = MAP.texts.render(
        "service_suspended", language, {**EVERYTHING, "service": service}
    ).text

    assert re.search("sin detalle|no details|sem detalhes", text)


def test_grouped_alerts_are_listed_line_by_line():
    assert "\n• uno\n• dos\n" in render("several").text


VOSEO_OR_TUTEO = re.compile(
    r"\b(podés|puedes|reconoces|querés|quieres|tenés|tienes|ingresá|haz|hacé|vos)\b",
    re.I,
)


@pytest.mark.parametrize("name", NAMES)
def test_spanish_texts_suit_every_country(name):
    assert not VOSEO_OR_TUTEO.search(render(name, "es").text)


@pytest.mark.parametrize("name", NAMES)
def test_every_exclamation_and_question_in_spanish_is_opened(name):
    text = render(name, "es").text

    assert text.count("¡") == text.count("!")
    assert text.count("¿") == text.count("?")
