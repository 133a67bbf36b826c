"""What bgpd says on Quagga 0.99 and 1.2 and on FRR, and what the driver makes of it."""

from collections.abc import Sequence

import pytest

from policy.plan import Announce, Change, Drift, Withdraw
from policy.route import Asn, AsPath, Attributes, Origin, Prefix, Route, parse_prefix
from speaker.backends import quagga_text as text
from speaker.backends.quagga_text import RouteMap, Running
from tests.golden.transcript import DIALECTS, Transcript

ASN = Asn(64699)
OLD, QUAGGA, FRR = DIALECTS
P1, P2 = parse_prefix("192.0.2.1/32"), parse_prefix("192.0.2.2/32")
Q1, Q2 = parse_prefix("2001:db8::1/128"), parse_prefix("2001:db8::2/128")
RUNNING = "show running-config"
TABLE4, TABLE6 = "show bgp ipv4 unicast", "show bgp ipv6 unicast"
BGP1 = RouteMap("BGP1", ("set as-path prepend 64699",))
BGP2 = RouteMap("BGP2", ("set as-path prepend 64699 64699",))
each_dialect = pytest.mark.parametrize("dialect", DIALECTS)


def said(dialect: str, name: str, command: str, time: int = 0) -> list[str]:
    return Transcript.load(dialect, name).said(command, time=time).stdout.splitlines()


def running(dialect: str) -> Running:
    return text.parse_running(said(dialect, "05", RUNNING))


def route(prefix: Prefix, prepends: int) -> Route:
    return Route(prefix, Attributes(AsPath.originated(ASN, prepends), 0))


@each_dialect
def test_running_config(dialect: str) -> None:
    """The AS, each network line with its route-map, each route-map with its lines."""
    found = running(dialect)
    assert found.asns == [ASN]
    assert found.networks == {P1: "BGP1", P2: "BGP2", Q1: "BGP1", Q2: "BGP2"}
    assert found.has(BGP1)
    assert found.has(BGP2)
    assert not found.has(RouteMap("BGP1", BGP2.sets))
    assert not found.has(RouteMap("BGP3", BGP1.sets))


@each_dialect
def test_table_and_running_config_say_what_is_announced(dialect: str) -> None:
    """A path of our own, valid and best, with a network line: announced, with what a peer sees."""
    lines = [*said(dialect, "03", TABLE4), *said(dialect, "03", TABLE6)]
    paths = text.parse_tables(lines)
    assert {p: text.seen(p, running(dialect), paths, ASN) for p in (P1, P2, Q1, Q2)} == {
        P1: route(P1, 1),
        P2: route(P2, 2),
        Q1: route(Q1, 1),
        Q2: route(Q2, 2),
    }
    assert text.seen(parse_prefix("192.0.2.99"), running(dialect), paths, ASN) is None


@each_dialect
def test_a_route_learned_from_another_dc_is_not_ours(dialect: str) -> None:
    """Beside a local path it hides nothing; alone it proves no announcement."""
    both = text.parse_tables(said(dialect, "16", TABLE4))
    assert text.seen(P1, running(dialect), both, ASN) == route(P1, 1)
    alone = text.parse_tables(said(dialect, "16", TABLE4, 1))
    assert P1 not in alone
    assert P2 in alone
    drained = running(dialect)
    del drained.networks[P1]
    assert text.seen(P1, drained, alone, ASN) is None


@each_dialect
def test_a_missing_route_map_is_no_announcement(dialect: str) -> None:
    """A network line whose route-map is missing is in running-config and not in the table."""
    found = running(dialect)
    prefix = parse_prefix("192.0.2.30/32")
    found.networks[prefix] = "NOSUCH"
    paths = text.parse_tables(said(dialect, "03", TABLE4))
    assert isinstance(text.seen(prefix, found, paths, ASN), Drift)


def test_the_boot_bug_of_quagga_1_2() -> None:
    """A network line that stood before its route-map in the file is not in the table; re-entered, it is."""
    name = "00-boot-routemap-defined-after"
    boot = Transcript.load(QUAGGA, name)
    before = text.parse_tables(boot.said("show ip bgp").stdout.splitlines())
    after = text.parse_tables(boot.said("show ip bgp", time=2).stdout.splitlines())
    assert isinstance(text.seen(P1, running(QUAGGA), before, ASN), Drift)
    assert text.seen(P1, running(QUAGGA), after, ASN) == route(P1, 1)
    # What the driver writes about it is what healed it.
    names = {route(P1, 1).attributes: "BGP1"}
    lines = text.render([Announce(route(P1, 1))], running(QUAGGA), ASN, names)
    assert boot.said(*["conf t", *lines[1:]]).stdout == ""


def test_frr_import_check_is_seen() -> None:
    """FRR's default leaves a network route invalid: said with its remedy; cured, it is announced."""
    found = text.parse_running(said(FRR, "00", RUNNING))
    invalid = text.parse_tables(said(FRR, "00", TABLE4))
    drift = text.seen(P1, found, invalid, ASN)
    assert isinstance(drift, Drift)
    assert "no bgp network import-check" in drift.found
    valid = text.parse_tables(said(FRR, "00", TABLE4, 1))
    assert text.seen(P1, found, valid, ASN) == route(P1, 1)


def test_frr_requires_a_policy() -> None:
    """A session on which FRR sends nothing for want of a policy is up, and known for it."""
    (session,) = text.parse_summary(said(FRR, "00", "show bgp summary"))
    assert (session.asn, session.up, session.needs_policy) == (64500, True, True)
    (session,) = text.parse_summary(said(FRR, "00", "show bgp summary", 1))
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
    sessions = text.parse_summary(lines)
    assert {session.address: session.asn for session in sessions} == neighbours
    assert all(session.up for session in sessions)


def test_no_neighbours() -> None:
    """A bgpd without neighbours says so, and that is no fault."""
    lines = said(FRR, "06", "show bgp summary")
    assert text.parse_summary(lines) == []
    assert not any(line.startswith(text.FAULTS) for line in lines)


def test_long_prefixes_have_a_line_of_their_own() -> None:
    """Where a prefix fills its column, what belongs to it is on the next line."""
    paths = text.parse_tables([*said(FRR, "07", TABLE4), *said(FRR, "07", TABLE6)])
    for prefix in ("255.255.255.255/32", "2001:db8:1:2:3:4:5:6/128"):
        path = paths[parse_prefix(prefix)]
        assert (path.valid, path.best, path.med) == (True, True, 0)
        assert path.as_path == AsPath()


def test_med_of_any_size() -> None:
    """MED is what stands below its head, though it be the weight of a local path, or fill the column."""
    head = "   Network          Next Hop            Metric LocPrf Weight Path"
    for med in (0, 1, 32768, 4294967295):
        row = f"*> 192.0.2.1/32     0.0.0.0         {med:>10}         32768 64699 e"
        (path,) = text.parse_tables([head, row]).values()
        assert path == text.Path(True, True, med, AsPath((ASN,)), Origin.EGP)  # noqa: FBT003
    row = "*> 192.0.2.1/32     0.0.0.0                            32768 i"
    assert text.parse_tables([head, row])[P1].med is None


HEAD = "   Network          Next Hop            Metric LocPrf Weight Path"


def test_only_a_path_of_our_own_counts() -> None:
    """The unspecified next hop alone proves nothing: what bgpd passes on is shown with it too."""
    row = "*> 192.0.2.1/32     0.0.0.0                                0 64700 i"
    assert text.parse_tables([HEAD, row]) == {}


def test_a_path_that_is_not_announced_as_it_should_be() -> None:
    """Not the best, or without a network line: a drift, which is never taken for announced."""
    own = text.Path(valid=True, best=False, med=0, as_path=AsPath(), origin=Origin.IGP)
    lines = Running([ASN], {P1: None})
    assert text.seen(P1, lines, {P1: own}, ASN) == text.NOT_BEST
    assert isinstance(text.NOT_BEST, Drift)
    best = text.Path(valid=True, best=True, med=0, as_path=AsPath(), origin=Origin.IGP)
    assert text.seen(P1, Running([ASN]), {P1: best}, ASN) == text.LEAVING
    assert isinstance(text.LEAVING, Drift)


# --- whole answers -------------------------------------------------------------------------------


@each_dialect
def test_a_cut_answer_proves_nothing(dialect: str) -> None:
    """Running-config to its end and both tables, empty ones too: whole. Any line less: not."""
    whole = [
        *said(dialect, "05", RUNNING),
        *said(dialect, "03", TABLE4),
        *said(dialect, "03", TABLE6),
    ]
    assert text.answered(whole, 2)
    assert not text.answered(said(dialect, "05", RUNNING), 2)
    assert not text.answered([*said(dialect, "03", TABLE4), *said(dialect, "03", TABLE6)], 2)
    end = whole.index("end")
    assert not text.answered(whole[:end], 2)


@pytest.mark.parametrize(
    ("dialect", "empty"),
    [(OLD, "No BGP network exists"), (QUAGGA, "No BGP prefixes displayed, 0 exist")],
)
def test_an_empty_table_is_whole(dialect: str, empty: str) -> None:
    """bgpd says of an empty table that it is."""
    assert text.answered([*said(dialect, "05", RUNNING), empty, empty], 2)


def test_an_empty_table_of_frr_is_whole() -> None:
    """Likewise, and nothing is announced."""
    lines = [*said(FRR, "04", RUNNING), *said(FRR, "04", TABLE4), *said(FRR, "04", TABLE6)]
    assert text.answered(lines, 2)
    assert text.parse_tables(lines) == {}


def test_no_instance() -> None:
    """A bgpd without `router bgp` has no AS and no tables."""
    lines = [*said(FRR, "17", RUNNING), *said(FRR, "17", TABLE4)]
    assert text.parse_running(lines).asns == []
    assert not text.answered(lines, 2)


# --- what is written ------------------------------------------------------------------------------


def commands(changes: Sequence[Change], dialect: str) -> list[str]:
    names = {route(P1, 1).attributes: "BGP1", route(P1, 2).attributes: "BGP2"}
    return text.render(changes, running(dialect), ASN, names)


@each_dialect
def test_families_in_order(dialect: str) -> None:
    """IPv4 lines first, then `address-family ipv6` without `unicast`, which 0.99 finds ambiguous."""
    changes: list[Change] = [
        Withdraw(Q1),
        Withdraw(P1),
        Announce(route(Q2, 1)),
        Announce(route(P2, 1)),
    ]
    assert commands(changes, dialect) == [
        "configure terminal",
        "router bgp 64699",
        "no network 192.0.2.1/32",
        "network 192.0.2.2/32 route-map BGP1",
        "address-family ipv6",
        "no network 2001:db8::1/128",
        "network 2001:db8::2/128 route-map BGP1",
    ]


@each_dialect
def test_only_what_is_there_is_removed(dialect: str) -> None:
    """`no network` of nothing is never written: FRR skips all that is behind it."""
    absent = Withdraw(parse_prefix("192.0.2.200/32"))
    assert commands([absent], dialect) == []
    assert "no network 192.0.2.200/32" not in commands([absent, Withdraw(P1)], dialect)


@each_dialect
def test_removed_without_its_route_map(dialect: str) -> None:
    """`no network` never names a route-map: FRR refuses one that is not the line's."""
    assert commands([Withdraw(P1)], dialect)[-1] == "no network 192.0.2.1/32"


@each_dialect
def test_lines_of_a_route_map_that_is_made_anew_are_entered_again(dialect: str) -> None:
    """Quagga takes them out of its table with the old route-map."""
    names = {route(P2, 1).attributes: "BGP1"}
    lines = text.render([Announce(route(P2, 1))], running(dialect), ASN, names, {"BGP1"})
    assert lines == [
        "configure terminal",
        "router bgp 64699",
        "network 192.0.2.1/32 route-map BGP1",
        "network 192.0.2.2/32 route-map BGP1",
        "address-family ipv6",
        "network 2001:db8::1/128 route-map BGP1",
    ]


# --- what is refused ------------------------------------------------------------------------------


@each_dialect
def test_success_is_silent(dialect: str) -> None:
    """What bgpd takes, it takes without a word, once and again."""
    entries = Transcript.load(dialect, "07").entries
    taken = [e for e in entries if e.commands[0].startswith("conf") and not e.output.status]
    assert len(taken) > 2
    assert {text.refusal(entry.output.stdout) for entry in taken} == {""}


@each_dialect
def test_any_word_is_a_refusal(dialect: str) -> None:
    """Whatever the exit status: Quagga warns of an absent network and exits with 0."""
    entries = [*Transcript.load(dialect, "09").entries, *Transcript.load(dialect, "11").entries]
    refused = {e.commands[-1]: text.refusal(e.output.stdout) for e in entries if e.output.stdout}
    assert refused["no network 192.0.2.200/32"].startswith("% Can't find")
    assert refused["netwrk 192.0.2.40/32"].startswith("% Unknown command")
    assert refused["network 192.0.2.43/32 route-map"].startswith("% Command incomplete")


@pytest.mark.parametrize(
    ("dialect", "configure"), [(QUAGGA, "conf t"), (FRR, "configure terminal")]
)
def test_wrong_as(dialect: str, configure: str) -> None:
    """`router bgp` of another AS: Quagga says so and exits with 0."""
    wrong = {QUAGGA: "65001", FRR: "64511"}[dialect]
    output = Transcript.load(dialect, "12").said(configure, f"router bgp {wrong}")
    assert output.status == (0 if dialect == QUAGGA else 1)
    assert text.refusal(output.stdout) == "bgpd runs AS 64699"


@pytest.mark.parametrize("dialect", [QUAGGA, FRR])
@pytest.mark.parametrize("name", ["13", "14"])
def test_down_and_forbidden_look_the_same(dialect: str, name: str) -> None:
    """With `-d bgpd`, no daemon and no permission both are said on stderr, with exit status 1."""
    entries = [e for e in Transcript.load(dialect, name).entries if name == "13" or "-d" in e.line]
    entries = [e for e in entries if "--groups" not in e.line]
    assert entries
    assert {entry.output.status for entry in entries} == {1}
    assert all("failed to connect" in entry.output.stderr for entry in entries)


def test_without_naming_the_daemon_quagga_says_nothing() -> None:
    """bgpd down and zebra up: no word, exit status 0. So `-d bgpd` always goes with it."""
    output = Transcript.load(QUAGGA, "14").said("show bgp ipv4 unicast 192.0.2.1/32")
    assert (output.status, output.stdout, output.stderr) == (0, "", "")


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
    assert text.start_lines(START.splitlines()) == [(7, P1), (8, P2), (12, Q1)]


@each_dialect
def test_a_running_config_is_a_start_file(dialect: str) -> None:
    """What `write memory` writes is understood, of every daemon."""
    found = text.start_lines(said(dialect, "05", RUNNING))
    assert [prefix for _, prefix in found] == [P1, P2, Q1, Q2]
