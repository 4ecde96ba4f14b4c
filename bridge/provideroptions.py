"""What each WhatsApp provider is told by the environment, as data, and its check.

The adapters under `bridge/whatsapp/` make their settings of these values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from bridge.environ import wrong_address

#: Names that begin like a provider's and are not.
_SHARED = ("WHATSAPP_PROVIDER", "WHATSAPP_CONSOLE_FILE")
#: What fits a header and an address; anything else was pasted wrongly.
_PLAIN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True)
class Option:
    """One name of the environment.

    Without *default* and with *what* (said where it is missing) it is needed.
    *form* is what the whole value must fit, *said* describes it.
    """

    name: str
    what: str = ""
    default: str = ""
    kind: str = "word"
    form: str = ""
    said: str = ""


_E164 = r"(whatsapp:)?\+[1-9][0-9]{6,14}|MG[0-9a-f]{32}"
_PEOPLE = r"[0-9]{1,7}"
_A_DAY = "a number of people, as 250 or 2000; 0 is no limit"
#: A phone account that writes faster than this is soon banned.
GATEWAY_RATE = "0.033"

OPTIONS: dict[str, tuple[Option, ...]] = {
    "console": (),
    "cloud": (
        Option(
            "WHATSAPP_CLOUD_URL", default="https://graph.facebook.com", kind="address"
        ),
        Option(
            "WHATSAPP_CLOUD_VERSION",
            default="v25.0",
            form=r"v[0-9]{1,3}\.[0-9]{1,2}",
            said="a version of the Graph API, as v25.0",
        ),
        Option("WHATSAPP_CLOUD_TOKEN", "the token of a system user"),
        Option(
            "WHATSAPP_CLOUD_NUMBER_ID",
            "the id of the sending number (not the number)",
            form=r"[0-9]{1,32}",
            said="digits: the id of the number, not the number",
        ),
        Option(
            "WHATSAPP_CLOUD_WABA_ID",
            "the id of the WhatsApp Business account",
            form=r"[0-9]{1,32}",
            said="digits",
        ),
        Option(
            "WHATSAPP_CLOUD_APP_SECRET",
            "the secret of the Meta app, which signs what comes in",
            kind="words",
        ),
        Option(
            "WHATSAPP_CLOUD_VERIFY_TOKEN",
            "a text of your own, typed again where Meta asks for the webhook",
        ),
        Option("WHATSAPP_CLOUD_PER_SECOND", default="80", kind="rate"),
        Option("WHATSAPP_CLOUD_PEOPLE_A_DAY", form=_PEOPLE, said=_A_DAY),
    ),
    "twilio": (
        Option("WHATSAPP_TWILIO_URL", default="https://api.twilio.com", kind="address"),
        Option(
            "WHATSAPP_TWILIO_CONTENT_URL",
            default="https://content.twilio.com",
            kind="address",
        ),
        Option(
            "WHATSAPP_TWILIO_ACCOUNT_SID",
            "the account's SID",
            form=r"AC[0-9a-f]{32}",
            said="AC and 32 hexadecimal digits",
        ),
        Option("WHATSAPP_TWILIO_AUTH_TOKEN", "the account's auth token"),
        Option(
            "WHATSAPP_TWILIO_FROM",
            "the sending number, as +14155550100, or a messaging service (MG...)",
            form=_E164,
            said="a number as +14155550100, or a messaging service (MG...)",
        ),
        Option("WHATSAPP_TWILIO_PER_SECOND", default="80", kind="rate"),
        Option("WHATSAPP_TWILIO_PEOPLE_A_DAY", form=_PEOPLE, said=_A_DAY),
    ),
    "evolution": (
        Option("WHATSAPP_EVOLUTION_URL", "the gateway's base address", kind="address"),
        Option("WHATSAPP_EVOLUTION_KEY", "the key of the gateway or of its instance"),
        Option("WHATSAPP_EVOLUTION_INSTANCE", "the instance's name", kind="words"),
        Option("WHATSAPP_EVOLUTION_WEBHOOK_TOKEN"),
        Option("WHATSAPP_EVOLUTION_PER_SECOND", default=GATEWAY_RATE, kind="rate"),
    ),
    "waha": (
        Option("WHATSAPP_WAHA_URL", "the gateway's base address", kind="address"),
        Option("WHATSAPP_WAHA_KEY", "the gateway's API key"),
        Option("WHATSAPP_WAHA_SESSION", default="default"),
        Option("WHATSAPP_WAHA_HMAC_KEY", "the key that signs what comes in"),
        Option("WHATSAPP_WAHA_PER_SECOND", default=GATEWAY_RATE, kind="rate"),
    ),
}


def check(
    provider: str,
    given: Mapping[str, str],
    need: bool,
    wrong: Callable[[str, str], None],
) -> None:
    """Tell *wrong* (name, sentence) of all that *provider* could not work with.

    Values never appear in a sentence: most of them are secrets.
    """
    options = OPTIONS[provider]
    for option in options:
        value = given.get(option.name, "")
        if value:
            if problem := _problem(option, value):
                wrong(option.name, problem)
        elif need and option.what and not option.default:
            wrong(option.name, f"is not set; {option.what}")
    names = [option.name for option in options]
    for name in sorted(given):
        if name.startswith(f"WHATSAPP_{provider.upper()}_") and name not in names:
            if name in _SHARED:
                continue
            near = get_close_matches(name, names, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            wrong(name, f"there is no such setting{hint}")


def values(provider: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return every option of *provider* by its name, defaults filled in."""
    return {
        option.name: given.get(option.name) or option.default
        for option in OPTIONS[provider]
    }


def people(provider: str, found: Mapping[str, str]) -> int | None:
    """Return how many people a day were set for *provider*, None where none were."""
    given = found[f"WHATSAPP_{provider.upper()}_PEOPLE_A_DAY"]
    return int(given) if given else None


def _problem(option: Option, value: str) -> str:
    if option.kind == "address":
        return wrong_address(value)
    if option.kind == "rate":
        return "" if _rate(value) else "not messages per second, above 0 to 1000"
    if option.kind == "word" and not _PLAIN.fullmatch(value):
        return "holds a blank or a character that cannot be part of it"
    if option.kind == "words" and not value.replace(" ", "").isprintable():
        return "holds a character that cannot be part of it"
    if option.form and not re.fullmatch(option.form, value):
        return f"must be {option.said}"
    return ""


def _rate(value: str) -> bool:
    plain = re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,6})?", value)
    return bool(plain) and 0 < float(value) <= 1000
