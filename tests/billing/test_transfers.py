"""The text of a change of owner is read by its own form, and by nothing else."""

from __future__ import annotations

import time
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.billing.model import Client, Cycle, Invoice, InvoiceLine, Service
from bridge.billing.transfer_case import (
    CLAIMS,
    CODES,
    TransferCase,
    checks,
    failing,
    worded,
)
from bridge.billing.transfers import (
    Gap,
    difference,
    emails_in,
    form_mistakes,
    nearly,
    normal,
    read,
)

ES = (
    "Cambio de titular: ",
    Gap("from_name"),
    ", correo ",
    Gap("from_email"),
    ", pasa el servicio ",
    Gap("service_id"),
    " (",
    Gap("service"),
    ") a ",
    Gap("to_name"),
    ", correo ",
    Gap("to_email"),
    ".",
)
EN = (
    "Owner: ",
    Gap("from_email"),
    " gives ",
    Gap("service_id"),
    " to ",
    Gap("to_email"),
)
FORMS = {"es": ES, "en": EN}
TEXT = (
    "Cambio de titular: Ana Pérez, correo ana@example.com, pasa el servicio 12 "
    "(Plan 100) a Bruno Díaz, correo bruno@example.com."
)


def test_a_text_names_two_accounts_and_a_service():
    asked = read(TEXT, FORMS)

    assert asked is not None
    assert (asked.from_email, asked.service_id, asked.to_email, asked.language) == (
        "ana@example.com",
        12,
        "bruno@example.com",
        "es",
    )
    assert asked.names == {
        "from_name": "Ana Pérez",
        "service": "Plan 100",
        "to_name": "Bruno Díaz",
    }


def test_a_text_of_any_language_is_read():
    asked = read("Owner: a@b.example gives 7 to c@d.example", FORMS)

    assert asked is not None
    assert (asked.service_id, asked.language) == (7, "en")


SAME = [
    TEXT.replace(" ", "  "),
    TEXT.replace(" ", "\u00a0"),
    TEXT.replace(", ", ",\n"),
    TEXT.replace("é", "e\u0301"),
    f"\ufeff{TEXT}\u200b",
    TEXT.replace("Cambio", "Cam\u00adbio"),
]


@pytest.mark.parametrize("text", SAME)
def test_blanks_forms_of_letters_and_marks_without_width_are_forgiven(text):
    assert normal(text) == TEXT
    assert read(text, FORMS) == read(TEXT, FORMS)


def test_typographic_quotes_are_forgiven():
    assert normal("\u201cO\u2019Neil\u201d") == '"O\'Neil"'


OTHER = [
    TEXT.upper(),
    TEXT.replace("Cambio", "cambio"),
    TEXT[:-1],
    f"{TEXT} Y también el 13.",
    f"Ya mismo. {TEXT}",
    TEXT.replace(" 12 ", " 012 "),
    TEXT.replace(" 12 ", " \u0661\u0662 "),
    TEXT.replace(" 12 ", " -12 "),
    TEXT.replace(" 12 ", " 12.0 "),
    TEXT.replace(" 12 ", " 99999999999 "),
    TEXT.replace("ana@", "ana "),
    TEXT.replace("Ana Pérez", ""),
    TEXT.replace("titular", "titul\u0430r"),
    TEXT.replace("Cambio", "\u202eCambio"),
    TEXT.replace("pasa", "\u200fpasa"),
    "",
    "hola",
]


@pytest.mark.parametrize("text", OTHER)
def test_anything_else_is_no_request(text):
    assert read(text, FORMS) is None


def test_a_name_that_holds_the_separators_leaves_two_ways_and_so_none():
    evil = "Ana, correo x@y.example, pasa el servicio 9 (Plan 9) a Eva"

    assert read(TEXT.replace("Ana Pérez", evil), FORMS) is None


def test_a_name_with_a_comma_is_a_name():
    asked = read(TEXT.replace("Ana Pérez", "Pérez, Ana (h)"), FORMS)

    assert asked is not None
    assert asked.names["from_name"] == "Pérez, Ana (h)"


HOSTILE = [
    "Cambio de titular: " + ", correo a@b.c" * 5000,
    "Cambio de titular: " + ", correo a@b.c" * 120,
    "Cambio de titular: " + "a@" * 900,
    "Cambio de titular: " + ", correo " * 200,
    ("Cambio de titular: x, correo a@b.c, pasa el servicio 1 (y" + ") a z" * 300)[
        :2000
    ],
    "\u0301" * 65536,
    "(" * 65536,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_done_with_at_once(text):
    began = time.process_time()

    asked, place = read(text, FORMS), nearly(text, FORMS)

    assert asked is None
    assert place is None or len(place) <= 40
    assert time.process_time() - began < 1


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_text_breaks_the_reading_or_the_comparison(one, other):
    read(one, FORMS)
    nearly(f"Cambio de titular: {one}", FORMS)
    found = difference(one, other)

    assert (found is None) == (normal(one) == normal(other))


APOSTROPHES = [
    "o'neil@example.com",
    "o\u2019neil@example.com",
    "O\u00b4Neil@example.com",
]


@pytest.mark.parametrize("email", APOSTROPHES)
@pytest.mark.parametrize("sides", [(0, 1), (1, 0)], ids=["giver", "taker"])
def test_an_apostrophe_of_an_email_is_read_also_as_telephones_type_it(email, sides):
    mails = [(email, "bruno@example.com")[side] for side in sides]
    form = ("de ", Gap("from_email"), ", el ", Gap("service_id"), ", a '",
            Gap("to_email"), "'.")  # fmt: skip

    asked = read(f"de {mails[0]}, el 12, a '{mails[1]}'.", {"es": form})

    plain = ["o'neil@example.com", "bruno@example.com"]
    assert asked is not None
    found = [asked.from_email.casefold(), asked.to_email.casefold()]
    assert found == [plain[side] for side in sides]


def test_quotes_around_an_email_are_none_of_its_apostrophes():
    assert emails_in("de 'o\u2019neil@example.com', a 'b@example.com'") == [
        "o'neil@example.com",
        "b@example.com",
    ]


def test_where_two_texts_part_is_pointed_at():
    found = difference(TEXT, TEXT.replace("servicio 12", "servicio 13"))

    assert found is not None
    assert found.one.startswith("12 (Plan")
    assert found.other.startswith("13 (Plan")


def test_a_text_that_ends_early_parts_at_its_end():
    found = difference(TEXT, f"{TEXT} Gracias.")

    assert found is not None
    assert (found.one, found.other) == (
        "bruno@example.com.",
        "bruno@example.com. Gracias.",
    )


def test_a_text_that_begins_as_a_request_is_told_where_it_stops_being_one():
    assert nearly(TEXT.replace("pasa el", "da el"), FORMS) == (
        "da el servicio 12 (Plan 100) a Bruno Día"
    )
    assert nearly("buen día", FORMS) is None


def test_a_form_must_name_what_it_is_read_by():
    assert list(form_mistakes(["from_email", "service_id", "to_email"])) == []
    wrong = list(form_mistakes(["from_email", "from_email", "expires"]))
    assert [line.split(" ")[0] for line in wrong] == [
        "transfer.from_email",
        "transfer.service_id",
        "transfer.to_email",
        "transfer.expires",
    ]


def client(id, **more):
    given = {
        "first_name": "A",
        "last_name": "B",
        "company": "",
        "email": f"c{id}@example.com",
        "country": "AR",
        "language": "spanish",
        "currency": "ARS",
        "status": "Active",
        "phone": "",
        "email_verified": True,
    }
    return Client(id=id, **(given | more))


SERVICE = Service(
    id=12,
    client_id=1,
    product_id=21,
    product_name="Plan 100",
    domain="",
    cycle=Cycle.ANNUALLY,
    status="Active",
    recurring=Decimal(100),
)
GOOD = TransferCase(
    giver=client(1),
    taker=client(2),
    service=SERVICE,
    numbers=("+1", "+2"),
    phones=("+1", "+2"),
    emails=("c1@example.com", "C2@example.com"),
)


def bill(status, kind="Hosting", related=12):
    line = InvoiceLine(1, kind, related, "", Decimal(1))
    return Invoice(5, 1, "A-5", status, None, None, Decimal(1), lines=(line,))


FAILS = {
    "same_client": {"taker": client(1, email="c2@example.com")},
    "same_email": {"taker": client(2, email=" C1@example.com"), "emails": ("", "")},
    "email_changed": {"giver": client(1, email="new@example.com")},
    "client_closed": {"taker": client(2, status="Closed")},
    "not_verified": {"giver": client(1, email_verified=False)},
    "not_owner": {"service": replace(SERVICE, client_id=3)},
    "not_active": {"service": replace(SERVICE, status="Suspended")},
    "invoice_open": {"invoices": (bill("Paid"), bill("Unpaid"))},
    "cancellation_pending": {"cancellation": True},
    "upgrade_pending": {"upgrade": True},
    "currencies_differ": {"taker": client(2, currency="USD")},
    "phone_changed": {"phones": ("+1", "+3")},
}


def test_when_everything_holds_nothing_fails():
    assert failing(checks(GOOD)) == ""
    assert {one.code for one in checks(GOOD)} == set(CODES) - {"shared_email"}


@pytest.mark.parametrize("code", FAILS)
def test_each_condition_fails_by_itself(code):
    found = checks(replace(GOOD, **FAILS[code]))

    assert failing(found) == code


def test_a_condition_is_worded_as_what_has_to_be_so():
    failed = checks(replace(GOOD, **FAILS["invoice_open"]))
    (told,) = [
        worded(one.code, one.holds, one.found) for one in failed if not one.holds
    ]

    assert told == "no invoice of the service is open: NO (open: A-5)"
    assert set(CLAIMS) == set(CODES)


NOT_OPEN = [
    bill("Paid"),
    bill("Cancelled"),
    bill("Unpaid", "Domain"),
    bill("Unpaid", related=13),
]


@pytest.mark.parametrize("invoice", NOT_OPEN)
def test_an_invoice_that_is_not_its_own_or_not_owed_is_in_nobodys_way(invoice):
    assert failing(checks(replace(GOOD, invoices=(invoice,)))) == ""


def test_a_service_that_is_gone_is_nobodys():
    assert failing(checks(replace(GOOD, service=None))) == "not_owner"


FIELD = [
    ("on", ""),
    ("1", ""),
    ("Verificado", ""),
    ("", "not_verified"),
    ("No", "not_verified"),
]


@pytest.mark.parametrize(("value", "code"), FIELD)
def test_a_custom_field_counts_instead_of_the_e_mail(value, code):
    both = {
        "giver": client(1, email_verified=False, custom_fields={9: value}),
        "taker": client(2, email_verified=False, custom_fields={9: "yes"}),
    }

    assert failing(checks(replace(GOOD, verified_field=9, **both))) == code
