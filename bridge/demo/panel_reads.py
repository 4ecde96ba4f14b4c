"""The API actions of the simulated panel that only read."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from bridge.demo.panel_rows import Client, Invoice
from bridge.demo.panel_shapes import (
    client_brief,
    client_details,
    moment,
    product_row,
    service_row,
)
from bridge.demo.panel_shapes_billing import (
    domain_row,
    invoice_full,
    invoice_row,
    quote_row,
)
from bridge.demo.world import World

Answered = dict[str, Any]
Row = TypeVar("Row")


class ApiError(Exception):
    """A business error, which the panel answers with status 200."""


@dataclass(frozen=True)
class Call:
    """One call: its checked parameters, and how this panel writes empty lists."""

    world: World
    params: dict[str, str]
    empty: str = "list"
    flattened: bool = False

    def number(self, name: str) -> int | None:
        """Return a parameter as a number, None if it was not sent."""
        return int(self.params[name]) if name in self.params else None

    def text(self, name: str, default: str = "") -> str:
        """Return a parameter as text."""
        return self.params.get(name, default)

    def flag(self, name: str) -> bool:
        """Return whether a flag was sent as 1."""
        return self.params.get(name) == "1"

    def page(self, rows: Sequence[Row]) -> tuple[Answered, Sequence[Row]]:
        """Return the page asked for, 25 rows unless said otherwise, and its head."""
        start, most = self.number("limitstart") or 0, self.number("limitnum")
        shown = rows[start : start + (25 if most is None else most)]
        head = {
            "totalresults": len(rows), "startnumber": start, "numreturned": len(shown),
        }  # fmt: skip
        return head, shown

    def wrap(self, outer: str, inner: str, rows: Sequence[Answered]) -> Answered:
        """Return a list in its two wrappings, an empty one as this panel writes it."""
        forms: dict[str, Answered] = {
            "blank": {outer: ""}, "missing": {}, "null": {outer: None},
            "plain": {outer: []}, "list": {outer: {inner: []}},
        }  # fmt: skip
        return {outer: {inner: list(rows)}} if rows else forms[self.empty]


def _alike(one: str, other: str) -> bool:
    """Compare as the panel's database does: case and accents do not count."""
    first, second = (
        [c for c in unicodedata.normalize("NFKD", email.lower()) if c.isascii()]
        for email in (one, other)
    )
    return first == second


def get_clients_details(call: Call) -> Answered:
    """Return one client, by number or mail address."""
    world, email = call.world, call.text("email").lower()
    number = call.number("clientid")
    if number is None and not email:
        raise ApiError("Either clientid Or email Is Required")
    if number is not None:
        client = world.client(number)
    else:
        found = [c for c in world.clients.values() if _alike(c.email, email)]
        if not found:
            raise ApiError("Client Not Found")
        client = found[0]
    details = client_details(world, client)
    stats = {"stats": _stats(world, client)} if call.flag("stats") else {}
    return details | {"client": details} | stats


def get_clients(call: Call) -> Answered:
    """Return the clients whose name, company or mail address holds *search*."""
    status, rows = call.text("status"), list(call.world.clients.values())
    rows = [c for c in rows if not status or c.status == status]
    rows = [c for c in rows if _found(call, c.firstname, c.lastname, c.companyname,
                                      c.email)]  # fmt: skip
    if call.text("sorting") == "DESC":
        rows.reverse()
    head, shown = call.page(rows)
    return head | call.wrap("clients", "client", [client_brief(c) for c in shown])


def get_users(call: Call) -> Answered:
    """Return the users; it is one of the lists that are wrapped only once."""
    rows = list(call.world.users.values())
    rows = [u for u in rows if _found(call, u.firstname, u.lastname, u.email)]
    if call.text("sorting") == "DESC":
        rows.reverse()
    head, shown = call.page(rows)
    zone = call.world.clock.zone
    users = [
        {
            "id": user.id, "firstname": user.firstname, "lastname": user.lastname,
            "email": user.email, "datecreated": moment(user.datecreated, zone),
            "validationdata": "",
            "clients": [{"id": n, "isOwner": owns} for n, owns in user.clients.items()],
        }
        for user in shown
    ]  # fmt: skip
    return head | {"users": users}


def get_clients_products(call: Call) -> Answered:
    """Return services with all that is known of them, their passwords too."""
    world, client = call.world, call.number("clientid")
    service, pid = call.number("serviceid"), call.number("pid")
    if service is not None:
        rows = [world.services[service]] if service in world.services else []
        rows = [s for s in rows if client in (None, s.clientid)]
    elif client is not None:
        rows = world.services_of(client)
    else:
        rows = list(world.services.values())
    domain, login = call.text("domain"), call.text("username2")
    rows = [s for s in rows if pid in (None, s.pid)]
    rows = [s for s in rows if domain in ("", s.domain) and login in ("", s.username)]
    head, shown = call.page(rows)
    head |= {"totalresults": str(head["totalresults"])}
    for name in ("clientid", "serviceid", "pid", "domain"):
        head[name] = call.params.get(name)
    found = [service_row(world, s) for s in shown]
    return head | call.wrap("products", "product", found)


def get_products(call: Call) -> Answered:
    """Return the catalogue; it has no paging."""
    wanted = {int(n) for n in call.text("pid").split(",") if n}
    group, module = call.number("gid"), call.text("module")
    rows = [
        product
        for product in call.world.products.values()
        if (not wanted or product.pid in wanted)
        and group in (None, product.gid)
        and module in ("", product.module)
    ]
    found = [product_row(call.world, product) for product in rows]
    return {"totalresults": len(rows)} | call.wrap("products", "product", found)


def get_invoices(call: Call) -> Answered:
    """Return invoices without their lines; ``Overdue`` is a status to ask for."""
    world, client, status = call.world, call.number("userid"), call.text("status")
    rows = (
        list(world.invoices.values()) if client is None else world.invoices_of(client)
    )
    today = world.clock.today()
    if status == "Overdue":
        rows = [i for i in rows if i.status == "Unpaid" and i.duedate < today]
    elif status:
        rows = [i for i in rows if i.status == status]
    field = call.text("orderby", "id").replace("invoicenumber", "invoicenum")

    def key(invoice: Invoice) -> tuple[Any, int]:
        return getattr(invoice, field), invoice.id

    rows = sorted(rows, key=key, reverse=call.text("order", "asc") == "desc")
    head, shown = call.page(rows)
    found = [invoice_row(world, invoice) for invoice in shown]
    return head | call.wrap("invoices", "invoice", found)


def get_invoice(call: Call) -> Answered:
    """Return one invoice with its lines."""
    return invoice_full(call.world, call.world.invoice(call.number("invoiceid") or 0))


def get_cancelled_packages(call: Call) -> Answered:
    """Return the cancellation requests: no filter, no status, all services."""
    zone = call.world.clock.zone
    head, shown = call.page(list(call.world.cancellations.values()))
    rows = [
        {
            "id": str(row.id), "date": moment(row.date, zone), "relid": str(row.relid),
            "reason": row.reason, "type": row.type,
            "created_at": moment(row.date, zone), "updated_at": moment(row.date, zone),
        }
        for row in shown
    ]  # fmt: skip
    told = {name: str(value) for name, value in head.items()}
    if call.flattened:
        for n, row in enumerate(rows):
            told |= {f"packages[package][{n}][{k}]": v for k, v in row.items()}
        return told
    return told | call.wrap("packages", "package", rows)


def get_clients_domains(call: Call) -> Answered:
    """Return domains."""
    client, number = call.number("clientid"), call.number("domainid")
    rows = [
        row
        for row in call.world.domains.values()
        if client in (None, row.userid)
        and number in (None, row.id)
        and call.text("domain") in ("", row.domainname)
    ]
    head, shown = call.page(rows)
    told = {name: str(value) for name, value in head.items()}
    told |= {name: call.text(name) for name in ("clientid", "domainid")}
    return told | call.wrap("domains", "domain", [domain_row(row) for row in shown])


def get_quotes(call: Call) -> Answered:
    """Return quotes."""
    client, number = call.number("userid"), call.number("quoteid")
    rows = [
        row
        for row in call.world.quotes.values()
        if client in (None, row.userid)
        and number in (None, row.id)
        and call.text("stage") in ("", row.stage)
        and call.text("subject") in ("", row.subject)
    ]
    head, shown = call.page(rows)
    found = [quote_row(call.world, row) for row in shown]
    return head | call.wrap("quotes", "quote", found)


def get_configuration_value(call: Call) -> Answered:
    """Return one setting of the panel."""
    name = call.text("setting")
    if not name:
        raise ApiError("Parameter setting is required")
    if name not in call.world.config:
        raise ApiError("Invalid name for parameter setting")
    return {"setting": name, "value": call.world.config[name]}


def whmcs_details(call: Call) -> Answered:
    """Return the panel's version."""
    version = call.world.config["Version"]
    return {"whmcs": {"version": version, "canonicalversion": version}}


def _found(call: Call, *texts: str) -> bool:
    search = call.text("search").lower()
    return not search or any(search in text.lower() for text in texts)


def _stats(world: World, client: Client) -> Answered:
    text = world.currencies[client.currency].text
    rows, services = world.invoices_of(client.id), world.services_of(client.id)
    unpaid = [i for i in rows if i.status == "Unpaid"]
    paid = [i for i in rows if i.status == "Paid"]
    owed = sum((i.total for i in unpaid), Decimal(0))
    return {
        "numunpaidinvoices": len(unpaid),
        "unpaidinvoicesamount": text(owed),
        "numpaidinvoices": len(paid),
        "paidinvoicesamount": text(sum((i.total for i in paid), Decimal(0))),
        "creditbalance": text(client.credit),
        "incredit": client.credit > 0,
        "productsnumactive": sum(s.status == "Active" for s in services),
        "productsnumtotal": len(services),
    }


READS = {
    "GetCancelledPackages": get_cancelled_packages,
    "GetClients": get_clients,
    "GetClientsDetails": get_clients_details,
    "GetClientsDomains": get_clients_domains,
    "GetClientsProducts": get_clients_products,
    "GetConfigurationValue": get_configuration_value,
    "GetInvoice": get_invoice,
    "GetInvoices": get_invoices,
    "GetProducts": get_products,
    "GetQuotes": get_quotes,
    "GetUsers": get_users,
    "WhmcsDetails": whmcs_details,
}
