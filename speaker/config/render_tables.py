"""The keys of each table of vip.toml for what it means, without those that are as by default."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

from policy.drain import DrainRule
from policy.health import CheckerRule, HealthRule
from policy.keep_last import KeepLast
from policy.order import Order
from policy.preference import spread
from policy.route import Origin
from policy.topology import AggregateRule, Profile
from speaker.config.schema import HealthTable
from speaker.config.settings import HealthSettings
from speaker.config.toml_text import Commented
from speaker.errors import SpeakerError
from speaker.units import duration_text, endpoint_text, share_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.damping import DampingRule
    from policy.health import Thresholds
    from policy.route import Prefix
    from policy.topology import Topology, Vip
    from speaker.config.settings import NextHop, Settings

T = TypeVar("T")
Keys = dict[str, Any]

_KEPT = {KeepLast.NEVER: None, KeepLast.KNOWN: True, KeepLast.STRICT: "strict"}
_TABLE = HealthTable()
DEFAULT_RULE = HealthRule(
    checker=CheckerRule(_TABLE.require_keepalived, _TABLE.restart_grace, _TABLE.warm_up)
)
"""How a VIP is judged where the file says nothing of it."""


def most_common(items: Sequence[T]) -> T | None:
    """Return what is there most often."""
    counts = Counter(map(repr, items))
    return max(items, key=lambda each: counts[repr(each)], default=None)


def unless(default: object, found: T) -> T | None:
    """Return what was found where it is not the default."""
    return None if found == default else found


def differing(keys: Keys, base: Keys) -> Keys:
    """Return the keys that are not as in the base."""
    return {key: what for key, what in keys.items() if what != base.get(key)}


def node(settings: Settings, default: Settings) -> Keys:
    """Return the keys of `[node]`."""
    return {
        "dc": settings.dc.name,
        "backend": settings.backend,
        "state": unless(default.state, settings.state),
        "control": unless(default.control, settings.control),
        "read": unless(settings.control.with_name(default.read.path.name), settings.read.path),
        "read_group": settings.read.group,
        "read_mode": None
        if settings.read.mode == default.read.mode
        else f"{settings.read.mode:04o}",
        "resolver": None if settings.resolver is None else endpoint_text(settings.resolver),
        "history": unless(duration_text(default.history), duration_text(settings.history)),
        "log": unless(default.log, settings.log),
        "witnesses": [str(each) for each in settings.witness.named] or None,
    }


def policy(ranks: Sequence[Profile], order: Order, settings: Settings, default: Settings) -> Keys:
    """Return the keys of `[policy]`."""
    guard, usual = settings.guard, default.guard
    names = None if _are_plain(ranks) else [profile.name for profile in ranks]
    return {
        "prepends": [profile.prepends for profile in ranks] if ranks and not names else None,
        "ranks": names,
        "order": unless(Order.PREPENDS, order),
        "max_withdraw": unless(share_text(usual.max_withdraw), share_text(guard.max_withdraw)),
        "confirm": unless(duration_text(usual.confirm), duration_text(guard.confirm)),
        "keep_last": _KEPT[settings.witness.keep_last],
        "settle": unless(
            duration_text(default.witness.settle), duration_text(settings.witness.settle)
        ),
        "max_path": settings.lint.max_path,
        "load_tolerance": unless(
            share_text(default.lint.load_tolerance), share_text(settings.lint.load_tolerance)
        ),
    }


def _are_plain(ranks: Sequence[Profile]) -> bool:
    """Whether `prepends` alone says them all."""
    return all(each == Profile.plain(each.prepends) for each in ranks)


def profiles(topology: Topology, ranks: tuple[Profile, ...]) -> list[Profile]:
    """Return the profiles that need a table."""
    needed = [] if _are_plain(ranks) else [*ranks]
    needed += (each for vip in topology.everything if vip.ranks != ranks for each in vip.ranks)
    needed += (each for _, address in topology for each in address.ranks)
    by_name: dict[str, Profile] = {}
    for profile in needed:
        if by_name.setdefault(profile.name, profile) != profile:
            raise SpeakerError(
                f"vip.toml: profile {profile.name}: {by_name[profile.name]} and {profile}; "
                "give one of them another name"
            )
    return [*by_name.values()]


def profile(profile: Profile) -> Keys:
    """Return the keys of `[profile.NAME]`."""
    return {
        "prepends": profile.prepends,
        "med": unless(0, profile.med),
        "communities": [str(each) for each in profile.communities] or None,
        "large_communities": [str(each) for each in profile.large_communities] or None,
        "extended_communities": [str(each) for each in profile.extended_communities] or None,
        "origin": unless(Origin.IGP, profile.origin),
    }


def _thresholds(thresholds: Thresholds) -> Keys:
    return {
        "drop_at": thresholds.drop_at,
        "restore_at": thresholds.restore_at,
        "fall": duration_text(thresholds.fall),
        "rise": duration_text(thresholds.rise),
    }


def health(rule: HealthRule, settings: HealthSettings) -> Keys:
    """Return the keys of `[health]`, all of them."""
    ignored = [
        str(address) if port is None else endpoint_text((address, port))
        for address, port in settings.ignore
    ]
    return {
        "source": settings.source,
        **_thresholds(rule.thresholds),
        "services": str(rule.need),
        "require_address": rule.require_address,
        "damping": False if rule.damping is None else _damping(rule.damping),
        "ignore_realservers": sorted(ignored),
        **({} if settings.source != "ipvs" else _checker(rule.checker)),
    }


def _checker(rule: CheckerRule) -> Keys:
    return {
        "require_keepalived": rule.required,
        "restart_grace": duration_text(rule.restart_grace),
        "warm_up": duration_text(rule.warm_up),
    }


def _damping(rule: DampingRule) -> Keys:
    return {
        "half_life": duration_text(rule.half_life),
        "suppress": rule.suppress,
        "reuse": rule.reuse,
        "max_suppress": duration_text(rule.max_suppress),
    }


def drain(rule: DrainRule) -> Keys:
    """Return the keys of `[drain]`, all of them."""
    return {
        "prepends": f"+{rule.prepends}",
        "communities": [str(each) for each in rule.communities],
        "settle": duration_text(rule.settle),
        "connections": rule.connections,
        "quiet": duration_text(rule.quiet),
        "timeout": duration_text(rule.timeout),
        "then": str(rule.then),
        "return": duration_text(rule.back),
    }


def services(rule: HealthRule, settings: HealthSettings) -> Keys:
    """Return a VIP's `services`, each with what is not as for the VIP."""
    usual = _thresholds(rule.thresholds)
    services: Keys = {}
    for service, thresholds in rule.required.items():
        keys = differing(_thresholds(thresholds), usual)
        realservers = settings.realservers.get(service, ())
        if realservers:
            keys["realservers"] = [endpoint_text(each) for each in realservers]
        services[str(service)] = keys
    return services


def addresses(vip: Vip, dcs: Sequence[str], comments: Mapping[Prefix, str]) -> Keys:
    """Return a VIP's addresses, and the order of preference of most of them."""
    nth = {4: 0, 6: 0}
    spreads = []
    for address in vip.addresses:
        spreads.append(spread(dcs, nth[address.prefix.version]))
        nth[address.prefix.version] += 1
    orders = [(address.prefer, address.equal) for address in vip.addresses]
    is_spread = orders == [(each, False) for each in spreads] and len(set(orders)) > 1
    usual = most_common(orders)
    addresses: list[object] = []
    for address in vip.addresses:
        prefix = address.prefix
        ip = str(prefix.network_address)
        own: Keys = {}
        if not is_spread and (address.prefer, address.equal) != usual:
            own = preference(address.prefer, dcs, equal=address.equal)
            if usual is not None and len(usual[0]) < len(dcs):
                own.setdefault("only", False)
        length = unless(prefix.max_prefixlen, prefix.prefixlen)
        ranks = [profile.name for profile in address.ranks] or None
        keys = {"ip": ip, "prefix_length": length, **own, "ranks": ranks}
        what = {key: each for key, each in keys.items() if each is not None}
        entry: object = ip if len(what) == 1 else what
        comment = comments.get(prefix)
        addresses.append(Commented(entry, comment) if comment else entry)
    if is_spread or usual is None:
        return {"addresses": addresses, "prefer": "spread"}
    return {"addresses": addresses, **preference(usual[0], dcs, equal=usual[1])}


def preference(prefer: tuple[str, ...], dcs: Sequence[str], *, equal: bool) -> Keys:
    """Return `prefer`, and `only` where a data centre is left out."""
    only = len(prefer) < len(dcs)
    if equal:
        return {"prefer": "equal", **({"only": list(prefer)} if only else {})}
    return {"prefer": list(prefer), **({"only": True} if only else {})}


def aggregate(what: Vip, ranks: Sequence[Profile], order: Order, dcs: Sequence[str]) -> Keys:
    """Return the keys of `[aggregate."PREFIX"]`.

    Args:
        what: the aggregate.
        ranks: those of the site.
        order: that of the site.
        dcs: the names of all data centres.
    """
    rule, address = what.aggregate or AggregateRule(), what.addresses[0]
    return {
        **preference(address.prefer, dcs, equal=address.equal),
        "order": unless(order, what.order),
        "ranks": unless([p.name for p in ranks], [p.name for p in what.ranks]),
        "at_least": unless(1, rule.at_least),
        "summary_only": rule.summary_only or None,
    }


def next_hop(hop: NextHop) -> Keys:
    """Return the keys of `next_hop`."""
    hops = {"ipv4": hop.ipv4, "ipv6": hop.ipv6}
    return {family: str(each) for family, each in hops.items() if each is not None}


def exabgp(settings: Settings) -> Keys:
    """Return the keys of `[backend.exabgp]`."""
    return {
        "next_hop": next_hop(settings.exabgp.next_hop) or None,
        "withdraw_on_exit": settings.exabgp.withdraw_on_exit or None,
        "process": settings.exabgp.process,
    }


def quagga(settings: Settings, default: Settings) -> Keys:
    """Return the keys of `[backend.quagga]`."""
    quagga, usual = settings.quagga, default.quagga
    files = [str(path) for path in quagga.start_files]
    return {
        "vtysh": unless(usual.vtysh, quagga.vtysh),
        "route_map": unless(usual.route_map, quagga.route_map),
        "start_files": files if quagga.start_files != usual.start_files else None,
        "outbound": quagga.outbound or None,
    }


DEFAULT_DRAIN = drain(DrainRule())
DEFAULT_HEALTH = health(DEFAULT_RULE, HealthSettings("ipvs", frozenset(), {}))


def metrics(settings: Settings) -> Keys:
    """Return the keys of `[metrics]`."""
    found = settings.metrics
    return {
        "listen": None if found.listen is None else endpoint_text(found.listen),
        "hosts": sorted(found.hosts) or None,
        "textfile": found.textfile,
    }


def events(settings: Settings) -> Keys:
    """Return the keys of `[events]`."""
    return {"webhook": settings.events.webhook, "exec": [*settings.events.exec] or None}
