"""The table of vip.toml for what single neighbours get: [peer."ADDRESS"] or [peer_group.NAME]."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from policy.peers import PeerRule
    from speaker.config.render_tables import Keys


def rule(rule: PeerRule) -> tuple[list[str], Keys]:
    """Return the name of the table, and its keys."""
    policy, (first, *_) = rule.policy, rule.neighbors
    keys: Keys = {
        "announce": None if policy.announce is None else sorted(policy.announce),
        "except": sorted(policy.excepted) or None,
        "prepends": None if policy.prepends is None else f"+{policy.prepends}",
        "med": policy.med,
        "local_preference": policy.local_preference,
        "communities": _texts(policy.communities),
        "large_communities": _texts(policy.large_communities),
        "extended_communities": _texts(policy.extended_communities),
    }
    if not rule.group:
        return ["peer", str(first.address)], {**keys, "dc": first.dc or None}
    neighbors: dict[str, list[str]] = {}
    for neighbor in rule.neighbors:
        neighbors.setdefault(neighbor.dc, []).append(str(neighbor.address))
    listed = neighbors if first.dc else neighbors[""]
    return ["peer_group", rule.group], {"neighbors": listed, **keys}


def _texts(values: Collection[object]) -> list[str] | None:
    return sorted(map(str, values)) or None
