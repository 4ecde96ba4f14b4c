"""What a plan change is priced from, and the quote that comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from bridge.billing.model import (
    Cycle,
    Invoice,
    PaidCharge,
    Product,
    Refusal,
    Service,
)


@dataclass(frozen=True)
class UpgradeCase:
    """Everything that a plan change is priced from; nothing else is looked at.

    *currency* is the client's. *invoices* are his and, for what they
    billed of this service, earlier owners', with their lines; *unread* says that
    there are older ones that nobody looked at; *unknown* are of plan changes that
    nobody remembers. *offered* are the
    plans offered for this one, None where there is no such list.
    *paid_basis* is `invoice` or `recurring`; *ladders* hold product ids, the
    lowest plan first; *date_format* is the panel's.
    """

    service: Service
    currency: str
    new_product: Product
    old_product: Product
    cycle: Cycle
    invoices: tuple[Invoice, ...]
    today: date
    charges: tuple[PaidCharge, ...] = ()
    upgrade_pending: bool = False
    unread: bool = False
    unknown: tuple[Invoice, ...] = ()
    offered: frozenset[int] | None = None
    paid_basis: str = "invoice"
    ladders: tuple[tuple[int, ...], ...] = ()
    date_format: str = "DD/MM/YYYY"


@dataclass(frozen=True)
class QuoteLine:
    """One step of the working: a price, or (negative) what was paid already.

    *source* is where it was read: `list price`, `invoice 12`, `charge`, ... *kind*
    is one of `price`, `paid`, `setup`, `discount`, `charge`, and for the recurring
    amount `recurring` (the map wants it), `free`, `uncovered` (no paid invoice
    covers today). The days are those of the period paid, or of the payment;
    *quantity* is how many a price is for.
    """

    label: str
    amount: Decimal
    source: str
    kind: str = ""
    first_day: date | None = None
    last_day: date | None = None
    quantity: int | None = None


@dataclass(frozen=True)
class UpgradeQuote:
    """What a plan change costs, or why it is refused.

    *charge* is None where refused; zero means that there is no invoice. *basis*
    is `invoice` or `recurring` (empty where refused). *due_date* is the next due
    day; with *new_period* it is as if enabled today, see `first_due`. *recurring*
    is the renewal amount for the whole quantity.
    """

    service_id: int
    product_id: int
    cycle: Cycle
    allowed: bool
    refusal: Refusal | None
    charge: Decimal | None
    currency: str
    basis: str
    lines: tuple[QuoteLine, ...]
    due_date: date | None
    new_period: bool
    recurring: Decimal | None
    reason: str


class CannotPrice(Exception):
    """A plan change is refused; the message is a sentence for staff."""

    def __init__(self, refusal: Refusal, reason: str) -> None:
        super().__init__(reason)
        self.refusal = refusal
        self.reason = reason
