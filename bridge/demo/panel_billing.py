"""Invoices and quotes of the simulated panel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from bridge.demo.panel_rows import MONTHS, Invoice, Item, Line, Quote, Service
from bridge.demo.panel_services import Services
from bridge.demo.panel_tables import next_due


class Billing(Services):
    """Invoices from draft to paid or cancelled, and quotes."""

    def create_invoice(
        self,
        client_id: int,
        lines: Sequence[Line],
        *,
        draft: bool = False,
        status: str = "Unpaid",
        on: date | None = None,
        duedate: date | None = None,
        source: str = "adminarea",
        actor: str = "admin",
        paymentmethod: str = "mercadopago",
        taxrate: Decimal = Decimal(0),
        notes: str = "",
    ) -> Invoice:
        """Make an invoice; InvoiceCreated fires unless it is a draft."""
        with self.lock:
            self.client(client_id)
            day, now = on or self.clock.today(), self.clock.now()
            due = duedate or day + timedelta(days=7)
            number = self.next_id("invoice")
            invoice = Invoice(
                number, client_id, day, due, "Draft" if draft else status,
                [self._item(line, due) for line in lines], paymentmethod,
                source, now, now, taxrate=taxrate, notes=notes,
            )  # fmt: skip
            self.invoices[number] = invoice
            self.belongs("invoice", number, client_id)
            self.did("invoice", number, actor)
            self._tell_created(invoice, "InvoiceCreation", actor)
            if invoice.status != "Draft":
                self._tell_created(invoice, "InvoiceCreated", actor)
            return invoice

    def publish_draft(
        self, invoice_id: int, *, source: str = "adminarea", actor: str = "admin"
    ) -> Invoice:
        """Make a draft an unpaid invoice, which is when the client hears of it."""
        with self.lock:
            invoice = self.invoice(invoice_id)
            if invoice.status != "Draft":
                raise ValueError("Invoice must be in Draft status to be published")
            invoice.status, invoice.source = "Unpaid", source
            invoice.updated_at = self.clock.now()
            self._tell_created(invoice, "InvoiceCreated", actor)
            return invoice

    def generate_renewal(
        self,
        service_id: int,
        *,
        first_day: date | None = None,
        last_day: date | None = None,
        amount: Decimal | None = None,
        discount: Decimal | None = None,
        draft: bool = False,
        on: date | None = None,
    ) -> Invoice:
        """Invoice the next period of a service, as the panel's cron does.

        A period of one's own (pro-rata, crafted) is given with *first_day* and
        *last_day*; *discount* becomes a line of its own, as promotions do.
        """
        with self.lock:
            service = self.service(service_id)
            if service.nextinvoicedate is None or service.billingcycle not in MONTHS:
                raise ValueError(f"service {service_id} does not renew")
            start = first_day or service.nextinvoicedate
            after = next_due(start, service.billingcycle, service.anchor)
            end = last_day or after - timedelta(days=1)
            line = self.service_line(service, start, end, amount)
            lines = [line]
            if discount:
                off = Line("Descuento", -discount, "PromoHosting", service.id, 0, start)
                lines.append(off)
            service.nextinvoicedate = end + timedelta(days=1)
            return self.create_invoice(
                service.clientid, lines, draft=draft, on=on, duedate=start,
                source="autogen", actor="system", paymentmethod=service.paymentmethod,
            )  # fmt: skip

    def service_line(
        self, service: Service, start: date, end: date, amount: Decimal | None = None
    ) -> Line:
        """Return the line of a service for the period from *start* to *end*."""
        name = self.product(service.pid).name
        pieces = f"{service.qty} x {name}" if service.qty > 1 else name
        period = f"({self.date_text(start)} - {self.date_text(end)})"
        text = f"{pieces} - {service.domain} {period}"
        cost = service.recurringamount if amount is None else amount
        return Line(text, cost, "Hosting", service.id, 0, start)

    def cancel_invoice(
        self, invoice_id: int, *, hook: bool = True, actor: str = "admin"
    ) -> None:
        """Cancel an invoice. Done through the API the panel fires no *hook*."""
        with self.lock:
            invoice = self.invoice(invoice_id)
            invoice.status, invoice.date_cancelled = "Cancelled", self.clock.now()
            invoice.updated_at = self.clock.now()
            self.did("cancelled_invoice", invoice_id, actor)
            if hook:
                self._tell(invoice, "InvoiceCancelled", actor)

    def refund_invoice(self, invoice_id: int) -> None:
        """Give the money of an invoice back."""
        with self.lock:
            invoice = self.invoice(invoice_id)
            invoice.status, invoice.updated_at = "Refunded", self.clock.now()
            self._tell(invoice, "InvoiceRefunded", "admin")

    def remind_invoice(self, invoice_id: int, type: str = "reminder") -> None:
        """Remind of an invoice; overdue ones are ``firstoverdue`` and so on."""
        with self.lock:
            invoice = self.invoice(invoice_id)
            data: dict[str, object] = {"invoiceid": invoice.id, "type": type}
            self.fire("InvoicePaymentReminder", data, "system")

    def create_quote(
        self,
        client_id: int,
        subject: str,
        lines: Sequence[tuple[str, Decimal]] = (),
        *,
        valid_days: int | None = 30,
    ) -> Quote:
        """Write a quote, a draft as yet; *client_id* 0 is for somebody unknown."""
        with self.lock:
            today, number = self.clock.today(), self.next_id("quote")
            days = valid_days
            until = None if days is None else today + timedelta(days=days)
            quote = Quote(
                number, client_id, subject, "Draft", until, today, today, list(lines)
            )
            self.quotes[number] = quote
            data: dict[str, object] = {"quoteid": number, "status": "Draft"}
            self.fire("QuoteCreated", data, "admin")
            return quote

    def set_quote_stage(
        self, quote_id: int, stage: str, *, actor: str = "admin"
    ) -> None:
        """Move a quote to another stage: Delivered, On Hold, Accepted, Lost, Dead."""
        with self.lock:
            quote = self.quotes[quote_id]
            quote.stage, quote.lastmodified = stage, self.clock.today()
            if stage == "Delivered":
                quote.datesent = self.clock.today()
            if stage == "Accepted":
                quote.dateaccepted = self.clock.today()
            data: dict[str, object] = {"quoteid": quote_id, "status": stage}
            self.fire("QuoteStatusChange", data, actor)

    def deliver_quote(self, quote_id: int) -> None:
        """Send a quote to the client."""
        self.set_quote_stage(quote_id, "Delivered")

    def open_invoices_of(self, service_id: int) -> list[Invoice]:
        """Return the unpaid invoices with a line of this service or its upgrades."""
        with self.lock:
            upgrades = {u.id for u in self.upgrades.values() if u.relid == service_id}
            return [
                invoice
                for invoice in self.invoices_of(self.service(service_id).clientid)
                if invoice.status in ("Unpaid", "Payment Pending", "Collections")
                and any(_about(item, service_id, upgrades) for item in invoice.items)
            ]

    def _tell_created(self, invoice: Invoice, hookpoint: str, actor: str) -> None:
        who = 1 if actor == "admin" else "system"
        data: dict[str, object] = {
            "source": invoice.source, "user": who,
            "invoiceid": invoice.id, "status": invoice.status,
        }  # fmt: skip
        self.fire(hookpoint, data, actor, invoice_lines=invoice_lines(invoice))

    def _tell(self, invoice: Invoice, hookpoint: str, actor: str) -> None:
        data: dict[str, object] = {"invoiceid": invoice.id}
        self.fire(hookpoint, data, actor, invoice_lines=invoice_lines(invoice))

    def _item(self, line: Line, due: date) -> Item:
        return Item(
            self.next_id("item"), line.type, line.relid, line.description,
            line.amount, line.duedate or due, line.taxed,
        )  # fmt: skip


def invoice_lines(invoice: Invoice) -> list[dict[str, object]]:
    """Return what the add-on adds of the lines, which the API does not tell."""
    return [
        {
            "relid": item.relid,
            "type": item.type,
            "amount": f"{item.amount:.2f}",
            "duedate": item.duedate.isoformat(),
        }
        for item in invoice.items
    ]


def _about(item: Item, service_id: int, upgrades: set[int]) -> bool:
    if item.type == "Upgrade":
        return item.relid in upgrades
    return item.type in ("Hosting", "PromoHosting") and item.relid == service_id
