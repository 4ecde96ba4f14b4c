"""Every error code of the Cloud API that we know, and what it means for a message.

https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes and, for
templates, https://developers.facebook.com/docs/graph-api/guides/error-handling, as
they stood in September 2026. The same code comes in an answer, in a failed state, or
in both. Ranges are the vendor's.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.errors import ErrorClass, Instead, Wish
from bridge.whatsapp.line import Row, Rule, table

_MINUTES = 300.0
#: Waits of exhausted quotas; a header may say the true one.
PAUSES = (_MINUTES,)

_ROWS: tuple[Row, ...] = (
    ((0, 190), ErrorClass.HALT, "the token is not accepted or has expired"),
    (
        (3, 10, *range(200, 300), 131005),
        ErrorClass.HALT,
        "the token lacks a permission",
    ),
    ((1, 2, 131000, 131016, 133004), ErrorClass.UNSURE, "trouble at Meta"),
    ((4, 80007, 80008), ErrorClass.RETRY, "the quota of calls is used up", _MINUTES),
    ((33,), ErrorClass.HALT, "the id of the number is wrong or deleted"),
    (
        (100, 131008, 131009, 135000),
        ErrorClass.FIX,
        "a parameter is misspelt, missing or invalid",
    ),
    ((368, 131031), ErrorClass.HALT, "the account is restricted or locked"),
    ((130403,), ErrorClass.NEVER, "this person was blocked by the business"),
    ((131021,), ErrorClass.NEVER, "the recipient is the sending number itself"),
    ((130429,), ErrorClass.RETRY, "the throughput of the number is reached"),
    ((130472,), ErrorClass.LATER, "Meta holds this person out in an experiment"),
    ((130497,), ErrorClass.NEVER, "the account may not write to this country"),
    ((131026,), ErrorClass.NEVER, "no WhatsApp there, or it cannot receive this"),
    (
        (131030,),
        ErrorClass.FIX,
        "a test number: the recipient is not on its list of allowed ones",
    ),
    ((131037,), ErrorClass.HALT, "the display name is not approved"),
    ((131042, 134011), ErrorClass.HALT, "payment: no method, or terms not accepted"),
    (
        (131045, 133006, 133010, 133015, 133016),
        ErrorClass.HALT,
        "the number is not registered or not verified",
    ),
    ((131047,), ErrorClass.AS_TEMPLATE, "more than 24 hours since this person wrote"),
    # A marketing message waits a day instead (`cloud.rule_for`): what it asks is
    # to slow down, and halting would hold back security alerts as well.
    (
        (131048,),
        ErrorClass.RETRY,
        "the number's quality is low: Meta limits it against spam",
        900.0,
    ),
    ((131049,), ErrorClass.LATER, "Meta withheld it: too much marketing to this one"),
    ((131050,), ErrorClass.NEVER, "this person stopped our marketing messages"),
    ((131051,), ErrorClass.FIX, "this type of message is not supported"),
    ((131052,), ErrorClass.FIX, "a file that came in could not be fetched"),
    ((131053,), ErrorClass.FIX, "our file could not be fetched or is of no known type"),
    (
        (131055, 131063, 134100, 134102),
        ErrorClass.FIX,
        "a condition of Meta's marketing API is not met",
    ),
    ((134101,), ErrorClass.RETRY, "the template is being prepared at Meta", 600.0),
    ((131056,), ErrorClass.PAIR, "too many messages to this person in short time"),
    ((131057, 2494100), ErrorClass.RETRY, "the number is in maintenance", 20.0),
    ((131062,), ErrorClass.FIX, "this message goes to a phone number only"),
    (
        (131064,),
        ErrorClass.HALT,
        "the account is limited for templates in the wrong category",
    ),
    ((132000, 132012, 132018), ErrorClass.FIX, "the values do not fit the template"),
    (
        (132001,),
        ErrorClass.FIX,
        "no approved template of this name in this language",
    ),
    ((132005,), ErrorClass.FIX, "the filled template is too long"),
    ((132007,), ErrorClass.FIX, "the template violates a policy"),
    ((132068, 132069), ErrorClass.FIX, "a flow is blocked or throttled"),
    ((132015,), ErrorClass.FIX, "the template is paused for its quality"),
    ((132016,), ErrorClass.FIX, "the template was disabled for good"),
    (
        (2388019, *range(2388039, 2388300)),
        ErrorClass.FIX,
        "the template cannot be created so",
    ),
)

#: What may be tried once before a code's class decides.
_INSTEAD = {
    131026: Instead.NUMBER,
    131030: Instead.NUMBER,
    132001: Instead.LANGUAGE,
    132015: Instead.APPROVAL,
    132016: Instead.APPROVAL,
}
_RULES = table(_ROWS)
_RULES |= {
    code: replace(_RULES[code], instead=instead) for code, instead in _INSTEAD.items()
}
#: He stopped our marketing in WhatsApp itself; it says nothing on utility messages.
ERRORS: dict[int, Rule] = _RULES | {
    131050: replace(_RULES[131050], wish=Wish.MARKETING)
}
