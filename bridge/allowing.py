"""Which addresses may see what is not for everybody."""

from __future__ import annotations

import ipaddress


def allowed(address: str, networks: tuple[str, ...]) -> bool:
    """Tell whether an address lies in one of the networks."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    # A socket of both families shows 127.0.0.1 as ::ffff:127.0.0.1.
    found = getattr(found, "ipv4_mapped", None) or found
    return any(
        found in ipaddress.ip_network(network, strict=False) for network in networks
    )
