"""What operators may set under `policies:` and `company:`; plain, checked values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import time
from typing import NamedTuple


class Caps(NamedTuple):
    """How many of a kind may be begun: in an hour, in a day, for a client in a day."""

    per_hour: int
    per_day: int
    per_client: int


@dataclass(frozen=True)
class AlertPolicy:
    """When alerts wait, and how many become one. Hours are the panel's zone's."""

    quiet_from: time | None = time(22, 0)
    quiet_to: time | None = time(8, 0)
    group_after: int = 3


@dataclass(frozen=True)
class UpgradePolicy:
    """How plan changes are priced, which are offered, and how many may be ordered.

    *paths* is product id -> ids offered for it (empty: no list of ours);
    *ladders* hold product ids, the lowest plan first.
    """

    charge: str = "difference"
    paid_basis: str = "invoice"
    contact: str = ""
    paths: dict[int, tuple[int, ...]] = field(default_factory=dict)
    ladders: tuple[tuple[int, ...], ...] = ()
    max_orders_per_hour: int = 30
    max_orders_per_day: int = 100
    max_orders_per_client_per_day: int = 5

    @property
    def caps(self) -> Caps:
        """How many plan changes may be ordered."""
        return Caps(
            self.max_orders_per_hour,
            self.max_orders_per_day,
            self.max_orders_per_client_per_day,
        )


@dataclass(frozen=True)
class CancellationPolicy:
    """At which hour services end, when clients are reminded, and the caps."""

    immediate_at: time = time(20, 0)
    end_of_day: time = time(23, 0)
    remind_days: tuple[int, ...] = (7, 1)
    max_terminations_per_hour: int = 20
    max_terminations_per_day: int = 100
    max_terminations_per_client_per_day: int = 10

    @property
    def caps(self) -> Caps:
        """How many services may be ended."""
        return Caps(
            self.max_terminations_per_hour,
            self.max_terminations_per_day,
            self.max_terminations_per_client_per_day,
        )


@dataclass(frozen=True)
class TransferPolicy:
    """How a change of owner is agreed, and the caps: a client's are what he gives."""

    expires_hours: int = 72
    approval: str = "automatic"
    verified_field: int | None = None
    ticket_department: int = 1
    max_transfers_per_hour: int = 10
    max_transfers_per_day: int = 50
    max_transfers_per_client_per_day: int = 5

    @property
    def caps(self) -> Caps:
        """How many services may change their owner."""
        return Caps(
            self.max_transfers_per_hour,
            self.max_transfers_per_day,
            self.max_transfers_per_client_per_day,
        )


@dataclass(frozen=True)
class StaffPolicy:
    """How staff hear of what waits for them.

    With *ticket_department* a ticket is opened there, else the panel's activity
    log gets a line.
    """

    ticket_department: int | None = None


@dataclass(frozen=True)
class InboundPolicy:
    """What becomes of a WhatsApp message that no word of ours answers.

    *other* is "reply" (one answer a day), "open_ticket" (that, and a ticket for
    staff in *department*) or "ignore".
    """

    other: str = "reply"
    department: int = 1


@dataclass(frozen=True)
class Policies:
    """Everything under `policies:`, and `inbound:`."""

    alerts: AlertPolicy = AlertPolicy()
    upgrades: UpgradePolicy = UpgradePolicy()
    cancellations: CancellationPolicy = CancellationPolicy()
    transfers: TransferPolicy = TransferPolicy()
    staff: StaffPolicy = StaffPolicy()
    inbound: InboundPolicy = InboundPolicy()


@dataclass(frozen=True)
class Company:
    """Who writes to the clients."""

    name: str = ""
    client_area: str = ""
    whatsapp: str = ""
