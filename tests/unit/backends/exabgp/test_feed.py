"""What each session was sent since it came up, by what ExaBGP tells: known, known not to be, or unknown."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Any

import pytest

from policy.route import parse_prefix
from speaker.backends.exabgp.feed import MAX_PREFIXES, MAX_SESSIONS, Feed, SentUpdate
from speaker.backends.exabgp.heard import HeardUpdate
from speaker.backends.exabgp.messages import Garbled, parse_message
from speaker.backends.exabgp.neighbors import Ends
from speaker.backends.exabgp.protocol import MAX_LINE, Conversation, OutOfStep
from speaker.backends.exabgp.sessions import Sessions

if TYPE_CHECKING:
    from speaker.backends.exabgp.protocol import Event

A = Ends(ip_address("203.0.113.1"), ip_address("203.0.113.2"))
B = Ends(ip_address("203.0.113.3"), ip_address("203.0.113.2"))
ONE, TWO, SIX = map(parse_prefix, ("192.0.2.1/32", "192.0.2.2/32", "2001:db8::1/128"))


def announced(*prefixes: object, ends: Ends = A) -> SentUpdate:
    return SentUpdate(ends, (), tuple(map(str, prefixes)))


def withdrawn(*prefixes: object, ends: Ends = A) -> SentUpdate:
    return SentUpdate(ends, tuple(map(str, prefixes)), ())


def test_from_its_beginning() -> None:
    """Of a session that came up in our time all is known, also what it was not sent."""
    feed = Feed()
    feed.sessions[A].begin()
    feed.take(announced(ONE, SIX))
    assert [feed.sessions[A].has(str(p)) for p in (ONE, TWO, SIX)] == [True, False, True]
    feed.take(withdrawn(ONE, TWO))
    assert [feed.sessions[A].has(str(p)) for p in (ONE, TWO, SIX)] == [False, False, True]


def test_from_somewhere_in_its_life() -> None:
    """Of one that was up before only that is known which was told since: announced, or withdrawn."""
    feed = Feed()
    feed.take(announced(ONE))
    feed.take(withdrawn(TWO))
    assert [feed.sessions[A].has(str(p)) for p in (ONE, TWO, SIX)] == [True, False, None]
    assert feed.sessions[B].has(str(ONE)) is None


def test_another_life() -> None:
    """A session that ends is not known; one that comes up again was sent nothing yet."""
    feed = Feed()
    feed.sessions[A].begin()
    feed.sessions[B].begin()
    feed.take(announced(ONE))
    feed.take(announced(ONE, ends=B))
    feed.sessions[A].forget()
    assert (feed.sessions[A].has(str(ONE)), feed.sessions[B].has(str(ONE))) == (None, True)
    feed.sessions[A].begin()
    assert feed.sessions[A].has(str(ONE)) is False
    feed.forget_all()
    assert (feed.sessions[A].has(str(ONE)), feed.sessions[B].has(str(ONE))) == (None, None)


def test_bounded() -> None:
    """What a session is sent by others has a bound: past it, nothing is known until it is told."""
    feed = Feed()
    feed.sessions[A].begin()
    feed.take(announced(ONE, *range(MAX_PREFIXES - 1)))
    assert (feed.sessions[A].has(str(ONE)), feed.sessions[A].has(str(TWO))) == (True, False)
    feed.take(announced(TWO))
    assert (feed.sessions[A].has(str(ONE)), feed.sessions[A].has(str(TWO))) == (None, None)
    feed.take(announced(TWO))
    assert (feed.sessions[A].has(str(ONE)), feed.sessions[A].has(str(TWO))) == (None, True)


def test_sessions_are_bounded() -> None:
    """Of so many sessions it is kept what they were sent: of others nothing is known."""
    feed = Feed()
    for number in range(MAX_SESSIONS):
        feed.session(Ends(IPv4Address(number), None)).begin()
    feed.session(A).begin()
    feed.take(announced(ONE))
    assert len(feed.sessions) == MAX_SESSIONS
    assert feed.session(A).has(str(ONE)) is None


def test_sessions_that_come_and_go_are_bounded() -> None:
    """What is kept of sessions does not grow with all that there ever were, such as of a range."""
    sessions = Sessions()
    for number in range(MAX_SESSIONS + 9):
        sessions.is_told(Ends(IPv4Address(number), None), 0.0, up=True)
    assert len(sessions._told) == MAX_SESSIONS
    sessions.ask()
    sessions.shown({A: None}, 1.0)
    assert (len(sessions._up), len(sessions._since)) == (1, 0)


# --- its lines ---------------------------------------------------------------------------------


def line(update: Any, direction: str = "send", local: str = "203.0.113.2") -> str:
    return json.dumps(
        {
            "exabgp": "5.0.0",
            "type": "update",
            "neighbor": {
                "address": {"local": local, "peer": "203.0.113.1"},
                "asn": {"local": 64699, "peer": 64496},
                "direction": direction,
                "message": {"update": update},
            },
        }
    )


def nlri(*prefixes: object) -> list[dict[str, str]]:
    return [{"nlri": str(prefix)} for prefix in prefixes]


HEARD = HeardUpdate(A, (), (((str(ONE), ""), "null"),), {})
LINES: list[tuple[str, Event]] = [
    (
        line(
            {
                "attribute": {"origin": "igp", "as-path": [64699], "med": 0},
                "announce": {"ipv4 unicast": {"203.0.113.2": nlri(ONE, TWO)}},
            }
        ),
        announced(ONE, TWO),
    ),
    (line({"announce": {"ipv6 unicast": {"2001:db8::f": nlri(SIX)}}}), announced(SIX)),
    # 4.2 has attributes with a withdrawal of IPv6.
    (
        line({"attribute": {"origin": "igp"}, "withdraw": {"ipv6 unicast": nlri(SIX)}}),
        withdrawn(SIX),
    ),
    (line({"withdraw": {"ipv4 unicast": nlri(ONE)}}), withdrawn(ONE)),
    (line({"withdraw": {"ipv4 flow": [{"string": "x"}]}}), SentUpdate(A, (), ())),
    (line({"announce": {"ipv4 unicast": {"null": nlri(ONE)}}}, "receive"), HEARD),
    (
        line({"announce": {"ipv6 unicast": {"::f": nlri("::ffff:192.0.2.1/128")}}}),
        announced(parse_prefix("::ffff:192.0.2.1/128")),
    ),
]


@pytest.mark.parametrize(("text", "event"), LINES)
def test_lines(text: str, event: Event) -> None:
    """What is sent is an event; so is what is received, another one."""
    assert parse_message(text) == event


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[" * 100_000,
        line({"withdraw": {}}).replace("{", '{"type": "update", ', 1),
        line({"announce": {"ipv4 unicast": {"203.0.113.2": ["192.0.2.1/32"]}}}),
        line({"announce": {"ipv4 unicast": {"203.0.113.2": [{}]}}}),
        line({"announce": ["ipv4 unicast"]}),
        line("an update", local="nowhere"),
        line({}, local="nowhere"),
        line(17),
    ],
)
def test_garbled(text: str) -> None:
    """A line that can't be read may have told anything: it is never passed over in silence."""
    assert parse_message(text) == Garbled(text)


def test_an_endless_line_is_garbled() -> None:
    """Past its bound a line is thrown away, and that it is lost is told."""
    conversation = Conversation()
    events = list(conversation.receive(b"{" + b" " * MAX_LINE + b" "))
    assert [type(event) for event in events] == [Garbled, OutOfStep]
