"""What a session does to AS_PATH: private ASes taken away, the own AS put before it, or another one. Pure.

bgp_peer_remove_private_as() in bgp_route.c comes before the neighbour's route-map in FRR 8.4, and after it
in 10.3; what bgp_packet_attribute() in bgp_attr.c puts before AS_PATH, last of all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from policy.route import AsPath
from speaker.migration.bgpd_conf.model import Dialect, Obstacle

if TYPE_CHECKING:
    from collections.abc import Callable

    from policy.route import Asn
    from speaker.migration.bgpd_conf.flow import Applied
    from speaker.migration.bgpd_conf.model import (
        BgpPath,
        Configuration,
        Neighbor,
        RemovePrivate,
    )

_PRIVATE = {
    Dialect.FRR: (range(64512, 65535), range(4200000000, 4294967295)),
    Dialect.QUAGGA: (range(64512, 65535),),
}
"""RFC 6996; Quagga knows those of 16 bits alone."""
_LAST = 65535
"""Whether bgpd takes it for private depends on its version."""


def is_ebgp(configuration: Configuration, neighbor: Neighbor) -> bool:
    """Return whether a neighbour is in another AS."""
    return neighbor.asn != configuration.asn


def on_session(configuration: Configuration, neighbor: Neighbor, path: AsPath) -> AsPath:
    """Return AS_PATH as a neighbour gets it (RFC 4271 §5.1.2)."""
    if not is_ebgp(configuration, neighbor):
        return path
    match neighbor.local_as:
        case None:
            own: tuple[Asn, ...] = (configuration.asn,)
        case found if found.replaces:
            own = (found.asn,)
        case found:
            own = (found.asn, configuration.asn)
    return AsPath((*own, *path.asns))


def through_policy(
    configuration: Configuration,
    neighbor: Neighbor,
    path: BgpPath,
    policy: Callable[[BgpPath], Applied],
) -> Applied:
    """Return what a neighbour's policy makes of a path, with private ASes taken away where it says so.

    Args:
        configuration: bgpd's.
        neighbor: who is sent it.
        path: as its lists let it pass.
        policy: its route-map.
    """
    rule = neighbor.families[path.prefix.version].remove_private
    if rule is None or not is_ebgp(configuration, neighbor):
        return policy(path)
    private = _PRIVATE[configuration.read_as.dialect]

    def removed(path: BgpPath) -> BgpPath:
        attributes = path.attributes
        kept = _without(attributes.as_path.asns, rule, configuration.asn, private)
        return replace(path, attributes=replace(attributes, as_path=AsPath(kept)))

    before, late = policy(removed(path)), policy(path)
    after = [each.path and removed(each.path) for each in (before, late)]
    met = {
        asn for each in (path, before.path, late.path) if each for asn in each.attributes.as_path
    }
    if any(each != before.path for each in after) or not met.isdisjoint((_LAST, neighbor.asn)):
        unclear = Obstacle(rule.statement, _VERSIONS)
        return replace(before, obstacles=(*before.obstacles, unclear))
    return before


def _without(
    asns: tuple[Asn, ...], rule: RemovePrivate, own: Asn, private: tuple[range, ...]
) -> tuple[Asn, ...]:
    is_private = [any(asn in each for each in private) for asn in asns]
    if not (rule.every or all(is_private)):
        return asns
    if rule.replaces:
        return tuple(own if gone else asn for asn, gone in zip(asns, is_private, strict=True))
    return tuple(asn for asn, gone in zip(asns, is_private, strict=True) if not gone)


_VERSIONS = (
    "which ASes it takes from the AS_PATH depends on bgpd's version, where the neighbour's route-map prepends private "
    "ones, or some route-map the neighbour's or 65535; prepend none of them in a copy of the file"
)
