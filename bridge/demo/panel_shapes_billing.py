"""Invoices, domains and quotes as the simulated panel's API writes them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from bridge.demo.panel_rows import Domain, Invoice, Quote
from bridge.demo.panel_shapes import (
    NO_TIME,
    client_brief,
    day,
    entities,
    moment,
    money,
)
from bridge.demo.world import World

BLANK = ("dnsmanagement", "emailforwarding", "idprotection", "subscriptionid", "notes")
ADDRESS = (
    "address1", "address2", "city", "state", "postcode", "country", "phonenumber",
    "tax_id",
)  # fmt: skip


def invoice_row(world: World, invoice: Invoice) -> dict[str, Any]:
    """Return an invoice as the list shows it: without its lines."""
    client, zone = world.client(invoice.userid), world.clock.zone
    currency = world.currencies[client.currency]
    return _amounts(invoice) | {
        "id": invoice.id,
        "userid": invoice.userid,
        "firstname": entities(client.firstname),
        "lastname": entities(client.lastname),
        "companyname": entities(client.companyname),
        "datepaid": moment(invoice.datepaid, zone),
        "last_capture_attempt": NO_TIME,
        "date_refunded": NO_TIME,
        "date_cancelled": moment(invoice.date_cancelled, zone),
        "paymethodid": None,
        "created_at": moment(invoice.created_at, zone),
        "updated_at": moment(invoice.updated_at, zone),
        "currencycode": currency.code,
        "currencyprefix": currency.prefix,
        "currencysuffix": f" {currency.code}",
    }


def invoice_full(world: World, invoice: Invoice) -> dict[str, Any]:
    """Return one invoice with its lines; no transactions are "" and not a list."""
    paid = invoice.status == "Paid"
    items = [
        {
            "id": item.id,
            "type": item.type,
            "relid": item.relid,
            "description": entities(item.description),
            "amount": money(item.amount),
            "taxed": item.taxed,
        }
        for item in invoice.items
    ]
    return _amounts(invoice) | {
        "invoiceid": invoice.id,
        "userid": invoice.userid,
        "datepaid": moment(invoice.datepaid, world.clock.zone),
        "lastcaptureattempt": NO_TIME,
        "balance": money(Decimal(0) if paid else invoice.total),
        "ccgateway": False,
        "items": {"item": items},
        "transactions": {"transaction": invoice.transactions}
        if invoice.transactions
        else "",
    }


def _amounts(invoice: Invoice) -> dict[str, Any]:
    return {
        "invoicenum": invoice.invoicenum,
        "date": day(invoice.date),
        "duedate": day(invoice.duedate),
        "subtotal": money(invoice.subtotal),
        "credit": money(invoice.credit),
        "tax": money(invoice.tax),
        "tax2": "0.00",
        "total": money(invoice.total),
        "taxrate": f"{invoice.taxrate:.3f}",
        "taxrate2": "0.000",
        "status": invoice.status,
        "paymentmethod": invoice.paymentmethod,
        "notes": entities(invoice.notes),
    }


def domain_row(domain: Domain) -> dict[str, Any]:
    """Return a domain: text throughout."""
    return (
        dict.fromkeys(BLANK, "")
        | {
            "id": str(domain.id),
            "userid": str(domain.userid),
            "orderid": "0",
            "regtype": "Register",
            "domainname": domain.domainname,
            "registrar": "",
            "regperiod": "1",
            "firstpaymentamount": money(domain.recurringamount),
            "recurringamount": money(domain.recurringamount),
            "paymentmethod": "mercadopago",
            "paymentmethodname": "MercadoPago",
            "regdate": day(domain.regdate),
            "expirydate": day(domain.expirydate),
            "nextduedate": day(domain.nextduedate),
            "status": domain.status,
            "promoid": "0",
            "donotrenew": "1" if domain.donotrenew else "0",
        }
        | domain.more
    )


def quote_row(world: World, quote: Quote) -> dict[str, Any]:
    """Return a quote; one for somebody unknown has no client."""
    client = world.clients.get(quote.userid)
    total = sum((amount for _, amount in quote.lines), Decimal(0))
    who = client_brief(client) if client else None
    items = [
        {"id": n, "description": entities(text), "quantity": "1",
         "unitprice": money(amount), "discount": "0.00", "taxable": 0}
        for n, (text, amount) in enumerate(quote.lines, 1)
    ]  # fmt: skip
    return {name: getattr(client, name, "") for name in ADDRESS} | {
        "id": quote.id,
        "subject": entities(quote.subject),
        "stage": quote.stage,
        "validuntil": day(quote.validuntil),
        "userid": quote.userid,
        "client": who,
        "firstname": entities(client.firstname) if client else "Somebody",
        "lastname": entities(client.lastname) if client else "Unknown",
        "companyname": entities(client.companyname) if client else "",
        "email": client.email if client else "lead@example.com",
        "currency": world.currencies[client.currency].id if client else 1,
        "subtotal": money(total),
        "tax1": "0.00",
        "tax2": "0.00",
        "total": money(total),
        "proposal": "",
        "customernotes": "",
        "adminnotes": "",
        "datecreated": day(quote.datecreated),
        "lastmodified": day(quote.lastmodified),
        "datesent": day(quote.datesent),
        "dateaccepted": day(quote.dateaccepted),
        "items": {"item": items},
    }
