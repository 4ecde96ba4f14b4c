"""Panel: what the bridge asks of a billing system, whichever it is.

An adapter is `bridge/<panel>_client.py` with a class that fits `Panel`. Reading
methods raise `RemoteError`; what does not exist is `Reason.NOT_FOUND`. Lists
are complete: every page was read, or the method raised.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Protocol

from bridge.billing.model import (
    CancellationRequest,
    Client,
    Cycle,
    Domain,
    Invoice,
    Product,
    Quote,
    Service,
    User,
)
from bridge.billing.transfer_case import Move, Moved

#: Names a question (a method of `PanelReads` and its values) that comes soon, so
#: that whoever can asks it ahead. It returns at once and raises nothing.
Begin = Callable[..., None]


def begin_nothing(name: str, *_: object) -> None:
    """Ask nothing ahead: each question is asked when its answer is needed."""


class PanelReads(Protocol):
    """What can be asked without changing anything."""

    def clock_off(self) -> timedelta | None:
        """Return how far our clock was ahead of the panel's at its last answer.

        It asks nothing. None where the panel does not tell its time.
        """
        ...

    def client(self, client_id: int) -> Client:
        """Return a client as he is now."""
        ...

    def client_by_email(self, email: str) -> Client:
        """Return the one client with this e-mail."""
        ...

    def user(self, user_id: int) -> User:
        """Return a login with the clients it owns."""
        ...

    def service(self, service_id: int) -> Service:
        """Return a service as it is now."""
        ...

    def services(self, client_id: int) -> list[Service]:
        """Return all services of a client."""
        ...

    def product(self, product_id: int) -> Product:
        """Return a plan with its prices."""
        ...

    def products(self) -> list[Product]:
        """Return the whole catalogue."""
        ...

    def invoice(self, invoice_id: int) -> Invoice:
        """Return an invoice with its lines."""
        ...

    def client_ids(self, start: int, limit: int) -> tuple[list[int], int]:
        """Return some clients' ids from place *start* on, and how many there are."""
        ...

    def invoices(self, client_id: int, status: str = "") -> list[Invoice]:
        """Return a client's invoices, newest first, without lines."""
        ...

    def domain(self, domain_id: int) -> Domain:
        """Return a domain."""
        ...

    def domains(self, client_id: int) -> list[Domain]:
        """Return all domains of a client."""
        ...

    def domains_named(self, name: str) -> list[Domain]:
        """Return the domains of that name: one, or several where some are old."""
        ...

    def quote(self, quote_id: int) -> Quote:
        """Return a quote."""
        ...

    def cancellation_requests(self) -> list[CancellationRequest]:
        """Return every cancellation request, from a complete pass over all pages."""
        ...

    def native_upgrade_price(
        self, service_id: int, product_id: int, cycle: Cycle, payment_method: str
    ) -> Decimal:
        """Return what the panel itself would charge (UpgradeProduct, calconly)."""
        ...

    def setting(self, name: str) -> str:
        """Return one configuration value of the panel."""
        ...

    def version(self) -> str:
        """Return the panel's version; also proves address and credentials."""
        ...


class PanelWrites(Protocol):
    """What changes something. None is repeated by the adapter on its own.

    An answer that does not say clearly whether it happened raises `RemoteError`
    with `sent` true: look before calling again.
    """

    def terminate(self, service_id: int) -> None:
        """End a service on its server. Reason.REFUSED with `no module` without one."""
        ...

    def set_service_status(self, service_id: int, status: str) -> None:
        """Set a service's status; runs no module."""
        ...

    def change_package(self, service_id: int) -> None:
        """Tell the server the service's plan."""
        ...

    def change_service(
        self,
        service_id: int,
        *,
        product_id: int,
        cycle: Cycle,
        recurring: Decimal,
        next_due: date | None = None,
    ) -> None:
        """Change plan, cycle, renewal amount and, if given, the due date."""
        ...

    def create_draft_invoice(
        self,
        client_id: int,
        *,
        description: str,
        amount: Decimal,
        day: date,
        due: date,
        notes: str,
        payment_method: str = "",
    ) -> int:
        """Create a draft with one line and return its id; *notes* carries our key."""
        ...

    def publish_invoice(self, invoice_id: int) -> None:
        """Publish a draft and send the panel's own e-mail."""
        ...

    def cancel_invoice(self, invoice_id: int) -> None:
        """Set an invoice to Cancelled."""
        ...

    def request_cancellation(
        self, service_id: int, *, immediate: bool, reason: str
    ) -> None:
        """Put a cancellation request."""
        ...

    def move_service(self, move: Move) -> Moved:
        """Let a service pass to another client, once for each key.

        Raises MoveRefused; Reason.NOT_FOUND where the panel cannot do it by itself.
        """
        ...

    def stop_renewal(self, domain_id: int) -> None:
        """Set "do not renew" on a domain."""
        ...

    def open_ticket(
        self, *, department: int, subject: str, message: str, client_id: int | None
    ) -> str:
        """Open a ticket and return its number."""
        ...

    def send_email(self, client_id: int, subject: str, text: str) -> None:
        """Send a client an e-mail through the panel."""
        ...

    def note(self, client_id: int, text: str) -> None:
        """Add a note to a client."""
        ...

    def log(self, text: str, client_id: int | None = None) -> None:
        """Write a line in the panel's activity log."""
        ...


class Panel(PanelReads, PanelWrites, Protocol):
    """A billing system."""
