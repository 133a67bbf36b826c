"""A Config -> the text of vip.toml that means it: `config.load` of the text gives it back.

For a program that makes a vip.toml of something else:

    config = plain(topology, "par1")                   # settings as a file has them that says nothing
    config = Config(topology, replace(config.settings, quagga=…))                     # or other ones
    text = render(config, Comments(head="…", vips={"vip-1.tld": "…"}, addresses={prefix: "…"}))

What is as by default is left out. A comment may have any number of lines, and stands above what it
is about. A Vip's `health` should be DEFAULT_RULE where nothing is known of it. Orders of preference
are written out, but for the ones that `spread` gives.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from policy.health import CheckerRule, HealthRule
from policy.preference import spread
from policy.route import Origin
from policy.topology import Profile
from speaker.config_build import Builder
from speaker.errors import SpeakerError
from speaker.schema import Document, HealthTable
from speaker.settings import Config, HealthSettings
from speaker.toml_text import Commented, TomlText
from speaker.units import duration_text, endpoint_text, share_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.damping import DampingRule
    from policy.health import Thresholds
    from policy.route import Prefix
    from policy.topology import Topology, Vip
    from speaker.settings import Backend, NextHop, Settings

T = TypeVar("T")
Keys = dict[str, Any]

_TABLE = HealthTable()
DEFAULT_RULE = HealthRule(
    checker=CheckerRule(_TABLE.require_keepalived, _TABLE.restart_grace, _TABLE.warm_up)
)
"""How a VIP is judged where the file says nothing of it."""


@dataclass(frozen=True, slots=True)
class Comments:
    """What is said above parts of the file, by the parts' names; `head` begins the file."""

    head: str = ""
    dcs: Mapping[str, str] = field(default_factory=dict)
    profiles: Mapping[str, str] = field(default_factory=dict)
    vips: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[Prefix, str] = field(default_factory=dict)
    node: str = ""
    policy: str = ""


def plain(topology: Topology, dc: str, backend: Backend = "exabgp") -> Config:
    """Return a configuration with the default for every setting, for one data centre.

    Raises:
        SpeakerError: the data centre is unknown.
    """
    document: Keys = {
        "node": {"dc": dc, "backend": backend},
        "dc": {each.name: {"asn": each.asn, "weight": each.weight} for each in topology.dcs},
    }
    builder = Builder(Document.model_validate(document), [])
    config = builder.build()
    if config is None:
        raise SpeakerError("\n".join(builder.faults))
    health = {
        vip.name: HealthSettings("ipvs", frozenset(), dict.fromkeys(vip.health.required, ()))
        for vip in topology.vips
    }
    return Config(topology, replace(config.settings, health=health))


def render(
    config: Config,
    comments: Comments | None = None,
    next_hops: Mapping[str, NextHop] | None = None,
) -> str:
    """Return the text of a vip.toml.

    Args:
        config: what it means.
        comments: what it says beside that.
        next_hops: those of data centres, by name; they beat the one of the settings.

    Raises:
        SpeakerError: two profiles have the same name, which no file can say.
    """
    comments = Comments() if comments is None else comments
    hops = next_hops or {}
    topology, settings = config.topology, config.settings
    default = plain(topology, settings.dc.name).settings
    ranks = _usual([vip.ranks for vip in topology.vips]) or ()
    healths = {vip.name: _health(vip.health, settings.health[vip.name]) for vip in topology.vips}
    health = _usual(list(healths.values())) or _HEALTH
    text = TomlText()
    text.comment(comments.head)
    text.table(["node"], _node(settings, default), comments.node)
    keys: Keys
    for dc in topology.dcs:
        hop = hops.get(dc.name)
        keys = {
            "asn": dc.asn,
            "weight": _unless(1, dc.weight),
            "next_hop": None if hop is None else _next_hop(hop),
        }
        text.table(["dc", dc.name], keys, comments.dcs.get(dc.name, ""))
    text.table(["policy"], _policy(ranks, settings, default), comments.policy)
    for profile in _profiles(topology, ranks):
        comment = comments.profiles.get(profile.name, "")
        text.table(["profile", profile.name], _profile(profile), comment)
    text.table(
        ["health"],
        {
            **_differing(health, _HEALTH),
            "interval": _unless(duration_text(default.interval), duration_text(settings.interval)),
            "keepalived_fifo": _unless(default.keepalived_fifo, settings.keepalived_fifo),
        },
    )
    for vip in topology.vips:
        keys = {
            **_addresses(vip, [dc.name for dc in topology.dcs], comments.addresses),
            "ranks": _unless([p.name for p in ranks], [p.name for p in vip.ranks]),
            "health": _differing(healths[vip.name], health) or None,
            "services": _services(vip.health, settings.health[vip.name]) or None,
        }
        text.table(["vip", vip.name], keys, comments.vips.get(vip.name, ""))
    text.table(["backend", "exabgp"], _exabgp(settings))
    text.table(["backend", "quagga"], _quagga(settings, default))
    return str(text)


def _usual(items: Sequence[T]) -> T | None:
    """Return what is there most often."""
    counts = Counter(map(repr, items))
    return max(items, key=lambda each: counts[repr(each)], default=None)


def _unless(default: object, found: T) -> T | None:
    return None if found == default else found


def _differing(keys: Keys, base: Keys) -> Keys:
    return {key: what for key, what in keys.items() if what != base.get(key)}


def _node(settings: Settings, default: Settings) -> Keys:
    return {
        "dc": settings.dc.name,
        "backend": settings.backend,
        "state": _unless(default.state, settings.state),
        "control": _unless(default.control, settings.control),
        "resolver": None if settings.resolver is None else endpoint_text(settings.resolver),
    }


def _policy(ranks: Sequence[Profile], settings: Settings, default: Settings) -> Keys:
    guard, usual = settings.guard, default.guard
    names = None if _are_plain(ranks) else [profile.name for profile in ranks]
    return {
        "prepends": [profile.prepends for profile in ranks] if ranks and not names else None,
        "ranks": names,
        "max_withdraw": _unless(share_text(usual.max_withdraw), share_text(guard.max_withdraw)),
        "confirm": _unless(duration_text(usual.confirm), duration_text(guard.confirm)),
        "max_path": settings.lint.max_path,
        "load_tolerance": _unless(
            share_text(default.lint.load_tolerance), share_text(settings.lint.load_tolerance)
        ),
    }


def _are_plain(ranks: Sequence[Profile]) -> bool:
    """Whether `prepends` alone says them all."""
    return all(each == Profile.plain(each.prepends) for each in ranks)


def _profiles(topology: Topology, ranks: tuple[Profile, ...]) -> list[Profile]:
    """Return the profiles that need a table."""
    needed = [] if _are_plain(ranks) else [*ranks]
    needed += (each for vip in topology.vips if vip.ranks != ranks for each in vip.ranks)
    needed += (each for _, address in topology for each in address.ranks)
    by_name: dict[str, Profile] = {}
    for profile in needed:
        if by_name.setdefault(profile.name, profile) != profile:
            raise SpeakerError(
                f"vip.toml: profile {profile.name}: {by_name[profile.name]} and {profile}; "
                "give one of them another name"
            )
    return [*by_name.values()]


def _profile(profile: Profile) -> Keys:
    return {
        "prepends": profile.prepends,
        "med": _unless(0, profile.med),
        "communities": [str(each) for each in profile.communities] or None,
        "large_communities": [str(each) for each in profile.large_communities] or None,
        "origin": _unless(Origin.IGP, profile.origin),
    }


def _thresholds(thresholds: Thresholds) -> Keys:
    return {
        "drop_at": thresholds.drop_at,
        "restore_at": thresholds.restore_at,
        "fall": duration_text(thresholds.fall),
        "rise": duration_text(thresholds.rise),
    }


def _health(rule: HealthRule, settings: HealthSettings) -> Keys:
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


def _services(rule: HealthRule, settings: HealthSettings) -> Keys:
    usual = _thresholds(rule.thresholds)
    services: Keys = {}
    for service, thresholds in rule.required.items():
        keys = _differing(_thresholds(thresholds), usual)
        realservers = settings.realservers.get(service, ())
        if realservers:
            keys["realservers"] = [endpoint_text(each) for each in realservers]
        services[str(service)] = keys
    return services


def _addresses(vip: Vip, dcs: Sequence[str], comments: Mapping[Prefix, str]) -> Keys:
    """Return a VIP's addresses, and the order of preference of most of them."""
    nth = {4: 0, 6: 0}
    spreads = []
    for address in vip.addresses:
        spreads.append(spread(dcs, nth[address.prefix.version]))
        nth[address.prefix.version] += 1
    orders = [address.prefer for address in vip.addresses]
    is_spread = orders == spreads and len(set(orders)) > 1
    usual = _usual(orders)
    addresses: list[object] = []
    for address in vip.addresses:
        prefix = address.prefix
        ip = str(prefix.network_address)
        own = list(address.prefer) if not is_spread and address.prefer != usual else None
        length = _unless(prefix.max_prefixlen, prefix.prefixlen)
        ranks = [profile.name for profile in address.ranks] or None
        keys = {"ip": ip, "prefix_length": length, "prefer": own, "ranks": ranks}
        what = {key: each for key, each in keys.items() if each is not None}
        entry: object = ip if len(what) == 1 else what
        comment = comments.get(prefix)
        addresses.append(Commented(entry, comment) if comment else entry)
    return {"addresses": addresses, "prefer": "spread" if is_spread else list(usual or ())}


def _next_hop(hop: NextHop) -> Keys:
    hops = {"ipv4": hop.ipv4, "ipv6": hop.ipv6}
    return {family: str(each) for family, each in hops.items() if each is not None}


def _exabgp(settings: Settings) -> Keys:
    return {
        "next_hop": _next_hop(settings.exabgp.next_hop) or None,
        "withdraw_on_exit": settings.exabgp.withdraw_on_exit or None,
        "process": settings.exabgp.process,
    }


def _quagga(settings: Settings, default: Settings) -> Keys:
    quagga, usual = settings.quagga, default.quagga
    files = [str(path) for path in quagga.start_files]
    return {
        "vtysh": _unless(usual.vtysh, quagga.vtysh),
        "route_map": _unless(usual.route_map, quagga.route_map),
        "start_files": files if quagga.start_files != usual.start_files else None,
    }


_HEALTH = _health(DEFAULT_RULE, HealthSettings("ipvs", frozenset(), {}))
