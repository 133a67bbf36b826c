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

    from speaker.migration.bgpd_conf.model import Configuration
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
