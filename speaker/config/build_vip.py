"""One VIP of vip.toml: its addresses, and which data centre each prefers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.preference import auto, pairs, spread
from policy.route import Prefix, parse_prefix
from policy.topology import Address, DataCentre, Profile, Vip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.config.build_health import HealthBuilder
    from speaker.config.build_ranks import Ranks
    from speaker.config.fault import Faults, KeyPath
    from speaker.config.schema import AddressTable, Prefer, VipTable
    from speaker.config.validate import Form
    from speaker.units import IpAddress


class VipBuilder:
    """Makes VIPs, and notes every fault on the way."""

    def __init__(
        self,
        form: Form,
        faults: Faults,
        dcs: Sequence[DataCentre],
        ranks: Ranks,
        health: HealthBuilder,
    ) -> None:
        self._form = form
        self._faults = faults
        self._dcs = dcs
        self._names = [dc.name for dc in dcs]
        self._ranks = ranks
        self._health = health

    def vip(self, name: str, vip: VipTable, ranks: tuple[Profile, ...]) -> Vip | None:
        """Return a VIP, None where anything of the file makes no sense.

        Args:
            name: its name, as written.
            vip: its table.
            ranks: the site's, for a VIP that has none of its own.
        """
        path = ("vip", name)
        if name.lower() == "all" or not name or name != name.strip() or name.endswith("."):
            fault = "is not a valid VIP name; use its DNS name without the last dot"
            self._faults.add(path, fault)
        if vip.ranks is not None:
            ranks = self._ranks.named((*path, "ranks"), vip.ranks)
        self._prefer((*path, "prefer"), vip.prefer)
        nth = {4: 0, 6: 0}
        addresses = []
        together = pairs([address.ip for address in vip.addresses])
        for index, (address, pair) in enumerate(zip(vip.addresses, together, strict=True)):
            where = (*path, "addresses", index)
            order = self._order(where, name, vip, address, nth[address.ip.version], pair)
            nth[address.ip.version] += 1
            prefix = self._prefix(where, address)
            if prefix is not None:
                own = () if address.ranks is None else self._named(where, address.ranks)
                addresses.append(Address(prefix, order, own))
        rule = self._health.rule(path, vip)
        if self._faults or rule is None:
            return None
        return Vip(name.lower(), tuple(addresses), ranks, rule)

    def _named(self, path: KeyPath, names: Sequence[str]) -> tuple[Profile, ...]:
        return self._ranks.named((*path, "ranks"), names)

    def _order(
        self,
        path: KeyPath,
        name: str,
        vip: VipTable,
        address: AddressTable,
        nth: int,
        pair: Sequence[IpAddress],
    ) -> tuple[str, ...]:
        """Return the data centres by the preference of an address: the `nth` of its family, and its pair."""
        prefer = vip.prefer
        if address.prefer is not None and address.prefer is not vip.prefer:
            prefer = self._prefer((*path, "prefer"), address.prefer)
        match prefer:
            case "spread":
                return spread(self._names, nth)
            case "auto":
                return auto(self._dcs, name, pair)
            case _:
                return tuple(prefer)

    def _prefer(self, path: KeyPath, prefer: Prefer) -> Prefer:
        if self._form.lacks("dc"):
            return "spread"
        if isinstance(prefer, list) and sorted(prefer) != sorted(self._names):
            self._faults.add(path, f"{prefer} must name each data centre once: {self._names}")
        return prefer

    def _prefix(self, path: KeyPath, address: AddressTable) -> Prefix | None:
        length = (
            address.ip.max_prefixlen if address.prefix_length is None else address.prefix_length
        )
        if address.ip.is_multicast or address.ip.is_unspecified:
            self._faults.add((*path, "ip"), f"{address.ip} is not a unicast address")
            return None
        try:
            return parse_prefix(f"{address.ip}/{length}")
        except PolicyError as error:
            self._faults.add((*path, "prefix_length"), f"{length}: {error}")
            return None
