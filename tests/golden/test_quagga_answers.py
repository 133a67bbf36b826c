"""What bgpd answers on Quagga 0.99 and 1.2 and on FRR, and what the driver makes of it."""

import pytest

from policy.plan import Announce, Drift
from policy.route import AsPath, Origin, parse_prefix
from speaker.backends.quagga.announced import LEAVING, NOT_BEST, announced
from speaker.backends.quagga.commands import FAULTS, render
from speaker.backends.quagga.route_map import RunningRouteMap
from speaker.backends.quagga.running_config import Running, parse_running, start_lines
from speaker.backends.quagga.summary import parse_summary
from speaker.backends.quagga.table import TablePath, answered, parse_tables
from tests.golden.recorded import (
    ASN,
    BGP1,
    BGP2,
    FRR,
    OLD,
    P1,
    P2,
    Q1,
    Q2,
    QUAGGA,
    RUNNING,
    TABLE4,
    TABLE6,
    each_dialect,
    route,
    running,
    said,
)
from tests.golden.transcript import Transcript


@each_dialect
def test_running_config(dialect: str) -> None:
    """The AS, each network line with its route-map, each route-map with its lines."""
    found = running(dialect)
    assert found.asns == [ASN]
    assert found.networks == {P1: "BGP1", P2: "BGP2", Q1: "BGP1", Q2: "BGP2"}
    assert found.has(BGP1)
    assert found.has(BGP2)
    assert not found.has(RunningRouteMap("BGP1", BGP2.sets))
    assert not found.has(RunningRouteMap("BGP3", BGP1.sets))


@each_dialect
def test_table_and_running_config_say_what_is_announced(dialect: str) -> None:
    """A path of our own, valid and best, with a network line: announced, with what a peer sees."""
    lines = [*said(dialect, "03", TABLE4), *said(dialect, "03", TABLE6)]
    paths = parse_tables(lines)
    assert {p: announced(p, running(dialect), paths, ASN) for p in (P1, P2, Q1, Q2)} == {
        P1: route(P1, 1),
        P2: route(P2, 2),
        Q1: route(Q1, 1),
        Q2: route(Q2, 2),
    }
    assert announced(parse_prefix("192.0.2.99"), running(dialect), paths, ASN) is None


@each_dialect
def test_a_route_learned_from_another_dc_is_not_ours(dialect: str) -> None:
    """Beside a local path it hides nothing; alone it proves no announcement."""
    both = parse_tables(said(dialect, "16", TABLE4))
    assert announced(P1, running(dialect), both, ASN) == route(P1, 1)
    alone = parse_tables(said(dialect, "16", TABLE4, 1))
    assert P1 not in alone
    assert P2 in alone
    drained = running(dialect)
    del drained.networks[P1]
    assert announced(P1, drained, alone, ASN) is None


@each_dialect
def test_a_missing_route_map_is_no_announcement(dialect: str) -> None:
    """A network line whose route-map is missing is in running-config and not in the table."""
    found = running(dialect)
    prefix = parse_prefix("192.0.2.30/32")
    found.networks[prefix] = "NOSUCH"
    paths = parse_tables(said(dialect, "03", TABLE4))
    assert isinstance(announced(prefix, found, paths, ASN), Drift)


def test_the_boot_bug_of_quagga_1_2() -> None:
    """A network line that stood before its route-map in the file is not in the table; re-entered, it is."""
    name = "00-boot-routemap-defined-after"
    boot = Transcript.load(QUAGGA, name)
    before = parse_tables(boot.said("show ip bgp").stdout.splitlines())
    after = parse_tables(boot.said("show ip bgp", time=2).stdout.splitlines())
    assert isinstance(announced(P1, running(QUAGGA), before, ASN), Drift)
    assert announced(P1, running(QUAGGA), after, ASN) == route(P1, 1)
    # What the driver writes about it is what healed it.
    names = {route(P1, 1).attributes: "BGP1"}
    lines = render([Announce(route(P1, 1))], running(QUAGGA), ASN, names)
    assert boot.said(*["conf t", *lines[1:]]).stdout == ""


def test_frr_import_check_is_seen() -> None:
    """FRR's default leaves a network route invalid: said with its remedy; cured, it is announced."""
    found = parse_running(said(FRR, "00", RUNNING))
    invalid = parse_tables(said(FRR, "00", TABLE4))
    drift = announced(P1, found, invalid, ASN)
    assert isinstance(drift, Drift)
    assert "no bgp network import-check" in drift.found
    valid = parse_tables(said(FRR, "00", TABLE4, 1))
    assert announced(P1, found, valid, ASN) == route(P1, 1)


def test_frr_requires_a_policy() -> None:
    """A session on which FRR sends nothing for want of a policy is up, and known for it."""
    (session,) = parse_summary(said(FRR, "00", "show bgp summary"))
    assert (session.asn, session.up, session.needs_policy) == (64500, True, True)
    (session,) = parse_summary(said(FRR, "00", "show bgp summary", 1))
    assert (session.up, session.needs_policy) == (True, False)


@pytest.mark.parametrize(
    ("dialect", "neighbours"),
    [
        (OLD, {"10.99.0.2": 64700, "2001:db8:ff::2": 64700}),
        (QUAGGA, {"10.99.0.2": 64700, "2001:db8:ff::2": 64700}),
        (FRR, {"203.0.113.5": 64500}),
    ],
)
def test_neighbours(dialect: str, neighbours: dict[str, int]) -> None:
    """Both summaries together name every neighbour once: Quagga 0.99 parts the families."""
    lines = [*said(dialect, "03", "show ip bgp summary"), *said(dialect, "03", "show bgp summary")]
    sessions = parse_summary(lines)
    assert {session.address: session.asn for session in sessions} == neighbours
    assert all(session.up for session in sessions)


def test_no_neighbours() -> None:
    """A bgpd without neighbours says so, and that is no fault."""
    lines = said(FRR, "06", "show bgp summary")
    assert parse_summary(lines) == []
    assert not any(line.startswith(FAULTS) for line in lines)


def test_long_prefixes_have_a_line_of_their_own() -> None:
    """Where a prefix fills its column, what belongs to it is on the next line."""
    paths = parse_tables([*said(FRR, "07", TABLE4), *said(FRR, "07", TABLE6)])
    for prefix in ("255.255.255.255/32", "2001:db8:1:2:3:4:5:6/128"):
        path = paths[parse_prefix(prefix)]
        assert (path.valid, path.best, path.med) == (True, True, 0)
        assert path.as_path == AsPath()


def test_med_of_any_size() -> None:
    """MED is what stands below its head, though it be the weight of a local path, or fill the column."""
    head = "   Network          Next Hop            Metric LocPrf Weight Path"
    for med in (0, 1, 32768, 4294967295):
        row = f"*> 192.0.2.1/32     0.0.0.0         {med:>10}         32768 64699 e"
        (path,) = parse_tables([head, row]).values()
        assert path == TablePath(True, True, med, AsPath((ASN,)), Origin.EGP)  # noqa: FBT003
    row = "*> 192.0.2.1/32     0.0.0.0                            32768 i"
    assert parse_tables([head, row])[P1].med is None


HEAD = "   Network          Next Hop            Metric LocPrf Weight Path"


def test_only_a_path_of_our_own_counts() -> None:
    """The unspecified next hop alone proves nothing: what bgpd passes on is shown with it too."""
    row = "*> 192.0.2.1/32     0.0.0.0                                0 64700 i"
    assert parse_tables([HEAD, row]) == {}


def test_a_path_that_is_not_announced_as_it_should_be() -> None:
    """Not the best, or without a network line: a drift, which is never taken for announced."""
    own = TablePath(valid=True, best=False, med=0, as_path=AsPath(), origin=Origin.IGP)
    lines = Running([ASN], {P1: None})
    assert announced(P1, lines, {P1: own}, ASN) == NOT_BEST
    assert isinstance(NOT_BEST, Drift)
    best = TablePath(valid=True, best=True, med=0, as_path=AsPath(), origin=Origin.IGP)
    assert announced(P1, Running([ASN]), {P1: best}, ASN) == LEAVING
    assert isinstance(LEAVING, Drift)


# --- whole answers -------------------------------------------------------------------------------


@each_dialect
def test_a_cut_answer_proves_nothing(dialect: str) -> None:
    """Running-config to its end and both tables, empty ones too: whole. Any line less: not."""
    whole = [
        *said(dialect, "05", RUNNING),
        *said(dialect, "03", TABLE4),
        *said(dialect, "03", TABLE6),
    ]
    assert answered(whole, 2)
    assert not answered(said(dialect, "05", RUNNING), 2)
    assert not answered([*said(dialect, "03", TABLE4), *said(dialect, "03", TABLE6)], 2)
    end = whole.index("end")
    assert not answered(whole[:end], 2)


@pytest.mark.parametrize(
    ("dialect", "empty"),
    [(OLD, "No BGP network exists"), (QUAGGA, "No BGP prefixes displayed, 0 exist")],
)
def test_an_empty_table_is_whole(dialect: str, empty: str) -> None:
    """bgpd says of an empty table that it is."""
    assert answered([*said(dialect, "05", RUNNING), empty, empty], 2)


def test_an_empty_table_of_frr_is_whole() -> None:
    """Likewise, and nothing is announced."""
    lines = [*said(FRR, "04", RUNNING), *said(FRR, "04", TABLE4), *said(FRR, "04", TABLE6)]
    assert answered(lines, 2)
    assert parse_tables(lines) == {}


def test_no_instance() -> None:
    """A bgpd without `router bgp` has no AS and no tables."""
    lines = [*said(FRR, "17", RUNNING), *said(FRR, "17", TABLE4)]
    assert parse_running(lines).asns == []
    assert not answered(lines, 2)


# --- start files ----------------------------------------------------------------------------------

START = """\
hostname lvs
!
router ospf
 network 192.0.2.1/32 area 0
!
router bgp 64699
 network 192.0.2.1/32 route-map BGP1
 network 192.0.2.2 mask 255.255.255.255
 no network 192.0.2.3/32
!
 address-family ipv6
 network 2001:db8::1/128 route-map BGP1
 network nonsense
 exit-address-family
!
route-map BGP1 permit 10
 network 192.0.2.9/32
"""


def test_network_lines_of_a_start_file() -> None:
    """Those of `router bgp`, of both families and both ways to write a mask, with their numbers."""
    assert start_lines(START.splitlines()) == [(7, P1), (8, P2), (12, Q1)]


@each_dialect
def test_a_running_config_is_a_start_file(dialect: str) -> None:
    """What `write memory` writes is understood, of every daemon."""
    found = start_lines(said(dialect, "05", RUNNING))
    assert [prefix for _, prefix in found] == [P1, P2, Q1, Q2]
