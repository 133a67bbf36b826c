"""What the real ExaBGP 4.2 and 5.0 were recorded to say, as the driver reads it."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from policy.route import Asn, AsPath, Attributes, Community, LargeCommunity, Origin, parse_prefix
from speaker.backends.base import BackendError
from speaker.backends.exabgp_neighbors import Neighbor, parse_neighbors, parse_sessions
from speaker.backends.exabgp_protocol import Conversation, Event, Ignored, PeerState, Shutdown
from speaker.backends.exabgp_text import Sent, as_ebgp, parse_rib

GOLDEN = Path(__file__).parents[1] / "golden" / "exabgp"
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


def neighbors(dialect: str) -> dict[str, Neighbor]:
    found = parse_neighbors(recorded(dialect, "neighbor-configuration"))
    return {str(neighbor.address): neighbor for neighbor in found}


def neighbor(peer: str, local: str, local_as: int, peer_as: int, *families: int) -> Neighbor:
    return Neighbor(
        ip_address(peer),
        ip_address(local),
        Asn(local_as),
        Asn(peer_as),
        frozenset(families),
        frozenset({"speaker"}),
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
    assert sessions.keys() == neighbors(dialect).keys()
    assert sessions[EBGP] is True


@dialects
def test_rib(dialect: str) -> None:
    """Every recorded line of the Adj-RIB-Out is read, of each neighbour in the families that it has."""
    lines = recorded(dialect, "adj-rib-out-extensive")
    rib = parse_rib(lines)
    assert len(rib) == len(lines)
    assert {peer for peer, _ in rib} == neighbors(dialect).keys()
    assert {prefix.version for peer, prefix in rib if peer == ONLY4} == {4}
    assert {prefix.version for peer, prefix in rib if peer == ONLY6} == {6}


@dialects
def test_attributes(dialect: str) -> None:
    """All attributes are read; for `next-hop self` 4.2 shows the word and 5.0 the address."""
    rib = parse_rib(recorded(dialect, "adj-rib-out-extensive"))
    what = rib[EBGP, parse_prefix("192.0.2.1/32")]
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
    one = rib[EBGP, parse_prefix("192.0.2.3/32")]
    assert isinstance(one, Sent)
    assert one.attributes.communities == (Community(64699, 100),)
    assert one.attributes.large_communities == (LargeCommunity(64699, 1, 2),)
    assert one.attributes.med == 0


@dialects
def test_prepends(dialect: str) -> None:
    """A path of two is one prepend on eBGP, and two on iBGP, where the local AS is not sent."""
    rib = parse_rib(recorded(dialect, "adj-rib-out-extensive"))
    prefix, known = parse_prefix("192.0.2.1/32"), neighbors(dialect)
    lengths = {}
    for peer in (EBGP, IBGP, WIDE):
        attributes = as_ebgp(rib[peer, prefix], known[peer], None, Asn(64699))
        lengths[peer] = attributes and len(attributes.as_path)
    assert lengths == {EBGP: 2, IBGP: 3, WIDE: None}, "64699 is not WIDE's own AS"


@dialects
def test_not_ours(dialect: str) -> None:
    """Routes that we would not have sent so are none of ours: no path, an empty one, another AS."""
    rib, known = parse_rib(recorded(dialect, "adj-rib-out-extensive")), neighbors(dialect)
    for text in ("192.0.2.2/32", "192.0.2.3/32", "192.0.2.4/32"):
        assert as_ebgp(rib[EBGP, parse_prefix(text)], known[EBGP], None, Asn(64699)) is None
    other = rib[EBGP, parse_prefix("2001:db8::2/128")]
    assert as_ebgp(other, known[EBGP], HOP6, Asn(64699)) is None


@dialects
def test_next_hop(dialect: str) -> None:
    """An IPv6 route has the next hop that was given, and is ours only with the one configured."""
    rib, known = parse_rib(recorded(dialect, "adj-rib-out-extensive")), neighbors(dialect)
    what = rib[EBGP, parse_prefix("2001:db8::1/128")]
    assert as_ebgp(what, known[EBGP], HOP6, Asn(64699)) is not None
    assert as_ebgp(what, known[EBGP], ip_address("2001:db8::99"), Asn(64699)) is None
    assert as_ebgp(what, known[EBGP], None, Asn(64699)) is None


@dialects
@pytest.mark.parametrize("name", ["adj-rib-out-neighbor", "adj-rib-out-neighbor-down"])
def test_rib_of_one(dialect: str, name: str) -> None:
    """What is for one neighbour, up or down, has the same form."""
    rib = parse_rib(recorded(dialect, name))
    assert {peer for peer, _ in rib} == {EBGP}
    assert parse_rib(recorded(dialect, "adj-rib-out-empty")) == {}


@dialects
def test_short_form(dialect: str) -> None:
    """The short form has no attributes, and is refused: it must not be taken for a whole answer."""
    with pytest.raises(BackendError, match="not of a known form; is this ExaBGP"):
        parse_rib(recorded(dialect, "adj-rib-out"))


@dialects
def test_states(dialect: str) -> None:
    """Sessions that come up and go down are heard, with the reason; connected is not up."""
    found = events(dialect, "state-up")
    ups = [event for event in found if isinstance(event, PeerState)]
    assert {event.address for event in ups} == neighbors(dialect).keys()
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
@pytest.mark.parametrize("name", ["update-received", "update-sent"])
def test_updates(dialect: str, name: str) -> None:
    """What peers send, and what is sent to them, is passed over."""
    found = events(dialect, name)
    assert found
    assert all(isinstance(event, Ignored) for event in found)


def test_a_password_is_not_shown() -> None:
    """A neighbour that can't be read is named, and nothing else of its block is shown."""
    lines = [
        "neighbor 203.0.113.6 {",
        '  md5-password "secret";',
        "  local-as secret;",
        "  peer-as 1;",
        "}",
    ]
    with pytest.raises(BackendError, match=r"neighbor 203\.0\.113\.6") as caught:
        parse_neighbors(lines)
    assert "md5" not in str(caught.value)
