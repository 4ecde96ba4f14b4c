"""Which identity is whose number: what a provider's notices tell of it, once a day."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import date

from bridge.store.people import Known
from bridge.whatsapp import ConsentNotice, Inbound, Notice, State, StateNotice

_PEOPLE = 20_000


class Identities:
    """The pairs that are on disk, with the day on which they were noted."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], date] = OrderedDict()

    def news(self, notices: Sequence[Notice], day: date) -> list[Known]:
        """Return the pairs that these notices tell and that were not noted today.

        What failed proves none: it may name only whom we meant to write to.
        """
        told = {(one.user, one.number): one for one in map(_pair, notices) if one}
        return [one for key, one in told.items() if self._known.get(key) != day]

    def know(self, noted: Iterable[Known], day: date) -> None:
        """Remember that these pairs are on disk."""
        for one in noted:
            key = (one.user, one.number)
            self._known[key] = day
            self._known.move_to_end(key)
        while len(self._known) > _PEOPLE:
            self._known.popitem(last=False)


def _pair(one: Notice) -> Known | None:
    if isinstance(one, Inbound | ConsentNotice):
        pair = Known(one.user, one.sender or "")
    elif isinstance(one, StateNotice) and one.state is not State.FAILED:
        pair = Known(one.user, one.to or "", one.tag, one.provider_id)
    else:
        return None
    return pair if pair.user and pair.number else None
