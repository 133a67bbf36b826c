"""The routes and addresses that bgpd may redistribute: those that the file itself makes, or that the machine has."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING

from policy.route import Prefix, parse_prefix
from speaker.migration.bgpd_conf.tokens import is_address

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from speaker.migration.bgpd_conf.machine import MachineNow
    from speaker.migration.bgpd_conf.redistribute import Redistribution
    from speaker.migration.bgpd_conf.statement import Statement

SOURCES = ("connected", "static", "kernel")


@dataclass(slots=True)
class RoutesHere:
    """Routes by source: their prefixes, and the lines that a gateway is in."""

    prefixes: dict[str, dict[Prefix, None]] = field(
        default_factory=lambda: {s: {} for s in SOURCES}
    )
    gateways: dict[Prefix, Statement] = field(default_factory=dict)
    now: MachineNow | None = None
    """What the machine has, where that is asked: its routes are among `prefixes`."""

    def are_now(self, now: MachineNow) -> None:
        """Take what the machine has in place of what was read; addresses come as others do."""
        self.now = now
        for source, routes in now.routes.items():
            self.prefixes[source] = dict.fromkeys(routes)
            self.gateways = {}

    def knows(self, source: str) -> bool:
        """Tell whether all prefixes of a source are known."""
        return self.now is not None and self.now.knows(source)

    def gateway_of(self, prefix: Prefix, line: Redistribution) -> Statement | None:
        """Return the line that says that a static route is by a gateway, None where it is by none."""
        by_gateway = self.now is not None and self.now.routes.get("static", {}).get(prefix)
        return line.statement if by_gateway else self.gateways.get(prefix)

    def add(self, statement: Statement) -> None:
        """Take an `ip route` or `ipv6 route`. What is of another VRF, or no route, says nothing here."""
        words = list(statement.words[2:])
        if len(words) > 2 and "/" not in words[0] and is_address(words[1]):
            words[:2] = [f"{words[0]}/{words[1]}"]
        if len(words) < 2 or "vrf" in words or not statement.plain:
            return
        try:
            prefix = parse_prefix(str(ip_network(words[0], strict=False)))
        except ValueError:
            return
        self.prefixes["static"][prefix] = None
        if is_address(words[1]):
            self.gateways[prefix] = statement

    def candidates(self, line: Redistribution, singles: Collection[Prefix]) -> Iterator[Prefix]:
        """Yield what a line may announce: the file's own, and single prefixes that it has of no other source."""
        yield from (p for p in self.prefixes[line.source] if p.version == line.version)
        known = {prefix for source in SOURCES for prefix in self.prefixes[source]}
        yield from (prefix for prefix in singles if prefix not in known)

    def are_connected(self, networks: Iterable[Prefix]) -> None:
        """Take the networks of interfaces' addresses. bgpd does not learn those in 127.0.0.0/8."""
        for prefix in networks:
            if not prefix.is_loopback:
                self.prefixes["connected"][prefix] = None
