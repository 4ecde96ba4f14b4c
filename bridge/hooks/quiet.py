"""Quiet hours: when an ordinary alert may go out."""

from __future__ import annotations

from datetime import date, datetime, time
from zoneinfo import ZoneInfo


def quiet_until(
    now: datetime, zone: ZoneInfo, quiet_from: time | None, quiet_to: time | None
) -> datetime | None:
    """Return when quiet hours end if *now* lies in them, else None (aware)."""
    if quiet_from is None or quiet_to is None or quiet_from == quiet_to:
        return None
    here = now.astimezone(zone)
    clock = here.time()
    if quiet_from < quiet_to:
        if not quiet_from <= clock < quiet_to:
            return None
        day = here.date()
    elif clock >= quiet_from:
        day = date.fromordinal(here.date().toordinal() + 1)
    elif clock < quiet_to:
        day = here.date()
    else:
        return None
    return datetime.combine(day, quiet_to, tzinfo=zone)
