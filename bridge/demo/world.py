"""The simulated world: a hosting company's panel with all that is in it."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from bridge.demo.clock import Clock
from bridge.demo.panel_example import fill_example, fill_many
from bridge.demo.panel_rows import MONTHS, Invoice, Item, Line, Service
from bridge.demo.panel_services import ModuleError
from bridge.demo.panel_tables import next_due
from bridge.demo.panel_upgrades import Upgrades

# Only what was suspended for this reason is reactivated by a payment.
FOR_MONEY = "Falta de pago"


class World(Upgrades):
    """The panel's data, and what clients, staff and the cron do with them.

    Every method that does something fires the hooks the real panel would fire.
    """

    @classmethod
    def example(cls, clock: Clock) -> World:
        """Return the example company: eight clients in five countries."""
        world = cls(clock)
        with world.muted():
            fill_example(world)
        world.forget()
        return world

    @classmethod
    def filled(cls, clients: int, services: int, clock: Clock | None = None) -> World:
        """Return a big company for load: each service with one paid invoice."""
        world = cls(clock or Clock.real())
        with world.muted():
            fill_many(world, clients, services)
        world.forget()
        return world

    def forget(self) -> None:
        """Begin the records anew: what was set up is not what happened."""
        with self.lock:
            for record in (self.effects, self.commands, self.activity, self.fired):
                record.clear()

    def order(
        self,
        client_id: int,
        pid: int,
        cycle: str = "Monthly",
        *,
        qty: int = 1,
        first_until: date | None = None,
        amount: Decimal | None = None,
        domain: str = "",
    ) -> tuple[Service, Invoice]:
        """Order a product in the client area: pending until its invoice is paid.

        With *first_until* the first period is a shorter one (pro-rata) for *amount*,
        and the billing days go on from the day after it.
        """
        with self.lock:
            service = self.add_service(
                client_id, pid, cycle, qty=qty, status="Pending", domain=domain,
                actor="client",
            )  # fmt: skip
            today = self.clock.today()
            if cycle not in MONTHS:
                name = self.product(pid).name
                line = Line(name, service.firstpaymentamount, "Hosting", service.id)
                invoice = self.create_invoice(
                    client_id, [line], source="autogen", actor="client"
                )
                return service, invoice
            invoice = self.generate_renewal(
                service.id, first_day=today, last_day=first_until, amount=amount
            )
            if first_until:
                service.anchor = first_until + timedelta(days=1)
            return service, invoice

    def pay_invoice(self, invoice_id: int, *, actor: str = "client") -> None:
        """Pay an invoice in full, with all that hangs on it, then InvoicePaid.

        A due date moves on, what was pending is created, what was suspended for
        money works again, an upgrade is carried out.
        """
        with self.lock:
            invoice = self.invoice(invoice_id)
            if invoice.status == "Paid":
                raise ValueError(f"invoice {invoice_id} is paid already")
            invoice.status, invoice.datepaid = "Paid", self.clock.now()
            invoice.updated_at = self.clock.now()
            invoice.transactions.append(
                {"id": str(self.next_id("transaction")), "gateway": "mercadopago",
                 "amountin": f"{invoice.total:.2f}", "transid": f"MP{invoice.id:08d}"}
            )  # fmt: skip
            self.did("payment", invoice_id, actor)
            for item in invoice.items:
                self._paid(item, actor)
            self._tell(invoice, "InvoicePaid", actor)

    def daily_cron(self) -> None:
        """Do what the panel's daily run does, each as its settings say.

        Renewals some days ahead, suspension for money, and - when it is switched
        on - its own handling of cancellation requests.
        """
        today = self.clock.today()
        ahead = timedelta(days=int(self.config["CreateInvoiceDaysBefore"]))
        grace = timedelta(days=int(self.config["AutoSuspensionDays"]))
        for service in list(self.services.values()):
            start = service.nextinvoicedate
            wanted = service.status in ("Active", "Suspended")
            wanted = wanted and self.cancellation_of(service.id) is None
            if wanted and start and start <= today + ahead:
                self.generate_renewal(service.id)
            due = [i.duedate for i in self.open_invoices_of(service.id)]
            late = bool(due) and min(due) + grace <= today
            if late and service.status == "Active" and self.config["AutoSuspension"]:
                self._cron("suspend", service)
        if self.config["AutoCancellationRequests"]:
            for request in list(self.cancellations.values()):
                self._cancel_by_cron(self.service(request.relid), request.type)
        self.fire("DailyCronJob", {}, "system")

    def count(
        self, kind: str, row_id: int | None = None, *, actor: str | None = None
    ) -> int:
        """Return how often something really happened: "termination", "invoice", ...

        *actor* "api" counts only what was done by a call.
        """
        with self.lock:
            return sum(
                effect.kind == kind
                and row_id in (None, effect.id)
                and actor in (None, effect.actor)
                for effect in self.effects
            )

    def hooks(self, hookpoint: str) -> list[dict[str, object]]:
        """Return the data of every hook of that name fired so far."""
        return [hook.data for hook in list(self.fired) if hook.type == hookpoint]

    def _paid(self, item: Item, actor: str) -> None:
        if item.type == "Hosting" and item.relid in self.services:
            self._renewed(self.services[item.relid], item, actor)
        if item.type == "Upgrade" and item.relid in self.upgrades:
            row = self.upgrades[item.relid]
            if row.status == "Pending":
                self.complete_upgrade(row)
        if item.type == "Domain" and item.relid in self.domains:
            domain = self.domains[item.relid]
            until = next_due(domain.nextduedate, "Annually", domain.regdate)
            domain.nextduedate = domain.expirydate = until

    def _renewed(self, service: Service, item: Item, actor: str) -> None:
        if service.billingcycle in MONTHS and service.nextduedate == item.duedate:
            service.nextduedate = self._period_end(service, item) + timedelta(days=1)
        try:
            if service.status == "Pending":
                if self.product(service.pid).module:
                    self._run("Create", service, actor)
                service.status = "Active"
            owed = service.suspensionreason == FOR_MONEY
            if service.status == "Suspended" and owed and self.config["AutoUnsuspend"]:
                self.unsuspend(service.id, actor="system")
        except ModuleError as error:
            self.log(f"Service {service.id}: {error}", service.clientid)

    def _period_end(self, service: Service, item: Item) -> date:
        """Return the last day the paid line covers, by the next one invoiced."""
        after = next_due(item.duedate, service.billingcycle, service.anchor)
        if service.nextinvoicedate and item.duedate < service.nextinvoicedate < after:
            after = service.nextinvoicedate
        return after - timedelta(days=1)

    def _cancel_by_cron(self, service: Service, type: str) -> None:
        due = service.nextduedate
        over = due is not None and due <= self.clock.today()
        if service.status in ("Active", "Suspended") and (type == "Immediate" or over):
            self._cron("terminate", service)
            service.status = "Cancelled"

    def _cron(self, what: str, service: Service) -> None:
        try:
            if what == "terminate":
                self.terminate(service.id, actor="system")
            else:
                self.suspend(service.id, FOR_MONEY, actor="system")
        except ModuleError as error:
            self.log(f"Service {service.id}: {error}", service.clientid)
