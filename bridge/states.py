"""What a provider told of a message, as the store keeps it."""

from __future__ import annotations

from bridge.events import clean
from bridge.store.talk import Told
from bridge.whatsapp import StateNotice

#: Longest explanation of a failure that is kept, in characters.
_DETAIL = 500


def told_of(provider: str, one: StateNotice, tag: str = "") -> Told:
    """Return a state to be kept; *tag* is our key of the message, where it is known."""
    return Told(
        provider,
        one.provider_id,
        tag or one.tag,
        one.state.value,
        one.at,
        one.kind.value if one.kind else "",
        one.code,
        clean(one.detail)[:_DETAIL],
        one.to or "",
        one.instead.value if one.instead else "",
        one.wish.value if one.wish else "",
    )
