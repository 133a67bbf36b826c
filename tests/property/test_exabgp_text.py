"""Lines to ExaBGP and its answers: what is rendered comes to be at each peer, and parses back."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from random import Random
from sys import getsizeof
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.plan import Announce, Change, Withdraw
from policy.route import Asn, AsPath, Attributes, Prefix, Route
from speaker.backends.base import BackendError
from speaker.backends.exabgp.announced import ListedRoutes
from speaker.backends.exabgp.api_text import (
    as_ebgp,
    next_hop_for,
    parse_listing,
    sent,
    unreachable,
)
from speaker.backends.exabgp.lines import PREFIXES_PER_LINE, render
from speaker.backends.exabgp.messages import Garbled, Ignored, PeerState, Shutdown
from speaker.backends.exabgp.neighbors import (
    ConfiguredNeighbors,
    Ends,
    parse_neighbors,
    parse_sessions,
)
from speaker.backends.exabgp.protocol import (
    MAX_LINE,
    NONCE_BITS,
    Conversation,
    Event,
    InStep,
    OutOfStep,
    ProtocolError,
    Reply,
)
from speaker.config.settings import NextHop
from tests.support.fakes.exabgp import DIALECTS, HEADER, LIVE_WORDS, Daemon, Dialect
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from speaker.backends.exabgp.neighbors import ConfiguredNeighbor

ASN = made.LOCAL_ASN
ONE = made.ebgp(made.PEERS[0])
EXPLICIT = NextHop(made.V4_HOP, made.V6_HOP)
DIALECT = st.sampled_from(DIALECTS)
GRACEFUL_SHUTDOWN = made.WELL_KNOWN[-1]


@st.composite
def own_routes(draw: st.DrawFn, count: int = 6) -> list[Route]:
    """Routes of this data centre, of few sets of attributes, so that they share lines."""
    some = draw(st.lists(made.originated(ASN), min_size=1, max_size=3))
    prefixes = draw(st.lists(made.PREFIXES, unique=True, max_size=count))
    return [Route(prefix, draw(st.sampled_from(some))) for prefix in prefixes]


def tell(daemon: Daemon, changes: Iterable[Change], site: made.Site) -> list[str]:
    """Give the lines of changes to ExaBGP, and return them; all must be answered `done`."""
    lines = [line.text for line in render(changes, ConfiguredNeighbors(site.neighbors), site.hops)]
    for line in lines:
        assert daemon.answer(line) == ["done"], line
    assert daemon.log == [], "a line went to a neighbour that lacks its family"
    return lines


def reached(site: made.Site, version: int) -> list[ConfiguredNeighbor]:
    hop = next_hop_for(site.hops, version)
    return [
        neighbor
        for neighbor in site.neighbors
        if version in neighbor.families and not unreachable(neighbor, version, hop)
    ]


@given(made.sites(), own_routes(), DIALECT)
def test_read_back(site: made.Site, routes: list[Route], dialect: Dialect) -> None:
    """What a line announces is read back as the same route, of each neighbour that can have it."""
    daemon = Daemon(site.neighbors, dialect)
    tell(daemon, map(Announce, routes), site)
    *lines, end = daemon.answer("show adj-rib out extensive")
    assert end == "done"
    rib = parse_listing(lines).ribs
    found = {
        (neighbor.ends, route.prefix)
        for route in routes
        for neighbor in reached(site, route.prefix.version)
    }
    assert {(ends, prefix) for ends, those in rib.items() for prefix in those} == found
    for route in routes:
        hop = next_hop_for(site.hops, route.prefix.version)
        for neighbor in reached(site, route.prefix.version):
            what = rib[neighbor.ends][route.prefix]
            assert as_ebgp(what, neighbor, hop, ASN) == route.attributes


@given(made.sites(), own_routes(), DIALECT)
def test_at_the_peer(site: made.Site, routes: list[Route], dialect: Dialect) -> None:
    """A peer has the neighbour's own AS once and the prepends, or on iBGP the prepends alone."""
    daemon = Daemon(site.neighbors, dialect)
    for peer in daemon.sessions:
        daemon.establish(peer)
    tell(daemon, map(Announce, routes), site)
    for route in routes:
        wanted = route.attributes
        hop = next_hop_for(site.hops, route.prefix.version)
        for neighbor in reached(site, route.prefix.version):
            (session,) = [s for s in daemon.sessions.values() if s.neighbor == neighbor]
            seen = session.table[route.prefix]
            own = neighbor.local_as != neighbor.peer_as
            prepends = len(wanted.as_path) - 1
            assert seen.as_path == (neighbor.local_as,) * (prepends + own)
            assert seen.next_hop == str(hop or neighbor.local_address)
            assert (seen.origin, seen.med) == (wanted.origin, wanted.med)
            assert seen.communities == {str(each) for each in wanted.communities}
            assert seen.large_communities == {str(each) for each in wanted.large_communities}
            assert seen.extended_communities == {str(each) for each in wanted.extended_communities}


@given(made.sites(), own_routes(), st.data(), DIALECT)
def test_withdrawn(
    site: made.Site, routes: list[Route], data: st.DataObject, dialect: Dialect
) -> None:
    """Withdrawals take away what they name at every neighbour, and nothing else."""
    daemon = Daemon(site.neighbors, dialect)
    tell(daemon, map(Announce, routes), site)
    gone = {route.prefix for route in routes if data.draw(st.booleans())}
    tell(daemon, map(Withdraw, gone), site)
    left = parse_listing(daemon.answer("show adj-rib out extensive")[:-1]).ribs
    assert {prefix for those in left.values() for prefix in those} == {
        route.prefix
        for route in routes
        if route.prefix not in gone and reached(site, route.prefix.version)
    }


@given(made.sites(), own_routes(), st.lists(made.PREFIXES))
@example(
    site=made.Site((), NextHop()),
    routes=[],
    withdrawn=list(made.POOL),
)
def test_lines(site: made.Site, routes: list[Route], withdrawn: list[Prefix]) -> None:
    """No line has a word that ExaBGP would heed, a byte beyond ASCII, or two families."""
    changes: list[Change] = [*map(Withdraw, withdrawn), *map(Announce, routes)]
    for line in render(changes, ConfiguredNeighbors(site.neighbors), site.hops):
        assert line.text.isascii()
        assert line.text.isprintable()
        assert not [word for word in LIVE_WORDS if word in line.text]
        assert "as-path [ ]" not in line.text
        assert len({change.prefix.version for change in line.changes}) == 1
        assert len({type(change) for change in line.changes}) == 1


def test_graceful_shutdown() -> None:
    """The community that would stop ExaBGP by its name is written as a number."""
    attributes = Attributes(AsPath.originated(ASN, 0), communities=(GRACEFUL_SHUTDOWN,))
    route = Route(made.HOSTS_V4[0], attributes)
    (line,) = render([Announce(route)], ConfiguredNeighbors([ONE]), NextHop())
    assert "community [ 65535:0 ]" in line.text


@pytest.mark.parametrize("count", [1, 249, 250, 251, 1000])
def test_long_lists(count: int) -> None:
    """A line has at most 250 prefixes, and each change is in exactly one line."""
    prefixes = [made.host_v6(offset) for offset in range(count)]
    changes: list[Change] = [
        *map(Withdraw, prefixes),
        *(Announce(Route(p, made.SOME[0])) for p in prefixes),
    ]
    lines = list(render(changes, ConfiguredNeighbors([ONE]), EXPLICIT))
    assert [change for line in lines for change in line.changes] == changes
    assert max(len(line.changes) for line in lines) <= PREFIXES_PER_LINE
    assert len(lines) == 2 * -(-count // PREFIXES_PER_LINE)


@given(own_routes(count=20).filter(bool))
def test_halves(routes: list[Route]) -> None:
    """The halves of a line ask for the same, and none is empty where there are two changes."""
    for line in render(map(Announce, routes), ConfiguredNeighbors([ONE]), EXPLICIT):
        if len(line.changes) > 1:
            first, second = line.halves()
            assert (*first.changes, *second.changes) == line.changes
            assert first.changes
            assert second.changes
            assert first.command == second.command == line.command


@given(made.originated(ASN), made.sites())
def test_inverse(attributes: Attributes, site: made.Site) -> None:
    """`as_ebgp` gives back what `sent` was given; with another next hop it is nothing of ours."""
    for neighbor in site.neighbors:
        for hop in (site.hops.ipv4, site.hops.ipv6):
            what = sent(attributes, neighbor, hop)
            assert as_ebgp(what, neighbor, hop, ASN) == attributes
            assert as_ebgp(what, neighbor, made.PEERS[0], ASN) is None


def test_not_ours() -> None:
    """A route with another AS in its path, an empty path to an eBGP peer, or odd attributes is none of ours."""
    neighbor = made.ebgp(made.PEERS[0])
    start = f"neighbor {neighbor.address} local-ip 203.0.113.1 local-as 64699 peer-as 64496"
    start += " router-id 203.0.113.2 family-allowed in-open ipv4 unicast 192.0.2.1/32 next-hop self"
    for rest in (
        " as-path [ 64699 64496 ]",
        " as-path [ ]",
        "",
        " as-path [ 64699 ] aggregator ( 64699:203.0.113.1 )",
        " as-path [ 64699 ] community [ some-name ]",
        " as-path [ 64699 ] med 4294967296",
        " as-path [ 64699 ] [ 64699 ]",
    ):
        (what,) = parse_listing([start + rest]).ribs[neighbor.ends].values()
        assert as_ebgp(what, neighbor, None, ASN) is None
    (what,) = parse_listing([start + " as-path [ 64699 64699 ] med 0"]).ribs[neighbor.ends].values()
    assert as_ebgp(what, neighbor, None, Asn(64511)) == Attributes(
        AsPath.originated(Asn(64511), 1), 0
    )


@given(made.sites(), DIALECT, st.data())
def test_neighbors(site: made.Site, dialect: Dialect, data: st.DataObject) -> None:
    """The configuration that ExaBGP shows gives the neighbours and their sessions."""
    daemon = Daemon(site.neighbors, dialect)
    for peer in daemon.sessions:
        if data.draw(st.booleans()):
            daemon.establish(peer)
    lines = daemon.answer("show neighbor configuration")[:-1]
    assert parse_neighbors(lines) == site.neighbors
    sessions = parse_sessions(daemon.answer("show neighbor extensive")[:-1])
    assert {ends: duration is not None for ends, duration in sessions.items()} == {
        s.neighbor.ends: s.up for s in daemon.sessions.values()
    }


@given(st.integers(0, 10**7), st.sampled_from(["ESTABLISHED", "IDLE"]))
def test_how_long_a_session_is_up(seconds: int, state: str) -> None:
    """The duration is read as ExaBGP writes it, days too; of a session that is down there is none."""
    way = "up for" if state == "ESTABLISHED" else "down for"
    lines = ["Neighbor 203.0.113.11", "   local  203.0.113.1  ", f"   state    {state}  "]
    found = parse_sessions([*lines, f"   {way}    {timedelta(seconds=seconds)}   "])
    expected = seconds if state == "ESTABLISHED" else None
    assert found == {Ends.parse("203.0.113.11", "203.0.113.1"): expected}


WORDS = st.sampled_from(
    [
        "neighbor",
        "203.0.113.11",
        "local-ip",
        "local-as",
        "64699",
        "peer-as",
        "ipv4",
        "ipv6",
        "unicast",
        "192.0.2.1/32",
        "next-hop",
        "self",
        "as-path",
        "[",
        "]",
        "(",
        ")",
        "med",
        "community",
        "large-community",
        "extended-community",
        "target:64500:1",
        "origin:64500:0.0.0.1",
        "target:1:2:3",
        "origin:1.2.3.4.5:1",
        "1:2",
        "{",
        "}",
        "family",
        "api",
        "processes",
        "state",
        "Neighbor",
        "ESTABLISHED",
        ";",
        "origin",
        "igp",
        "local-address",
        "0.0.0.0",
        "x",
    ]
)
SPOKEN = st.lists(
    st.one_of(st.text(), st.lists(WORDS, max_size=20).map(" ".join), st.sampled_from(["}", "{"]))
)


@given(SPOKEN)
def test_other_answers(lines: list[str]) -> None:
    """An answer that is not understood is an error that says so; nothing else is raised."""
    for parse in (parse_listing, parse_neighbors, parse_sessions):
        with suppress(BackendError):
            parse(lines)


@given(made.sites(), st.lists(own_routes(), min_size=2, max_size=3), DIALECT)
def test_read_again(site: made.Site, rounds: list[list[Route]], dialect: Dialect) -> None:
    """What is announced is told as if nothing had been read before, and the same is the same object."""
    daemon = Daemon(site.neighbors, dialect)
    neighbors = ConfiguredNeighbors(site.neighbors)
    prefixes = {route.prefix for routes in rounds for route in routes}
    listing, announced = None, None
    for routes in rounds:
        tell(daemon, map(Announce, routes), site)
        gone = sorted({route.prefix for route in routes}, key=str)[::3]
        steps: list[list[Change]] = [[], [*map(Withdraw, gone)]]
        for changes in steps:
            tell(daemon, changes, site)
            lines = daemon.answer("show adj-rib out extensive")[:-1]
            listing = parse_listing(lines, listing)
            assert listing.ribs == parse_listing(lines).ribs
            assert parse_listing([*lines], listing) is listing
            looked = (prefixes, listing.ribs, neighbors, site.hops, ASN)
            announced, alone = ListedRoutes(*looked, announced), ListedRoutes(*looked)
            assert announced.routes() == alone.routes()
            assert announced.strays == alone.strays
            assert announced.held() == alone.held()


@given(made.sites(), own_routes(), DIALECT, st.data())
def test_damaged_answers(
    site: made.Site, routes: list[Route], dialect: Dialect, data: st.DataObject
) -> None:
    """A damaged answer is an error, or says of no prefix what was not said of it."""
    daemon = Daemon(site.neighbors, dialect)
    tell(daemon, map(Announce, routes), site)
    lines = daemon.answer("show adj-rib out extensive")[:-1]
    if not lines:
        return
    at = data.draw(st.integers(0, len(lines) - 1))
    cut = data.draw(st.integers(0, len(lines[at])))
    with suppress(BackendError):
        damaged = parse_listing([*lines[:at], lines[at][:cut], *lines[at + 1 :]]).ribs
        assert {prefix.version for those in damaged.values() for prefix in those} <= {4, 6}


# --- the conversation ----------------------------------------------------------------------------

NOISE = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from(
            [b"done\n", b"error\n", b"exabgp 5.0.15\n", b"{}\n", b"{", b"\n", b"\r\n", b"[" * 2000]
        ),
        st.sampled_from(
            [
                b'{"type": "notification", "notification": "shutdown"}\n',
                b'{"type":"state","neighbor":{"address":{"local":"None","peer":"::1"},"state":"up"}}\n',
                b'{"type":"state","neighbor":{"address":{"local":"x","peer":"::1"},"state":"up"}}\n',
                b'{"type":"state","neighbor":{"address":{"peer":1},"state":"up"}}\n',
                b'{"type":"state","neighbor":[]}\n',
            ]
        ),
    ),
    max_size=20,
).map(b"".join)


NONCES = Random(7)


def nonce() -> int:
    """A nonce, which the texts that a test draws have nothing to do with."""
    return NONCES.getrandbits(NONCE_BITS)


def converse(pieces: Sequence[bytes], commands: int = 3) -> list[Event]:
    """Keep a command in flight while there are any, and ask for step whenever it is lost."""
    conversation = Conversation()
    conversation.send("show adj-rib out extensive")
    events = []
    for piece in pieces:
        for event in conversation.receive(piece):
            events.append(event)
            if isinstance(event, OutOfStep):
                conversation.resynchronise(0x1234567812345678)
            if conversation.ready and commands:
                commands -= 1
                conversation.send("show neighbor extensive")
    return events


@given(NOISE, st.lists(st.integers(0, 400)))
@example(b"done\n" + b"x" * (MAX_LINE + 10) + b"\ndone\n", [5, 100])
def test_any_bytes(data: bytes, cuts: list[int]) -> None:
    """Whatever comes, in whatever pieces, nothing is raised and the events are the same."""
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:end] for start, end in pairwise(places)]
    assert converse(pieces) == converse([data])


@pytest.mark.parametrize("size", [MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, 3 * MAX_LINE])
@pytest.mark.parametrize("chunk", [1 << 16, 1 << 23])
def test_huge_lines(size: int, chunk: int) -> None:
    """A line of over four mebibytes is not read, however it comes: the reply that it is in is not believed."""
    data = b"x" * size + b"\ndone\n"
    events = converse([data[at : at + chunk] for at in range(0, len(data), chunk)], commands=0)
    if size <= MAX_LINE:
        assert events == [Reply(ok=True, lines=("x" * size,))]
    else:
        assert [type(event) for event in events] == [Garbled, OutOfStep, Ignored]


def test_the_largest_message_of_a_peer() -> None:
    """ExaBGP makes 25 bytes of each byte of it; it is told in one line, and the reply that it is in is believed."""
    routes = ", ".join(['{ "nlri": "0.0.0.0/0" }'] * 65_000)
    update = (
        f'{{ "update": {{ "announce": {{ "ipv4 unicast": {{ "192.0.2.1": [ {routes} ] }} }} }} }}'
    )
    line = f'{{ "type": "update", "neighbor": {{ "direction": "receive", "message": {update} }} }}'
    conversation = Conversation()
    conversation.send("show neighbor extensive")
    assert list(conversation.receive(f"one\n{line}\ndone\n".encode())) == [
        Ignored(line),
        Reply(ok=True, lines=("one",)),
    ]


def test_one_in_flight() -> None:
    """A second command, and one that is not a line of ASCII, are our own fault and not sent."""
    conversation = Conversation()
    for command in ("a\nb", "é", "\x00", "a\r"):
        with pytest.raises(ProtocolError):
            conversation.send(command)
    conversation.send("show neighbor extensive")
    with pytest.raises(ProtocolError, match="in flight"):
        conversation.send("show neighbor extensive")


def test_replies() -> None:
    """A reply has the lines before it, and JSON between them is none of them."""
    conversation = Conversation()
    conversation.send("show neighbor extensive")
    address = b'{"local":"203.0.113.1","peer":"203.0.113.11"}'
    state = b'{"type":"state","neighbor":{"address":%s,"state":"down","reason":"x"}}' % address
    assert list(conversation.receive(b"one\n" + state + b"\ntwo\r\ndo")) == [
        PeerState(Ends.parse("203.0.113.11", "203.0.113.1"), up=False, reason="x")
    ]
    assert not conversation.ready
    assert list(conversation.receive(b"ne\nlate\n")) == [
        Reply(ok=True, lines=("one", "two")),
        Ignored("late"),
    ]
    conversation.send("show neighbor extensive")
    assert list(conversation.receive(b"error\n")) == [Reply(ok=False, lines=())]


def test_shutdown() -> None:
    """The notification of a shutdown is heard at any time."""
    line = b'{ "exabgp": "5.0.0", "type": "notification", "notification": "shutdown" }\n'
    assert list(Conversation().receive(line)) == [Shutdown()]


def answers(conversation: Conversation, dialect: Dialect) -> list[bytes]:
    """Lose step, and return what ExaBGP answers to what is asked then, line by line."""
    daemon = Daemon((), dialect)
    asked = conversation.resynchronise(nonce()).decode().splitlines()
    return [f"{line}\n".encode() for question in asked for line in daemon.answer(question)]


@given(
    DIALECT,
    st.lists(st.sampled_from([b"done\n", b"error\n", b"neighbor x\n", b"{}\n", b"\n"]), max_size=6),
)
def test_in_step_again(dialect: Dialect, late: list[bytes]) -> None:
    """After a lost reply, whatever comes late is passed over, and the next command gets its own."""
    conversation = Conversation()
    conversation.send("show neighbor extensive")
    reply = answers(conversation, dialect)
    events = [event for line in (*late, *reply) for event in conversation.receive(line)]
    assert events[-1] == InStep()
    assert not [event for event in events if isinstance(event, Reply)]
    conversation.send("show adj-rib out extensive")
    assert list(conversation.receive(b"mine\ndone\n")) == [Reply(ok=True, lines=("mine",))]


def test_a_stranger_in_the_reply() -> None:
    """The late answer to an earlier question puts the conversation out of step, and it comes in step again."""
    conversation = Conversation()
    conversation.send("show neighbor extensive")
    (event,) = conversation.receive(f"{HEADER}\n".encode())
    assert isinstance(event, OutOfStep)
    late = [b"done\n", b"done\n", *answers(conversation, 5)]
    assert [e for line in late for e in conversation.receive(line)][-1] == InStep()


@pytest.mark.parametrize("lost", [1, 2, 5])
def test_answers_that_never_come(lost: int) -> None:
    """However many questions were lost: once ExaBGP answers one, it is in step."""
    conversation = Conversation()
    conversation.send("show neighbor extensive")
    for _ in range(lost):
        conversation.resynchronise(nonce())
    reply = answers(conversation, 5)
    assert list(conversation.receive(b"".join(reply)))[-1] == InStep()


@pytest.mark.parametrize("questions", [2, 5])
def test_answers_that_all_come_late(questions: int) -> None:
    """Where several questions were asked and all are answered at last, the last answer counts."""
    conversation = Conversation()
    replies = [answers(conversation, 5) for _ in range(questions)]
    for reply in replies[:-1]:
        assert InStep() not in list(conversation.receive(b"".join(reply)))
    assert list(conversation.receive(b"".join(replies[-1])))[-1] == InStep()


@pytest.mark.parametrize(
    "line",
    [
        b"x" * 99,
        b"neighbor 203.0.113.11 local-ip 203.0.113.1 ".ljust(99, b"x"),
        b"",
        "\N{OK HAND SIGN}".encode() + b"x" * 99,
    ],
)
def test_an_endless_reply(line: bytes) -> None:
    """A reply without an end is given up past its bound, and none of it is kept: what counts is the memory of its lines."""
    most = 10 * (getsizeof(line.decode()) + 8)
    conversation = Conversation(max_reply=most)
    for lines in (10, 10, 11):
        conversation.send("show adj-rib out extensive")
        events = [*conversation.receive((line + b"\n") * lines)]
        if lines <= 10:
            assert [type(event) for event in conversation.receive(b"done\n")] == [Reply]
    assert events == [OutOfStep(f"a reply of over {most} bytes")]
    assert not conversation._lines
