"""The rows of the panel as its API writes them, oddities included.

Ids are numbers here and text there, money is decimal text, no date is a row of
noughts, names carry HTML entities, and a service brings its password along.
"""

from __future__ import annotations

import html
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from bridge.demo.panel_people import client_uuid
from bridge.demo.panel_rows import (
    KEYS,
    Client,
    Option,
    Product,
    Service,
)
from bridge.demo.world import World

NO_DATE = "0000-00-00"
NO_TIME = "0000-00-00 00:00:00"
CALLING = {"AR": "54", "MX": "52", "BR": "55", "CL": "56", "US": "1"}
FLAGS = (
    "taxexempt", "latefeeoveride", "overideduenotices", "separateinvoices",
    "disableautocc", "emailoptout", "marketing_emails_opt_in", "overrideautoclose",
    "isOptedInToMarketingEmails",
)  # fmt: skip
WISHES = ("general", "invoice", "support", "product", "domain", "affiliate")
BLANK = (
    "subscriptionid", "overideautosuspend", "dedicatedip", "assignedips", "ns1", "ns2",
)  # fmt: skip
COUNTRIES = {
    "AR": "Argentina", "MX": "Mexico", "BR": "Brazil", "CL": "Chile",
    "US": "United States",
}  # fmt: skip


def entities(text: str) -> str:
    """Return *text* as the panel stores it: ``&amp;``, ``&quot;`` and ``&#039;``."""
    return html.escape(text).replace("&#x27;", "&#039;")


def money(amount: Decimal) -> str:
    """Return an amount as the API writes it, with two decimals in any currency."""
    return f"{amount:.2f}"


def day(value: date | None) -> str:
    """Return a date, or noughts."""
    return value.isoformat() if value else NO_DATE


def moment(value: datetime | None, zone: ZoneInfo) -> str:
    """Return a time in the panel's own zone and without it, or noughts."""
    return f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S}" if value else NO_TIME


def phone_parts(client: Client) -> dict[str, str]:
    """Return the four ways in which the API gives one telephone number."""
    stored = client.phonenumber
    if stored.startswith("+") and "." in stored:
        code, _, number = stored[1:].partition(".")
    else:
        code, number = CALLING.get(client.country, ""), stored
    full = f"+{code}.{number}" if number.isdigit() else number
    return {
        "phonenumber": number,
        "phonecc": code,
        "phonenumberformatted": full,
        "telephoneNumber": full,
    }


def client_brief(client: Client) -> dict[str, Any]:
    """Return a client as the lists show it."""
    return {
        "id": client.id,
        "firstname": entities(client.firstname),
        "lastname": entities(client.lastname),
        "companyname": entities(client.companyname),
        "email": client.email,
        "datecreated": day(client.datecreated),
        "groupid": client.groupid,
        "status": client.status,
    }


def client_details(world: World, client: Client) -> dict[str, Any]:
    """Return a client in full."""
    custom = [{"id": n, "value": v} for n, v in client.customfields.items()]
    full = entities(f"{client.firstname} {client.lastname}")
    return dict.fromkeys(FLAGS, False) | {
        "client_id": client.id,
        "owner_user_id": client.owner,
        "userid": client.id,
        "id": client.id,
        "uuid": client_uuid(client.id),
        "firstname": entities(client.firstname),
        "lastname": entities(client.lastname),
        "fullname": full,
        "companyname": entities(client.companyname),
        "email": client.email,
        "address1": entities(client.address1),
        "address2": entities(client.address2),
        "city": entities(client.city),
        "fullstate": entities(client.state),
        "state": entities(client.state),
        "postcode": client.postcode,
        "countrycode": client.country,
        "country": client.country,
        "countryname": COUNTRIES.get(client.country, client.country),
        **phone_parts(client),
        "tax_id": client.tax_id,
        "email_preferences": dict.fromkeys(WISHES, "1"),
        "statecode": "",
        "billingcid": 0,
        "notes": entities(client.notes),
        "currency": world.currencies[client.currency].id,
        "currency_code": client.currency,
        "defaultgateway": "",
        "groupid": client.groupid,
        "status": client.status,
        "credit": money(client.credit),
        "allowSingleSignOn": 1,
        "email_verified": client.email_verified,
        "language": client.language,
        "lastlogin": "Date: 01/01/2026 10:00<br>IP Address: 192.0.2.1<br>Host: -",
        "customfields": custom,
        "users": {
            "user": [
                {
                    "id": user.id,
                    "name": entities(f"{user.firstname} {user.lastname}"),
                    "email": user.email,
                    "is_owner": user.clients[client.id],
                }
                for user in world.users_of(client.id)
            ]
        },
    }


def service_row(world: World, service: Service) -> dict[str, Any]:
    """Return a service: every number is text, and its login stands there in clear."""
    product = world.product(service.pid)
    name = entities(product.name)
    chosen = [
        {
            "id": str(option.id),
            "option": entities(option.name),
            "type": "dropdown",
            "value": entities(option.choices[service.choices[option.id]][0]),
        }
        for option in product.options
        if option.id in service.choices
    ]
    return (
        dict.fromkeys(BLANK, "")
        | {
            "id": str(service.id),
            "qty": str(service.qty),
            "clientid": str(service.clientid),
            "orderid": str(service.orderid),
            "ordernumber": f"{service.orderid:010d}",
            "pid": str(service.pid),
            "regdate": day(service.regdate),
            "name": name,
            "translated_name": name,
            "groupname": entities(product.group),
            "translated_groupname": entities(product.group),
            "domain": service.domain,
            "serverid": "1" if product.module else "0",
            "servername": "server1" if product.module else "",
            "serverip": "192.0.2.10" if product.module else "",
            "serverhostname": "server1.example.com" if product.module else "",
            "suspensionreason": entities(service.suspensionreason),
            "firstpaymentamount": money(service.firstpaymentamount),
            "recurringamount": money(service.recurringamount),
            "paymentmethod": service.paymentmethod,
            "paymentmethodname": "MercadoPago",
            "billingcycle": service.billingcycle,
            "nextduedate": day(service.nextduedate),
            "status": service.status,
            "username": service.username,
            "password": service.password,
            "promoid": str(service.promoid),
            "overidesuspenduntil": NO_DATE,
            "notes": entities(service.notes),
            "diskusage": "0",
            "disklimit": "0",
            "bwusage": "0",
            "bwlimit": "0",
            "lastupdate": NO_TIME,
            "customfields": {"customfield": []},
            "configoptions": {"configoption": chosen},
        }
        | service.more
    )


def product_row(world: World, product: Product) -> dict[str, Any]:
    """Return a product with its prices; where it can be upgraded to is not said."""
    once = {f"{key[0]}setupfee": money(product.setup) for key in KEYS.values()}
    pricing = {}
    for code, currency in world.currencies.items():
        listed = {key: money(product.price(code, c)) for c, key in KEYS.items()}
        suffix = {"prefix": currency.prefix, "suffix": f" {code}"}
        pricing[code] = suffix | once | listed
    if product.paytype == "onetime":
        for row in pricing.values():
            row |= dict.fromkeys(list(KEYS.values())[1:], "-1.00")
    return {
        "pid": product.pid,
        "gid": product.gid,
        "type": "hostingaccount" if product.module else "other",
        "name": entities(product.name),
        "slug": f"product-{product.pid}",
        "product-url": f"{world.config['SystemURL']}store/product-{product.pid}",
        "description": product.description,
        "module": product.module,
        "paytype": product.paytype,
        "allowqty": product.allowqty,
        "quantity_available": 0,
        "pricing": pricing,
        "customfields": {"customfield": []},
        "configoptions": {"configoption": [_option(world, o) for o in product.options]},
    }


def _option(world: World, option: Option) -> dict[str, Any]:
    def priced(monthly: Decimal) -> dict[str, dict[str, str]]:
        row = dict.fromkeys(KEYS.values(), "0.00") | {"monthly": money(monthly)}
        return {code: dict(row) for code in world.currencies}

    choices = [
        {"id": n, "name": name, "rawName": None, "recurring": 0, "required": None,
         "pricing": priced(cost)}
        for n, (name, cost) in option.choices.items()
    ]  # fmt: skip
    return {
        "id": option.id, "name": entities(option.name), "type": "1", "minqty": 0,
        "maxqty": 0, "options": {"option": choices},
    }  # fmt: skip
