"""Read phone numbers into the one international form that is sent to and matched.

What a panel stores (`+54.1155551234`) and what WhatsApp reports (`5491155551234`,
`5491155551234:12@s.whatsapp.net`) become the same E.164 text, or nothing.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat

_LONGEST = 64
_PREFIX = "whatsapp:"
#: Tails of addresses that hold a number; `@lid`, groups and the like do not.
_TAILS = ("s.whatsapp.net", "c.us")
#: Tails of addresses behind which there is not one person.
_NOBODY = ("@g.us", "@broadcast", "@newsletter")
_FORMS = (
    (re.compile(r"\+549(\d{10})"), r"+54\1"),
    (re.compile(r"\+52(\d{10})"), r"+521\1"),
    (re.compile(r"\+55(\d\d)9([6-9]\d{7})"), r"+55\1\2"),
)
_HIDDEN = "It is an identity of WhatsApp that hides the number."


class _Unusable(Exception):
    """Why a text is no usable number: one sentence without any digits of it."""


def normalise(raw: str, country: str, *, default_country: str = "") -> str | None:
    """Return a number as E.164 with the plus, or None.

    A number without its country's prefix is read with *country* (the client's)
    alone, with *default_country* only where the client has none.
    """
    if len(raw) > _LONGEST:  # nothing so long is a number, nor worth remembering
        return None
    return _known(raw, country, default_country)


@lru_cache(maxsize=4096)
def _known(raw: str, country: str, default_country: str) -> str | None:
    """Read a number, or remember it: a client hears of more than one thing."""
    try:
        return _read(raw, country, default_country)
    except _Unusable:
        return None


def incoming(raw: str) -> str | None:
    """Return the number of an id that WhatsApp reported (`wa_id`, JID), or None.

    Such an id always carries the country, without the plus.
    """
    text = raw.strip()
    if not text.casefold().startswith((_PREFIX, "+")):
        text = f"+{text}"
    return normalise(text, "")


def elsewhere(to: str, *told: str) -> dict[str, str]:
    """Return as `reached` the number that a vendor says it wrote to, if it is another.

    *told* are addresses as the vendor writes them, the surest first; *to* is the
    number that was meant. A group or channel is another in any case; what else tells
    no number says nothing.
    """
    found = next((found for one in told if (found := _whom(one, to))), to)
    return {} if found == to else {"reached": found}


def nobody(address: str) -> bool:
    """Tell whether an address is a group, a list or a channel: no one person."""
    return address.strip().casefold().endswith(_NOBODY)


def _whom(address: str, to: str) -> str | None:
    if f"+{address}" == to:  # as most vendors write it, and costly to read
        return to
    return address[:_LONGEST] if nobody(address) else incoming(address)


def other_form(number: str) -> str | None:
    """Return the other form in which a network may know an E.164 number, or None.

    Argentina has its mobiles with and without the 9, Mexico with and without the
    old 1, Brazil with and without the ninth digit; elsewhere there is one form.
    """
    for pattern, other in _FORMS:
        if match := pattern.fullmatch(number):
            return match.expand(other)
    return None


def region(number: str) -> str:
    """Return the two letters of the country of an E.164 number, or nothing."""
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return ""
    return str(phonenumbers.region_code_for_number(parsed) or "")


def explain(raw: str, country: str, *, default_country: str = "") -> str:
    """Say in one sentence why a number is unusable, or that it is usable."""
    try:
        _read(raw, country, default_country)
    except _Unusable as reason:
        return str(reason)
    return "The number can be used."


def _read(raw: str, country: str, default_country: str) -> str:
    text = _bare(raw)
    region = (country.strip() or default_country.strip()).upper()
    if not text.startswith("+") and region not in phonenumbers.SUPPORTED_REGIONS:
        raise _Unusable("It has no country prefix, and the country is not known.")
    try:
        parsed = phonenumbers.parse(text, region or None)
    except phonenumbers.NumberParseException as error:
        raise _Unusable(_unparsed(error.error_type)) from error
    if parsed.extension:
        raise _Unusable("It has an extension.")
    number = _with_rules(parsed)
    if not phonenumbers.is_valid_number(number):
        raise _Unusable(_invalid(number))
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _bare(raw: str) -> str:
    """Return the number alone, with a plus where it carries its country."""
    visible = (c for c in raw[: _LONGEST + 1] if unicodedata.category(c) != "Cf")
    text = "".join(visible).strip()
    if len(raw) > _LONGEST:
        raise _Unusable("It is too long.")
    if text.casefold().startswith(_PREFIX):
        text = text[len(_PREFIX) :].strip()
    if "@" in text:
        text = _from_address(text)
    if not text:
        raise _Unusable("There is no number.")
    if any(c.isalpha() for c in text):
        raise _Unusable("It holds letters.")
    return f"+{text[2:]}" if text.startswith("00") else text


def _from_address(text: str) -> str:
    """Return the number of `5491155551234:12@s.whatsapp.net` (12 is a device)."""
    number, _, tail = text.partition("@")
    if tail.casefold() not in _TAILS:
        raise _Unusable(_HIDDEN)
    number = number.partition(":")[0]
    return number if number.startswith("+") else f"+{number}"


def _with_rules(number: PhoneNumber) -> PhoneNumber:
    """Apply what WhatsApp asks of three countries and the library does not know."""
    code, digits = number.country_code, str(number.national_number)
    if code == 54 and len(digits) == 10 and not digits.startswith("9"):
        digits = f"9{digits}"  # Argentina: a mobile; without it, a valid landline
    elif code == 52 and len(digits) == 11 and digits.startswith("1"):
        digits = digits[1:]  # Mexico: the mobile prefix given up in 2019
    elif code == 55 and len(digits) == 10 and digits[2] in "6789":
        digits = f"{digits[:2]}9{digits[2:]}"  # Brazil: the ninth digit
    else:
        return number
    return PhoneNumber(country_code=code, national_number=int(digits))


def _unparsed(kind: int) -> str:
    if kind == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE:
        return "Its country prefix does not exist."
    if kind == phonenumbers.NumberParseException.TOO_LONG:
        return "It is too long."
    return "It is not a phone number, or too short."


def _invalid(number: PhoneNumber) -> str:
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible == phonenumbers.ValidationResult.TOO_SHORT:
        return "It is too short for its country."
    if possible == phonenumbers.ValidationResult.TOO_LONG:
        return "It is too long for its country."
    return "No such number can exist in its country."
