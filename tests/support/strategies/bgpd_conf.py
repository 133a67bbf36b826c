"""Strategies of bgpd's configurations as text: any that can be told, and sites that can be imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hypothesis import strategies as st

from policy.extended import ExtendedKind
from policy.route import Origin, parse_prefix
from speaker.migration.bgpd_conf.aggregates import by_member
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.route import Prefix

ROUTERS = ("203.0.113.1", "203.0.113.2", "2001:db8:ffff:1::1")
MAPS = ("A", "B", "C")
MISSING = "NOWHERE"
LISTS = {4: ("L1", "L2"), 6: ("S1", "S2")}
_KINDS = {4: "ip", 6: "ipv6"}
_MEDS = st.sampled_from([0, 1, 50, 4294967295])
_PASSWORDS = st.sampled_from(["secret", "A_long.one!/42", "0123456789abcdef"])
_HOSTS: st.SearchStrategy[Prefix] = st.sampled_from(
    [*made.HOSTS_V4[:5], *made.HOSTS_V6[:4], *made.WIDE]
)


class Style(NamedTuple):
    """How a file is written."""

    frr: bool
    """FRR's own form, else Quagga's."""
    old_families: bool
    """IPv4's statements directly in `router bgp`."""
    indented: bool
    maps_first: bool
    end: str
    """Of a line."""


STYLES = st.builds(
    Style,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["\n", "\n", "\r\n"]),
)


def _rarely(draw: st.DrawFn, times: int) -> bool:
    """Draw whether something is so, once in so many times; the simplest is that it is not."""
    return draw(st.integers(1, times)) == times


def _community(draw: st.DrawFn) -> str:
    named = ["no-export", "no-advertise", "local-AS"]
    if _rarely(draw, 10):
        return draw(st.sampled_from(named))
    return draw(st.sampled_from(["64699:1", "64699:100", "64500:65535"]))


def _sets(draw: st.DrawFn, asn: int) -> list[str]:
    """Draw what one clause sets: each attribute once at most."""
    found = []
    if draw(st.booleans()):
        asns = st.lists(st.sampled_from([asn, asn, 64511]), min_size=1, max_size=4)
        found.append(f"set as-path prepend {' '.join(map(str, draw(asns)))}")
    if draw(st.booleans()):
        found.append(f"set metric {draw(_MEDS)}")
    if draw(st.booleans()):
        names = " ".join(dict.fromkeys(_community(draw) for _ in range(draw(st.integers(1, 2)))))
        found.append(f"set community {names}{draw(st.sampled_from(['', ' additive']))}")
    if draw(st.booleans()):
        found.append(f"set large-community {draw(made.large_communities())}")
    for kind in ExtendedKind:
        if _rarely(draw, 4):
            given = st.lists(made.extended_communities(), min_size=1, max_size=2)
            values = [each.value for each in draw(given) if each.kind is kind] or ["64699:1"]
            found.append(f"set extcommunity {kind} {' '.join(values)}")
    if draw(st.booleans()):
        found.append(f"set origin {draw(st.sampled_from(Origin))}")
    if _rarely(draw, 4):
        found.append(f"set local-preference {draw(st.sampled_from([0, 100, 200]))}")
    if _rarely(draw, 6):
        found.append("set weight 7")
    return found


def _matches(draw: st.DrawFn) -> list[str]:
    match draw(st.integers(0, 6)):
        case 3:
            version = draw(st.sampled_from([4, 6]))
            name = draw(st.sampled_from(LISTS[version]))
            return [f"match {_KINDS[version]} address prefix-list {name}"]
        case 1:
            return [f"match metric {draw(_MEDS.filter(bool))}"]  # FRR 8.4 takes 0 for any MED
        case 2:
            return [f"match origin {draw(st.sampled_from(Origin))}"]
    return []


def _map(draw: st.DrawFn, name: str, asn: int) -> list[str]:
    lines = []
    for sequence in draw(st.lists(st.integers(1, 40), min_size=1, max_size=3, unique=True)):
        permit = "deny" if _rarely(draw, 9) else "permit"
        lines.append(f"route-map {name} {permit} {sequence}")
        lines += [f" {line}" for line in (*_matches(draw), *_sets(draw, asn))]
    return lines


def _list(draw: st.DrawFn, version: int, name: str) -> list[str]:
    hosts = st.sampled_from(made.HOSTS_V4[:4] if version == 4 else made.HOSTS_V6[:4])
    lines = []
    for number in range(draw(st.integers(1, 3))):
        verb = draw(st.sampled_from(["permit", "permit", "permit", "deny"]))
        what = draw(
            st.one_of(
                hosts.map(str),
                st.sampled_from(
                    ["192.0.2.0/24 le 32", "192.0.2.0/30 ge 31", "0.0.0.0/0 le 24", "any"]
                    if version == 4
                    else ["2001:db8::/32 le 128", "2001:db8::/126 ge 128", "::/0 le 48", "any"]
                ),
            )
        )
        lines.append(f"{_KINDS[version]} prefix-list {name} seq {5 * (number + 1)} {verb} {what}")
    return lines


def _policy(draw: st.DrawFn, version: int) -> list[str]:
    """Draw what a neighbour is sent of a family: `{}` is its name."""
    found = []
    if _rarely(draw, 4):
        found.append(f"neighbor {{}} prefix-list {draw(st.sampled_from(LISTS[version]))} out")
    if _rarely(draw, 4):
        name = MISSING if _rarely(draw, 8) else draw(st.sampled_from(MAPS))
        found.append(f"neighbor {{}} route-map {name} out")
    if _rarely(draw, 6):
        kind = draw(st.sampled_from(["", " large", " both", " standard"]))
        found.append(f"no neighbor {{}} send-community{kind}")
    if _rarely(draw, 4):
        found.append("neighbor {} next-hop-self")
    return found


def _neighbor(
    draw: st.DrawFn,
    router: str,
    head: list[str],
    four: list[str],
    six: list[str],
    *,
    group: bool,
    default: bool,
    frr: bool,
) -> None:
    """Draw the rest of what is said of a neighbour, in `router bgp` and in each family."""
    version = 6 if ":" in router else 4
    member = group and version == 4 and draw(st.booleans())
    if member:
        # FRR takes a member before it has an AS; Quagga does not.
        first = frr and draw(st.booleans())
        head.insert(len(head) - first, f"neighbor {router} peer-group EDGE")
    if _rarely(draw, 5):
        head.append(f"neighbor {router} password {draw(_PASSWORDS)}")
    if _rarely(draw, 10):
        head.append(f"neighbor {router} shutdown")
    family = four if version == 4 else six
    if version == 6:
        four.append(f"no neighbor {router} activate")
    if not _rarely(draw, 6) and (version == 6 or not default):
        family.append(f"neighbor {router} activate")
    if frr or not member:  # Quagga refuses to send a member anything else than its group
        family += [line.format(router) for line in _policy(draw, version)]


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Any configuration that this project says it can tell the UPDATEs of."""
    style = draw(STYLES)
    asn = draw(st.sampled_from([64699, 65537]))
    asns = {
        router: draw(st.sampled_from([64500, 64500, asn, 65551]))
        for router in draw(st.lists(st.sampled_from(ROUTERS), min_size=1, unique=True))
    }
    head = [f"bgp router-id 203.0.113.{draw(st.integers(10, 12))}"]
    four: list[str] = []
    six: list[str] = []
    if style.frr:
        head.append("no bgp network import-check")
        if not _rarely(draw, 6):
            head.append("no bgp ebgp-requires-policy")
    if _rarely(draw, 4):
        head.append("bgp default local-preference 250")
    default = not _rarely(draw, 4)
    if not default:
        head.append("no bgp default ipv4-unicast")
    group = draw(st.booleans())
    if group:
        head.append("neighbor EDGE peer-group")
        four += [line.format("EDGE") for line in _policy(draw, 4)]
    internal = draw(st.booleans())  # the group's members, which are all of one kind
    for router, remote in asns.items():
        head.append(f"neighbor {router} remote-as {remote}")
        # Quagga's group has to be active where it gets a member.
        joins = group and (remote == asn) is internal and (style.frr or default)
        _neighbor(draw, router, head, four, six, group=joins, default=default, frr=style.frr)
    networks = draw(st.lists(_HOSTS, min_size=1, max_size=6, unique=True))
    for prefix in networks:
        name = MISSING if _rarely(draw, 12) else draw(st.sampled_from([*MAPS, None]))
        line = f"network {prefix}" + ("" if name is None else f" route-map {name}")
        (four if prefix.version == 4 else six).append(line)
    maps = [line for name in MAPS for line in _map(draw, name, asn)]
    lists = [line for v, names in LISTS.items() for name in names for line in _list(draw, v, name)]
    return _written(style, asn, head, four, six, [*lists, *maps])


def _written(
    style: Style,
    asn: int,
    head: Sequence[str],
    four: Sequence[str],
    six: Sequence[str],
    maps: Sequence[str],
) -> bytes:
    unicast = " unicast" if style.frr else ""
    lines = [f"router bgp {asn}", *(f" {line}" for line in head)]
    if style.old_families:
        lines += [f" {line}" for line in four]
    elif four:
        lines += [f" address-family ipv4{unicast or ' unicast'}", *(f"  {line}" for line in four)]
        lines.append(" exit-address-family")
    if six:
        lines += [f" address-family ipv6{unicast}", *(f"  {line}" for line in six)]
        lines.append(" exit-address-family")
    start = ["frr version 8.4.4", "frr defaults traditional"] if style.frr else ["! Quagga"]
    body = [*maps, *lines] if style.maps_first else [*lines, *maps]
    whole = [*start, "hostname lb", *body, ""]
    if not style.indented:
        whole = [line.lstrip() for line in whole]
    return style.end.join(whole).encode()


# --- sites ---------------------------------------------------------------------------------------


@st.composite
def sites(draw: st.DrawFn) -> dict[str, bytes]:
    """Files of two data centres that prefer each other's VIPs as their backup, each in its own style."""
    asn = draw(st.sampled_from([64699, 65537]))
    prefixes: Sequence[Prefix] = draw(st.lists(_HOSTS, min_size=1, max_size=5, unique=True))
    first = {prefix: draw(st.booleans()) for prefix in prefixes}
    sets = [_profile(draw, asn, prepends) for prepends in (0, draw(st.integers(1, 4)))]
    wanted = {
        dc: {p: sets[here is (dc == "lyo1")] for p, here in first.items()}
        for dc in ("par1", "lyo1")
    }
    covers = _covers(draw, wanted)
    return {dc: _file(draw, dc, asn, own, covers) for dc, own in wanted.items()}


@st.composite
def wider_sites(draw: st.DrawFn) -> dict[str, bytes]:
    """The same where either announces what it likes: alike, with other MEDs or communities, or not at all."""
    asn = draw(st.sampled_from([64699, 65537]))
    prefixes: Sequence[Prefix] = draw(st.lists(_HOSTS, min_size=1, max_size=5, unique=True))
    one = _profile(draw, asn, draw(st.integers(0, 2)))
    kinds = st.sampled_from([one, one, _profile(draw, asn, 1), _profile(draw, asn, 1)])
    parts = st.sampled_from([("par1", "lyo1"), ("par1", "lyo1"), ("par1",), ("lyo1",)])
    wanted: dict[str, dict[Prefix, list[str]]] = {"par1": {}, "lyo1": {}}
    for prefix in prefixes:
        for dc in draw(parts):
            wanted[dc][prefix] = draw(kinds)
    covers = _covers(draw, wanted)
    return {dc: _file(draw, dc, asn, own, covers) for dc, own in wanted.items()}


def _single_policies(
    draw: st.DrawFn,
    asn: int,
    routers: Sequence[str],
    head: Sequence[str],
    four: list[str],
    keepable: Sequence[Prefix],
) -> list[str]:
    """Draw what single neighbours get otherwise, and return the route-maps: what [peer] of vip.toml can say."""
    maps: list[str] = []
    for router in routers:
        remote = next(
            (line for line in head if line.startswith(f"neighbor {router} remote-as")), ""
        )
        if not remote or not _rarely(draw, 3):
            continue
        name = f"OUT{router.rpartition('.')[2]}"
        four.append(f"neighbor {router} route-map {name} out")
        for prefix in draw(st.lists(st.sampled_from(keepable), max_size=1)) if keepable else ():
            maps.append(f"ip prefix-list NOT{name} permit {prefix}")
            maps += [f"route-map {name} deny 5", f" match ip address prefix-list NOT{name}"]
        maps.append(f"route-map {name} permit 10")
        maps += [
            f" {line}"
            for line in (
                f"set as-path prepend {asn}",
                "set community 64500:77 additive",
                "set large-community 64500:7:7 additive",
                "set extcommunity rt 64500:7",
                "set metric 77",
                *(["set local-preference 77"] if remote.endswith(str(asn)) else []),
            )
            if draw(st.booleans())
        ]
    return maps


COVERS = tuple(map(parse_prefix, ("192.0.2.0/25", "192.0.2.0/24", "2001:db8::/48")))


def _covers(draw: st.DrawFn, wanted: dict[str, dict[Prefix, list[str]]]) -> dict[Prefix, str]:
    """Draw aggregates, and whether they keep back what lies in them, which all data centres do alike.

    Quagga is not known to do what FRR does with an ORIGIN that is set.
    """
    said = [line for own in wanted.values() for lines in own.values() for line in lines]
    if any("origin" in line for line in said) or not draw(st.booleans()):
        return {}
    taken = {prefix for own in wanted.values() for prefix in own}
    chosen = draw(st.lists(st.sampled_from(COVERS), unique=True, max_size=2))
    return {
        each: draw(st.sampled_from(["", " summary-only"])) for each in chosen if each not in taken
    }


def _profile(draw: st.DrawFn, asn: int, prepends: int) -> list[str]:
    found = [f"set as-path prepend {' '.join([str(asn)] * prepends)}"] if prepends else []
    return found + [
        line
        for line in _sets(draw, asn)
        if "as-path" not in line and "local-p" not in line and "no-" not in line
        if "local-AS" not in line
    ]


def _file(
    draw: st.DrawFn,
    dc: str,
    asn: int,
    wanted: dict[Prefix, list[str]],
    covers: dict[Prefix, str],
) -> bytes:
    style = draw(STYLES)
    net4, net6 = {
        "par1": ("203.0.113", "2001:db8:ffff:1"),
        "lyo1": ("198.51.100", "2001:db8:ffff:2"),
    }[dc]
    head, four, six = [f"bgp router-id {net4}.10"], [], []
    if style.frr:
        head += ["no bgp network import-check", "no bgp ebgp-requires-policy"]
    for last in range(1, draw(st.integers(1, 2)) + 1):
        remote = draw(st.sampled_from([64500, asn]))
        head.append(f"neighbor {net4}.{last} remote-as {remote}")
        if draw(st.booleans()):
            head.append(f"neighbor {net4}.{last} password {draw(_PASSWORDS)}")
    if any(prefix.version == 6 for prefix in wanted):
        head.append(f"neighbor {net6}::1 remote-as {draw(st.sampled_from([64500, asn]))}")
        four.append(f"no neighbor {net6}::1 activate")
        six.append(f"neighbor {net6}::1 activate")
    keepable = [prefix for prefix in wanted if prefix.version == 4]
    routers = [f"{net4}.{last}" for last in (1, 2)]
    maps = _single_policies(draw, asn, routers, head, four, keepable)
    one_map = draw(st.booleans())
    for number, (prefix, lines) in enumerate(wanted.items()):
        name = "ALL" if one_map else f"M{number}"
        (four if prefix.version == 4 else six).append(f"network {prefix} route-map {name}")
        kind = _KINDS[prefix.version]
        match = [f" match {kind} address prefix-list P{number}"] if one_map else []
        if one_map:
            maps.insert(0, f"{kind} prefix-list P{number} permit {prefix}")
        maps += [f"route-map {name} permit {10 * number + 10}", *match]
        maps += [f" {line}" for line in lines]
    for cover, options in covers.items():
        if any(by_member([cover], wanted).values()):
            (four if cover.version == 4 else six).append(f"aggregate-address {cover}{options}")
    return _written(style, asn, head, four, six, maps)
