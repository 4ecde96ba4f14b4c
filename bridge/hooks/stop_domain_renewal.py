"""stop_domain_renewal: a domain is left unrenewed; it cannot be cancelled."""

from __future__ import annotations

from marshmallow import fields

from bridge.billing.model import Domain
from bridge.errors import RemoteError, Skipped
from bridge.hooks import Outcome, action
from bridge.hooks.context import Context

#: Nothing is left of these that could be renewed.
_OVER = frozenset({"cancelled", "expired", "transferred away", "fraud", "deleted"})


@action(
    acts=True,
    result=("domain", "until"),
    domain_id=fields.Integer(load_default=None, allow_none=True),
)
def stop_domain_renewal(
    ctx: Context, *, domain_id: int | None = None, client_id: int | None = None
) -> Outcome:
    """Set "do not renew" on a domain, look whether it stands, and tell its owner.

    The domain is the event's, or *domain_id*. It stays until it expires: that day is
    in the alert, where the panel has one. Raises Skipped where it does not renew
    already.
    """
    domain = ctx.panel.domain(domain_id) if domain_id else ctx.facts.domain
    if client_id is not None and domain.client_id != client_id:
        raise ctx.staff(
            f"domain {domain.id} belongs to client {domain.client_id} now, not "
            f"{client_id}: its renewal was left as it is"
        )
    ctx.client_id = domain.client_id
    if domain.status.casefold() in _OVER:
        raise Skipped(f"domain {domain.name} is {domain.status} already")
    if domain.renews:
        domain = _stop(ctx, domain)
    elif not _ours(ctx):
        raise Skipped(f"domain {domain.name} is not renewed already")
    ctx.later(
        "send_alert",
        key=f"{ctx.key}/told",
        message="domain_not_renewed",
        client_id=domain.client_id,
        domain_id=domain.id,
    )
    until = domain.expires.isoformat() if domain.expires else None
    return {"domain": domain.name, "until": until}


def _ours(ctx: Context) -> bool:
    """Whether an earlier try of this job may have set it."""
    return ctx.attempts > 1


def _stop(ctx: Context, domain: Domain) -> Domain:
    """Set it, and read it back; a lost answer is settled by what the panel shows."""
    try:
        ctx.panel.stop_renewal(domain.id)
    except RemoteError as error:
        if not error.sent or ctx.panel.domain(domain.id).renews:
            raise
    found = ctx.panel.domain(domain.id)
    if found.renews:
        raise ctx.staff(
            f"the panel took it, but domain {domain.name} is still to be renewed"
        )
    return found
