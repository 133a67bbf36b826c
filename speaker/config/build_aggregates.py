"""The aggregates of vip.toml: covering prefixes, each with its preference and what it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.health import HealthRule
from policy.route import parse_prefix
from policy.topology import AggregateRule, Vip
from speaker.config.schema import VipTable
from speaker.config.settings import HealthSettings
from speaker.config.toml_text import toml_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policy.route import Prefix
    from policy.topology import Profile
    from speaker.config.build_drain import DrainBuilder
    from speaker.config.build_ranks import Ranks
    from speaker.config.build_vip import VipBuilder
    from speaker.config.fault import Faults, KeyPath
    from speaker.config.schema import AggregateTable
    from speaker.config.validate import Form

NO_HEALTH = HealthSettings("none", frozenset(), {})
"""Nothing is looked at for an aggregate: it goes by its members."""


class AggregateBuilder:
    """Makes aggregates, and notes every fault on the way. `vips` reads a preference as for VIPs."""

    def __init__(
        self, form: Form, faults: Faults, vips: VipBuilder, ranks: Ranks, drains: DrainBuilder
    ) -> None:
        self._form, self._faults, self._vips, self._ranks = form, faults, vips, ranks
        self._drains = drains

    def aggregates(self, of_site: tuple[Profile, ...] | None) -> tuple[Vip, ...]:
        """Return them, in the order of the file; nothing where anything of the file makes no sense.

        Args:
            of_site: the ranks of the site, for those that have none of their own.
        """
        found = self._form.document.aggregate
        places: dict[Prefix, KeyPath] = dict(self._prefixes_of_vips()) if found else {}
        nth = {4: 0, 6: 0}
        made = []
        for name, table in found.items():
            path = ("aggregate", name)
            prefix = self._prefix(path, name, places)
            if prefix is not None:
                places[prefix] = path
                made.append(self._aggregate(path, prefix, table, of_site, nth))
        return () if self._faults else tuple(made)

    def _prefixes_of_vips(self) -> Iterator[tuple[Prefix, KeyPath]]:
        for name, vip in self._form.document.vip.items():
            for index, address in enumerate(vip.addresses):
                length = address.prefix_length or address.ip.max_prefixlen
                try:
                    yield parse_prefix(f"{address.ip}/{length}"), ("vip", name, "addresses", index)
                except PolicyError:
                    continue  # a fault of the VIP, which is noted there

    def _prefix(self, path: KeyPath, name: str, places: Mapping[Prefix, KeyPath]) -> Prefix | None:
        try:
            prefix = parse_prefix(name)
        except PolicyError as error:
            self._faults.add(path, error.message)
            return None
        if prefix.prefixlen == prefix.max_prefixlen:
            fault = f"{prefix} covers nothing but itself; name a shorter prefix, or make it a VIP"
        elif prefix.is_multicast or not prefix.prefixlen:
            fault = f"{prefix} is no prefix of unicast addresses; name the one that covers the VIPs"
        elif prefix in places:
            fault = (
                f"{prefix} is also {toml_path(places[prefix])}; keep one: a VIP's prefix is "
                "announced by its own health, an aggregate by the VIPs inside"
            )
        else:
            return prefix
        self._faults.add(path, fault)
        return None

    def _aggregate(
        self,
        path: KeyPath,
        prefix: Prefix,
        table: AggregateTable,
        ranks: tuple[Profile, ...] | None,
        nth: dict[int, int],
    ) -> Vip:
        if table.ranks is not None:
            ranks = self._ranks.named((*path, "ranks"), table.ranks)
        address = {"ip": str(prefix.network_address), "prefix_length": prefix.prefixlen}
        keys = table.model_dump(include={"prefer", "only", "order", "ranks"})
        like_a_vip = VipTable.model_validate({"addresses": [address], **keys})
        addresses = self._vips.addresses(path, str(prefix), like_a_vip, ranks, nth)
        order = self._form.document.policy.order if table.order is None else table.order
        rule = AggregateRule(table.at_least, table.summary_only)
        drain = self._drains.usual
        return Vip(str(prefix), addresses, ranks or (), HealthRule(), order, rule, drain)
