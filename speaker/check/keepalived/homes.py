"""Which VIPs have the addresses or the firewall mark of a virtual server of keepalived."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from policy.health import FWMARK
from speaker.check.keepalived.servers import Mark

if TYPE_CHECKING:
    from policy.route import Prefix
    from policy.topology import Topology, Vip
    from speaker.check.keepalived.servers import Addresses


class Homes:
    """Finds VIPs by what a virtual server has. It looks at those alone that are there."""

    def __init__(self, topology: Topology) -> None:
        self._hosts: dict[int, list[tuple[int, Vip, Prefix]]] = {4: [], 6: []}
        self._wide: list[tuple[Vip, Prefix]] = []
        self._marks: dict[int, list[tuple[Vip, Prefix]]] = defaultdict(list)
        for vip, address in replace(topology, aggregates=()):
            prefix = address.prefix
            if prefix.num_addresses == 1:
                self._hosts[prefix.version].append((int(prefix.network_address), vip, prefix))
            else:
                self._wide.append((vip, prefix))
            for service in vip.health.required:
                if service.protocol == FWMARK:
                    self._marks[service.number].append((vip, prefix))
        for hosts in self._hosts.values():
            hosts.sort(key=lambda host: host[0])

    def of(self, where: Addresses | Mark) -> list[tuple[Vip, Prefix]]:
        """Return the VIPs, each with its prefix."""
        if isinstance(where, Mark):
            versions = {4, 6} if where.version is None else {where.version}
            return [home for home in self._marks[where.number] if home[1].version in versions]
        first, last, version = int(where.first), int(where.last), where.first.version
        hosts = self._hosts[version]
        found = []
        for index in range(bisect_left(hosts, first, key=lambda host: host[0]), len(hosts)):
            number, vip, prefix = hosts[index]
            if number > last:
                break
            found.append((vip, prefix))
        found += [
            (vip, prefix)
            for vip, prefix in self._wide
            if prefix.version == version
            and int(prefix.network_address) <= last
            and first <= int(prefix.broadcast_address)
        ]
        return found
