"""Phone numbers as panels store them and as WhatsApp reports them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.whatsapp.phones import explain, incoming, normalise, other_form

ROWS = [
    ("+54.1155551234", "AR", "+5491155551234"),
    ("+54.91155551234", "AR", "+5491155551234"),
    ("+54.01115 55551234", "AR", "+5491155551234"),
    ("+54.(011) 15-5555-1234", "AR", "+5491155551234"),
    ("+54.3514123456", "AR", "+5493514123456"),
    ("+54.0351154123456", "AR", "+5493514123456"),
    ("+54.2964412345", "AR", "+5492964412345"),
    ("1155551234", "AR", "+5491155551234"),
    ("5491155551234", "AR", "+5491155551234"),
    ("0054 9 11 5555-1234", "AR", "+5491155551234"),
    ("+52.5512345678", "MX", "+525512345678"),
    ("+52.15512345678", "MX", "+525512345678"),
    ("5215512345678", "MX", "+525512345678"),
    ("5512345678", "MX", "+525512345678"),
    ("+55.21987654321", "BR", "+5521987654321"),
    ("+55.2187654321", "BR", "+5521987654321"),
    ("553187654321", "BR", "+5531987654321"),
    ("+55.2133334444", "BR", "+552133334444"),
    ("+55.021987654321", "BR", "+5521987654321"),
    ("+56.987654321", "CL", "+56987654321"),
    ("+57.3001234567", "CO", "+573001234567"),
    ("+51.987654321", "PE", "+51987654321"),
    ("+598.094123456", "UY", "+59894123456"),
    ("+593.0991234567", "EC", "+593991234567"),
    ("+58.04141234567", "VE", "+584141234567"),
    ("+595.981123456", "PY", "+595981123456"),
    ("+591.71234567", "BO", "+59171234567"),
    ("+506.88887777", "CR", "+50688887777"),
    ("+1.8095551234", "DO", "+18095551234"),
    ("+34.612345678", "ES", "+34612345678"),
    ("+1.", "US", None),
    ("+54.123", "AR", None),
    ("whatsapp:+5491155551234", "AR", "+5491155551234"),
    ("5491155551234:12@s.whatsapp.net", "AR", "+5491155551234"),
    ("123456789012345@lid", "AR", None),
    ("US.13491208655302741918", "AR", None),
]


@pytest.mark.parametrize(("raw", "country", "key"), ROWS)
def test_a_number_becomes_the_one_form_that_is_sent_to(raw, country, key):
    assert normalise(raw, country) == key


MORE = {
    "another country's prefix counts": ("+34.612345678", "AR", "+34612345678"),
    "but is not guessed without a plus": ("34612345678", "AR", None),
    "no number": ("", "AR", None),
    "blanks": ("   ", "AR", None),
    "a group": ("120363041234567890@g.us", "AR", None),
    "a JID without device": ("5491155551234@c.us", "", "+5491155551234"),
    "an e-mail address": ("5491155551234@example.com", "AR", None),
    "prefix in capitals": ("WhatsApp: +5491155551234", "", "+5491155551234"),
    "letters": ("0800-FLOWERS", "AR", None),
    "an extension": ("+54 9 11 5555-1234 #12", "AR", None),
    "two numbers": ("+54 9 11 5555-1234 / 11 4444-3333", "AR", None),
    "invisible marks": ("\u202a+54\u200b 9 11 5555-1234\u202c", "", "+5491155551234"),
    "00 needs no country": ("0054 9 11 5555-1234", "", "+5491155551234"),
    "00 in a country that dials 011": ("0054 9 11 5555-1234", "US", "+5491155551234"),
    "wide digits": ("＋５４９１１５５５５１２３４", "AR", "+5491155551234"),
    "country in small letters": ("1155551234", "ar", "+5491155551234"),
    "no such country": ("1155551234", "XX", None),
    "no such prefix": ("+999.1155551234", "AR", None),
    "endless": ("1" * 100_000, "AR", None),
    "an Argentine landline written 0800": ("0800 555 1234", "AR", None),
    "a Brazilian mobile kept": ("+5511961234567", "BR", "+5511961234567"),
}


@pytest.mark.parametrize(("raw", "country", "key"), MORE.values(), ids=MORE)
def test_what_else_people_type_is_read_or_refused(raw, country, key):
    assert normalise(raw, country) == key


def test_the_default_country_counts_only_where_the_client_has_none():
    assert normalise("1155551234", "", default_country="AR") == "+5491155551234"
    assert normalise("1155551234", "CL", default_country="AR") is None
    assert normalise("1155551234", "XX", default_country="AR") is None
    assert normalise("1155551234", "") is None


INCOMING = [
    ("5491155551234", "+5491155551234"),
    ("+5491155551234", "+5491155551234"),
    ("5215512345678", "+525512345678"),
    ("553187654321", "+5531987654321"),
    ("whatsapp:+5491155551234", "+5491155551234"),
    ("5491155551234:12@s.whatsapp.net", "+5491155551234"),
    ("123456789012345@lid", None),
    ("US.13491208655302741918", None),
    ("1155551234", None),
    ("", None),
]


@pytest.mark.parametrize(("raw", "key"), INCOMING)
def test_an_id_that_whatsapp_reports_carries_its_country(raw, key):
    assert incoming(raw) == key


REASONS = [
    ("", "AR", "There is no number."),
    ("+1.", "US", "It is not a phone number, or too short."),
    ("+54.123", "AR", "It is too short for its country."),
    ("+54.11555512345678", "AR", "It is too long for its country."),
    ("+34.112345678", "AR", "No such number can exist in its country."),
    ("1" * 65, "AR", "It is too long."),
    ("1155551234", "", "It has no country prefix, and the country is not known."),
    ("+999.1155551234", "AR", "Its country prefix does not exist."),
    ("123@lid", "AR", "It is an identity of WhatsApp that hides the number."),
    ("US.13491208655302741918", "AR", "It holds letters."),
    ("+54 9 11 5555-1234 #12", "AR", "It has an extension."),
    ("+54.1155551234", "AR", "The number can be used."),
]


@pytest.mark.parametrize(("raw", "country", "reason"), REASONS)
def test_an_unusable_number_is_explained_in_one_sentence(raw, country, reason):
    assert explain(raw, country) == reason


countries = st.sampled_from(["AR", "MX", "BR", "CL", "US", "ES", "GB", "IT", "", "XX"])
typed = st.text(alphabet="0123456789+.-() ", max_size=20)
mobile = st.from_regex(r"\+?(54|52|55|1|39)\.?[0-9]{8,11}", fullmatch=True)


@given(typed | mobile | st.text(max_size=40), countries, countries)
def test_what_was_normalised_stays_as_it_is_in_every_country(raw, country, other):
    key = normalise(raw, country)

    assert key is None or normalise(key, other) == key
    assert key is None or incoming(key[1:]) == key
    assert (key is None) == (explain(raw, country) != "The number can be used.")


@pytest.mark.parametrize(
    ("number", "other"),
    [
        ("+5491155551234", "+541155551234"),
        ("+525512345678", "+5215512345678"),
        ("+5521987654321", "+552187654321"),
        ("+552133334444", None),
        ("+56987654321", None),
        ("+34612345678", None),
    ],
    ids=["AR", "MX", "BR", "BR, a landline", "CL", "ES"],
)
def test_three_countries_have_numbers_of_two_forms(number, other):
    assert other_form(number) == other
