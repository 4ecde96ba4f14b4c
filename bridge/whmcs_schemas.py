"""Schemas of WHMCS answers: what the bridge uses of each, and nothing else.

What is not declared is dropped while reading, the passwords and usernames of
services among it. Names on the left are ours, `data_key` is the panel's.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from marshmallow import ValidationError

from bridge.billing.model import Cycle
from bridge.whmcs_fields import (
    Amount,
    Answer,
    Day,
    Field,
    Flag,
    Number,
    Paid,
    Row,
    Rows,
    Text,
)

CYCLES = {cycle.value: cycle for cycle in Cycle if cycle.months}


def setup_fee(word: str) -> str:
    """Return under which name a cycle's setup fee stands among its prices."""
    return f"{word[0]}setupfee"


class CustomFieldAnswer(Answer):
    """A custom field of a client."""

    id = Number(required=True)
    value = Text(load_default="")


class ClientAnswer(Answer):
    """`client` of GetClientsDetails; the copy beside it is deprecated."""

    id = Number(required=True)
    first_name = Text(data_key="firstname", load_default="")
    last_name = Text(data_key="lastname", load_default="")
    company = Text(data_key="companyname", load_default="")
    email = Text(required=True)
    country = Text(data_key="countrycode", load_default="")
    country_too = Text(data_key="country", load_default="")
    language = Text(load_default="")
    currency = Text(data_key="currency_code", load_default="")
    status = Text(required=True)
    phone = Text(data_key="telephoneNumber", load_default="")
    phone_raw = Text(data_key="phonenumber", load_default="")
    phone_cc = Text(data_key="phonecc", load_default="")
    email_verified = Flag(load_default=False)
    owner_user_id = Number(load_default=None)
    custom_fields = Rows(CustomFieldAnswer(), "customfield", data_key="customfields")


class MembershipAnswer(Answer):
    """A client of a login."""

    id = Number(required=True)
    owner = Flag(data_key="isOwner", required=True)


class UserAnswer(Answer):
    """A row of GetUsers."""

    id = Number(required=True)
    email = Text(load_default="")
    clients = Rows(MembershipAnswer(), "client")


class ConfigOptionAnswer(Answer):
    """A configurable option chosen on a service."""

    id = Number(required=True)
    name = Text(data_key="option", load_default="")
    kind = Text(data_key="type", load_default="")
    value = Text(load_default="")


class ServiceAnswer(Answer):
    """A row of GetClientsProducts, without its username and password."""

    id = Number(required=True)
    client_id = Number(data_key="clientid", required=True)
    product_id = Number(data_key="pid", required=True)
    product_name = Text(data_key="name", load_default="")
    domain = Text(load_default="")
    cycle = Paid(data_key="billingcycle", required=True)
    status = Text(required=True)
    recurring = Amount(data_key="recurringamount", required=True)
    first_payment = Amount(data_key="firstpaymentamount", load_default=Decimal(0))
    quantity = Number(data_key="qty", load_default=1)
    registered = Day(data_key="regdate", load_default=None)
    next_due = Day(data_key="nextduedate", load_default=None)
    promotion_id = Number(data_key="promoid", load_default=0)
    payment_method = Text(data_key="paymentmethod", load_default="")
    suspension_reason = Text(data_key="suspensionreason", load_default="")
    server_id = Number(data_key="serverid", load_default=0)
    options = Rows(ConfigOptionAnswer(), "configoption", data_key="configoptions")


#: Prices of one currency: `monthly` and so on, `msetupfee` and so on.
PriceAnswer = Answer.from_dict(
    {word: Amount(load_default=None) for word in [*CYCLES, *map(setup_fee, CYCLES)]},
    name="PriceAnswer",
)


class Prices(Field):
    """Prices per currency code; an empty list is PHP's empty map."""

    _schema = PriceAnswer()

    def read(self, value: Any) -> dict[str, Row]:
        """Return them."""
        if value is None or value in ("", []):
            return {}
        if not isinstance(value, dict):
            raise ValidationError("not prices by currency")
        return {str(code): self._schema.load(row) for code, row in value.items()}


class ChoiceAnswer(Answer):
    """A choice of a configurable option, with what it costs."""

    prices = Prices(data_key="pricing", load_default=dict)


class OptionAnswer(Answer):
    """A configurable option of a product."""

    id = Number(required=True)
    choices = Rows(ChoiceAnswer(), "option", data_key="options")


class ProductAnswer(Answer):
    """A row of GetProducts."""

    id = Number(data_key="pid", required=True)
    name = Text(required=True)
    group_id = Number(data_key="gid", load_default=0)
    kind = Text(data_key="type", load_default="")
    module = Text(load_default="")
    pay_type = Text(data_key="paytype", required=True)
    prices = Prices(data_key="pricing", load_default=dict)
    options = Rows(OptionAnswer(), "configoption", data_key="configoptions")


class LineAnswer(Answer):
    """A line of GetInvoice. The API does not tell a due date per line."""

    id = Number(required=True)
    kind = Text(data_key="type", load_default="")
    related_id = Number(data_key="relid", load_default=0)
    description = Text(load_default="")
    amount = Amount(required=True)
    taxed = Flag(load_default=False)


class InvoiceAnswer(Answer):
    """A row of GetInvoices; its number is empty where none was given yet."""

    id = Number(required=True)
    client_id = Number(data_key="userid", required=True)
    number = Text(data_key="invoicenum", load_default="")
    status = Text(required=True)
    date = Day(load_default=None)
    due = Day(data_key="duedate", load_default=None)
    paid_at = Text(data_key="datepaid", load_default="")
    subtotal = Amount(load_default=Decimal(0))
    credit = Amount(load_default=Decimal(0))
    total = Amount(required=True)
    balance = Amount(load_default=None)
    payment_method = Text(data_key="paymentmethod", load_default="")
    notes = Text(load_default="")
    currency = Text(data_key="currencycode", load_default="")


class FullInvoiceAnswer(InvoiceAnswer):
    """GetInvoice, which calls the id otherwise and tells the lines."""

    id = Number(data_key="invoiceid", required=True)
    lines = Rows(LineAnswer(), "item", data_key="items")


class DomainAnswer(Answer):
    """A row of GetClientsDomains."""

    id = Number(required=True)
    client_id = Number(data_key="userid", required=True)
    name = Text(data_key="domainname", required=True)
    status = Text(required=True)
    expires = Day(data_key="expirydate", load_default=None)
    next_due = Day(data_key="nextduedate", load_default=None)
    stopped = Flag(data_key="donotrenew", load_default=False)


class QuoteAnswer(Answer):
    """A row of GetQuotes; its user is 0 where it went to nobody's account."""

    id = Number(required=True)
    client_id = Number(data_key="userid", load_default=0)
    subject = Text(load_default="")
    stage = Text(required=True)
    total = Amount(required=True)
    valid_until = Day(data_key="validuntil", load_default=None)


class OnlyId(Answer):
    """What must be readable of a row of GetClients or GetCancelledPackages."""

    id = Number(required=True)


class RequestAnswer(Answer):
    """A row of GetCancelledPackages."""

    id = Number(required=True)
    service_id = Number(data_key="relid", required=True)
    kind = Text(data_key="type", required=True)
    requested_on = Day(data_key="date", required=True)
    reason = Text(load_default="")


class DoneAnswer(Answer):
    """The ids by which an acting call says what it acted on."""

    service_id = Number(data_key="serviceid", load_default=None)
    invoice_id = Number(data_key="invoiceid", load_default=None)
    domain_id = Number(data_key="domainid", load_default=None)
    status = Text(load_default="")
    ticket = Text(data_key="tid", load_default="")


class PriceOfUpgradeAnswer(Answer):
    """UpgradeProduct, calculated only."""

    service_id = Number(data_key="id", load_default=None)
    product_id = Number(data_key="newproductid", load_default=None)
    price = Text(required=True)


class SettingAnswer(Answer):
    """GetConfigurationValue."""

    name = Text(data_key="setting", required=True)
    value = Text(required=True)


class VersionAnswer(Answer):
    """`whmcs` of WhmcsDetails."""

    version = Text(required=True)


class Page(Answer):
    """How much of a list an answer holds."""

    total = Number(data_key="totalresults", required=True)
    returned = Number(data_key="numreturned", load_default=None)
