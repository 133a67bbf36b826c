"""Who was sent a prefix: when it is announced, when that is enough, and what is said where it is not."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from policy.route import Asn, AsPath, Attributes, Route, parse_prefix
from speaker.backends.base import Peer, SentTo
from speaker.reconcile.reach import (
    NO_SESSION,
    NONE_FOR_IT,
    UNTOLD,
    Reach,
    Reaches,
    alarm,
    down,
    sessions,
)
from tests.support.shown import ANNOUNCED

if TYPE_CHECKING:
    from speaker.api import PrefixStatus


def peers(**up: bool | None) -> list[Peer]:
    return [Peer(f"203.0.113.{name[1:]}", 64496, state, 64699, name) for name, state in up.items()]


A, B = "p1", "p2"
ROUTE = Route(parse_prefix("192.0.2.1"), Attributes(AsPath((Asn(64699),)), 0))
CASES: list[tuple[dict[str, bool | None], SentTo | None, bool | None, bool, str]] = [
    ({A: True, B: True}, {A: True, B: True}, True, True, ""),
    ({A: True, B: True}, {A: True, B: False}, True, False, "not sent to p2"),
    ({A: True, B: True}, {A: False, B: False}, False, False, "not sent to p1, p2"),
    ({A: True, B: True}, {A: True}, True, True, ""),
    ({A: False, B: False}, {A: False, B: False}, False, False, NO_SESSION),
    ({A: True, B: False}, {B: False}, False, False, NO_SESSION),
    ({A: True, B: False}, {A: True, B: False}, True, True, ""),
    # Down since it was read:
    ({A: False, B: False}, {A: True, B: True}, False, False, NO_SESSION),
    ({A: True, B: False}, {A: True, B: True}, True, True, ""),
    # Not known:
    ({A: None}, {A: None}, None, False, "not known whether this session is up: p1"),
    ({A: None}, {A: True}, None, False, "not known whether this session is up: p1"),
    ({A: True}, {A: None}, None, False, "not known whether it was sent to p1"),
    ({A: True, B: True}, {A: True, B: None}, True, False, "not known whether it was sent to p2"),
    ({A: True, B: False}, {A: None, B: False}, None, False, "not known whether it was sent to p1"),
    ({A: True}, None, None, False, ""),
    ({A: True}, {}, False, False, NO_SESSION),
    ({}, {A: True}, None, False, "not known whether this session is up: p1"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_reach(case: tuple[dict[str, bool | None], SentTo | None, bool | None, bool, str]) -> None:
    """Announced: a session that is up was sent it. Complete: each that is up, and one is."""
    up, sent, *expected = case
    reach = Reaches(peers(**up)).of(sent)
    assert [reach.announced, reach.complete, reach.lack] == expected


def kept_from(*addresses: str) -> Route:
    """A route that some neighbours are not to get."""
    return Route(
        ROUTE.prefix, ROUTE.attributes, tuple((ip_address(text), None) for text in addresses)
    )


NOT_2 = kept_from("203.0.113.2")
KEPT: list[tuple[dict[str, bool | None], SentTo, bool | None, bool, str]] = [
    ({A: True, B: True}, {A: True, B: False}, True, True, ""),
    ({A: True, B: False}, {A: True, B: False}, True, True, ""),
    ({A: True, B: None}, {A: True, B: None}, True, False, "B is not known"),
    ({A: True, B: True}, {A: True, B: True}, True, False, "not to be sent to, and sent to p2"),
    ({A: True, B: True}, {A: False, B: False}, False, False, "not sent to p1"),
    ({A: False, B: True}, {A: False, B: False}, False, False, NONE_FOR_IT),
    ({A: False, B: True}, {A: False, B: True}, True, False, "not to be sent to, and sent to p2"),
]


@pytest.mark.parametrize("case", KEPT, ids=str)
def test_kept_from(case: tuple[dict[str, bool | None], SentTo, bool | None, bool, str]) -> None:
    """Who is not to get it does not lack it; who has it all the same is named."""
    up, sent, is_announced, complete, lack = case
    reach = Reaches(peers(**up)).of(sent, NOT_2)
    assert [reach.announced, reach.complete] == [is_announced, complete]
    expected = "not known whether a withdrawal was sent to p2" if "not known" in lack else lack
    assert reach.lack == expected


def test_foreseen_for_some() -> None:
    """Once announced, those that are up and are to get it would have it."""
    reaches = Reaches(peers(p1=True, p2=True))
    found = reaches.once({"p1": False, "p2": False}, NOT_2)
    assert found.sent == {"p1": True, "p2": False}
    assert found.complete
    nobody = reaches.once({"p1": False, "p2": False}, kept_from("203.0.113.1", "203.0.113.2"))
    assert (nobody.announced, nobody.complete, nobody.lack) == (False, False, NONE_FOR_IT)


def test_hold() -> None:
    """Who has what is to be withdrawn is named, and who may have it."""
    reach = Reaches(peers(p1=True, p2=True, p3=None, p4=False)).of(
        {"p1": True, "p2": False, "p3": True, "p4": True}
    )
    assert reach.hold == "still sent to p1; not known whether a withdrawal was sent to p3"
    assert Reaches(peers(p1=True)).of({"p1": False}).hold == ""
    assert Reach(None).hold == ""


def test_one_answer_for_many() -> None:
    """Prefixes with the same mapping share the answer: it is not made for each."""
    reaches = Reaches(peers(p1=True))
    shared = {"p1": True}
    assert reaches.of(shared) is reaches.of(shared)


def test_foreseen() -> None:
    """Once announced, those that are up would have it; once withdrawn, nobody."""
    reaches = Reaches(peers(p1=True, p2=False))
    sent = {"p1": False, "p2": False}
    assert reaches.once(sent, ROUTE).complete
    assert reaches.once(sent, None).announced is False
    assert reaches.once(None, ROUTE).announced is None
    assert reaches.once(None, None).announced is None


def test_down() -> None:
    """Sessions that are down are named, whatever else is up; one that is not known is not down."""
    assert down(peers(p1=True, p2=True)) == ""
    assert down(peers(p1=True, p2=False)) == "down: p2"
    assert down(peers(p1=False, p2=False)) == NO_SESSION
    assert down(peers(p1=None, p2=False)) == "down: p2"
    assert down([]) == ""


def shown(prefix: str, lack: str, sent: dict[str, bool | None]) -> PrefixStatus:
    return replace(
        ANNOUNCED,
        prefix=prefix,
        announced=not lack,
        peers=sent,
        lack=lack,
        reason="",
        as_wanted=not lack,
    )


@pytest.mark.parametrize(
    ("up", "sent", "said"),
    [
        ({A: True}, {}, ["no neighbor has IPv6, so 2 prefixes are not announced"]),
        (
            {A: True, B: False},
            {B: False},
            ["down: p2", "none that has IPv6 is up, so 2 prefixes are not announced"],
        ),
    ],
)
def test_no_neighbor_of_a_family(
    up: dict[str, bool | None], sent: dict[str, bool | None], said: list[str]
) -> None:
    """That a family has no neighbor at all is not told as if one were down."""
    routes = [
        shown("192.0.2.1/32", "", {A: True}),
        shown("2001:db8::1/128", NO_SESSION, sent),
        shown("2001:db8::2/128", NO_SESSION, sent),
    ]
    told = [text for text in sessions(peers(**up), routes) if text.startswith("sessions: ")]
    assert told == [f"sessions: {text}" for text in said]


def test_why_a_session_is_down() -> None:
    """Of the first sessions that are down it is told why, as far as that is known, and what to do."""
    away = [
        Peer("203.0.113.1", 64496, up=False, local_as=64699, reason="bad peer AS; compare"),
        Peer("203.0.113.2", 64497, up=None, local_as=64699),
        *(Peer(f"203.0.113.{n}", 64498, up=False, local_as=64699) for n in range(3, 8)),
    ]
    said = sessions([*away, *peers(p1=True)], [])
    assert said[0].startswith("sessions: down: 203.0.113.1, 203.0.113.3, ")
    assert said[1] == "session 203.0.113.1 AS64496: bad peer AS; compare"
    assert said[2] == f"session 203.0.113.3 AS64498: {UNTOLD}"
    assert (len(said), said[-1]) == (7, "1 more session is down")
    assert alarm([*away, *peers(p1=True)]) == "; ".join(said).removeprefix("sessions: ")
    assert alarm(peers(p1=True)) == ""
    assert alarm([]) == ""
    assert alarm(peers(p1=True, p2=None)) == ""
    assert alarm(peers(p1=None, p2=None)) is None  # which ends no alarm
