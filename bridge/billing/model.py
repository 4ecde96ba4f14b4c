"""The plain values that money and dates are worked out from.

Everything here is frozen, knows no panel and no clock. Amounts are `Decimal`
in the currency named beside them; days are the panel's calendar days.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

_Date = date  # for the fields after one that is itself named `date`


class Cycle(StrEnum):
    """How often a service is paid."""

    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    SEMIANNUALLY = "semiannually"
    ANNUALLY = "annually"
    BIENNIALLY = "biennially"
    TRIENNIALLY = "triennially"
    ONE_TIME = "onetime"
    FREE = "free"

    @property
    def months(self) -> int | None:
        """How many months one period lasts; None where there is no period."""
        return _MONTHS.get(self)

    @classmethod
    def read(cls, text: str) -> Cycle:
        """Read a panel's word for it: `Semi-Annually`, `annually`, `Free Account`.

        Raises ValueError for a word nobody knows.
        """
        word = "".join(c for c in text.casefold() if c.isalpha())
        if word in ("free", "freeaccount"):
            return cls.FREE
        return cls(word)


_MONTHS = {
    Cycle.MONTHLY: 1,
    Cycle.QUARTERLY: 3,
    Cycle.SEMIANNUALLY: 6,
    Cycle.ANNUALLY: 12,
    Cycle.BIENNIALLY: 24,
    Cycle.TRIENNIALLY: 36,
}


@dataclass(frozen=True, order=True)
class Period:
    """What an invoice line pays for; both days are included."""

    first_day: date
    last_day: date

    def covers(self, day: date) -> bool:
        """Tell whether *day* lies in the period."""
        return self.first_day <= day <= self.last_day

    def __str__(self) -> str:
        return f"{self.first_day.isoformat()} - {self.last_day.isoformat()}"


@dataclass(frozen=True)
class Client:
    """A client account of the panel, without any secret."""

    id: int
    first_name: str
    last_name: str
    company: str
    email: str
    country: str
    language: str
    currency: str
    status: str
    phone: str
    phone_cc: str = ""
    email_verified: bool = False
    owner_user_id: int | None = None
    custom_fields: dict[int, str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """First and last name, or the company where there is neither."""
        return f"{self.first_name} {self.last_name}".strip() or self.company

    @property
    def closed(self) -> bool:
        """Whether the account is closed: nobody writes to it any more."""
        return self.status.casefold() == "closed"


@dataclass(frozen=True)
class User:
    """A login. *owns* holds the ids of the clients he owns, not where he is a guest."""

    id: int
    email: str
    owns: tuple[int, ...] = ()
    guest_of: tuple[int, ...] = ()


@dataclass(frozen=True)
class ConfigOption:
    """A configurable option chosen on a service (its price is not told here)."""

    id: int
    name: str
    kind: str
    value: str


@dataclass(frozen=True)
class Service:
    """A product that a client has."""

    id: int
    client_id: int
    product_id: int
    product_name: str
    domain: str
    cycle: Cycle
    status: str
    recurring: Decimal
    first_payment: Decimal = Decimal(0)
    quantity: int = 1
    registered: date | None = None
    next_due: date | None = None
    promotion_id: int = 0
    payment_method: str = ""
    suspension_reason: str = ""
    server_id: int = 0
    options: tuple[ConfigOption, ...] = ()

    @property
    def active(self) -> bool:
        """Whether the service is Active."""
        return self.status.casefold() == "active"

    @property
    def ended(self) -> bool:
        """Whether nothing is left to end: Terminated, Cancelled or Fraud."""
        return self.status.casefold() in ("terminated", "cancelled", "fraud")


@dataclass(frozen=True)
class Product:
    """A plan of the catalogue with its prices.

    *prices* is currency code -> cycle -> price. A cycle that is not sold is
    absent (the panel writes -1.00). *setup* likewise, for what is paid once.
    *paid_options* are the configurable options with a choice that costs anything.
    """

    id: int
    name: str
    group_id: int = 0
    kind: str = "hostingaccount"
    module: str = ""
    pay_type: str = "recurring"
    prices: dict[str, dict[Cycle, Decimal]] = field(default_factory=dict)
    paid_options: frozenset[int] = frozenset()
    setup: dict[str, dict[Cycle, Decimal]] = field(default_factory=dict)

    def price(self, currency: str, cycle: Cycle) -> Decimal | None:
        """The list price of one unit, or None where it is not sold so."""
        return self.prices.get(currency, {}).get(cycle)


@dataclass(frozen=True)
class InvoiceLine:
    """A line of an invoice. *kind* is the panel's word: Hosting, PromoHosting, ..."""

    id: int
    kind: str
    related_id: int
    description: str
    amount: Decimal
    due: date | None = None
    taxed: bool = False


@dataclass(frozen=True)
class Invoice:
    """An invoice; *lines* is empty in a list, where the panel does not tell them."""

    id: int
    client_id: int
    number: str
    status: str
    date: date | None
    due: _Date | None
    total: Decimal
    subtotal: Decimal = Decimal(0)
    credit: Decimal = Decimal(0)
    balance: Decimal | None = None
    paid_at: datetime | None = None
    payment_method: str = ""
    notes: str = ""
    currency: str = ""
    lines: tuple[InvoiceLine, ...] = ()

    @property
    def paid(self) -> bool:
        """Whether it was paid (and not refunded since)."""
        return self.status.casefold() == "paid"

    @property
    def open(self) -> bool:
        """Whether it is generated and still owed."""
        return self.status.casefold() in (
            "unpaid",
            "overdue",
            "payment pending",
            "collections",
        )

    @property
    def refunded(self) -> bool:
        """Whether it was paid, and that was given back."""
        return self.status.casefold() == "refunded"

    @property
    def void(self) -> bool:
        """Whether it was cancelled or refunded: nothing is owed or paid by it."""
        return self.status.casefold() in ("cancelled", "refunded")

    @property
    def counts(self) -> bool:
        """Whether it counts as generated: not cancelled, refunded or a draft."""
        return not self.void and self.status.casefold() != "draft"


@dataclass(frozen=True)
class Domain:
    """A domain of a client."""

    id: int
    client_id: int
    name: str
    status: str
    expires: date | None = None
    next_due: date | None = None
    renews: bool = True


@dataclass(frozen=True)
class Quote:
    """A quote (offer); *client_id* is None where it went to no client."""

    id: int
    client_id: int | None
    subject: str
    stage: str
    total: Decimal
    valid_until: date | None = None


@dataclass(frozen=True)
class CancellationRequest:
    """A client's request as the panel lists it.

    *unclear* says what of the row could not be read: then nothing may follow from
    it, and *service_id* is 0 where not even the service is certain.
    """

    id: int
    service_id: int
    immediate: bool
    requested_on: date
    reason: str = ""
    unclear: str = ""


class NoPeriod(Exception):
    """Nobody can say until when a service is invoiced: staff decide."""


class Refusal(StrEnum):
    """Why a plan change is refused; each has a text `refusal_<value>`."""

    CYCLE_NOT_SOLD = "cycle_not_sold"
    SERVICE_NOT_ACTIVE = "service_not_active"
    INVOICE_OPEN = "invoice_open"
    UPGRADE_PENDING = "upgrade_pending"
    SAME_PLAN = "same_plan"
    NOT_OFFERED = "not_offered"
    PAID_OPTIONS = "paid_options"
    CURRENCY_DIFFERS = "currency_differs"
    ONE_TIME = "one_time"
    COSTS_LESS = "costs_less"
    DOWNGRADE = "downgrade"
    NOT_PRICED = "not_priced"


@dataclass(frozen=True)
class PaidCharge:
    """An upgrade charge paid for a service, when, and what its invoice is now."""

    service_id: int
    amount: Decimal
    paid_on: date
    invoice_id: int | None = None
    status: str = "Paid"
    begins: Cycle | None = None  # the cycle of the new period, where one began


@dataclass(frozen=True)
class End:
    """The day a cancelled service ends, and why that day.

    *way* names how the period was found: immediate, description, line_due, status,
    upgrade or over; *period* is the last invoiced one, None for an immediate end.
    """

    day: date
    because: str
    way: str
    period: Period | None = None
