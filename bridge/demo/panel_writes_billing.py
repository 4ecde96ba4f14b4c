"""The API actions of the simulated panel that make and change invoices."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from bridge.demo.panel_check import WrongCallError
from bridge.demo.panel_reads import Answered, ApiError, Call
from bridge.demo.panel_rows import KEYS, MONTHS, Invoice, Item, Line, cycle_named
from bridge.demo.panel_upgrades import UpgradeRefusedError

STATUSES = (
    "Draft", "Unpaid", "Paid", "Cancelled", "Refunded", "Collections",
    "Payment Pending",
)  # fmt: skip
GATEWAYS = ("mercadopago", "banktransfer", "paypal")


def create_invoice(call: Call) -> Answered:
    """Make an invoice; its lines belong to nothing."""
    world, draft = call.world, call.flag("draft")
    status = call.text("status", "Draft" if draft else "Unpaid")
    if status not in STATUSES:
        raise ApiError(f"Invalid status {status}")
    if status == "Draft" and call.flag("sendinvoice"):
        raise ApiError(
            "Cannot create and send a draft invoice in a single API request."
            " Please create and send separately."
        )
    client = world.client(call.number("userid") or 0)
    invoice = world.create_invoice(
        client.id, _numbered_lines(call), draft=status == "Draft", status=status,
        on=day_sent(call, "date"), duedate=day_sent(call, "duedate"), source="api",
        actor="api", paymentmethod=_gateway(call), notes=call.text("notes"),
        taxrate=Decimal(call.text("taxrate", "0")),
    )  # fmt: skip
    if call.flag("autoapplycredit"):
        used = min(client.credit, invoice.total)
        client.credit, invoice.credit = client.credit - used, used
    if call.flag("sendinvoice"):
        world.mails.append(("Invoice Created", invoice.id))
    return {"invoiceid": str(invoice.id), "status": invoice.status}


def update_invoice(call: Call) -> Answered:
    """Change an invoice. Cancelling it this way fires no hook: the vendor's hole."""
    world = call.world
    invoice = world.invoice(call.number("invoiceid") or 0)
    publish = call.flag("publish") or call.flag("publishandsendemail")
    if publish and invoice.status != "Draft":
        raise ApiError("Invoice must be in Draft status to be published")
    status = call.text("status")
    if status and status not in STATUSES:
        raise ApiError(f"Invalid status {status}")
    _change_lines(call, invoice)
    invoice.duedate = day_sent(call, "duedate") or invoice.duedate
    invoice.date = day_sent(call, "date") or invoice.date
    invoice.notes = call.text("notes", invoice.notes)
    invoice.credit = Decimal(call.text("credit", str(invoice.credit)))
    invoice.paymentmethod = call.text("paymentmethod", invoice.paymentmethod)
    if status == "Cancelled" and invoice.status != "Cancelled":
        world.cancel_invoice(invoice.id, hook=False, actor="api")
    elif status == "Paid" and invoice.status != "Paid":
        world.pay_invoice(invoice.id, actor="api")
    elif status:
        invoice.status = status
    invoice.updated_at = world.clock.now()
    if publish:
        world.publish_draft(invoice.id, source="api", actor="api")
    return {"invoiceid": str(invoice.id)}


def upgrade_product(call: Call) -> Answered:
    """Calculate or order a native upgrade; the price is money written for people."""
    world, service = call.world, call.world.service(call.number("serviceid") or 0)
    gateway = call.text("paymentmethod")
    if gateway not in GATEWAYS:
        raise ApiError(
            f"Invalid Payment Method. Valid options include {', '.join(GATEWAYS)}"
        )
    cycle = cycle_named(call.text("newproductbillingcycle"))
    if call.text("type") != "product" or cycle not in MONTHS:
        raise ApiError("Invalid Upgrade Type")
    new = world.product(call.number("newproductid") or 0)
    old = world.product(service.pid)
    try:
        if call.flag("calconly"):
            price, ordered = world.price_upgrade(service, new.pid, cycle, "api"), None
        else:
            ordered = world.order_upgrade(service, new.pid, cycle, "api")
            price = ordered.price
    except UpgradeRefusedError as error:
        raise ApiError(str(error)) from error
    currency = world.currencies[world.client(service.clientid).currency]
    told = {
        "oldproductid": str(old.pid), "oldproductname": old.name,
        "newproductid": new.pid, "newproductname": new.name,
        "daysuntilrenewal": price.days, "totaldays": price.totaldays,
        "newproductbillingcycle": KEYS[cycle], "price": currency.text(price.due),
    }  # fmt: skip
    if ordered:
        row = ordered.upgrade
        invoice = ordered.invoice.id if ordered.invoice else None
        told |= {"id": str(row.id), "orderid": row.id, "order_number": f"{row.id:010d}"}
        told |= {"invoiceid": invoice}
    return told


def _numbered_lines(call: Call) -> list[Line]:
    numbers = sorted(
        int(name.removeprefix("itemdescription"))
        for name in call.params
        if name.startswith("itemdescription")
    )
    amounts = [n for n in call.params if n.startswith("itemamount")]
    if not numbers or len(amounts) != len(numbers):
        raise WrongCallError(
            "an invoice needs lines, each with itemdescriptionN, itemamountN"
        )
    return [
        Line(
            call.text(f"itemdescription{n}"), Decimal(call.params[f"itemamount{n}"]),
            taxed=int(call.flag(f"itemtaxed{n}")),
        )
        for n in numbers
        if f"itemamount{n}" in call.params
    ]  # fmt: skip


def _change_lines(call: Call, invoice: Invoice) -> None:
    """Change, add and delete lines; since version 9 only a draft's can be."""
    touched = [n for n in call.params if "item" in n or n.startswith("deletelineids")]
    if not touched:
        return
    fixed = int(call.world.config["Version"].partition(".")[0]) >= 9
    if fixed and invoice.status != "Draft":
        raise ApiError("Published invoices cannot be changed")
    for item in invoice.items:
        names = [f"{n}[{item.id}]" for n in ("itemdescription", "itemamount")]
        if not any(name in call.params for name in names):
            continue
        if not all(name in call.params for name in names):
            raise ApiError(
                "Missing Variables: itemdescription, itemamount and itemtaxed are"
                " required for each item being changed"
            )
        item.description = call.params[names[0]]
        item.amount = Decimal(call.params[names[1]])
    new = [n for n in call.params if n.startswith("newitemdescription[")]
    for name in new:
        key = name.removeprefix("newitemdescription")
        amount = Decimal(call.text(f"newitemamount{key}", "0.00"))
        number = call.world.next_id("item")
        row = Item(number, "", 0, call.params[name], amount, invoice.duedate)
        invoice.items.append(row)
    gone = {int(v) for n, v in call.params.items() if n.startswith("deletelineids[")}
    invoice.items[:] = [item for item in invoice.items if item.id not in gone]


def _gateway(call: Call) -> str:
    gateway = call.text("paymentmethod", GATEWAYS[0])
    if gateway not in GATEWAYS:
        raise ApiError("Invalid Payment Method")
    return gateway


def day_sent(call: Call, name: str) -> date | None:
    """Return a date that was sent; noughts are none."""
    text = call.text(name)
    return date.fromisoformat(text[:10]) if text and text[:4] != "0000" else None
