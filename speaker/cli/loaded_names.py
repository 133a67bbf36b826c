"""What names mean by what a watchdog has loaded, where vip.toml is not parsed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.route import Asn, parse_prefix
from policy.topology import Address, DataCentre, Profile, Topology, Vip
from speaker import units
from speaker.cli import targets
from speaker.control.running import RunningWatchdog
from speaker.errors import SpeakerError
from speaker.resolver.resolver import Resolver
from speaker.terminal import waiting

if TYPE_CHECKING:
    from speaker.api import Status
    from speaker.cli.arguments import Call
    from speaker.cli.node import Node
    from speaker.cli.targets import Targets

WITHIN = 1.0
"""How long the state may take to be told, in seconds: for longer the file is not waited with."""
MAX_LINES = 1000
"""Of a longer file, parsing it takes less than all that its watchdog would tell."""


def meant(call: Call, node: Node) -> Targets | None:
    """Return what the names of a call mean; None where that takes the whole file, or can't be told."""
    if node.lines > MAX_LINES:
        return None
    try:
        resolver = None if node.resolver is None else units.endpoint(node.resolver)
        running = RunningWatchdog(node.control, node.control, timeout=WITHIN)
        with waiting("waiting for an answer"):
            status = running.status()
        known = names_in(status)
        if not node.is_loaded(status) or not all(_is_known(word, known) for word in call.words):
            return None
        return targets.find(call.words, known, Resolver(resolver).lookup_all, dns=call.dns)
    except (PolicyError, SpeakerError, ValueError):
        return None  # what is wrong is said where all is read


def _is_known(word: str, known: Topology) -> bool:
    try:
        return known.find(parse_prefix(word)) is not None
    except PolicyError:
        return targets.vip(word, known) is not None


def names_in(status: Status) -> Topology:
    """Return the names and prefixes of a state; nothing else of this is so."""
    dc, profile = DataCentre(status.dc, Asn(0)), Profile.plain(0)
    of: dict[str, list[Address]] = {}
    for route in status.routes:
        of.setdefault(route.vip, []).append(Address(parse_prefix(route.prefix), (dc.name,)))
    vips = [Vip(name, tuple(addresses), (profile,)) for name, addresses in of.items()]

    def is_aggregate(vip: Vip) -> bool:
        return vip.name == str(vip.addresses[0].prefix)

    return Topology(
        (dc,),
        tuple(vip for vip in vips if not is_aggregate(vip)),
        tuple(vip for vip in vips if is_aggregate(vip)),
    )
