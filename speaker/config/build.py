"""A document of vip.toml -> the values that it means, or what in it makes no sense."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from policy.damping import DampingRule
from policy.errors import PolicyError
from policy.guard import GuardRule
from policy.health import CheckerRule, HealthRule, Service, Thresholds
from policy.preference import auto, pairs, spread
from policy.route import Asn, Prefix, parse_prefix
from policy.topology import Address, DataCentre, Profile, Topology, Vip, ranks_fault
from speaker.config.schema import DEFAULT_READ
from speaker.config.settings import (
    Config,
    ExabgpSettings,
    HealthSettings,
    LintSettings,
    NextHop,
    QuaggaSettings,
    ReadSocket,
    Settings,
)
from speaker.config.toml_text import toml_path
from speaker.config.validate import NO_ADDRESS, NOWHERE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.config.schema import AddressTable, Document, HealthTable, Prefer, VipTable
    from speaker.units import Endpoint

_BOUNDS = {"drop_at", "restore_at"}
_PROFILE = re.compile(r'profile\.([A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*")[.:]')
"""How a fault of a profile begins: with its key."""
_NAMED = 10
"""How many names are listed of those that are known: each of thousands of faults may list them."""


class Builder:
    """Makes values of a document, and collects every fault on the way."""

    def __init__(
        self, document: Document, faults: Sequence[str], *, allow_ties: bool = False
    ) -> None:
        self._document = document
        self._allow_ties = allow_ties
        self._faults = dict.fromkeys(faults)
        self._faulty_profiles = {found[1] for each in faults if (found := _PROFILE.match(each))}
        self._dcs = tuple(
            DataCentre(name, Asn(dc.asn), dc.weight) for name, dc in document.dc.items()
        )
        self._names = [dc.name for dc in self._dcs]
        self._rules: dict[HealthRule, HealthRule] = {}
        """One object of each: thousands of VIPs have the same rule."""
        self._usual: HealthRule | None = None
        """The rule of a VIP that says nothing of its own."""
        self._profiles: dict[str, Profile] = {
            name: Profile(
                name,
                profile.prepends,
                profile.med,
                profile.origin,
                tuple(profile.communities),
                tuple(profile.large_communities),
            )
            for name, profile in document.profile.items()
        }

    def build(self) -> Config | None:
        """Return the configuration, or None where `faults` has what is wrong."""
        document = self._document
        node = document.node
        if node.dc not in self._names and NOWHERE not in (node.dc, *self._names):
            self._fault("node.dc", f"{node.dc!r} is unknown; name one of {self._names}")
        ranks = self._ranks()
        vips = [self._vip(name, vip, ranks) for name, vip in document.vip.items()]
        health = {name.lower(): self._health(name, vip) for name, vip in document.vip.items()}
        self._own_health(document.health)
        read = self._read_socket()
        self._check_unique()
        if self._faults:
            return None
        topology = Topology(self._dcs, tuple(vip for vip in vips if vip is not None))
        here = document.dc[node.dc].next_hop
        next_hop = node.next_hop or here or document.backend.exabgp.next_hop
        intervals = [document.health.interval] + [
            vip.health.interval
            for vip in document.vip.values()
            if "interval" in vip.health.model_fields_set
        ]
        settings = Settings(
            dc=topology.dc(node.dc),
            backend=node.backend,
            state=node.state,
            control=node.control,
            read=read,
            resolver=node.resolver,
            guard=GuardRule(document.policy.max_withdraw, document.policy.confirm),
            lint=LintSettings(document.policy.max_path, document.policy.load_tolerance),
            interval=min(intervals),
            keepalived_fifo=document.health.keepalived_fifo,
            keepalived_fifo_named="keepalived_fifo" in document.health.model_fields_set,
            keepalived_conf=document.health.keepalived_conf,
            health=health,
            exabgp=ExabgpSettings(
                NextHop(next_hop.ipv4, next_hop.ipv6),
                document.backend.exabgp.withdraw_on_exit,
                document.backend.exabgp.process,
            ),
            quagga=QuaggaSettings(
                document.backend.quagga.vtysh,
                document.backend.quagga.route_map,
                tuple(document.backend.quagga.start_files),
            ),
        )
        return Config(topology, settings)

    @property
    def faults(self) -> list[str]:
        """What is wrong, a line each."""
        return [*self._faults]

    def _fault(self, key: str, message: str) -> None:
        self._faults[f"{key}: {message}"] = None

    def _read_socket(self) -> ReadSocket:
        node = self._document.node
        path = node.control.with_name(DEFAULT_READ) if node.read is None else node.read
        if path == node.control:
            self._fault("node.read", f"{path} is also node.control; give each a path of its own")
        return ReadSocket(path, node.read_group, node.read_mode)

    def _ranks(self) -> tuple[Profile, ...]:
        policy = self._document.policy
        if policy.ranks is not None:
            if policy.prepends is not None:
                self._fault("policy", "prepends and ranks are both set; keep one")
            return self._named("policy.ranks", policy.ranks)
        prepends = policy.prepends
        if prepends is None:
            prepends = list(range(1, max(3, len(self._dcs)) + 1))
        ranks = tuple(map(Profile.plain, prepends))
        self._check_ranks("policy.prepends", ranks)
        return ranks

    def _named(self, key: str, names: Sequence[str]) -> tuple[Profile, ...]:
        missing = [name for name in names if name not in self._profiles]
        unknown = [name for name in missing if toml_path([name]) not in self._faulty_profiles]
        if unknown:
            known = [*islice(self._profiles, _NAMED)]
            more = f" and {len(self._profiles) - _NAMED} more" * (len(self._profiles) > _NAMED)
            self._fault(key, f"{unknown} have no [profile.…]; known are {known}{more}")
        if missing:
            return ()
        ranks = tuple(self._profiles[name] for name in names)
        self._check_ranks(key, ranks)
        return ranks

    def _check_ranks(self, key: str, ranks: Sequence[Profile]) -> None:
        if len(ranks) < len(self._dcs):
            self._fault(key, f"{len(ranks)} ranks for {len(self._dcs)} data centres; give each one")
        fault = None if self._allow_ties else ranks_fault(ranks)
        if fault is not None:
            self._fault(key, fault)

    def _vip(self, name: str, vip: VipTable, ranks: tuple[Profile, ...]) -> Vip | None:
        key = toml_path(("vip", name))
        if name.lower() == "all" or not name or name != name.strip() or name.endswith("."):
            self._fault(key, "is no name for a VIP; use its DNS name without the last dot")
        if vip.ranks is not None:
            ranks = self._named(f"{key}.ranks", vip.ranks)
        self._prefer(f"{key}.prefer", vip.prefer)
        nth = {4: 0, 6: 0}
        addresses = []
        together = pairs([address.ip for address in vip.addresses])
        for index, (address, pair) in enumerate(zip(vip.addresses, together, strict=True)):
            where = f"{key}.addresses[{index}]"
            own = vip.prefer if address.prefer is None else address.prefer
            prefer = self._prefer(f"{where}.prefer", own) if own is not vip.prefer else own
            place = nth[address.ip.version]
            nth[address.ip.version] += 1
            match prefer:
                case "spread":
                    order = spread(self._names, place)
                case "auto":
                    order = auto(self._dcs, name, pair)
                case _:
                    order = tuple(prefer)
            prefix = self._prefix(where, address)
            if prefix is not None:
                other = (
                    () if address.ranks is None else self._named(f"{where}.ranks", address.ranks)
                )
                addresses.append(Address(prefix, order, other))
        rule = self._rule(key, vip)
        if self._faults or rule is None:
            return None
        return Vip(name.lower(), tuple(addresses), ranks, rule)

    def _prefer(self, key: str, prefer: Prefer) -> Prefer:
        if NOWHERE in self._names:
            return "spread"
        if isinstance(prefer, list) and sorted(prefer) != sorted(self._names):
            self._fault(key, f"{prefer} must name each data centre once: {self._names}")
        return prefer

    def _prefix(self, key: str, address: AddressTable) -> Prefix | None:
        length = (
            address.ip.max_prefixlen if address.prefix_length is None else address.prefix_length
        )
        if address.ip.is_multicast or address.ip.is_unspecified:
            self._fault(f"{key}.ip", f"{address.ip} is no unicast address")
            return None
        try:
            return parse_prefix(f"{address.ip}/{length}")
        except PolicyError as error:
            self._fault(f"{key}.prefix_length", f"{length}: {error}")
            return None

    def _rule(self, key: str, vip: VipTable) -> HealthRule | None:
        is_usual = not vip.services and not vip.health.model_fields_set
        if is_usual and self._usual is not None:
            return self._usual
        health = _over(self._document.health, vip.health)
        # What is inherited is at fault where it stands, once, and not in each VIP.
        inherited = not _BOUNDS & vip.health.model_fields_set
        thresholds = self._thresholds(
            "health" if inherited else f"{key}.health",
            health.drop_at,
            health.restore_at,
            health.fall,
            health.rise,
        )
        required: dict[Service, Thresholds] = {}
        for text, table in vip.services.items():
            where = f"{key}.{toml_path(('services', text))}"
            service = self._service(where, text)
            if thresholds is None and not table.model_fields_set >= _BOUNDS:
                continue  # at fault is what it inherits
            own = self._thresholds(
                where,
                health.drop_at if table.drop_at is None else table.drop_at,
                health.restore_at if table.restore_at is None else table.restore_at,
                health.fall if table.fall is None else table.fall,
                health.rise if table.rise is None else table.rise,
            )
            if service in required:
                self._fault(where, f'is also "{service}"; keep one')
            elif service is not None and own is not None:
                required[service] = own
        # Services of the other sources are kept by nobody: they exist, or not, as vip.toml says.
        checker = (
            CheckerRule(health.require_keepalived, health.restart_grace, health.warm_up)
            if health.source == "ipvs"
            else CheckerRule()
        )
        own_damping = "damping" in vip.health.model_fields_set
        damping = self._damping(
            f"{key}.health.damping" if own_damping else "health.damping", health
        )
        if thresholds is None:
            return None
        rule = HealthRule(
            thresholds, health.services, required, checker, health.require_address, damping
        )
        rule = self._rules.setdefault(rule, rule)
        if is_usual:
            self._usual = rule
        return rule

    def _own_health(self, health: HealthTable) -> None:
        """Judge `[health]` by itself: no VIP may have what it says."""
        if health.model_fields_set >= _BOUNDS:
            self._thresholds("health", health.drop_at, health.restore_at, health.fall, health.rise)
        self._damping("health.damping", health)

    def _damping(self, key: str, health: HealthTable) -> DampingRule | None:
        table = health.damping
        if table is None:
            return None
        try:
            return DampingRule(table.half_life, table.suppress, table.reuse, table.max_suppress)
        except PolicyError as error:
            self._fault(key, str(error).removeprefix("damping: "))
            return None

    def _thresholds(
        self, key: str, drop_at: int, restore_at: int, fall: float, rise: float
    ) -> Thresholds | None:
        try:
            return Thresholds(drop_at, restore_at, fall, rise)
        except PolicyError as error:
            self._fault(key, str(error).removeprefix("health: "))
            return None

    def _service(self, key: str, text: str) -> Service | None:
        try:
            return Service.parse(text)
        except PolicyError as error:
            self._fault(key, str(error))
            return None

    def _health(self, name: str, vip: VipTable) -> HealthSettings:
        health = _over(self._document.health, vip.health)
        realservers: dict[Service, tuple[Endpoint, ...]] = {}
        for text, table in vip.services.items():
            key = f"{toml_path(('vip', name, 'services', text))}.realservers"
            if health.source == "tcp" and not table.realservers:
                self._fault(key, 'missing; source = "tcp" connects to these')
            elif health.source != "tcp" and table.realservers:
                self._fault(key, f'source = "{health.source}" finds them itself; leave them out')
            try:
                realservers[Service.parse(text)] = tuple(table.realservers)
            except PolicyError:
                continue  # _rule has reported it
        if health.source == "tcp" and not vip.services:
            self._fault(
                toml_path(("vip", name, "services")),
                'missing; source = "tcp" needs services with realservers',
            )
        return HealthSettings(health.source, frozenset(health.ignore_realservers), realservers)

    def _check_unique(self) -> None:
        """Refuse an address that is in two places, and two names that differ only in case."""
        places: dict[object, tuple[object, ...]] = {}
        for name, vip in self._document.vip.items():
            entries: list[tuple[object, tuple[object, ...]]] = [(name.lower(), ("vip", name))]
            entries += [
                (address.ip, ("vip", name, "addresses", index))
                for index, address in enumerate(vip.addresses)
                if not (self._faults and str(address.ip) == NO_ADDRESS)
            ]
            for value, path in entries:
                if value in places:
                    where = toml_path(places[value])
                    self._fault(toml_path(path), f"{value} is also {where}; keep one")
                places[value] = path


def _over(base: HealthTable, own: HealthTable) -> HealthTable:
    """Return `[health]` with what a VIP sets for itself."""
    if not own.model_fields_set:
        return base
    return base.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})
