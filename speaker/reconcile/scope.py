"""What a configuration gives this data centre to do; and what of the last one's is still so."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from policy.aggregate import NO_AGGREGATES, Aggregates
from policy.assignment import assignments
from policy.ruled import asked_vips

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from policy.assignment import Assignment
    from policy.health import Observation
    from policy.route import Prefix
    from speaker.config.settings import Config

NOT_OBSERVED = "not observed yet"


@dataclass(frozen=True, slots=True)
class Scope:
    """A configuration, this data centre's duties by prefix, and those whose health is not checked.

    `observed_alike` are those whose health is looked at as under the configuration before.
    `driven_alike`: what the driver is given is as before, so that what it read is so, too.
    """

    config: Config
    assignments: Mapping[Prefix, Assignment]
    unchecked: frozenset[Prefix]
    observed_alike: frozenset[Prefix] = frozenset()
    driven_alike: bool = False
    aggregates: Aggregates = NO_AGGREGATES


def scope(
    config: Config, only: Collection[Prefix] | None = None, before: Scope | None = None
) -> Scope:
    """Return what a configuration gives to do. May take seconds: not for the event loop.

    A duty that stays as it was is the same object, so that it need not be judged again.

    Args:
        config: the configuration.
        only: the prefixes to care for, and those by which they are decided: together with them by an
            aggregate, or asked for by a rule; None for all of it.
        before: what there was to do until now.
    """
    health = config.settings.health
    own = assignments(config.topology, config.settings.dc)
    aggregates = Aggregates.of(own)
    if only is not None:
        only = _deciding(own, aggregates, only)
        own = {prefix: assignment for prefix, assignment in own.items() if prefix in only}
        aggregates = Aggregates.of(own)
    unchecked = frozenset(
        p
        for p, assignment in own.items()
        if assignment.route is None
        or (assignment.vip.health.rule is None and health[assignment.vip.name].source == "none")
    )
    if before is None:
        return Scope(config, own, unchecked, aggregates=aggregates)
    same_peers = before.config.topology.peers == config.topology.peers
    same_dc = same_peers and before.config.settings.dc == config.settings.dc
    vips = {vip.name: vip for vip in before.config.topology.everything}
    everything = config.topology.everything
    same = {vip.name for vip in everything if same_dc and vips.get(vip.name) == vip}
    own |= {
        p: before.assignments[p]
        for p, assignment in own.items()
        if assignment.vip.name in same and p in before.assignments
    }
    seen_before = before.config.settings.health
    alike = {
        vip.name
        for vip in everything
        if vip.name in vips
        and vips[vip.name].health == vip.health
        and seen_before[vip.name] == health[vip.name]
    }
    observed_alike = frozenset(
        prefix
        for prefix, assignment in own.items()
        if assignment.vip.name in alike
        and prefix in before.assignments
        and before.assignments[prefix].vip.name == assignment.vip.name
    )
    old, new = before.config.settings, config.settings
    driven_alike = same_dc and (old.exabgp, old.quagga) == (new.exabgp, new.quagga)
    if new.backend == "quagga" or config.topology.peers:  # the driver keeps what VIPs get, too
        driven_alike = driven_alike and len(same) == len(everything)
    return Scope(config, own, unchecked, observed_alike, driven_alike, aggregates)


def _deciding(
    own: Mapping[Prefix, Assignment], aggregates: Aggregates, only: Collection[Prefix]
) -> Collection[Prefix]:
    """Return some prefixes with all those by which one of them is decided."""
    of_vip: dict[str, list[Prefix]] = defaultdict(list)
    for prefix, duty in own.items():
        of_vip[duty.vip.name].append(prefix)
    found: frozenset[Prefix] = frozenset()
    more = frozenset(only)
    while found != more:
        found = more
        rules = {own[p].vip.health.rule for p in found if p in own}
        names = {name for rule in rules if rule is not None for name in asked_vips(rule)}
        more = aggregates.together(found).union(*(of_vip.get(name, ()) for name in names))
    return found


def kept(
    observation: Observation, alike: Collection[Prefix], announced: Collection[Prefix]
) -> Observation:
    """Return what an observation still says under another configuration, until one is made.

    Args:
        observation: the last one.
        alike: the prefixes whose health is looked at as before; of the others nothing is known.
        announced: the prefixes that are announced now: where others must be here, they are held.
    """
    presence = observation.presence
    if presence is not None and presence.here is not None:
        others = frozenset(prefix for prefix in announced if prefix not in alike)
        presence = replace(presence, here=(presence.here & frozenset(alike)) | others)
    live = {p: services for p, services in observation.live.items() if p in alike}
    why = observation.unknown or NOT_OBSERVED
    said = {p: each for p, each in observation.said.items() if p in alike}
    return replace(
        observation, live=live, unknown=why, unsettled=False, presence=presence, said=said
    )
