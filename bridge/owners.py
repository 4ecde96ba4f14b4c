"""What actions read of changes of owner, over the store; and what caps allow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bridge.hooks.records import Reserved, Transfer
from bridge.policies import Caps
from bridge.rowviews import transfer_of
from bridge.store import Store, book, handover, limits


class TransferLedger:
    """`TransferBook` over the store; every call sees what is on disk now."""

    _store: Store
    _now: datetime

    def transfer(self, key: str) -> Transfer | None:
        """Return a change of owner by its key."""
        with self._store.read() as db:
            return transfer_of(handover.transfer(db, key))

    def open_transfer(self, service_id: int) -> Transfer | None:
        """Return the change of owner of a service that is not over."""
        with self._store.read() as db:
            return transfer_of(handover.open_transfer(db, service_id))

    def counted(self, event_id: str) -> bool:
        """Tell whether a message is a side's word in a change of owner already."""
        with self._store.read() as db:
            return handover.counted(db, event_id)

    def knows_telephones(self) -> bool:
        """Tell whether the telephones of all clients were read once, at least."""
        with self._store.read() as db:
            found = book.marked(db, "phones")
        return found is not None and bool(
            found[1].get("whole") or not found[1].get("next")
        )

    def earlier_owners(self, service_id: int) -> tuple[int, ...]:
        """Return the clients a service passed from, the last one first."""
        with self._store.read() as db:
            return handover.earlier_owners(db, service_id)

    def awaiting(self, emails: Sequence[str]) -> Transfer | None:
        """Return the request that waits for one with such an e-mail."""
        with self._store.read() as db:
            return transfer_of(handover.awaiting(db, emails))

    def begin_transfer(self, key: str, caps: Caps) -> Reserved:
        """Mark a move as begun, within the caps."""
        over, again_at = self._store.write(
            lambda db: limits.reserve_transfer(db, key, caps, self._now)
        )
        return reserved(over, again_at, "changes of owner", caps)


def reserved(over: str, again_at: datetime | None, what: str, caps: Caps) -> Reserved:
    """Return what the caps say of one more, in words; *what* is counted."""
    if over == "hour":
        reason = f"over the cap of {caps.per_hour} {what} an hour: it goes on then"
        return Reserved(False, again_at, reason)
    if over == "other":
        reason = "a plan change or an end of the service began meanwhile"
        return Reserved(False, again_at, reason)
    if over == "day":
        return Reserved(
            False, None, f"over the cap of {caps.per_day} {what} a day", over
        )
    if over == "client":
        reason = f"over the cap of {caps.per_client} {what} a day for one client"
        return Reserved(False, None, reason, over)
    if over:
        return Reserved(False, None, "it does not stand any more", over=True)
    return Reserved(True)
