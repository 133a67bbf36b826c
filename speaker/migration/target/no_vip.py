"""Prefixes that bgpd announces and vip.toml takes for no VIP, each with what to do. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policy.route import Prefix


def no_vip(prefix: Prefix) -> str:
    """Return why a prefix can't be a VIP's, and what to do; nothing where it can."""
    if prefix.prefixlen == 0:
        return (
            "is the default route, which is no VIP: announce it at a router, or keep bgpd for it, and remove "
            "the line from a copy of the file"
        )
    if prefix.network_address.is_multicast or prefix.network_address.is_unspecified:
        return "is of addresses that no host has; remove the line from a copy of the file"
    return ""
