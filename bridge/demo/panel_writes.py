"""The API actions of the simulated panel that change something, hooks included."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from bridge.demo.panel_check import WrongCallError
from bridge.demo.panel_reads import Answered, ApiError, Call
from bridge.demo.panel_rows import (
    NOT_SOLD,
    Note,
    Service,
    Ticket,
    cycle_named,
)
from bridge.demo.panel_services import ModuleError
from bridge.demo.panel_writes_billing import (
    create_invoice,
    day_sent,
    update_invoice,
    upgrade_product,
)

SERVICE_FIELDS = {
    "domain": "domain", "paymentmethod": "paymentmethod", "notes": "notes",
    "serviceusername": "username", "servicepassword": "password",
    "suspendreason": "suspensionreason",
}  # fmt: skip
SERVICE_TEXTS = (
    "serverid", "regdate", "firstpaymentamount", "subscriptionid", "promoid",
    "overideautosuspend", "overidesuspenduntil", "ns1", "ns2", "dedicatedip",
    "assignedips", "diskusage", "disklimit", "bwusage", "bwlimit",
)  # fmt: skip
DOMAIN_TEXTS = (
    "dnsmanagement", "emailforwarding", "idprotection", "regdate", "expirydate",
    "firstpaymentamount", "recurringamount", "registrar", "regperiod",
    "paymentmethod", "subscriptionid", "notes", "promoid",
)  # fmt: skip
DEPARTMENTS = {1: "Ventas", 2: "Soporte", 3: "Administración"}


def add_cancel_request(call: Call) -> Answered:
    """Ask for the end of a service on the client's behalf."""
    service = call.world.service(call.number("serviceid") or 0)
    type = call.text("type", "End of Billing Period")
    try:
        call.world.request_cancellation(
            service.id, type, call.text("reason"), actor="api"
        )
    except ValueError as error:
        raise ApiError(str(error)) from error
    return {"serviceid": str(service.id), "userid": str(service.clientid)}


def module(act: Callable[[Call, Service], None]) -> Callable[[Call], Answered]:
    """Return the action that gives a service's module a command."""

    def run(call: Call) -> Answered:
        number = call.number("serviceid")
        if number is None:
            raise ApiError("Service ID is required")
        if number not in call.world.services:
            raise ApiError("Service ID not found")
        service = call.world.services[number]
        if not call.world.product(service.pid).module:
            raise ApiError("Service not assigned to a module")
        try:
            act(call, service)
        except ModuleError as error:
            raise ApiError(str(error)) from error
        return {}

    return run


def update_client_product(call: Call) -> Answered:
    """Change the row of a service. No module runs, and no hook fires."""
    world, service = call.world, call.world.service(call.number("serviceid") or 0)
    pid, cycle = call.number("pid"), cycle_named(call.text("billingcycle"))
    if call.text("billingcycle") and cycle is None:
        raise WrongCallError(f"no billing cycle {call.text('billingcycle')!r}")
    if pid is not None and pid != service.pid:
        service.pid = world.product(pid).pid
        world.did("product_change", service.id, "api")
    service.billingcycle = cycle or service.billingcycle
    if call.flag("autorecalc"):
        currency = world.client(service.clientid).currency
        price = world.product(service.pid).price(currency, service.billingcycle)
        if price != NOT_SOLD:
            service.recurringamount = price * service.qty
    recurring = call.text("recurringamount", str(service.recurringamount))
    service.recurringamount = Decimal(recurring)
    if due := day_sent(call, "nextduedate"):
        service.nextduedate = service.nextinvoicedate = service.anchor = due
    service.terminationdate = (
        day_sent(call, "terminationdate") or service.terminationdate
    )
    status = call.text("status", service.status)
    if status != service.status:
        service.status = status
        world.did(f"status_{status.lower()}", service.id, "api")
    for name, field in SERVICE_FIELDS.items():
        if name in call.params:
            setattr(service, field, call.text(name))
    service.more |= {n: call.text(n) for n in SERVICE_TEXTS if n in call.params}
    return {"serviceid": str(service.id)}


def update_client_domain(call: Call) -> Answered:
    """Change the row of a domain, such as "do not renew"."""
    domain = call.world.domains.get(call.number("domainid") or 0)
    if domain is None:
        raise ApiError("Domain ID Not Found")
    if "donotrenew" in call.params:
        domain.donotrenew = call.flag("donotrenew")
        call.world.did("domain_renewal", domain.id, "api")
    domain.status = call.text("status", domain.status)
    domain.nextduedate = day_sent(call, "nextduedate") or domain.nextduedate
    domain.more |= {n: call.text(n) for n in DOMAIN_TEXTS if n in call.params}
    return {"domainid": str(domain.id)}


def open_ticket(call: Call) -> Answered:
    """Open a ticket for a client or for somebody with a name and a mail address."""
    world, client = call.world, call.number("clientid") or 0
    if client and client not in world.clients:
        raise ApiError("Client ID Not Found")
    department = call.number("deptid") or 0
    if department not in DEPARTMENTS:
        raise ApiError("Department ID not found")
    for name in ("subject", "message"):
        if not call.text(name):
            raise ApiError(f"{name.title()} is required")
    if not client and not (call.text("name") and call.text("email")):
        raise ApiError("Name and email address are required if not a client")
    service = call.number("serviceid") or 0
    if service and service not in world.services:
        raise ApiError("Service ID Not Found")
    number = world.next_id("ticket")
    ticket = Ticket(
        number, f"{100000 + number}", department, client, call.text("subject"),
        call.text("message"), call.text("priority", "Medium"), call.flag("admin"),
        world.clock.now(), service,
    )  # fmt: skip
    world.tickets[number] = ticket
    world.did("ticket", number, "api")
    data: dict[str, object] = {
        "ticketid": number, "ticketmask": ticket.tid, "userid": client,
        "deptid": department, "deptname": DEPARTMENTS[department],
        "subject": ticket.subject, "message": ticket.message,
        "priority": ticket.priority,
    }  # fmt: skip
    world.fire("TicketOpenAdmin" if ticket.admin else "TicketOpen", data, "api")
    return {"id": str(number), "tid": ticket.tid, "c": f"c{number:07d}"}


def add_client_note(call: Call) -> Answered:
    """Write a note about a client."""
    world, client = call.world, call.number("userid") or 0
    if client not in world.clients:
        raise ApiError("Client ID not found")
    if not call.text("notes"):
        raise ApiError("Notes can not be empty")
    number = world.next_id("note")
    note = Note(
        number, client, call.text("notes"), call.flag("sticky"), world.clock.now()
    )
    world.notes.append(note)
    return {"noteid": str(number)}


def log_activity(call: Call) -> Answered:
    """Write a line into the activity log."""
    call.world.log(call.text("description"), call.number("clientid") or 0)
    return {}


def send_email(call: Call) -> Answered:
    """Send one of the panel's own mails, or one with a text of the caller's."""
    name, custom = call.text("messagename"), call.text("customtype")
    if not name and not custom:
        raise ApiError(
            "You must provide either an existing email template name"
            " or a custom message type"
        )
    if custom and not call.text("customsubject"):
        raise ApiError("A subject is required for a custom message")
    if custom and not call.text("custommessage"):
        raise ApiError("A message body is required for a custom message")
    number = call.number("id")
    if number is None:
        raise ApiError("A related ID is required")
    call.world.mails.append((name or call.text("customsubject"), number))
    return {}


WRITES: dict[str, Callable[[Call], Answered]] = {
    "AddCancelRequest": add_cancel_request,
    "AddClientNote": add_client_note,
    "CreateInvoice": create_invoice,
    "LogActivity": log_activity,
    "ModuleChangePackage": module(
        lambda c, s: c.world.change_package(s.id, actor="api")
    ),
    "ModuleSuspend": module(
        lambda c, s: c.world.suspend(s.id, c.text("suspendreason"), actor="api")
    ),
    "ModuleTerminate": module(lambda c, s: c.world.terminate(s.id, actor="api")),
    "ModuleUnsuspend": module(lambda c, s: c.world.unsuspend(s.id, actor="api")),
    "OpenTicket": open_ticket,
    "SendEmail": send_email,
    "UpdateClientDomain": update_client_domain,
    "UpdateClientProduct": update_client_product,
    "UpdateInvoice": update_invoice,
    "UpgradeProduct": upgrade_product,
}
