"""What Hypothesis makes up for all tests: values of the policy, edge cases among them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from hypothesis import strategies as st

from policy.asn import MAX_ASN
from policy.damping import DampingRule
from policy.drain import MAX_MORE, DrainRule, Then
from policy.extended import ExtendedCommunity, ExtendedKind
from policy.guard import GuardRule
from policy.health import (
    FWMARK,
    PROTOCOLS,
    Checker,
    CheckerRule,
    HealthRule,
    Need,
    Service,
    Thresholds,
)
from policy.intent import Intent, Mode
from policy.order import Order
from policy.plan import Drift
from policy.preference import auto, pairs, spread
from policy.route import (
    MAX_MED,
    MAX_PREPENDS,
    Asn,
    AsPath,
    Attributes,
    Community,
    LargeCommunity,
    Origin,
    Prefix,
    Route,
    parse_prefix,
)
from policy.topology import Address, AggregateRule, DataCentre, Profile, Topology, Vip
from speaker.backends.exabgp.neighbors import ConfiguredNeighbor
from speaker.config.build_aggregates import NO_HEALTH
from speaker.config.settings import (
    Backend,
    Config,
    EventsSettings,
    ExabgpSettings,
    HealthSettings,
    LintSettings,
    MetricsSettings,
    NextHop,
    QuaggaSettings,
    ReadSocket,
    Settings,
    Source,
)
from speaker.units import share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.units import IpAddress

LOCAL_ASN = Asn(64699)

# --- pools: few values, so that they meet; edges first, so that shrinking ends there -------------

ASNS = tuple(map(Asn, (64699, 64496, 64511, 65536, 65551)))
ANY_ASNS = st.one_of(
    st.sampled_from([*ASNS, Asn(1), Asn(65535), Asn(MAX_ASN)]),
    st.integers(1, MAX_ASN).map(Asn),
)
MEDS = st.one_of(st.none(), st.sampled_from([0, 1, 50, MAX_MED]), st.integers(0, MAX_MED))
PREPENDS = st.one_of(st.integers(0, 3), st.sampled_from([MAX_PREPENDS]))

HOSTS_V4 = tuple(IPv4Network(f"192.0.2.{last}/32") for last in (1, 2, 3, 4, 255, 0))
HOSTS_V6 = tuple(IPv6Network(f"2001:db8::{last}/128") for last in ("1", "2", "3", "ffff", "0"))
WIDE = (
    IPv4Network("198.51.100.0/24"),
    IPv4Network("203.0.113.128/25"),
    IPv6Network("2001:db8:53::/48"),
)
POOL: tuple[Prefix, ...] = (*HOSTS_V4, *HOSTS_V6, *WIDE)


def host_v4(offset: int) -> Prefix:
    return IPv4Network(f"{IPv4Address('198.51.100.0') + offset}/32")


def host_v6(offset: int) -> Prefix:
    return IPv6Network(f"{IPv6Address('2001:db8::') + offset}/128")


PREFIXES: st.SearchStrategy[Prefix] = st.one_of(
    st.sampled_from(POOL),
    st.integers(0, 255).map(host_v4),
    st.integers(0, 2**96 - 1).map(host_v6),
)
FEW_PREFIXES: st.SearchStrategy[Prefix] = st.sampled_from((*HOSTS_V4[:3], *HOSTS_V6[:2], WIDE[0]))


WELL_KNOWN = tuple(Community(65535, low) for low in (65281, 65282, 65283, 65284, 666, 0))


# --- routes --------------------------------------------------------------------------------------


@st.composite
def communities(draw: st.DrawFn) -> Community:
    half = st.one_of(st.sampled_from([0, 1, 100, 64699, 65535]), st.integers(0, 65535))
    known = st.sampled_from(WELL_KNOWN)  # ExaBGP shows these by name
    return draw(known) if draw(st.booleans()) else Community(draw(half), draw(half))


@st.composite
def large_communities(draw: st.DrawFn) -> LargeCommunity:
    part = st.one_of(st.sampled_from([0, 1, 64699, MAX_ASN]), st.integers(0, MAX_ASN))
    return LargeCommunity(draw(part), draw(part), draw(part))


@st.composite
def extended_communities(draw: st.DrawFn) -> ExtendedCommunity:
    """One of each form: an AS number of two octets or of four, or an address."""
    kind = draw(st.sampled_from(ExtendedKind))
    short, long = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)
    match draw(st.integers(0, 2)):
        case 0:
            asn = draw(st.sampled_from([1, 64699, 65535]))
            return ExtendedCommunity(kind, Asn(asn), draw(st.one_of(short, long)))
        case 1:
            asn = draw(st.sampled_from([65536, 65546, MAX_ASN]))
            return ExtendedCommunity(kind, Asn(asn), draw(short))
    address = draw(st.one_of(st.just(IPv4Address("192.0.2.1")), long.map(IPv4Address)))
    return ExtendedCommunity(ExtendedKind.ROUTE_TARGET, address, draw(short))


@st.composite
def as_paths(draw: st.DrawFn) -> AsPath:
    return AsPath(tuple(draw(st.lists(ANY_ASNS, max_size=5))))


@st.composite
def attributes(draw: st.DrawFn, paths: st.SearchStrategy[AsPath] | None = None) -> Attributes:
    return Attributes(
        draw(as_paths() if paths is None else paths),
        draw(MEDS),
        draw(st.sampled_from(Origin)),
        tuple(draw(st.lists(communities(), max_size=3))),
        tuple(draw(st.lists(large_communities(), max_size=3))),
        extended_communities=tuple(draw(st.lists(extended_communities(), max_size=3))),
    )


def originated(asn: Asn = LOCAL_ASN) -> st.SearchStrategy[Attributes]:
    """Attributes that a data centre of that ASN announces: its own AS, prepended."""
    return attributes(PREPENDS.map(lambda count: AsPath.originated(asn, count)))


@st.composite
def routes(draw: st.DrawFn, prefixes: st.SearchStrategy[Prefix] = PREFIXES) -> Route:
    return Route(draw(prefixes), draw(attributes()))


@st.composite
def desired_sets(
    draw: st.DrawFn, prefixes: st.SearchStrategy[Prefix] = FEW_PREFIXES
) -> dict[Prefix, Route | None]:
    """What is wanted of some prefixes: a route of two or three, or none."""
    wanted: dict[Prefix, Route | None] = {}
    for prefix in draw(st.lists(prefixes, unique=True)):
        what = draw(st.none() | st.sampled_from(SOME))
        wanted[prefix] = None if what is None else Route(prefix, what)
    return wanted


SOME = tuple(Attributes(AsPath.originated(LOCAL_ASN, count), 0) for count in range(3))


@st.composite
def announced_sets(
    draw: st.DrawFn, prefixes: st.SearchStrategy[Prefix] = FEW_PREFIXES
) -> dict[Prefix, Route | Drift | None]:
    """What a daemon has of some prefixes; those that are not in it are unknown."""
    found: dict[Prefix, Route | Drift | None] = {}
    for prefix in draw(st.lists(prefixes, unique=True)):
        what = draw(st.one_of(st.none(), st.just(Drift("half")), st.sampled_from(SOME)))
        found[prefix] = Route(prefix, what) if isinstance(what, Attributes) else what
    return found


# --- health --------------------------------------------------------------------------------------

SERVICES = (Service("tcp", 80), Service("tcp", 443), Service("udp", 53), Service(FWMARK, 8))


@st.composite
def services(draw: st.DrawFn) -> Service:
    protocol = draw(st.sampled_from([*PROTOCOLS, FWMARK]))
    return Service(protocol, draw(st.integers(0, 2**32 - 1 if protocol == FWMARK else 65535)))


@st.composite
def thresholds(draw: st.DrawFn) -> Thresholds:
    drop_at = draw(st.integers(0, 3))
    delays = st.sampled_from([0.0, 1.0, 2.5, 10.0])
    return Thresholds(
        drop_at, draw(st.integers(drop_at + 1, drop_at + 3)), draw(delays), draw(delays)
    )


@st.composite
def health_rules(
    draw: st.DrawFn, checkers: st.SearchStrategy[CheckerRule] | None = None
) -> HealthRule:
    return HealthRule(
        draw(thresholds()),
        draw(st.sampled_from(Need)),
        draw(st.dictionaries(st.sampled_from(SERVICES), thresholds(), max_size=2)),
        CheckerRule() if checkers is None else draw(checkers),
    )


def checker_rules() -> st.SearchStrategy[CheckerRule]:
    waits = st.sampled_from([0.0, 1.0, 2.5, 10.0])
    return st.builds(CheckerRule, st.booleans(), waits, waits)


CHECKERS = st.one_of(
    st.none(), st.just(Checker()), st.sampled_from([0.0, 999.5, 1000.0, 1003.0]).map(Checker)
)
"""What is known of the checker at a look of `timelines`: nothing, not running, or since when."""


def counts() -> st.SearchStrategy[dict[Service, int] | None]:
    """Live realservers of an address's services at one look; None is unknown."""
    return st.one_of(
        st.none(), st.dictionaries(st.sampled_from(SERVICES[:3]), st.integers(0, 6), max_size=3)
    )


STEPS = st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.5, 3.0, 10.0, 60.0])


@st.composite
def timelines(draw: st.DrawFn) -> list[tuple[float, dict[Service, int] | None]]:
    """Looks at one address, in the order of time."""
    now = 1000.0
    looks = []
    for step, live in draw(st.lists(st.tuples(STEPS, counts()), min_size=1, max_size=12)):
        now += step
        looks.append((now, live))
    return looks


# --- operators and the guard ---------------------------------------------------------------------


@st.composite
def intents(draw: st.DrawFn, modes: Sequence[Mode] = tuple(Mode)) -> Intent:
    mode = draw(st.sampled_from(modes))
    return Intent(
        mode,
        draw(st.sampled_from(["alice", "bob"])),
        draw(st.floats(0, 4e9)),
        draw(st.sampled_from(["", "maintenance", "ticket 4711: ümlaut"])),
        draw(st.none() | st.floats(0, 4e9)),
        insisted=mode is Mode.DRAINING and draw(st.booleans()),
    )


@st.composite
def guard_rules(draw: st.DrawFn) -> GuardRule:
    return GuardRule(
        draw(st.sampled_from([0.0, 0.25, 0.34, 0.5, 1.0])), draw(st.sampled_from([0.0, 1.0, 3.0]))
    )


@st.composite
def damping_rules(draw: st.DrawFn) -> DampingRule:
    """Rules that can hold something down: the ceiling is above `suppress`."""
    reuse = draw(st.sampled_from([1.0, 500.0, 750.0, 1000.0]))
    suppress = reuse * draw(st.sampled_from([1.001, 2.0, 2.667, 4.0]))
    half_life = draw(st.sampled_from([1.0, 120.0, 900.0]))
    return DampingRule(half_life, suppress, reuse, half_life * draw(st.sampled_from([2.0, 5.0])))


@st.composite
def drain_rules(draw: st.DrawFn) -> DrainRule:
    return DrainRule(
        draw(st.sampled_from([1, 3, MAX_MORE])),
        tuple(sorted(draw(st.sets(communities(), max_size=2)))),
        draw(st.sampled_from([0.0, 2.5, 30.0])),
        draw(st.sampled_from([0, 7])),
        draw(st.sampled_from([0.0, 0.25, 5.0])),
        draw(st.sampled_from([30.0, 900.0, 86400.0])),
        draw(st.sampled_from(Then)),
        draw(st.sampled_from([0.0, 60.0])),
    )


# --- topologies ----------------------------------------------------------------------------------

DC_NAMES = ("par1", "lyo1", "fra1", "ams1", "mad1")
WEIGHTS = st.sampled_from([1.0, 1.0, 2.0, 0.5, 10.0, 0.0])

ADDRESSES: st.SearchStrategy[IPv4Address | IPv6Address] = st.one_of(
    st.integers(0, 255).map(lambda offset: IPv4Address("192.0.2.0") + offset),
    st.integers(0, 2**96 - 1).map(lambda offset: IPv6Address("2001:db8::") + offset),
)


def address_lists() -> st.SearchStrategy[list[IpAddress]]:
    """Addresses of a VIP, of both families in any order."""
    return st.lists(ADDRESSES, unique=True, max_size=8)


@st.composite
def weighted(draw: st.DrawFn) -> list[DataCentre]:
    """One to five data centres with weights, 0 among them."""
    count = draw(st.integers(1, 5))
    return [DataCentre(name, LOCAL_ASN, draw(WEIGHTS)) for name in DC_NAMES[:count]]


@st.composite
def profiles(draw: st.DrawFn, name: str, prepends: int) -> Profile:
    return Profile(
        name,
        prepends,
        draw(st.sampled_from([0, 50, MAX_MED])),
        draw(st.sampled_from(Origin)),
        tuple(draw(st.lists(communities(), max_size=2))),
        tuple(draw(st.lists(large_communities(), max_size=2))),
        extended_communities=tuple(draw(st.lists(extended_communities(), max_size=2))),
    )


@st.composite
def ranks(draw: st.DrawFn, count: int, name: str = "rank") -> tuple[Profile, ...]:
    """Profiles of a VIP's or an address's ranks, at least `count`, each with more prepends than the one before."""
    prepends = draw(
        st.one_of(
            st.sampled_from([list(range(count)), list(range(1, count + 1))]),
            st.lists(st.integers(0, 12), min_size=count, max_size=count + 2, unique=True).map(
                sorted
            ),
        )
    )
    return tuple(draw(profiles(f"{name}-{index}", n)) for index, n in enumerate(prepends))


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """One to five data centres of one or several ASNs, VIPs of both families, every kind of preference."""
    names = DC_NAMES[: draw(st.integers(1, 5))]
    one_asn = draw(st.booleans())
    dcs = tuple(
        DataCentre(
            name,
            LOCAL_ASN if one_asn else draw(st.sampled_from(ASNS)),
            draw(WEIGHTS),
            draw(st.sampled_from([None, Community(64123, 40001 + at)])),
            frozenset({IPv4Address(f"203.0.113.{at + 1}")} if draw(st.booleans()) else ()),
        )
        for at, name in enumerate(names)
    )
    prefixes = draw(st.lists(PREFIXES, unique=True, max_size=8))
    vips = []
    for index in range(draw(st.integers(0, 3))):
        mine = [prefix for at, prefix in enumerate(prefixes) if at % 3 == index]
        kind = draw(st.sampled_from(["explicit", "spread", "auto"]))
        orders = {
            "explicit": [tuple(draw(st.permutations(names))) for _ in mine],
            "spread": [spread(names, at) for at, _ in enumerate(mine)],
            "auto": [
                auto(dcs, f"vip-{index}.tld", pair)
                for pair in pairs([each.network_address for each in mine])
            ],
        }[kind]
        addresses = tuple(
            Address(prefix, order, draw(st.just(()) | ranks(len(names), "own")))
            for prefix, order in zip(mine, orders, strict=True)
        )
        vips.append(
            Vip(f"vip-{index}.tld", addresses, draw(ranks(len(names))), draw(health_rules()))
        )
    return Topology(dcs, tuple(vips))


@st.composite
def wider_topologies(draw: st.DrawFn) -> Topology:
    """The same with every order, equal data centres, and addresses that only a part of them announces."""
    found, vips = draw(topologies()), []
    for index, vip in enumerate(found.vips):
        order = draw(st.sampled_from(Order))
        own = draw(ranks_by(order, len(found.dcs), f"own-{index}"))
        addresses = tuple(draw(wider_addresses(each, found.dcs, own)) for each in vip.addresses)
        usual = draw(ranks_by(order, len(found.dcs), f"rank-{index}"))
        vips.append(replace(vip, addresses=addresses, ranks=usual, order=order))
    return replace(found, vips=tuple(vips))


@st.composite
def wider_addresses(
    draw: st.DrawFn, address: Address, dcs: Sequence[DataCentre], own: tuple[Profile, ...]
) -> Address:
    """The same address, announced by all or by some, in an order or equally."""
    prefer = address.prefer[: draw(st.integers(1, len(dcs)))]
    equal = draw(st.booleans())
    if equal:
        prefer = tuple(dc.name for dc in dcs if dc.name in prefer)
    return Address(address.prefix, prefer, draw(st.sampled_from([(), own])), equal)


@st.composite
def ranks_by(draw: st.DrawFn, order: Order, count: int, name: str = "rank") -> tuple[Profile, ...]:
    """Profiles of ranks of which nothing but what orders them is certain to differ."""
    found = draw(ranks(count, name))
    if order is not Order.PREPENDS and draw(st.booleans()):
        found = tuple(replace(each, prepends=2, origin=Origin.IGP) for each in found)
    if order is Order.MED:
        start = draw(st.integers(0, 50))
        found = tuple(
            replace(each, origin=Origin.IGP, med=start + 10 * n) for n, each in enumerate(found)
        )
    if order is Order.COMMUNITY:
        return tuple(
            replace(each, communities=(*each.communities, Community(64501, n)))
            for n, each in enumerate(found)
        )
    return found


def topology_of(*names: str) -> Topology:
    """Data centres of one ASN, without VIPs."""
    return Topology(tuple(DataCentre(name, LOCAL_ASN) for name in names), ())


# --- configurations ------------------------------------------------------------------------------

V4_HOP = IPv4Address("203.0.113.2")
V6_HOP = IPv6Address("2001:db8:ffff::2")
DURATIONS = st.sampled_from([0.0, 0.25, 1.0, 2.5, 90.0, 3600.0, 0.035])
ENDPOINTS = st.tuples(ADDRESSES, st.integers(1, 65535))
PRINTABLE = st.text(
    st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1, max_size=8
)
LABELS = PRINTABLE.filter(lambda text: text == text.strip())
"""What people may call a thing."""
WORDS = st.from_regex(r"[A-Za-z0-9_.:+,=@/<>()-]{1,8}", fullmatch=True)
"""What may be a name in bgpd."""
PATHS = PRINTABLE.map(lambda text: Path("/tmp", re.sub("/", "", text)))
"""Absolute paths as vip.toml may have them: all that can be printed."""
PLAIN = st.lists(st.integers(0, MAX_PREPENDS), min_size=5, max_size=6, unique=True).map(
    lambda counts: tuple(map(Profile.plain, sorted(counts)))
)


@st.composite
def health_settings(draw: st.DrawFn, rule: HealthRule) -> HealthSettings:
    """Where the health of a VIP with that rule comes from."""
    source = draw(st.sampled_from(get_args(Source) if rule.required else ["ipvs", "none"]))
    realservers = st.lists(ENDPOINTS, min_size=1, max_size=2).map(tuple)
    return HealthSettings(
        source,
        draw(st.frozensets(st.tuples(ADDRESSES, st.none() | st.integers(1, 65535)), max_size=2)),
        {each: draw(realservers) if source == "tcp" else () for each in rule.required},
    )


def read_sockets(control: Path) -> st.SearchStrategy[ReadSocket]:
    """The socket to read, which is another one than the control socket."""
    return st.builds(
        ReadSocket,
        (st.just(control.with_name("read.sock")) | PATHS).filter(lambda path: path != control),
        st.none() | st.sampled_from(["adm", "vip-readers", "_x.1"]),
        st.sampled_from([0o600, 0o660, 0o666]),
    )


@st.composite
def settings(draw: st.DrawFn, topology: Topology) -> Settings:
    fifo, control = draw(st.none() | PATHS), draw(PATHS)
    return Settings(
        draw(st.sampled_from(topology.dcs)),
        draw(st.sampled_from(get_args(Backend))),
        draw(PATHS),
        control,
        draw(read_sockets(control)),
        draw(st.none() | ENDPOINTS),
        GuardRule(draw(st.sampled_from([0.0, share("33.3%"), 0.5, 1.0])), draw(DURATIONS)),
        LintSettings(
            draw(st.none() | st.integers(1, MAX_PREPENDS + 1)),
            draw(st.sampled_from([0.0, share("33.3%"), 0.25, 1.0])),
        ),
        draw(DURATIONS.filter(bool)),
        fifo or Path("/run/vip-speaker/lvs.fifo"),
        fifo is not None,
        draw(st.none() | PATHS),
        {
            **{vip.name: draw(health_settings(vip.health)) for vip in topology.vips},
            **{each.name: NO_HEALTH for each in topology.aggregates},
        },
        ExabgpSettings(
            NextHop(draw(st.sampled_from([None, V4_HOP])), draw(st.sampled_from([None, V6_HOP]))),
            draw(st.booleans()),
            draw(st.none() | LABELS),
        ),
        QuaggaSettings(
            draw(PATHS),
            draw(WORDS.map("{{profile}}{}".format) | st.dictionaries(WORDS, WORDS, max_size=2)),
            tuple(draw(st.lists(PATHS, max_size=2))),
        ),
        MetricsSettings(
            draw(st.none() | ENDPOINTS),
            draw(st.frozensets(st.sampled_from(["lb1", "lb1.tld", "status.tld"]))),
            draw(st.none() | PATHS.map(lambda path: Path(f"{path}x.prom"))),
        ),
        EventsSettings(
            draw(st.none() | st.sampled_from(["https://hook.tld/x?y=z", "http://[::1]:81/"])),
            draw(st.sampled_from([(), ("/bin/x",), ("/bin/x", "", "--to", 'é\n"')])),
        ),
        draw(st.sampled_from([3600.0, 90 * 86400.0, 86400.0 * 3650])),
        draw(st.sampled_from(["text", "json"])),
    )


COVERING = tuple(map(parse_prefix, ("192.0.0.0/16", "198.51.0.0/16", "2001:db8::/31")))
"""Prefixes that are no VIP's in any topology, and have some inside."""


def has_own_addresses(topology: Topology) -> bool:
    """Whether no two prefixes begin with the same address, which a file can't say."""
    addresses = [prefix.network_address for prefix in topology.prefixes]
    return len({*addresses}) == len(addresses)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """A configuration as a file may have it: weights, ranks of some kinds, settings of all."""
    found = draw(topologies().filter(has_own_addresses))
    kinds = [draw(PLAIN), draw(ranks(len(found.dcs)))]
    own = st.sampled_from([(), kinds[0], draw(ranks(len(found.dcs), "own"))])
    drain = draw(drain_rules())
    topology = Topology(
        found.dcs,
        tuple(
            replace(
                vip,
                addresses=tuple(replace(each, ranks=draw(own)) for each in vip.addresses),
                ranks=draw(st.sampled_from(kinds)),
                drain=draw(st.just(drain) | drain_rules()),
            )
            for vip in found.vips
            if vip.addresses
        ),
        tuple(
            Vip(
                str(prefix),
                (Address(prefix, tuple(draw(st.permutations([dc.name for dc in found.dcs])))),),
                draw(st.sampled_from(kinds)),
                aggregate=AggregateRule(draw(st.integers(1, 3)), draw(st.booleans())),
                drain=drain,
            )
            for prefix in draw(st.lists(st.sampled_from(COVERING), unique=True))
        ),
    )
    made = draw(settings(topology))
    vips = [
        replace(vip, health=draw(configured(vip.health, made.health[vip.name])))
        for vip in topology.vips
    ]
    return Config(replace(topology, vips=tuple(vips)), made)


@st.composite
def configured(draw: st.DrawFn, rule: HealthRule, own: HealthSettings) -> HealthRule:
    """A rule with all that a file may say of it: of the checker for IPVS only."""
    return replace(
        rule,
        checker=draw(checker_rules()) if own.source == "ipvs" else CheckerRule(),
        require_address=draw(st.booleans()),
        damping=draw(st.none() | damping_rules()),
    )


# --- ExaBGP --------------------------------------------------------------------------------------

FAMILIES = st.sampled_from([frozenset({4, 6}), frozenset({4}), frozenset({6}), frozenset[int]()])


@dataclass(frozen=True, slots=True)
class Site:
    """An ExaBGP's neighbours, and the next hops that vip.toml gives."""

    neighbors: tuple[ConfiguredNeighbor, ...]
    hops: NextHop


@st.composite
def neighbors(draw: st.DrawFn, address: IpAddress, local: IpAddress) -> ConfiguredNeighbor:
    local_as = draw(st.sampled_from(ASNS[:3]))
    return ConfiguredNeighbor(
        address,
        local,
        local_as,
        local_as if draw(st.booleans()) else draw(st.sampled_from(ASNS)),
        draw(FAMILIES),
        frozenset({"speaker"}),
    )


PEERS: tuple[IpAddress, ...] = (
    IPv4Address("203.0.113.11"),
    IPv4Address("203.0.113.12"),
    IPv6Address("2001:db8:ffff::11"),
    IPv6Address("2001:db8:ffff::12"),
)


LOCALS: tuple[IpAddress, ...] = (
    IPv4Address("203.0.113.1"),
    IPv4Address("203.0.113.3"),
    IPv6Address("2001:db8:ffff::1"),
    IPv6Address("2001:db8:ffff::3"),
)
ENDS = [(peer, local) for peer in PEERS for local in LOCALS if peer.version == local.version]
"""A peer's address and ours: several sessions may go to one address."""


@st.composite
def sites(draw: st.DrawFn) -> Site:
    ends = draw(st.lists(st.sampled_from(ENDS), unique=True, min_size=1, max_size=4))
    return Site(
        tuple(draw(neighbors(peer, local)) for peer, local in ends),
        NextHop(
            draw(st.sampled_from([None, V4_HOP])),
            draw(st.sampled_from([None, V6_HOP])),
        ),
    )


def ebgp(address: IpAddress) -> ConfiguredNeighbor:
    """A plain neighbour with both families."""
    local = IPv4Address("203.0.113.1") if address.version == 4 else IPv6Address("2001:db8:ffff::1")
    return ConfiguredNeighbor(
        address, local, LOCAL_ASN, ASNS[1], frozenset({4, 6}), frozenset({"speaker"})
    )
