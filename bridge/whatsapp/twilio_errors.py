"""Every error code of Twilio's that we know, and what it means for a message.

https://www.twilio.com/docs/api/errors, September 2026.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.errors import ErrorClass, Instead, Wish
from bridge.whatsapp.line import Row, Rule, table

_MINUTES = 300.0

_ROWS: tuple[Row, ...] = (
    ((20003,), ErrorClass.HALT, "the login is not accepted"),
    ((20429,), ErrorClass.RETRY, "too many requests at once; not processed"),
    ((21211, 21614, 63024), ErrorClass.NEVER, "not a number that WhatsApp reaches"),
    ((21610, 63014), ErrorClass.NEVER, "this person stopped or blocked the sender"),
    ((21611, 30001), ErrorClass.RETRY, "the sender's queue is full", _MINUTES),
    ((30036,), ErrorClass.RETRY, "it waited too long at Twilio"),
    ((63012, 63023), ErrorClass.UNSURE, "trouble of the channel"),
    ((63016,), ErrorClass.AS_TEMPLATE, "more than 24 hours since this person wrote"),
    # Also the sender's own limits, which the code does not tell apart. Waiting
    # person by person slows both down, and holds nobody up who may be written to.
    ((63018,), ErrorClass.PAIR, "too many messages: to this person or in all"),
    (
        (21656, 63013, 63021, 63030),
        ErrorClass.FIX,
        "content, variables or a parameter are refused",
    ),
    (
        (63027, 63028, 63029),
        ErrorClass.FIX,
        "the template is absent in this language, or its values do not fit",
    ),
    ((63038,), ErrorClass.LATER, "the account's daily limit is reached"),
    ((63032, 63049), ErrorClass.LATER, "Meta withheld it from this person"),
    # Twilio's page on 63003 speaks of the recipient's address and its table maps
    # it to several of Meta's old codes: it must not stop everybody's messages.
    ((63003,), ErrorClass.FIX, "the channel did not find an address"),
    ((63019,), ErrorClass.FIX, "a file could not be fetched"),
    ((63020, 63062), ErrorClass.HALT, "Meta's account: sender, billing or terms"),
)

_RULES = table(_ROWS)
#: The template is absent in this language: perhaps it is there in another.
_RULES[63027] = replace(_RULES[63027], instead=Instead.LANGUAGE)
#: He sent STOP to Twilio, or blocked us in WhatsApp: he wants nothing from this number.
ERRORS: dict[int, Rule] = _RULES | {
    code: replace(_RULES[code], wish=Wish.ALL) for code in (21610, 63014)
}
#: Meta delivers no marketing to numbers of the United States at all.
US_NEVER: dict[int | None, Rule] = {
    63049: Rule(ErrorClass.NEVER, "Meta delivers no marketing to this country")
}
