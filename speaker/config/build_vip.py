"""One VIP of vip.toml: its addresses, and which data centre each prefers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.preference import pairs
from policy.route import Prefix, parse_prefix
from policy.topology import Address, DataCentre, Profile, Vip
from speaker.config.build_preference import PreferenceBuilder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.rule import Rule
    from speaker.config.build_drain import DrainBuilder
    from speaker.config.build_health import HealthBuilder
    from speaker.config.build_ranks import Ranks
    from speaker.config.fault import Faults, KeyPath
    from speaker.config.schema import AddressTable, VipTable
    from speaker.config.validate import Form


class VipBuilder:
    """Makes VIPs, and notes every fault on the way."""

    def __init__(
        self,
        form: Form,
        faults: Faults,
        dcs: Sequence[DataCentre],
        ranks: Ranks,
        health: HealthBuilder,
        drains: DrainBuilder,
    ) -> None:
        self._form = form
        self._faults = faults
        self._preference = PreferenceBuilder(form, faults, dcs)
        self._ranks = ranks
        self._health = health
        self._drains = drains

    def vip(
        self,
        name: str,
        vip: VipTable,
        ranks: tuple[Profile, ...] | None,
        rule: Rule | None = None,
    ) -> Vip | None:
        """Return a VIP, None where anything of the file makes no sense.

        Args:
            name: its name, as written.
            vip: its table.
            ranks: the site's, for a VIP that has none of its own; None where they are not known.
            rule: what its rule means, where it has one.
        """
        path = ("vip", name)
        is_bare = name == name.strip() and not name.endswith(".")
        if not name or name.lower() == "all" or not is_bare or not name.isprintable():
            fault = "is not a valid VIP name; use its DNS name without the last dot"
            self._faults.add(path, fault)
        if vip.ranks is not None:
            ranks = self._ranks.named((*path, "ranks"), vip.ranks)
        order = self._form.document.policy.order if vip.order is None else vip.order
        addresses = self.addresses(path, name, vip, ranks, {4: 0, 6: 0})
        health = self._health.rule(path, vip, rule)
        drain = self._drains.rule(path, vip.drain)
        if self._faults or health is None:
            return None
        return Vip(name.lower(), addresses, ranks or (), health, order, drain=drain)

    def addresses(
        self,
        path: KeyPath,
        name: str,
        vip: VipTable,
        ranks: tuple[Profile, ...] | None,
        nth: dict[int, int],
    ) -> tuple[Address, ...]:
        """Return the addresses of what stands at a path, those without a fault; check that its ranks do.

        Args:
            path: where it stands.
            name: its name, as written.
            vip: its table.
            ranks: its profiles by rank; None where they are not known.
            nth: how many of each family came before, which is counted on.
        """
        order = self._form.document.policy.order if vip.order is None else vip.order
        usual = self._preference.of((*path,), vip.prefer, vip.only)
        addresses, needed = [], -1
        together = pairs([address.ip for address in vip.addresses])
        for index, (address, pair) in enumerate(zip(vip.addresses, together, strict=True)):
            where = (*path, "addresses", index)
            chosen = self._preference.of_address(where, address, vip, usual)
            prefer = chosen.order(name, nth[address.ip.version], pair)
            nth[address.ip.version] += 1
            own: tuple[Profile, ...] | None = ()
            count = 0 if chosen.is_equal else len(prefer)
            if address.ranks is None:
                needed = max(needed, count)
            else:
                own = self._ranks.named((*where, "ranks"), address.ranks)
                self._ranks.check((*where, "ranks"), own, order, count)
            prefix = self._prefix(where, address)
            if prefix is not None:
                addresses.append(Address(prefix, prefer, own or (), chosen.is_equal))
        if vip.ranks is not None:
            self._ranks.check((*path, "ranks"), ranks, order, max(needed, 0))
        elif needed >= 0:
            self._ranks.use_site(order, needed)
        return tuple(addresses)

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
