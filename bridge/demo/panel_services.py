"""Services and domains of the simulated panel, and what happens to them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from bridge.demo.clock import Clock
from bridge.demo.panel_people import People
from bridge.demo.panel_rows import (
    CENT,
    MONTHS,
    NOT_SOLD,
    CancelRequest,
    Command,
    Domain,
    Service,
)
from bridge.demo.panel_tables import NotFoundError, Tables, next_due, secret

CANCEL_TYPES = ("Immediate", "End of Billing Period")


class ModuleError(Exception):
    """A module command did not work; the text is what the API passes on."""


class Services(People):
    """Services, their server modules, cancellation requests; and domains."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._broken: dict[tuple[str, int], list[str]] = {}

    def add_service(
        self,
        client_id: int,
        pid: int,
        cycle: str = "Monthly",
        *,
        regdate: date | None = None,
        nextduedate: date | None = None,
        recurring: Decimal | None = None,
        qty: int = 1,
        status: str = "Active",
        domain: str = "",
        choices: dict[int, int] | None = None,
        actor: str = "admin",
    ) -> Service:
        """Give a client a product; when it is Active its module creates it at once.

        Without *nextduedate* the first period begins today (or on *regdate*) and is
        not invoiced yet.
        """
        with self.lock:
            client, product = self.client(client_id), self.product(pid)
            began = regdate or self.clock.today()
            price = product.price(client.currency, cycle)
            if recurring is None:
                recurring = max(price, Decimal(0)) * qty if price != NOT_SOLD else CENT
            due = (nextduedate or began) if cycle in MONTHS else None
            number = self.next_id("service")
            service = Service(
                id=number, clientid=client_id, pid=pid, billingcycle=cycle,
                regdate=began, anchor=nextduedate or began, nextduedate=due,
                nextinvoicedate=due, firstpaymentamount=recurring,
                recurringamount=recurring if cycle in MONTHS else Decimal("0.00"),
                domain=domain or f"sitio{number}.example.com", username=f"user{number}",
                password=secret("service-password", number), qty=qty, status=status,
                orderid=self.next_id("order"), choices=choices or {},
            )  # fmt: skip
            if nextduedate and nextduedate == next_due_from(began, cycle, nextduedate):
                service.anchor = began
            self.services[number] = service
            self.belongs("service", number, client_id)
            if status == "Active" and product.module:
                self._run("Create", service, actor)
            return service

    def suspend(
        self, service_id: int, reason: str = "", *, actor: str = "admin"
    ) -> None:
        """Suspend a service; *reason* is what the panel shows the client."""
        with self.lock:
            service = self.service(service_id)
            self._run("Suspend", service, actor)
            service.status, service.suspensionreason = "Suspended", reason
            self._done("suspension", service, actor, "AfterModuleSuspend")

    def unsuspend(self, service_id: int, *, actor: str = "admin") -> None:
        """Reactivate a suspended service."""
        with self.lock:
            service = self.service(service_id)
            self._run("Unsuspend", service, actor)
            service.status, service.suspensionreason = "Active", ""
            self._done("unsuspension", service, actor, "AfterModuleUnsuspend")

    def terminate(self, service_id: int, *, actor: str = "admin") -> None:
        """Terminate a service: its data are gone. Twice is the module's error."""
        with self.lock:
            service = self.service(service_id)
            gone = service.status in ("Terminated", "Cancelled")
            if gone and self.product(service.pid).module:
                self.commands.append(self._command("Terminate", service, "no account"))
                raise ModuleError("The account does not exist on the server")
            self._run("Terminate", service, actor)
            service.status, service.terminationdate = "Terminated", self.clock.today()
            self._done("termination", service, actor, "AfterModuleTerminate")

    def change_package(self, service_id: int, *, actor: str = "admin") -> None:
        """Have the module give the service the package of its product."""
        with self.lock:
            service = self.service(service_id)
            self._run("ChangePackage", service, actor)
            self._done("package_change", service, actor, "AfterModuleChangePackage")

    def change_service_password(
        self, service_id: int, *, actor: str = "client"
    ) -> None:
        """Change the password of a service on its server."""
        with self.lock:
            service = self.service(service_id)
            old, new = service.password, secret("service-new", self.next_id("password"))
            service.password = new
            data: dict[str, object] = {
                "serviceid": service.id, "oldpassword": old, "newpassword": new,
            }  # fmt: skip
            self.fire("AfterModuleChangePassword", data, actor)

    def set_status(self, service_id: int, status: str) -> None:
        """Change a service's status by hand, as staff do without a module."""
        with self.lock:
            service = self.service(service_id)
            service.status = status
            data: dict[str, object] = {
                "userid": service.clientid,
                "serviceid": service.id,
            }
            self.fire("AdminServiceEdit", data, "admin")

    def break_module(
        self, service_id: int, command: str, *errors: str, times: int = 1
    ) -> None:
        """Let the next commands of a service fail, e.g. "Terminate", with *errors*."""
        texts = list(errors or ["The server cannot be reached"]) * times
        self._broken.setdefault((command, service_id), []).extend(texts)

    def request_cancellation(
        self,
        service_id: int,
        type: str = "End of Billing Period",
        reason: str = "",
        *,
        actor: str = "client",
    ) -> CancelRequest:
        """Ask for the end of a service; *type* is ``Immediate`` or the period's end."""
        with self.lock:
            service = self.service(service_id)
            if self.cancellation_of(service_id):
                raise ValueError("Existing Cancellation Request Exists")
            row = CancelRequest(
                self.next_id("cancel"), service.id, type, reason, self.clock.now()
            )
            self.cancellations[row.id] = row
            data: dict[str, object] = {
                "userid": service.clientid, "relid": service.id,
                "reason": reason, "type": type,
            }  # fmt: skip
            self.fire("CancellationRequest", data, actor, service_id=service.id)
            return row

    def withdraw_cancellation(self, service_id: int) -> None:
        """Delete the request; no hook tells of it."""
        with self.lock:
            row = self.cancellation_of(service_id)
            if row is None:
                raise NotFoundError("Cancellation Request Not Found")
            del self.cancellations[row.id]

    def move_service(self, service_id: int, client_id: int) -> None:
        """Give a service to another client, as staff or the add-on do."""
        with self.lock:
            service = self.service(service_id)
            self.belongs_no_more("service", service_id, service.clientid)
            service.clientid = self.client(client_id).id
            self.belongs("service", service_id, client_id)
            self.did("transfer", service_id, "admin")

    def add_domain(self, client_id: int, name: str, *, years: int = 1) -> Domain:
        """Register a domain for a client, paid *years* ahead."""
        with self.lock:
            today, number = self.clock.today(), self.next_id("domain")
            until = next_due(today, "Annually", today)
            for _ in range(years - 1):
                until = next_due(until, "Annually", today)
            price = Decimal("12.00")
            domain = Domain(number, client_id, name, today, until, until, price)
            self.domains[number] = domain
            return domain

    def delete_domain(
        self, domain_id: int, *, with_name: bool = True, actor: str = "admin"
    ) -> None:
        """Delete a domain; its name is in the hook's context only *with_name*."""
        with self.lock:
            domain = self.domains.pop(domain_id)
            data: dict[str, object] = {"userid": domain.userid, "domainid": domain.id}
            context = {"domain": domain.domainname} if with_name else {}
            self.fire("DomainDelete", data, actor, **context)

    def _run(self, command: str, service: Service, actor: str) -> None:
        """Give the server module a command; without a module there is none."""
        if not self.product(service.pid).module:
            return
        errors = self._broken.get((command, service.id))
        error = errors.pop(0) if errors else ""
        self.commands.append(self._command(command, service, error))
        params: dict[str, object] = {"params": module_params(self, service)}
        if error:
            failed = params | {"failureResponseMessage": error}
            point = f"AfterModule{command}Failed"
            self.fire(point, failed, actor, service_id=service.id)
            raise ModuleError(error)
        if command == "Create":
            self.fire("AfterModuleCreate", params, actor, service_id=service.id)

    def _done(self, kind: str, service: Service, actor: str, point: str) -> None:
        self.did(kind, service.id, actor)
        if self.product(service.pid).module:
            params: dict[str, object] = {"params": module_params(self, service)}
            self.fire(point, params, actor, service_id=service.id)
        else:
            ids: dict[str, object] = {
                "userid": service.clientid,
                "serviceid": service.id,
            }
            self.fire("AdminServiceEdit", ids, actor)

    def _command(self, command: str, service: Service, error: str) -> Command:
        return Command(self.clock.now(), command, service.id, error)


def next_due_from(began: date, cycle: str, reach: date) -> date | None:
    """Return the due date of the chain from *began* that is not before *reach*."""
    if cycle not in MONTHS:
        return None
    due = began
    while due < reach:
        due = next_due(due, cycle, began)
    return due


def module_params(tables: Tables, service: Service) -> dict[str, object]:
    """Return the array a module hook carries, with everything the panel puts in."""
    client, product = tables.client(service.clientid), tables.product(service.pid)
    options = {f"configoption{n}": secret("module-setting", n) for n in (1, 2)}
    return options | {
        "serviceid": service.id,
        "userid": client.id,
        "pid": product.pid,
        "serverid": 1,
        "domain": service.domain,
        "username": service.username,
        "password": service.password,
        "producttype": "hostingaccount",
        "moduletype": product.module,
        "clientsdetails": {"email": client.email, "phonenumber": client.phonenumber},
        "customfields": {},
        "configoptions": {},
        "server": True,
        "serverip": "192.0.2.10",
        "serverhostname": "server1.example.com",
        "serverusername": secret("server-username", 1),
        "serverpassword": secret("server-password", 1),
        "serveraccesshash": secret("server-accesshash", 1),
        "serversecure": True,
        "serverport": "2087",
    }
