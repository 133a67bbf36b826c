"""The lines of groups and their members in any order: what FRR takes is read so, and what it refuses is an error."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from speaker.migration.bgpd_conf.model import Treatment
from speaker.migration.bgpd_conf.reader import read
from speaker.migration.updates.evaluate import evaluate
from tests.support.lab.frr import Frr
from tests.support.lab.vty import Vty

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speaker.migration.bgpd_conf.model import Configuration, Obstacle
    from tests.support.lab.netns import Network
    from tests.support.lab.release import Release

HEAD = ("frr version 8.4.4", "router bgp 64699", " no bgp ebgp-requires-policy")
MEMBERS = ("203.0.113.1", "203.0.113.2", "2001:db8:ffff:1::1")
NAMES = ("G", "H", *MEMBERS)
NETWORKS = (" network 192.0.2.1/32", " network 192.0.2.2/32")
LISTS = (
    "ip prefix-list P permit 192.0.2.1/32",
    "ip prefix-list Q permit 192.0.2.2/32",
    "access-list D permit 192.0.2.0/30",
    "route-map R permit 10",
    " set metric 7",
)
IPV6 = ("address-family ipv6 unicast", "exit-address-family")

names = st.sampled_from(NAMES)
LINES = st.one_of(
    *(
        st.builds(form.format, names)
        for form in (
            "neighbor {} activate",
            "no neighbor {} activate",
            "neighbor {} prefix-list P out",
            "neighbor {} prefix-list Q out",
            "neighbor {} distribute-list D out",
            "neighbor {} route-map R out",
            "no neighbor {} prefix-list P out",
            "neighbor {} description x",
            "neighbor {} timers 3 9",
        )
    ),
    st.builds("neighbor {} peer-group {}".format, st.sampled_from(MEMBERS), st.sampled_from("GH")),
    st.builds("neighbor {} peer-group {}".format, st.sampled_from(MEMBERS), st.just("G")),
    st.builds(
        "neighbor {} remote-as {}".format,
        names,
        st.sampled_from(["64500", "64501", "64699", "internal", "internal"]),
    ),
)
ROUTER_ONLY = re.compile("remote-as|description|timers|peer-group$")
MADE = st.sampled_from(["neighbor G peer-group", "neighbor H peer-group"])
"""What makes a group, so often that most orders have one."""


@st.composite
def orders(draw: st.DrawFn) -> list[str]:
    """Draw lines of `router bgp` in any order, some of them of IPv6's family."""
    lines = draw(st.lists(st.one_of(LINES, LINES, LINES, MADE), min_size=3, max_size=16))
    found: list[str] = ["neighbor G peer-group"] if draw(st.booleans()) else []
    for line in lines:
        of_six = not ROUTER_ONLY.search(line) and draw(st.integers(0, 5)) == 5
        found += [IPV6[0], line, IPV6[1]] if of_six else [line]
    return found


@pytest.fixture(scope="module")
def vty(release_network: Network, release: Release) -> Iterator[Vty]:
    frr = Frr(release_network.host("lb"), None, root=release.root)
    with Vty(frr.folder / "bgpd.vty") as found:
        yield found


def asked(vty: Vty, lines: list[str]) -> tuple[list[int], bytes]:
    """Return the indices of the lines that bgpd refuses, and the configuration that it has then."""
    vty.say("no router bgp 64699")
    for line in HEAD[1:]:
        vty.say(line)
    refused = [index for index, line in enumerate(lines) if vty.say(line)[1] != 0]
    for line in (*NETWORKS, "exit", *LISTS, "exit"):
        assert vty.say(line)[1] == 0, line
    said, _ = vty.say("do show running-config")
    return refused, f"frr version {said.partition('frr version ')[2]}\n".encode()


def sent(found: Configuration) -> dict[str, tuple[object, ...]]:
    """Return what is read of each neighbour, and what it is sent."""
    evaluation = evaluate(found)
    return {
        str(each.address): (
            each.asn,
            each.group,
            each.hold_time,
            {version: family.active for version, family in each.families.items()},
            {str(p): str(update) for p, update in evaluation.updates[each.address].items()},
        )
        for each in found.neighbors
    }


@settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(lines=orders())
@example(
    lines=[
        "neighbor G peer-group",
        "neighbor 203.0.113.1 peer-group G",
        "neighbor 203.0.113.1 remote-as 64500",
        "neighbor G prefix-list P out",
    ]
)
@example(
    lines=[
        "neighbor G peer-group",
        "neighbor 203.0.113.1 peer-group G",
        "neighbor 203.0.113.2 remote-as 64500",
        "neighbor 203.0.113.2 peer-group G",
        "neighbor 203.0.113.1 remote-as 64500",
    ]
)
@example(
    lines=[
        "neighbor G peer-group",
        "neighbor G remote-as internal",
        "neighbor 203.0.113.1 remote-as 64500",
        "neighbor 203.0.113.1 peer-group G",
    ]
)
@example(
    lines=[
        "neighbor G peer-group",
        "neighbor 203.0.113.1 remote-as 64500",
        "neighbor 203.0.113.1 peer-group G",
        "neighbor G remote-as 64501",
    ]
)
@example(
    lines=[
        "neighbor G peer-group",
        "neighbor G remote-as 64501",
        "neighbor 203.0.113.1 peer-group G",
        "neighbor 203.0.113.1 remote-as 64501",
    ]
)
def test_read_as_frr_reads(vty: Vty, lines: list[str]) -> None:
    """Each line is refused where FRR refuses it, or where its versions differ, and an error; of the rest the same is understood."""
    refused, running = asked(vty, lines)
    text = "\n".join([*HEAD, *lines, *NETWORKS, *LISTS, ""])
    found = read("frr.conf", text.encode())
    first = len(HEAD) + 1
    wrong = {
        verdict.statement.line - first
        for verdict in found.verdicts
        if verdict.treatment is Treatment.REFUSED
    }
    assert wrong >= set(refused), "what FRR refuses is refused here"
    lacking = _without_as(found, lines)
    assert wrong <= {*refused, *lacking, *_by_version(found, first)}, "and no more"
    assert bool(wrong) == bool(found.obstacles), "nothing is passed over"
    # FRR itself refuses what it writes of neighbours without an AS.
    if wrong == set(refused) and not lacking:
        assert sent(found) == sent(read("frr.conf", running))


FORMS = """\
description, password a, password a b, timers 3 9, timers 3 2, timers 70000 9, timers 3, ebgp-multihop, \
ebgp-multihop 0, ebgp-multihop 256, ttl-security, ttl-security hops 0, ttl-security hops 255, update-source lo, \
update-source 203.0.113.10/24, update-source 2001:db8::10, shutdown, shutdown message, shutdown message a b, \
shutdown rtt 50, port, port 0, port 70000, local-as, local-as 0, local-as 1.10, local-as 64500, local-as 64699, \
local-as 64510 replace-as, local-as 64510 no-prepend, local-as 64510 no-prepend replace-as, remote-as, remote-as 0, \
remote-as 1.10, remote-as auto, remote-as external, remote-as 64500 x, remote-as 4294967296, peer-group, \
peer-group G, peer-group NONE, interface, interface eth0, remove-private-AS, remove-private-AS all, \
remove-private-AS replace-AS, remove-private-AS all replace-AS, send-community x, send-community both, \
send-community large, route-map R out, route-map R, route-map, route-map R both, prefix-list P out, prefix-list P both, \
filter-list A out, filter-list A, distribute-list D out, distribute-list D, activate, activate x, x""".split(
    ", "
)
"""What may be said of a neighbour, and what bgpd takes of none."""


@pytest.mark.parametrize("no", ["", "no "])
@pytest.mark.parametrize("name", [MEMBERS[0], "G", "203.0.113.9", "X"])
def test_refused_where_frr_refuses(vty: Vty, name: str, no: str) -> None:
    """No line of a neighbour that FRR refuses is translated: it is an error, or changes nothing either way."""
    said, _ = vty.say("do show running-config")
    version = said[said.index("frr version ") :].splitlines()[0]
    head = [*HEAD[1:], "neighbor G peer-group", f"neighbor {MEMBERS[0]} remote-as 64500"]
    head += [f"neighbor {MEMBERS[1]} remote-as 64500", f"neighbor {MEMBERS[1]} peer-group G"]
    wrong = []
    for line in (f"{no}neighbor {name} {form}".strip() for form in FORMS):
        vty.say("no router bgp 64699")
        for each in head:
            assert vty.say(each)[1] == 0, each
        is_refused = vty.say(line)[1] != 0
        vty.say("exit")
        found = read("frr.conf", "\n".join([version, *head, line, *NETWORKS, ""]).encode())
        (verdict,) = (v for v in found.verdicts if v.statement.line == len(head) + 2)
        obstacles = {each.statement for each in (*found.obstacles, *_of_neighbors(found))}
        if is_refused and verdict.treatment is Treatment.TRANSLATED:
            wrong += [line] if verdict.statement not in obstacles else []
    assert not wrong, version


USED = (
    "address-family ipv4 unicast",
    *(f"neighbor {MEMBERS[0]} {word} out" for word in ("prefix-list P", "filter-list A")),
    "exit-address-family",
    "network 192.0.2.1/32 route-map R",
)
MET = (
    "route-map R permit 10",
    *(f"match {word}" for word in ("ip address prefix-list P", "community C", "large-community L")),
    "route-map R permit 20",
    "match ip address D",
    "route-map R permit 30",
)
"""Has all lists below met by a network."""
ENTRIES = """\
ip prefix-list P permit any, ip prefix-list P permit any le 32, ip prefix-list P permit 192.0.2.0/24 ge 20, \
ip prefix-list P permit 192.0.2.0/24 le 30 ge 28, ip prefix-list P permit 192.0.2.1, ip prefix-list P remark x, \
ip prefix-list P seq 0 permit any, ip prefix-list P seq 5 description x, ip prefix-list P description x, \
bgp as-path access-list A permit .*, ip as-path access-list A permit .*, ip as-path access-list A seq 5 permit .*, \
bgp as-path access-list A permit (1, bgp community-list standard C permit 64699:1, bgp community-list C permit 64699:1, \
bgp community-list standard C permit internet, bgp community-list standard C permit 64699, \
ip community-list C permit 64699:1, ip community-list standard C permit 64699:1, bgp large-community-list standard L permit 64699:1:2, \
bgp large-community-list L permit 64699:1:2, ip large-community-list standard L permit 64699:1:2, \
access-list D permit any, access-list D permit host 192.0.2.1, access-list D permit 192.0.2.0 0.0.0.255, \
access-list D seq 0 permit any, access-list D description x, set community internet, set community 64699:1, \
set as-path prepend 1.10, set metric rtt, set origin x""".split(", ")


def test_lists_that_frr_refuses(vty: Vty) -> None:
    """No entry of a list, and no `set`, that FRR refuses is translated: it has no such list then, or another one."""
    said, _ = vty.say("do show running-config")
    version = said[said.index("frr version ") :].splitlines()[0]
    head = [*HEAD[1:], f"neighbor {MEMBERS[0]} remote-as 64500", *USED, "exit", *MET]
    wrong = []
    for line in ENTRIES:
        vty.say("route-map R permit 30")
        is_refused = vty.say(line)[1] != 0
        vty.say("end")
        for each in ("configure terminal", "no route-map R", f"no {line}"):
            vty.say(each)
        found = read("frr.conf", "\n".join([version, *head, line, ""]).encode())
        if is_refused and not any(str(o.statement) == line for o in evaluate(found).obstacles):
            wrong.append(line)
    assert not wrong, version


FAMILIES = """\
ipv4, ipv4 unicast, ipv4 multicast, ipv4 vpn, ipv4 labeled-unicast, ipv4 flowspec, ipv4 encap, ipv4 rtc, ipv6, \
ipv6 unicast, ipv6 multicast, ipv6 vpn, ipv6 labeled-unicast, ipv6 flowspec, ipv6 encap, vpnv4, vpnv4 unicast, vpnv6, \
vpnv6 unicast, encap, encapv4, encapv6, l2vpn evpn, link-state link-state, x""".split(", ")


def test_families_that_frr_refuses(vty: Vty) -> None:
    """An address family that FRR refuses is an error: it reads what stands in it as IPv4 unicast's."""
    vty.say("no router bgp 64699")
    refused = set()
    for family in FAMILIES:
        vty.say(HEAD[1])
        refused |= {family} if vty.say(f"address-family {family}")[1] else set()
        vty.say("end")
        vty.say("configure terminal")
    wrong = {
        family
        for family in FAMILIES
        if read("frr.conf", f"{HEAD[1]}\naddress-family {family}\n".encode()).obstacles
    }
    assert wrong >= refused
    assert {"ipv4", "ipv4 vpn", "l2vpn evpn", "ipv6 unicast"}.isdisjoint(wrong)


def _of_neighbors(found: Configuration) -> Iterator[Obstacle]:
    for each in found.neighbors:
        yield from each.obstacles


RESTARTS = st.sampled_from(
    [
        *("bgp graceful-restart", "no bgp graceful-restart", "bgp graceful-restart-disable"),
        *("no bgp graceful-restart-disable", "bgp graceful-restart restart-time 60"),
        *("no bgp graceful-restart restart-time", "bgp graceful-restart stalepath-time 60"),
        *(
            f"{no}neighbor {MEMBERS[0]} graceful-restart{what}"
            for no in ("", "no ")
            for what in ("", "-helper", "-disable")
        ),
    ]
)
"""What says whether a neighbour keeps routes while bgpd restarts."""


@settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(lines=st.lists(RESTARTS, max_size=6))
@example(lines=["bgp graceful-restart"])
@example(lines=["bgp graceful-restart", f"neighbor {MEMBERS[0]} graceful-restart-helper"])
def test_restarts_as_frr_reads(vty: Vty, lines: list[str]) -> None:
    """A neighbour keeps routes where FRR calls it `Restart`, and for as long. What FRR refuses changes nothing."""
    made = [*HEAD[1:], f"neighbor {MEMBERS[0]} remote-as 64500"]
    vty.say("no router bgp 64699")
    for line in made:
        assert vty.say(line)[1] == 0, line
    taken = [line for line in lines if vty.say(line)[1] == 0]
    said, _ = vty.say(f"do show bgp ipv4 neighbors {MEMBERS[0]} graceful-restart json")
    state = json.loads(said[said.index("{") :])[MEMBERS[0]]
    state = state.get("gracefulRestartInfo", state)  # where FRR 10.7 has it
    vty.say("exit")
    seconds = state["timers"]["configuredRestartTimer"]
    expected = seconds if state["localGrMode"].startswith("Restart") else None
    (found,) = read("frr.conf", "\n".join([HEAD[0], *made, *taken, ""]).encode()).neighbors
    assert found.graceful_restart == expected


def _by_version(found: Configuration, first: int) -> set[int]:
    """Return the lines that FRR's versions read differently, which is said of each."""
    return {
        verdict.statement.line - first for verdict in found.verdicts if "10.7" in verdict.reason
    }


def _without_as(found: Configuration, lines: list[str]) -> set[int]:
    """Return the lines of neighbours that have no AS in the end, which FRR keeps and ExaBGP can't."""
    known = {str(each.address) for each in found.neighbors}
    lacking = {*MEMBERS} - known
    words = [line.removeprefix("no ").split() for line in lines]
    return {index for index, said in enumerate(words) if lacking.intersection(said[1:2])}
