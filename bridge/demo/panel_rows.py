"""The rows of the simulated panel's tables.

They are rows, not values: the panel changes them in place, so they are not frozen.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal

MONTHS = {
    "Monthly": 1,
    "Quarterly": 3,
    "Semi-Annually": 6,
    "Annually": 12,
    "Biennially": 24,
    "Triennially": 36,
}
KEYS = {cycle: cycle.lower().replace("-", "") for cycle in MONTHS}
NOT_SOLD = Decimal("-1.00")
CENT = Decimal("0.01")


def cycle_named(text: str) -> str | None:
    """Return ``Semi-Annually`` for ``semiannually`` and the like, or None."""
    wanted = "".join(text.lower().split()).replace("-", "")
    known = {key: cycle for cycle, key in KEYS.items()}
    known |= {"onetime": "One Time", "free": "Free Account"}
    return (known | {"freeaccount": "Free Account"}).get(wanted)


@dataclass
class Currency:
    """A currency and how the panel writes it: format 1 is 1234.56, 3 is 1.234,56."""

    id: int
    code: str
    prefix: str
    format: int = 1

    def text(self, amount: Decimal) -> str:
        """Return *amount* as the panel prints it for people: ``$-8.67 USD``."""
        plain = f"{amount:,.0f}" if self.format == 4 else f"{amount:,.2f}"
        if self.format == 1:
            plain = plain.replace(",", "")
        if self.format == 3:
            plain = plain.translate(str.maketrans(",.", ".,"))
        return f"{self.prefix}{plain} {self.code}"


@dataclass
class Client:
    """A client: who is billed. *phonenumber* is as stored: ``+54.91140000001``."""

    id: int
    owner: int
    firstname: str
    lastname: str
    email: str
    country: str
    phonenumber: str
    currency: str
    language: str
    datecreated: dt.date
    companyname: str = ""
    address1: str = ""
    address2: str = ""
    city: str = ""
    state: str = ""
    postcode: str = ""
    tax_id: str = ""
    notes: str = ""
    status: str = "Active"
    credit: Decimal = Decimal("0.00")
    email_verified: bool = True
    groupid: int = 0
    customfields: dict[int, str] = field(default_factory=dict)


@dataclass
class User:
    """A login; *clients* says for each client whether the user owns it."""

    id: int
    firstname: str
    lastname: str
    email: str
    password: str
    language: str
    datecreated: dt.datetime
    clients: dict[int, bool] = field(default_factory=dict)


@dataclass
class Option:
    """A configurable option of a product; each choice has a monthly price."""

    id: int
    name: str
    choices: dict[int, tuple[str, Decimal]]


@dataclass
class Product:
    """A product; prices are by currency code and cycle, -1.00 means not sold.

    *setup* is paid once, whatever currency and cycle.
    """

    pid: int
    name: str
    prices: dict[str, dict[str, Decimal]]
    gid: int = 1
    group: str = "Hosting"
    module: str = "cpanel"
    paytype: str = "recurring"
    allowqty: int = 0
    upgrades: tuple[int, ...] = ()
    options: tuple[Option, ...] = ()
    description: str = ""
    setup: Decimal = Decimal("0.00")

    def price(self, currency: str, cycle: str) -> Decimal:
        """Return the list price of one piece; -1.00 if the cycle is not sold."""
        if self.paytype == "free":
            return Decimal("0.00")
        return self.prices.get(currency, {}).get(cycle, NOT_SOLD)


@dataclass
class Service:
    """A product that a client has. *anchor* is the day its billing days come from."""

    id: int
    clientid: int
    pid: int
    billingcycle: str
    regdate: dt.date
    anchor: dt.date
    nextduedate: dt.date | None
    nextinvoicedate: dt.date | None
    firstpaymentamount: Decimal
    recurringamount: Decimal
    domain: str
    username: str
    password: str
    qty: int = 1
    orderid: int = 0
    status: str = "Active"
    suspensionreason: str = ""
    paymentmethod: str = "mercadopago"
    promoid: int = 0
    notes: str = ""
    terminationdate: dt.date | None = None
    choices: dict[int, int] = field(default_factory=dict)
    more: dict[str, str] = field(default_factory=dict)


@dataclass
class Domain:
    """A domain name that a client has registered through the panel."""

    id: int
    userid: int
    domainname: str
    regdate: dt.date
    expirydate: dt.date
    nextduedate: dt.date
    recurringamount: Decimal
    status: str = "Active"
    donotrenew: bool = False
    more: dict[str, str] = field(default_factory=dict)


@dataclass
class Item:
    """A line of an invoice; *duedate* is seen in the database only, not in the API."""

    id: int
    type: str
    relid: int
    description: str
    amount: Decimal
    duedate: dt.date
    taxed: int = 0


@dataclass
class Invoice:
    """An invoice and its lines."""

    id: int
    userid: int
    date: dt.date
    duedate: dt.date
    status: str
    items: list[Item]
    paymentmethod: str
    source: str
    created_at: dt.datetime
    updated_at: dt.datetime
    invoicenum: str = ""
    datepaid: dt.datetime | None = None
    date_cancelled: dt.datetime | None = None
    credit: Decimal = Decimal("0.00")
    taxrate: Decimal = Decimal("0.00")
    notes: str = ""
    transactions: list[dict[str, str]] = field(default_factory=list)

    @property
    def subtotal(self) -> Decimal:
        """Return what the lines come to, before tax and credit."""
        return sum((item.amount for item in self.items), Decimal("0.00"))

    @property
    def tax(self) -> Decimal:
        """Return the tax on the lines that are taxed."""
        taxed = sum((i.amount for i in self.items if i.taxed), Decimal("0.00"))
        return (taxed * self.taxrate / 100).quantize(CENT)

    @property
    def total(self) -> Decimal:
        """Return what is to be paid."""
        return self.subtotal + self.tax - self.credit


@dataclass(frozen=True)
class Line:
    """A line as it is asked for, before it stands on an invoice."""

    description: str
    amount: Decimal
    type: str = ""
    relid: int = 0
    taxed: int = 0
    duedate: dt.date | None = None


@dataclass
class Quote:
    """A quote; *userid* 0 is one for somebody who is not a client yet."""

    id: int
    userid: int
    subject: str
    stage: str
    validuntil: dt.date | None
    datecreated: dt.date
    lastmodified: dt.date
    lines: list[tuple[str, Decimal]]
    datesent: dt.date | None = None
    dateaccepted: dt.date | None = None


@dataclass
class CancelRequest:
    """A request to cancel a service; withdrawing it deletes the row."""

    id: int
    relid: int
    type: str
    reason: str
    date: dt.datetime


@dataclass
class Upgrade:
    """A row of the panel's table of upgrades, which no API action reads."""

    id: int
    relid: int
    originalvalue: str
    newvalue: str
    amount: Decimal
    recurring: Decimal
    status: str = "Pending"
    invoiceid: int | None = None
    type: str = "package"


@dataclass
class Ticket:
    """A support ticket."""

    id: int
    tid: str
    deptid: int
    userid: int
    subject: str
    message: str
    priority: str
    admin: bool
    date: dt.datetime
    serviceid: int = 0


@dataclass(frozen=True)
class Note:
    """A note of staff about a client."""

    id: int
    userid: int
    notes: str
    sticky: bool
    date: dt.datetime


@dataclass(frozen=True)
class Activity:
    """A line of the activity log."""

    date: dt.datetime
    description: str
    userid: int


@dataclass(frozen=True)
class Command:
    """A command given to the server module of a service; *error* empty: it worked."""

    date: dt.datetime
    command: str
    serviceid: int
    error: str


@dataclass(frozen=True)
class Hook:
    """A hook as it fired: all documented variables, secrets included."""

    type: str
    at: dt.datetime
    data: dict[str, object]
    context: dict[str, object]


@dataclass(frozen=True)
class Effect:
    """Something that really happened, and by whom: what tests count."""

    at: dt.datetime
    kind: str
    id: int
    actor: str
