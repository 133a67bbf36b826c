"""What the real ExaBGP 4.2 and 5.0 were recorded to say, as the driver reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from policy.route import (
    Asn,
    AsPath,
    Attributes,
    Community,
    LargeCommunity,
    Origin,
    Prefix,
    parse_prefix,
)
from speaker.backends.base import BackendError
from speaker.backends.exabgp.api_text import Sent, as_ebgp, parse_listing
from speaker.backends.exabgp.feed import SentUpdate
from speaker.backends.exabgp.heard import HeardEnd, HeardUpdate
from speaker.backends.exabgp.messages import PeerState, Shutdown
from speaker.backends.exabgp.neighbors import (
    ConfiguredNeighbor,
    ConfiguredNeighbors,
    Ends,
    parse_neighbors,
    parse_sessions,
)
from speaker.backends.exabgp.protocol import Conversation, Event

Rib = Mapping[Prefix, Sent | str]
GOLDEN = Path(__file__).parents[3] / "golden" / "exabgp"
DIALECTS = ("v4", "v5")
EBGP, ONLY4, ONLY6, IBGP, WIDE = (
    "203.0.113.6",
    "203.0.113.10",
    "2001:db8:ffff:2::2",
    "203.0.113.14",
    "203.0.113.18",
)
HOP6 = ip_address("2001:db8:ffff:1::1")
dialects = pytest.mark.parametrize("dialect", DIALECTS)


def recorded(dialect: str, name: str) -> list[str]:
    """Lines as ExaBGP wrote them; the heads of the files are ours."""
    lines = (GOLDEN / dialect / f"{name}.txt").read_text().splitlines()
    return [line for line in lines if not line.startswith("# ")]


def events(dialect: str, name: str) -> list[Event]:
    text = "".join(f"{line}\n" for line in recorded(dialect, name))
    return list(Conversation().receive(text.encode()))


def neighbors(dialect: str) -> dict[str, ConfiguredNeighbor]:
    found = parse_neighbors(recorded(dialect, "neighbor-configuration"))
    return {str(neighbor.address): neighbor for neighbor in found}


def ribs(dialect: str, name: str = "adj-rib-out-extensive") -> dict[str, Rib]:
    return {
        str(ends.peer): rib for ends, rib in parse_listing(recorded(dialect, name)).ribs.items()
    }


def neighbor(
    peer: str, local: str, local_as: int, peer_as: int, *families: int
) -> ConfiguredNeighbor:
    return ConfiguredNeighbor(
        ip_address(peer),
        ip_address(local),
        Asn(local_as),
        Asn(peer_as),
        frozenset(families),
        frozenset({"speaker"}),
        frozenset({"speaker"}),
        hears=frozenset({"speaker"}),
    )


@dialects
def test_neighbors(dialect: str) -> None:
    """The configuration gives each neighbour's addresses, ASNs, families and processes."""
    assert list(neighbors(dialect).values()) == [
        neighbor(EBGP, "203.0.113.5", 64699, 64500, 4, 6),
        neighbor(ONLY4, "203.0.113.9", 64699, 64501, 4),
        neighbor(ONLY6, "2001:db8:ffff:2::1", 64699, 64501, 6),
        neighbor(IBGP, "203.0.113.13", 64699, 64699, 4, 6),
        neighbor(WIDE, "203.0.113.17", 65536, 65551, 4, 6),
    ]


@dialects
def test_sessions(dialect: str) -> None:
    """The extensive answer tells of each session whether it is established."""
    sessions = parse_sessions(recorded(dialect, "neighbor-extensive"))
    assert sessions == {near.ends: 1.0 for near in neighbors(dialect).values()}


@dialects
def test_rib(dialect: str) -> None:
    """Every recorded line of the Adj-RIB-Out is read, of each neighbour in the families that it has."""
    lines = recorded(dialect, "adj-rib-out-extensive")
    ribs = parse_listing(tuple(lines)).ribs
    known = neighbors(dialect)
    assert sum(map(len, ribs.values())) == len(lines)
    assert ribs.keys() == {near.ends for near in known.values()}
    assert {prefix.version for prefix in ribs[known[ONLY4].ends]} == {4}
    assert {prefix.version for prefix in ribs[known[ONLY6].ends]} == {6}


@dialects
def test_attributes(dialect: str) -> None:
    """All attributes are read; for `next-hop self` 4.2 shows the word and 5.0 the address."""
    rib = ribs(dialect)[EBGP]
    what = rib[parse_prefix("192.0.2.1/32")]
    attributes = Attributes(
        AsPath((Asn(64699), Asn(64699))),
        10,
        Origin.IGP,
        (Community(64699, 100), Community(65535, 0)),
        (LargeCommunity(64699, 1, 2), LargeCommunity(64699, 3, 4)),
    )
    hop = None if dialect == "v4" else ip_address("203.0.113.5")
    assert what == Sent(attributes, hop)
    assert as_ebgp(what, neighbors(dialect)[EBGP], None, Asn(64699)) == attributes
    one = rib[parse_prefix("192.0.2.3/32")]
    assert isinstance(one, Sent)
    assert one.attributes.communities == (Community(64699, 100),)
    assert one.attributes.large_communities == (LargeCommunity(64699, 1, 2),)
    assert one.attributes.med == 0


@dialects
def test_prepends(dialect: str) -> None:
    """A path of two is one prepend on eBGP, and two on iBGP, where the local AS is not sent."""
    found = ribs(dialect)
    prefix, known = parse_prefix("192.0.2.1/32"), neighbors(dialect)
    lengths = {}
    for peer in (EBGP, IBGP, WIDE):
        attributes = as_ebgp(found[peer][prefix], known[peer], None, Asn(64699))
        lengths[peer] = attributes and len(attributes.as_path)
    assert lengths == {EBGP: 2, IBGP: 3, WIDE: None}, "64699 is not WIDE's own AS"


@dialects
def test_not_ours(dialect: str) -> None:
    """Routes that we would not have sent so are none of ours: no path, an empty one, another AS."""
    rib, known = ribs(dialect)[EBGP], neighbors(dialect)
    for text in ("192.0.2.2/32", "192.0.2.3/32", "192.0.2.4/32"):
        assert as_ebgp(rib[parse_prefix(text)], known[EBGP], None, Asn(64699)) is None
    other = rib[parse_prefix("2001:db8::2/128")]
    assert as_ebgp(other, known[EBGP], HOP6, Asn(64699)) is None


@dialects
def test_next_hop(dialect: str) -> None:
    """An IPv6 route has the next hop that was given, and is ours only with the one configured."""
    rib, known = ribs(dialect)[EBGP], neighbors(dialect)
    what = rib[parse_prefix("2001:db8::1/128")]
    assert as_ebgp(what, known[EBGP], HOP6, Asn(64699)) is not None
    assert as_ebgp(what, known[EBGP], ip_address("2001:db8::99"), Asn(64699)) is None
    assert as_ebgp(what, known[EBGP], None, Asn(64699)) is None


@dialects
@pytest.mark.parametrize("name", ["adj-rib-out-neighbor", "adj-rib-out-neighbor-down"])
def test_rib_of_one(dialect: str, name: str) -> None:
    """What is for one neighbour, up or down, has the same form."""
    assert ribs(dialect, name).keys() == {EBGP}
    assert parse_listing(recorded(dialect, "adj-rib-out-empty")).ribs == {}


@dialects
def test_short_form(dialect: str) -> None:
    """The short form has no attributes, and is refused: it must not be taken for a whole answer."""
    with pytest.raises(BackendError, match="not of a known form; is this ExaBGP"):
        parse_listing(recorded(dialect, "adj-rib-out"))


@dialects
def test_states(dialect: str) -> None:
    """Sessions that come up and go down are heard, with the reason; connected is not up."""
    found = events(dialect, "state-up")
    ups = [event for event in found if isinstance(event, PeerState)]
    assert {event.ends for event in ups} == {near.ends for near in neighbors(dialect).values()}
    assert all(event.up for event in ups)
    assert len(found) > len(ups), "connected is ignored"
    downs = [event for event in events(dialect, "state-down") if isinstance(event, PeerState)]
    assert downs
    assert all(not event.up and event.reason for event in downs)


@dialects
def test_shutdown(dialect: str) -> None:
    """The notification of a shutdown is heard."""
    assert events(dialect, "shutdown") == [Shutdown()]


@dialects
def test_updates(dialect: str) -> None:
    """What peers send is told apart from what is sent to them."""
    received, sent = events(dialect, "update-received"), events(dialect, "update-sent")
    assert received
    assert {type(event) for event in received} <= {HeardUpdate, HeardEnd}
    v4, v6 = (
        ("192.0.2.1/32", "192.0.2.4/32", "192.0.2.5/32"),
        ("2001:db8::1/128", "2001:db8::2/128"),
    )
    updates = [event for event in sent if isinstance(event, SentUpdate)]
    assert {event.ends for event in updates} == {Ends.parse("203.0.113.6", "203.0.113.5")}
    assert [(event.announced, event.withdrawn) for event in updates] == [
        (v4[:1], ()),
        (v6[:1], ()),
        (v6[1:], ()),
        (v4[1:], ()),
        ((), v4[:1]),
        ((), v6[:1]),
        ((), v6[1:]),
        ((), v4[1:]),
    ]


BAD = ["neighbor 203.0.113.6 {", '  md5-password "secret";', "  local-as secret;", "  peer-as 1;"]


def test_a_password_is_not_shown() -> None:
    """A neighbour that can't be read is named, and nothing else of its section is shown."""
    with pytest.raises(BackendError, match=r"neighbor 203\.0\.113\.6") as caught:
        parse_neighbors([*BAD, "  api {", "    processes [ speaker ];", "  }", "}"])
    assert "md5" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_neighbour_without_a_process_is_no_fault() -> None:
    """One of a form that is not known, such as a range, is passed over where no process is listed."""
    assert parse_neighbors([*BAD, "}", "neighbor 203.0.113.0/24 {", "  local-as 1;", "}"]) == ()


# --- neighbours whose configuration is nested, and two sessions to one address -------------------

NESTED_LOCALS = ("203.0.113.5", "203.0.113.133", "203.0.113.9", "2001:db8:ffff:2::1")


@dialects
def test_nested_neighbors(dialect: str) -> None:
    """As many neighbours as are configured, each with all processes of its `api` sections."""
    found = parse_neighbors(recorded(dialect, "neighbor-configuration-nested"))
    chosen = [(ip_address("203.0.113.14"), None)] if dialect == "v5" else []
    peers = ("203.0.113.6", "203.0.113.6", "203.0.113.10", "2001:db8:ffff:2::2")
    ends = [(ip_address(p), ip_address(n)) for p, n in zip(peers, NESTED_LOCALS, strict=True)]
    assert [near.ends for near in found] == [*ends, *chosen]
    assert [near.processes for near in found[:4]] == [
        {"speaker", "listener"},
        {"speaker", "listener"},
        {"listener"},
        set(),
    ]
    assert [near.told for near in found[:4]] == [{"speaker"}, {"speaker", "listener"}, set(), set()]
    assert [near.families for near in found[:4]] == [{4, 6}, {4}, {6}, {6}]
    if dialect == "v5":
        assert found[4].processes == {"speaker"}


@dialects
def test_two_sessions_to_one_address(dialect: str) -> None:
    """The sessions, their states and their Adj-RIB-Outs are told apart by the local address."""
    one, two = (Ends.parse("203.0.113.6", local) for local in ("203.0.113.5", "203.0.113.133"))
    assert parse_sessions(recorded(dialect, "neighbor-extensive-twice")) == {one: 1.0, two: 1.0}
    assert parse_listing(recorded(dialect, "adj-rib-out-twice")).ribs.keys() == {two}
    assert events(dialect, "state-up-twice") == [
        PeerState(ends, up=True, reason="") for ends in (one, two)
    ]


@dialects
def test_names(dialect: str) -> None:
    """A neighbour is called by its address, and by both where another session goes there too."""
    known = ConfiguredNeighbors(parse_neighbors(recorded(dialect, "neighbor-configuration-nested")))
    assert [known.name(near) for near in known.all[:4]] == [
        "203.0.113.6 from 203.0.113.5",
        "203.0.113.6 from 203.0.113.133",
        "203.0.113.10",
        "2001:db8:ffff:2::2",
    ]


def test_a_local_address_that_exabgp_chose() -> None:
    """A session from an address that no neighbour has is that of the neighbour without one."""
    (first, second), peer = NESTED_LOCALS[:2], "203.0.113.6"
    given = neighbor(peer, first, 64699, 64500, 4)
    chosen = replace(given, local_address=None)
    known = ConfiguredNeighbors([given, chosen])
    assert known.of(Ends.parse(peer, first)) is given
    assert known.of(Ends.parse(peer, second)) is chosen
    assert known.of(Ends.parse(peer, "None")) is chosen
    assert known.of(Ends.parse("203.0.113.10", first)) is None
    assert known.name(chosen) == "203.0.113.6 from auto"
    assert chosen.selector == "neighbor 203.0.113.6 local-ip None local-as 64699 peer-as 64500"
