"""Every finding of policy/lint has a situation that gives it, and nothing else."""

from __future__ import annotations

from ipaddress import ip_address
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from policy.errors import PolicyError
from policy.health import HealthRule, Service, Thresholds
from policy.lint import lint, outside
from policy.lint.announced import Announced, Announcements
from policy.lint.balance import loads, pairs, splits
from policy.lint.finding import Code, Finding
from policy.lint.peers import LintedPeer, loops
from policy.lint.routes import routes
from policy.route import Asn, AsPath, Attributes, Origin, Route, parse_prefix
from policy.topology import Address, DataCentre, Profile, Topology, Vip

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

V4, V6, SECOND, WIDE = map(
    parse_prefix, ("192.0.2.1", "2001:db8::1", "192.0.2.2", "198.51.100.0/24")
)
OURS, OTHER = Asn(64699), Asn(64496)
PAR1, LYO1, FRA1 = "par1", "lyo1", "fra1"
ALL = (PAR1, LYO1, FRA1)


def codes(findings: Iterable[Finding]) -> list[str]:
    return [str(finding.code) for finding in findings]


# --- routes to one address -----------------------------------------------------------------------


def announced(
    paths: Mapping[str, str],
    prefer: Sequence[str] = (),
    *,
    med: Mapping[str, int] | None = None,
    origin: Mapping[str, Origin] | None = None,
    max_path: int | None = None,
    dcs: Sequence[str] = ALL,
) -> list[Finding]:
    """What is found where each DC announces an AS_PATH for an address, all with AS64699."""
    given = {
        name: Route(
            V4,
            Attributes(
                AsPath.parse(path), (med or {}).get(name), (origin or {}).get(name, Origin.IGP)
            ),
        )
        for name, path in paths.items()
    }
    asns = dict.fromkeys(dcs, OURS)
    address = Announced(V4, given, tuple(prefer), "vip-1.tld")
    return [*routes(Announcements(asns, (address,)), max_path)]


ONE, TWO, THREE, FOUR = (" ".join(["64699"] * count) for count in (1, 2, 3, 4))
ROUTES = [
    ("nothing", {PAR1: ONE, LYO1: TWO, FRA1: THREE}, ALL, []),
    ("nothing where nobody said who is first", {PAR1: TWO, LYO1: ONE}, (), []),
    ("tie", {PAR1: ONE, LYO1: ONE, FRA1: THREE}, ALL, ["tie"]),
    ("tie of the last", {PAR1: ONE, LYO1: TWO, FRA1: TWO}, ALL, ["tie"]),
    ("tie of all", {PAR1: ONE, LYO1: ONE, FRA1: ONE}, ALL, ["tie"]),
    ("wrong first", {PAR1: TWO, LYO1: ONE, FRA1: THREE}, ALL, ["not-first"]),
    ("wrong once one failed", {PAR1: ONE, LYO1: THREE, FRA1: TWO}, ALL, ["not-first"]),
    ("first is silent", {LYO1: TWO, FRA1: THREE}, ALL, ["not-first"]),
    ("last is silent", {PAR1: TWO, LYO1: THREE}, ALL, []),
    ("alone", {PAR1: ONE}, ALL, ["no-backup"]),
    ("nowhere", {}, ALL, ["no-backup"]),
    ("foreign", {PAR1: ONE, LYO1: "64699 64496", FRA1: THREE}, ALL, ["foreign-asn"]),
    ("foreign first", {PAR1: ONE, LYO1: "64496 64699", FRA1: THREE}, ALL, ["foreign-asn"]),
]


@pytest.mark.parametrize(
    ("paths", "prefer", "found"), [row[1:] for row in ROUTES], ids=lambda _: ""
)
def test_routes(paths: Mapping[str, str], prefer: Sequence[str], found: list[str]) -> None:
    """Each fault of the routes to an address is found by its own code, and no other."""
    assert codes(announced(paths, prefer)) == found


@pytest.mark.parametrize("longest", [2, 3, 4])
def test_path_too_long(longest: int) -> None:
    """A path is too long when it has more ASes than the limit."""
    found = announced({PAR1: ONE, LYO1: THREE}, max_path=longest)
    assert codes(found) == (["path-too-long"] if longest < 3 else [])


@pytest.mark.parametrize(
    ("length", "count", "fits"), [(10, 3, True), (11, 3, False), (14, 13, True)]
)
def test_usual_limit(length: int, count: int, *, fits: bool) -> None:
    """Unless told otherwise ten ASes are enough, or what so many data centres need."""
    dcs = [PAR1, LYO1, *(f"dc-{number}" for number in range(count - 2))]
    found = announced({PAR1: ONE, LYO1: " ".join(["64699"] * length)}, dcs=dcs)
    assert codes(found) == ([] if fits else ["path-too-long"])


def test_tie_is_explained() -> None:
    """A tie says between whom, when, by which paths, and whose prepends to raise."""
    (first,) = announced({PAR1: ONE, LYO1: TWO, FRA1: TWO}, (PAR1, FRA1, LYO1))
    assert first.found == (
        "fra1 (2 ASes) and lyo1 (2 ASes) tie once par1 failed: each router chooses as it likes"
    )
    assert first.remedy.startswith("give rank 2 (lyo1) more prepends than rank 1 (fra1), by")
    (three,) = announced(dict.fromkeys(ALL, ONE))
    assert three.found.startswith("par1 (1 AS), lyo1 (1 AS) and fra1 (1 AS) tie: each")
    assert three.remedy.startswith("give lyo1 and fra1 more prepends than par1, by")


def test_what_decides_after_the_length() -> None:
    """Equal lengths are no tie where ORIGIN or MED decides; the order must then be right too."""
    paths = {PAR1: ONE, LYO1: ONE}
    right = {PAR1: Origin.IGP, LYO1: Origin.EGP}
    assert announced(paths, (PAR1, LYO1), origin=right) == []
    assert announced(paths, (PAR1, LYO1), med={PAR1: 10, LYO1: 20}) == []
    (found,) = announced(paths, (PAR1, LYO1), med={PAR1: 20, LYO1: 10})
    assert found.code is Code.NOT_FIRST
    assert found.found.startswith(
        "lyo1 (1 AS, MED 10) is chosen although par1 (1 AS, MED 20) comes"
    )
    assert found.remedy.startswith("give rank 1 (lyo1) more prepends than rank 0 (par1)")
    (found,) = announced(paths, (LYO1, PAR1), origin=right)
    assert found.code is Code.NOT_FIRST
    assert "although lyo1 (1 AS, origin egp) comes" in found.found


def test_one_line() -> None:
    """A finding is one line: where, what was found, what to do, and its code."""
    (found,) = announced({PAR1: ONE}, (PAR1,))
    assert str(found) == (
        "vip-1.tld 192.0.2.1/32: only par1 announces it: when par1 fails, none takes over; "
        "announce it from another data centre too, with more prepends [no-backup]"
    )
    assert found.as_json() == {
        "code": "no-backup",
        "object": "vip-1.tld 192.0.2.1/32",
        "found": found.found,
        "remedy": found.remedy,
    }


def test_unknown_dc() -> None:
    """What a data centre without ASN announces can't be judged, and is refused."""
    for address in (
        Announced(V4, {"mad1": Route(V4, Attributes(AsPath.parse(ONE)))}),
        Announced(V4, {}, ("mad1",)),
    ):
        with pytest.raises(PolicyError, match=r"'mad1'\] unknown; known are \['par1'"):
            Announcements({PAR1: OURS}, (address,))


# --- a topology ----------------------------------------------------------------------------------

RANKS = tuple(Profile(f"prepend-{count}", count) for count in range(3))


def topology(
    *vips: Vip, dcs: Sequence[str] = (PAR1, LYO1), weights: Mapping[str, float] | None = None
) -> Topology:
    return Topology(
        tuple(DataCentre(name, OURS, (weights or {}).get(name, 1.0)) for name in dcs), vips
    )


def vip(name: str, *addresses: tuple[str, Sequence[str]], **more: object) -> Vip:
    return Vip(
        name,
        tuple(Address(parse_prefix(text), tuple(prefer)) for text, prefer in addresses),
        **{"ranks": RANKS, **more},  # type: ignore[arg-type]
    )


THERE, BACK = (PAR1, LYO1), (LYO1, PAR1)


def test_clean() -> None:
    """A usual topology has no findings."""
    usual = vip("vip-1.tld", ("192.0.2.1", THERE), ("2001:db8::1", THERE), ("192.0.2.2", BACK))
    assert lint(topology(usual)) == ()


def test_ranks_that_tie() -> None:
    """Ranks with the same prepends are a tie for each address."""
    ranks = (Profile("near", 1), Profile("far", 1))
    found = lint(topology(vip("vip-1.tld", ("192.0.2.1", THERE), ("192.0.2.2", BACK), ranks=ranks)))
    assert codes(found) == ["tie", "tie"]
    assert [finding.subject for finding in found] == [
        "vip-1.tld 192.0.2.1/32",
        "vip-1.tld 192.0.2.2/32",
    ]


def test_limits_are_passed_on() -> None:
    """The longest path and the tolerance of a topology's lint are those that it is given."""
    far = (Profile("near", 0), Profile("far", 5))
    site = topology(*(vip(f"vip-{n}.tld", (f"192.0.2.{n}", THERE), ranks=far) for n in range(4)))
    assert codes(lint(site, load_tolerance=1.0)) == []
    assert codes(lint(site, max_path=5, load_tolerance=1.0)) == ["path-too-long"] * 4
    assert codes(lint(site, load_tolerance=0.4)) == ["unequal-load"] * 2


def test_the_only_data_centre() -> None:
    """Where there is one data centre only, that is said once."""
    alone = topology(vip("vip-1.tld", ("192.0.2.1", (PAR1,)), ("192.0.2.2", (PAR1,))), dcs=(PAR1,))
    (found,) = lint(alone)
    assert (found.code, found.subject) == (Code.NO_BACKUP, "dc par1")
    assert "its 2 addresses" in found.found
    assert lint(topology(dcs=(PAR1,))) == ()


def test_one_of_two() -> None:
    """Where two data centres are known, an address that one of them announces has no backup."""
    assert codes(announced({PAR1: ONE}, dcs=(PAR1, LYO1))) == ["no-backup"]
    assert codes(announced({PAR1: ONE}, dcs=(PAR1,))) == ["no-backup"]


# --- pairs and load ------------------------------------------------------------------------------


def test_pairs() -> None:
    """The n-th IPv4 and the n-th IPv6 of a name are a pair; what has no name is alone."""
    one, two, six = (Announced(prefix, {}, (), "a") for prefix in (V4, SECOND, V6))
    other = Announced(WIDE, {}, (), "b")
    lone, lone6 = Announced(WIDE, {}), Announced(V6, {})
    assert [*pairs([one, other, six, two])] == [(one, six), (two, None), (other, None)]
    assert [*pairs([lone, lone6])] == [(lone, None), (None, lone6)]


@pytest.mark.parametrize(
    ("ipv6", "split"), [((PAR1, LYO1), False), ((LYO1, PAR1), True), ((), False)]
)
def test_pair_split(ipv6: Sequence[str], *, split: bool) -> None:
    """IPv4 and IPv6 of a pair prefer the same data centres in the same order."""
    found = splits(
        [Announced(V4, {}, (PAR1, LYO1), "vip-1.tld"), Announced(V6, {}, tuple(ipv6), "vip-1.tld")]
    )
    assert codes(found) == (["pair-split"] if split else [])
    for finding in found:
        assert finding.subject == "vip-1.tld 192.0.2.1/32 2001:db8::1/128"
        assert "IPv4 prefers par1, lyo1 and IPv6 lyo1, par1" in finding.found


def test_pair_split_in_a_topology() -> None:
    """A pair that parts is found in a topology, and nothing else with it."""
    parted = vip("vip-1.tld", ("192.0.2.1", THERE), ("2001:db8::1", BACK))
    assert codes(lint(topology(parted))) == ["pair-split"]


def firsts(count: Mapping[str, int]) -> list[Announced]:
    """Addresses of which so many prefer each data centre first, both families alike."""
    found: list[Announced] = []
    for name, number in count.items():
        prefer = (name, LYO1 if name == PAR1 else PAR1)
        for _ in range(number):
            at = len(found)
            found.append(Announced(parse_prefix(f"192.0.2.{at}"), {}, prefer, f"vip-{at}"))
            found.append(Announced(parse_prefix(f"2001:db8::{at}"), {}, prefer, f"vip-{at}"))
    return found


@pytest.mark.parametrize(
    ("count", "weights", "tolerance", "off"),
    [
        ({PAR1: 5, LYO1: 5}, {PAR1: 1.0, LYO1: 1.0}, 0.25, []),
        ({PAR1: 7, LYO1: 3}, {PAR1: 1.0, LYO1: 1.0}, 0.25, []),
        ({PAR1: 8, LYO1: 2}, {PAR1: 1.0, LYO1: 1.0}, 0.25, [PAR1, LYO1]),
        ({PAR1: 8, LYO1: 2}, {PAR1: 1.0, LYO1: 1.0}, 0.3, []),
        ({PAR1: 8, LYO1: 2}, {PAR1: 4.0, LYO1: 1.0}, 0.0, []),
        ({PAR1: 5, LYO1: 5}, {PAR1: 4.0, LYO1: 1.0}, 0.25, [PAR1, LYO1]),
        ({PAR1: 5, LYO1: 5}, {PAR1: 1.0, LYO1: 0.0}, 0.25, [PAR1, LYO1]),
        ({PAR1: 4}, {PAR1: 1.0, LYO1: 1.0}, 0.25, [PAR1, LYO1]),
        ({PAR1: 3}, {PAR1: 1.0, LYO1: 1.0}, 0.25, []),  # one pair too many: rounding
        ({PAR1: 1}, {PAR1: 1.0, LYO1: 1.0}, 0.0, []),
        ({PAR1: 4}, {PAR1: 0.0, LYO1: 0.0}, 0.25, []),
        ({}, {PAR1: 1.0, LYO1: 1.0}, 0.25, []),
    ],
)
def test_unequal_load(
    count: Mapping[str, int], weights: Mapping[str, float], tolerance: float, off: list[str]
) -> None:
    """A share is unequal when it is beyond the tolerance, and two pairs or more are wrong."""
    found = loads(firsts(count), weights, tolerance)
    assert [finding.subject for finding in found] == [f"dc {name}" for name in off]
    assert set(codes(found)) <= {"unequal-load"}


def test_unequal_load_is_counted() -> None:
    """It says how many addresses and what part a data centre has, and should have."""
    found = loads(firsts({PAR1: 9, LYO1: 1}), {PAR1: 1.0, LYO1: 1.0})
    assert "first choice of 9 of 10 addresses (90%" in found[0].found
    assert "makes it 5 (50%)" in found[0].found


def test_load_in_parts() -> None:
    """A part of an address is said as such: what two have and should have adds up."""
    found = loads(firsts({PAR1: 6, LYO1: 1}), {PAR1: 1.0, LYO1: 1.0})
    assert all("makes it 3.5 (50%)" in each.found for each in found), found
    assert len(found) == 2


def test_load_of_equal_ones() -> None:
    """Equal ones count for each in equal parts, and only those that announce an address are due a part of it."""
    weights = {PAR1: 3.0, LYO1: 1.0, FRA1: 1.0}

    def address(at: int, *prefer: str, equal: bool) -> Announced:
        return Announced(parse_prefix(f"192.0.2.{at}"), {}, prefer, f"vip-{at}", equal)

    assert loads([address(at, PAR1, LYO1, equal=True) for at in range(40)], weights) == ()
    assert loads([address(at, FRA1, equal=False) for at in range(40)], weights) == ()
    found = loads([address(at, LYO1, PAR1, equal=False) for at in range(40)], weights)
    assert [finding.subject for finding in found] == ["dc par1", "dc lyo1"]
    assert "first choice of 0 of 40 addresses" in found[0].found
    assert "its weight makes it 30 (75%)" in found[0].found


def test_equal_in_one_family_only() -> None:
    """A pair of which one is equal and the other ordered is split."""
    pair = (
        Announced(V4, {}, (PAR1, LYO1), "vip-1.tld", equal=True),
        Announced(V6, {}, (PAR1, LYO1), "vip-1.tld"),
    )
    (found,) = splits(pair)
    assert "IPv4 prefers par1, lyo1 equally and IPv6 par1, lyo1: a client" in found.found
    assert splits([Announced(each.prefix, {}, ALL, "a", equal=True) for each in pair]) == ()


def test_not_equal_is_explained() -> None:
    """It says who announces what, and in what they differ."""
    given = {
        PAR1: Route(V4, Attributes(AsPath.parse(ONE), 5)),
        LYO1: Route(V4, Attributes(AsPath.parse(TWO), 5, Origin.EGP)),
    }
    address = Announced(V4, given, (PAR1, LYO1), "vip-1.tld", equal=True)
    (found,) = routes(Announcements({PAR1: OURS, LYO1: OURS}, (address,)))
    assert str(found) == (
        "vip-1.tld 192.0.2.1/32: par1 (1 AS, MED 5); lyo1 (2 ASes, origin egp, MED 5): not equal in "
        "the length of the AS_PATH and origin, so routers do not choose them alike; give them the same "
        'profile for it, or order them by prefer in place of "equal" [not-equal]'
    )


# --- peers ---------------------------------------------------------------------------------------

EBGP = LintedPeer("203.0.113.11", OTHER, OURS)
IBGP = LintedPeer("203.0.113.12", OURS, OURS)
INSIDE = LintedPeer("203.0.113.13", Asn(64511), Asn(64511))


@pytest.mark.parametrize(
    ("paths", "peer", "dropped"),
    [
        ([ONE, TWO], EBGP, 0),
        ([ONE, "64699 64496"], EBGP, 1),
        ([ONE], IBGP, 0),
        ([ONE, TWO, THREE, TWO], IBGP, 3),
        ([ONE, TWO], INSIDE, 1),
        ([TWO], LintedPeer("203.0.113.14", OURS, OTHER), 0),
    ],
)
def test_loop(paths: list[str], peer: LintedPeer, dropped: int) -> None:
    """A peer drops what has its own AS in the path: on iBGP that is every prepend."""
    given = [
        Route(parse_prefix(f"192.0.2.{index}"), Attributes(AsPath.parse(path)))
        for index, path in enumerate(paths)
    ]
    found = loops(given, [EBGP._replace(address="203.0.113.99"), peer])[-1:]
    found = tuple(finding for finding in found if finding.subject == f"peer {peer.address}")
    assert codes(found) == (["loop"] if dropped else [])
    for finding in found:
        assert f"drops {dropped} of {len(paths)} prefixes" in finding.found
        assert f"AS{peer.asn}" in finding.found


# --- DNS and IPVS --------------------------------------------------------------------------------

SITE = topology(
    vip("vip-1.tld", ("192.0.2.1", THERE), ("2001:db8::1", THERE)),
    vip("vip-2.tld", ("192.0.2.2", BACK)),
    vip("wide.tld", ("198.51.100.0/24", THERE)),
)


def dns(**more: Sequence[str]) -> list[Finding]:
    """What is found where DNS is right but for VIP 1 (`v4`, `v6`) or the others."""
    answers = {
        "vip-1.tld": {
            4: [ip_address(text) for text in more.get("v4", ["192.0.2.1"])],
            6: [ip_address(text) for text in more.get("v6", ["2001:db8::1"])],
        },
        "vip-2.tld": {4: [ip_address(text) for text in more.get("two", ["192.0.2.2"])]},
        "wide.tld": {4: [ip_address(text) for text in more.get("wide", ["198.51.100.7"])]},
    }
    return [*outside.names(SITE, answers)]


def test_dns_agrees() -> None:
    """DNS that has what vip.toml has is right; an address within a wider prefix is that prefix's."""
    assert dns() == []


def test_dns_extra() -> None:
    """An address that DNS has and no VIP has, or another one: found, each by itself."""
    (found,) = dns(v4=["192.0.2.1", "203.0.113.9"])
    assert (found.code, found.subject) == (Code.DNS_EXTRA, "vip-1.tld")
    assert found.found == "DNS has 203.0.113.9, which no VIP has"
    assert found.remedy.endswith("or add it to this VIP in vip.toml")
    (found,) = dns(two=["192.0.2.2", "198.51.100.9"])
    assert found.found == "DNS has 198.51.100.9, which vip.toml has under wide.tld"
    (found,) = dns(two=["192.0.2.2", "192.0.2.1"])
    assert found.found == "DNS has 192.0.2.1, which vip.toml has under vip-1.tld"
    assert found.remedy.endswith("or move it to this VIP in vip.toml")


def test_dns_missing() -> None:
    """Addresses that vip.toml has and DNS lacks: found, all of a name at once."""
    (found,) = dns(v6=[])
    assert (found.code, found.subject) == (Code.DNS_MISSING, "vip-1.tld")
    assert found.found == "DNS lacks 2001:db8::1"
    (found,) = dns(v4=[], v6=[])
    assert found.found == "DNS has no address under this name, vip.toml has 192.0.2.1, 2001:db8::1"
    (found,) = dns(wide=[])
    assert "198.51.100.0/24" in found.found


def test_dns_unknown() -> None:
    """What DNS did not say is no finding."""
    assert outside.names(SITE, {}) == ()
    assert outside.names(SITE, {"vip-1.tld": {6: [ip_address("2001:db8::1")]}}) == ()


WEB, TLS, MARK = Service("tcp", 80), Service("tcp", 443), Service("fwmark", 8)


def ipvs(
    *found: tuple[str, Service],
    required: Sequence[Service] = (),
    marks: Mapping[int, set[int | None]] = MappingProxyType({}),
    balanced: Sequence[str] = ("vip-1.tld",),
) -> list[Finding]:
    """What is found of IPVS at a site whose first VIP must be in it."""
    rule = HealthRule(required={service: Thresholds() for service in required})
    site = topology(vip("vip-1.tld", ("192.0.2.1", THERE), health=rule), *SITE.vips[1:])
    services = [(ip_address(text), service) for text, service in found]
    return [*outside.services(site, balanced, services, marks)]


def test_ipvs_agrees() -> None:
    """Any service will do, or those that are required; other sources' VIPs may be in IPVS too."""
    assert ipvs(("192.0.2.1", WEB)) == []
    assert ipvs(("192.0.2.1", WEB), ("192.0.2.1", TLS), required=[WEB]) == []
    assert ipvs(required=[MARK], marks={8: {4}}) == []
    assert ipvs(required=[MARK], marks={8: {None}}) == []
    assert ipvs(("192.0.2.1", WEB), ("192.0.2.2", WEB), ("198.51.100.9", WEB)) == []
    assert ipvs(balanced=()) == []
    assert ipvs(("198.51.100.9", WEB), balanced=["wide.tld"]) == []


def test_ipvs_extra() -> None:
    """A service on an address that no VIP has."""
    (found,) = ipvs(("192.0.2.1", WEB), ("203.0.113.9", TLS), ("203.0.113.9", WEB))
    assert (found.code, found.subject) == (Code.IPVS_EXTRA, "203.0.113.9")
    assert "tcp/80, tcp/443" in found.found


def test_ipvs_missing() -> None:
    """An address without any service, or without one that is required."""
    (found,) = ipvs()
    assert (found.code, found.subject) == (Code.IPVS_MISSING, "vip-1.tld 192.0.2.1/32")
    assert "no service" in found.found
    (found,) = ipvs(("192.0.2.1", WEB), required=[WEB, TLS, MARK], marks={9: {4}, 8: {6}})
    assert "no fwmark/8, tcp/443 on it" in found.found
    (found,) = ipvs(("203.0.113.0", WEB), balanced=["wide.tld"])[1:]
    assert found.subject == "wide.tld 198.51.100.0/24"
