"""list_open_items: what staff have to see to after a service changed its owner."""

from __future__ import annotations

from bridge.errors import Skipped
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context
from bridge.hooks.records import Transfer


@action(internal=True)
def list_open_items(ctx: Context, *, transfer: str) -> Outcome:
    """Leave staff a ticket: domain of the same name, pay method, due date, the rest."""
    row = ctx.book.transfer(transfer)
    if row is None or row.state != "done":
        raise Skipped(f"{transfer} is {row.state if row else 'not in the book'}")
    ctx.client_id = row.to_client_id
    items = _items(ctx, row)
    ctx.later(
        "open_ticket",
        key=f"{row.key}/open-items/ticket",
        subject=f"[bridge] Service {row.service_id} has a new owner: what is open",
        text=_text(row, items),
        department=ctx.policies.transfers.ticket_department,
        raw=True,
        client_id=row.to_client_id,
    )
    return {"service": row.service_id, "items": len(items)}


def _items(ctx: Context, row: Transfer) -> list[str]:
    service = ctx.panel.service(row.service_id)
    items = []
    for domain in ctx.panel.domains(row.from_client_id):
        if domain.name and domain.name.casefold() == service.domain.casefold():
            items.append(
                f"Domain {domain.name} stays with client {row.from_client_id}: "
                "it passes only if both ask for it."
            )
    items.append(
        f"Pay method: the service is paid by {service.payment_method or 'none'}; the "
        "new owner sees to his own."
    )
    items.append(f"Due date: {service.next_due or 'none'}; the next invoice is his.")
    moved = row.moved or {}
    for name, what in (
        ("subscriptions", "Cancel the old owner's subscription at the gateway"),
        ("certificates", "Certificates that passed with it"),
    ):
        if listed := moved.get(name):
            items.append(f"{what}: {', '.join(str(one) for one in listed)}.")
    return items


def _text(row: Transfer, items: list[str]) -> str:
    head = (
        f"Service {row.service_id} ({row.service}) passed from client "
        f"{row.from_client_id} to client {row.to_client_id}, as both asked by WhatsApp."
    )
    evidence = f"The evidence: whmcs-bridge transfers show {row.id}"
    return "\n".join([head, "", *(f"[ ] {item}" for item in items), "", evidence])
