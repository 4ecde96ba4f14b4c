"""Who sent a delivery, and when: signatures after Standard Webhooks.

Source: https://github.com/standard-webhooks/standard-webhooks `spec/`. A header
`webhook-signature` holds `v1,<base64 HMAC-SHA256 of "id.timestamp.body">`, several
of them separated by blanks; a secret is `whsec_` and base64.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets as random_source
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bridge.errors import Refused

#: How far a timestamp may lie from our clock, in seconds, either way.
TOLERANCE = 300
#: A shorter secret is refused at start (bytes, decoded).
SHORTEST_SECRET = 24
_ID_LIMIT = 256
#: Visible ASCII and nothing else; a dot would make "id.timestamp.body" ambiguous.
_ID = re.compile(r"[!-\-/-~]{1,256}\Z")
_SIGNATURE_LIMIT = 20
ID_RULE = "The webhook-id must be 1 to 256 visible ASCII characters without a dot."


def is_id(text: str) -> bool:
    """Tell whether a text may be a delivery's id (`ID_RULE`)."""
    return _ID.match(text) is not None


class _Headers(Protocol):
    def __getitem__(self, name: str, /) -> Any: ...
    def __contains__(self, name: Any, /) -> bool: ...


@dataclass(frozen=True)
class Delivery:
    """One signed request as it came: nothing in it is trusted yet."""

    id: str
    timestamp: str
    signature: str
    body: bytes

    @classmethod
    def read(cls, headers: _Headers, body: bytes) -> Delivery:
        """Take the three headers of a request; a missing one is empty."""
        names = ("webhook-id", "webhook-timestamp", "webhook-signature")
        id, timestamp, signature = (
            str(headers[name]) if name in headers else "" for name in names
        )
        return cls(id, timestamp, signature, body)


def read_secret(text: str) -> bytes:
    """Decode a `whsec_...` secret. Raises ValueError with a sentence, never with it."""
    if not text.startswith("whsec_"):
        raise ValueError('a signing secret begins with "whsec_"')
    try:
        key = base64.b64decode(text[6:].encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("a signing secret is base64 after whsec_") from error
    if len(key) < SHORTEST_SECRET:
        raise ValueError(
            f"a signing secret needs {SHORTEST_SECRET} bytes or more; this one "
            f"has {len(key)}. Make one with `whmcs-bridge init`"
        )
    return key


def new_secret() -> str:
    """Make a fresh `whsec_...` secret of 32 bytes."""
    return "whsec_" + base64.b64encode(random_source.token_bytes(32)).decode("ascii")


def sign(key: bytes, id: str, timestamp: int, body: bytes) -> str:
    """Return the `v1,...` signature of a delivery; *timestamp* in Unix seconds."""
    return "v1," + base64.b64encode(_mac(key, id, str(timestamp), body)).decode("ascii")


def verify(delivery: Delivery, keys: Sequence[bytes], now: datetime) -> None:
    """Raise Refused (401) unless one of *keys* signed the delivery just now.

    The answer never says which check failed; the error's `log` does.
    """
    if not is_id(delivery.id):
        raise _refused(ID_RULE)
    if not delivery.timestamp.isascii() or not delivery.timestamp.isdigit():
        raise _refused("the webhook-timestamp is not plain digits")
    if len(delivery.timestamp) > 12:
        raise _refused("the webhook-timestamp is too long")
    skew = int(delivery.timestamp) - now.timestamp()
    if abs(skew) > TOLERANCE:
        raise _refused(f"the timestamp is {skew:+.0f} s off (more than {TOLERANCE} s)")
    given = _signatures(delivery.signature)
    if not given:
        raise _refused("no v1 signature in webhook-signature")
    good = False
    for key in keys:
        made = _mac(key, delivery.id, delivery.timestamp, delivery.body)
        for signature in given:
            good |= hmac.compare_digest(made, signature)
    if not good:
        raise _refused("no signature fits any of the configured secrets")


def _mac(key: bytes, id: str, timestamp: str, body: bytes) -> bytes:
    head = f"{id}.{timestamp}.".encode("ascii")
    return hmac.digest(key, head + body, hashlib.sha256)


def _signatures(header: str) -> list[bytes]:
    """Return the decoded v1 signatures; whatever is malformed is passed over."""
    found = []
    for entry in header.split(" ")[:_SIGNATURE_LIMIT]:
        version, comma, value = entry.partition(",")
        if version != "v1" or not comma or not value.isascii():
            continue
        try:
            found.append(base64.b64decode(value, validate=True))
        except binascii.Error:
            continue
    return found


def _refused(log: str) -> Refused:
    return Refused(401, "Not signed", "The signature or its time is not right.", log)
