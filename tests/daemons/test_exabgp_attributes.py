"""Pins what a peer sees of the AS_PATH, next hop and attributes that a line gives."""

from collections.abc import Iterator

import pytest

from tests.daemons.stage import ASN, V4, V6, Stage
from tests.support.lab.exabgp import Flavour
from tests.support.lab.puppet import PATIENCE, NoReplyError
from tests.support.lab.session import SeenRoute


@pytest.fixture(autouse=True)
def _leave_nothing(stage: Stage) -> Iterator[None]:
    yield
    stage.say(f"withdraw route {V4}", f"withdraw route {V6}")


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("as-path [ ]", ()),
        ("as-path [ 64699 ]", (64699,)),
        ("as-path [ 64699 64699 64699 ]", (64699, 64699, 64699)),
        ("as-path [ 64496 64497 ]", (64496, 64497)),
        ("as-path [ 65551 4200000000 ]", (65551, 4200000000)),
        ("as-path [64699 64699]", (64699, 64699)),
    ],
)
def test_a_path_is_sent_literally(stage: Stage, given: str, path: tuple[int, ...]) -> None:
    """Whatever kind of neighbour it is, it gets the path of the line: nothing is added, not even our own AS."""
    stage.say(f"announce route {V4} next-hop self {given}")
    seen = {session: route.as_path for session, route in stage.everywhere(V4).items()}
    assert seen == dict.fromkeys((stage.ebgp, stage.only4, stage.ibgp, stage.wide), path)


def test_a_line_without_path_gets_the_usual_one(stage: Stage) -> None:
    """No as-path: the local AS once on eBGP, nothing on iBGP."""
    stage.say(f"announce route {V4} next-hop self")
    seen = {session: route.as_path for session, route in stage.everywhere(V4).items()}
    assert seen == {stage.ebgp: (ASN,), stage.only4: (ASN,), stage.ibgp: (), stage.wide: (65536,)}


def test_a_path_needs_brackets(stage: Stage, flavour: Flavour) -> None:
    """Without brackets, 5.x refuses what 4.x takes."""
    reply = stage.helper.ask(f"announce route {V4} next-hop self as-path 64699")
    assert reply.status == {"v4": "done", "v5": "error"}[flavour]


def test_every_attribute_reaches_the_peer(stage: Stage) -> None:
    """ORIGIN, MED, communities and large communities arrive as given, on every kind of session."""
    stage.say(
        f"announce route {V4} next-hop self origin incomplete med 4294967295"
        " community [ 64699:100 65535:0 ] large-community [ 64699:1:2 64699:3:4 ]"
    )
    seen = stage.everywhere(V4)
    assert set(seen) == {stage.ebgp, stage.only4, stage.ibgp, stage.wide}
    for route in seen.values():
        assert (route.origin, route.med) == ("incomplete", 4294967295)
        assert route.communities == {"64699:100", "65535:0"}
        assert route.large_communities == {"64699:1:2", "64699:3:4"}


OCTETS = {
    "0x0002fbf4ffffffff": "rt:64500:4294967295",
    "0x02020001000a0007": "rt:65546:7",
    "0x0102c00002010005": "rt:192.0.2.1:5",
    "0x0003fbf400000001": "soo:64500:1",
    "0x02030001000a0007": "soo:65546:7",
}


def test_extended_communities_are_sent_by_octets(stage: Stage, flavour: Flavour) -> None:
    """Given as octets they arrive; each is listed so that it can be told, one alone without brackets."""
    stage.say(f"announce route {V4} next-hop self extended-community [ {' '.join(OCTETS)} ]")
    for route in stage.everywhere(V4).values():
        assert route.extended_communities == {*OCTETS.values()}
    long = {"v4": "65546L", "v5": "65546"}[flavour]
    (line,) = {
        line.partition(" extended-community ")[2]
        for line in stage.helper.ask("show adj-rib out extensive").lines
        if V4 in line
    }
    assert line.rstrip() == (
        "[ target:64500:4294967295 origin:64500:0.0.0.1 target:192.0.2.1:5 "
        f"target:{long}:7 origin:{long}:7 ]"
    )


@pytest.mark.parametrize(
    ("word", "sent"),
    [
        ("target:64500:1", {"v4": "rt:64500:1", "v5": "rt:64500:1"}),
        ("target:65546:7", {"v4": "rt:65546:7", "v5": "rt:0.1.0.10:7"}),
        ("target:192.0.2.1:5", {"v4": "rt:49152:33619973", "v5": "rt:192.0.2.1:5"}),
    ],
)
def test_extended_communities_in_words_are_not_what_they_say(
    stage: Stage, flavour: Flavour, word: str, sent: dict[Flavour, str]
) -> None:
    """4.x puts an address into an AS number and a number; 5.0 takes an AS number of four octets for an address."""
    stage.say(f"announce route {V4} next-hop self extended-community [ {word} ]")
    assert stage.everywhere(V4)[stage.ebgp].extended_communities == {sent[flavour]}


def test_no_attribute_is_sent_unasked(stage: Stage) -> None:
    """Without `med` there is no MED on the wire; with `med 0` there is one."""
    stage.say(f"announce route {V4} next-hop self")
    bare = stage.everywhere(V4)[stage.ebgp]
    assert bare == SeenRoute(V4, (ASN,), stage.ebgp.local, med=None, origin="igp")
    stage.say(f"announce route {V4} next-hop self med 0")
    assert stage.everywhere(V4)[stage.ebgp].med == 0


def test_attributes_are_replaced_not_merged(stage: Stage) -> None:
    """A second announcement of a prefix carries its own attributes only."""
    stage.say(f"announce route {V4} next-hop self med 5 community [ 64699:1 ]")
    stage.say(f"announce route {V4} next-hop self as-path [ 64699 64699 ]")
    route = stage.everywhere(V4)[stage.ebgp]
    assert route == SeenRoute(V4, (ASN, ASN), stage.ebgp.local, med=None)


def test_self_is_the_local_address(stage: Stage) -> None:
    """`next-hop self` is, per session, the local address of its TCP connection."""
    stage.say(f"announce route {V4} next-hop self")
    seen = {session: route.next_hop for session, route in stage.everywhere(V4).items()}
    assert seen == {
        session: session.local for session in (stage.ebgp, stage.only4, stage.ibgp, stage.wide)
    }


def test_self_for_ipv6_needs_an_ipv6_session(stage: Stage, flavour: Flavour) -> None:
    """5.x refuses the line for all neighbours when one has no IPv6 address; 4.x may not answer, and skips those."""
    patience = PATIENCE if flavour == "v5" else 1
    try:
        status = stage.helper.ask(f"announce route {V6} next-hop self", patience).status
    except NoReplyError:
        status = "none"
    seen = {session: route.next_hop for session, route in stage.everywhere(V6).items()}
    if flavour == "v5":
        assert (status, seen) == ("error", {})
    else:
        assert status in {"done", "none"}
        assert seen == {stage.only6: stage.only6.local}
    stage.say(f"neighbor {stage.only6.remote} announce route {V6} next-hop self")
    assert {s: route.next_hop for s, route in stage.everywhere(V6).items()} == {
        stage.only6: stage.only6.local
    }


def test_an_explicit_ipv6_next_hop_works_on_both_transports(stage: Stage) -> None:
    """An IPv6 route with an IPv6 next hop arrives over IPv4 and IPv6 sessions alike."""
    stage.say(f"announce route {V6} next-hop {stage.hop6}")
    seen = {session: route.next_hop for session, route in stage.everywhere(V6).items()}
    assert seen == dict.fromkeys((stage.ebgp, stage.only6, stage.ibgp, stage.wide), stage.hop6)


def test_a_next_hop_of_the_other_family_is_lost(stage: Stage) -> None:
    """Both are answered `done`, and nothing arrives."""
    stage.say(
        f"announce route {V6} next-hop {stage.ebgp.local}",
        f"announce route {V4} next-hop {stage.hop6}",
    )
    assert stage.everywhere(V6) == {}
    assert stage.everywhere(V4) == {}
