"""What sessions bring: read from ExaBGP's JSON, kept within bounds, and whole only once all was told."""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

from policy.route import AsPath, Attributes, Community, LargeCommunity, Origin, parse_prefix
from policy.witness import HeardPath, Hearing
from speaker.backends.exabgp.ears import Ears
from speaker.backends.exabgp.heard import (
    BUDGET,
    BUDGET_EACH,
    LONGEST,
    MAX_ASNS,
    MAX_PATHS,
    QUIET,
    Heard,
    HeardGarbled,
    HeardUpdate,
)
from speaker.backends.exabgp.messages import Garbled, Ignored, PeerState, parse_message
from speaker.backends.exabgp.neighbors import (
    ConfiguredNeighbors,
    Ends,
    parse_neighbors,
    parse_refreshable,
)
from tests.support.fakes.exabgp_shown import Shown
from tests.support.fakes.site import NEIGHBORS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.witness import Witness

V4, V6, STRANGE = map(parse_prefix, ("192.0.2.1/32", "2001:db8::1/128", "198.51.100.0/24"))
PEER, LOCAL = "203.0.113.11", "203.0.113.2"
ENDS = Ends.parse(PEER, LOCAL)
SHARED = {
    "origin": "igp",
    "med": 7,
    "community": [[64699, 1], [65535, 65281]],
    "large-community": [[64699, 1, 2]],
    "extended-community": [{"value": 840830042505221, "string": "target:64699:5"}],
}
FOURTH = {**SHARED, "as-path": [64500, 64699, 64699], "confederation-path": []}
FIFTH = {
    **SHARED,
    "as-path": {"0": {"element": "as-sequence", "value": [64500, 64699, 64699]}},
}
PATH = HeardPath(
    Attributes(
        AsPath.parse("64500 64699 64699"),
        7,
        Origin.IGP,
        (Community(64699, 1), Community(65535, 65281)),
        (LargeCommunity(64699, 1, 2),),
    ),
    ip_address(PEER),
)


def line(message: Mapping[str, Any], *, peer: str = PEER) -> str:
    """A message of a peer, as both ExaBGPs write it."""
    neighbor = {
        "address": {"local": LOCAL, "peer": peer},
        "asn": {"local": 64699, "peer": 64496},
        "direction": "receive",
        "message": message,
    }
    return json.dumps({"exabgp": "5.0.0", "type": "update", "neighbor": neighbor})


def announce(attributes: Mapping[str, Any], *nlris: Mapping[str, str], hop: str = PEER) -> Any:
    """An UPDATE that announces."""
    return {"update": {"attribute": attributes, "announce": {"ipv4 unicast": {hop: [*nlris]}}}}


def withdraw(*nlris: Mapping[str, str]) -> Any:
    """An UPDATE that withdraws."""
    return {"update": {"withdraw": {"ipv4 unicast": [*nlris]}}}


def eor(family: str) -> Any:
    """End-of-RIB."""
    return {"eor": {"afi": family, "safi": "unicast"}}


OURS = {"nlri": str(V4)}
SHOWN = Shown(NEIGHBORS[0], received={"speaker": ["parsed", "update"]}).lines(5)


class Listening:
    """Ears over the first neighbour of the fake site, whose session may be up, and a clock."""

    def __init__(self, *, refreshable: bool = True) -> None:
        self.ears, self.now = Ears(), 1000.0
        self.ears.listen_for([V4, V6])
        self.neighbors = ConfiguredNeighbors(parse_neighbors(SHOWN), "speaker")
        self.refreshable = [ENDS] if refreshable else []
        self.up = True
        self.look()

    def look(self, missed: tuple[Ends, ...] = ()) -> None:
        """Have ExaBGP asked."""
        self.ears.look(self.neighbors, "speaker", missed, self.refreshable)

    def hears(self, *messages: Any) -> None:
        """Have the peer send something."""
        for message in messages:
            event = parse_message(line(message))
            assert not isinstance(event, Ignored | Garbled)
            self.ears.take(event, self.now)  # type: ignore[arg-type]  # of what it may be, this is what it is

    def session(self, *, up: bool) -> None:
        """Bring the session up or down, and have it told."""
        self.up = up
        self.ears.take(PeerState(ENDS, up, ""), self.now)

    @property
    def hearing(self) -> str:
        """How much is known."""
        return self.witness.hearing

    @property
    def witness(self) -> Witness:
        """The witness as it is now."""
        (found,) = self.ears.heard(dict.fromkeys(self.neighbors.ours, self.up), self.now)
        return found


@pytest.mark.parametrize("attributes", [FOURTH, FIFTH], ids=["4.2", "5.0"])
def test_read(attributes: Mapping[str, Any]) -> None:
    """Either ExaBGP's attributes are read whole; what is no prefix of ours is not kept."""
    site = Listening()
    site.session(up=True)
    site.hears(announce(attributes, OURS, {"nlri": str(STRANGE)}))
    assert site.witness.paths == {V4: (PATH,)}
    site.hears(withdraw(OURS, {"nlri": str(STRANGE)}))
    assert site.witness.paths == {}


@pytest.mark.parametrize(
    ("raw", "asns"),
    [
        ({"as-path": [64500], "as-set": [64502, 64501]}, "64500 64501"),
        ({"as-path": [], "confederation-path": [64511]}, ""),
        (
            {
                "as-path": {
                    "0": {"element": "as-sequence", "value": [64500]},
                    "1": {"element": "as-set", "value": [64502, 64501]},
                    "2": {"element": "confed-sequence", "value": [64511]},
                }
            },
            "64500 64501",
        ),
        ({}, ""),
    ],
)
def test_as_path(raw: Mapping[str, Any], asns: str) -> None:
    """Of a set of ASes one stands for it, as it counts as one; those of a confederation do not count."""
    site = Listening()
    site.session(up=True)
    site.hears(announce({"origin": "egp", "originator-id": "203.0.113.9", **raw}, OURS))
    (path,) = site.witness.paths[V4]
    assert path.attributes == Attributes(AsPath.parse(asns), None, Origin.EGP)
    assert path.originator == ip_address("203.0.113.9")


def test_end_of_rib() -> None:
    """A session that came up has told all at End-of-RIB of its families, and has a table that is not known before."""
    site = Listening()
    site.session(up=True)
    site.hears(announce(FIFTH, OURS), eor("ipv4"))
    assert site.witness.hearing is Hearing.LEARNING
    site.hears(eor("ipv6"))
    assert (site.witness.hearing, site.witness.reason) == (Hearing.WHOLE, "")
    site.session(up=False)
    assert (site.witness.hearing, site.witness.paths) == (Hearing.DOWN, {})


def test_quiet() -> None:
    """A peer without End-of-RIB has told all when it is quiet; one that never is, after a time."""
    site = Listening()
    site.session(up=True)
    for _ in range(3):
        site.now += QUIET - 1
        site.hears(announce(FIFTH, OURS))
        assert site.hearing == Hearing.LEARNING
    site.now += QUIET
    assert site.hearing == Hearing.WHOLE
    site.session(up=False)
    site.session(up=True)
    began = site.now
    while site.now < began + LONGEST:
        assert site.hearing == Hearing.LEARNING
        site.now += QUIET - 1
        site.hears(announce(FIFTH, {"nlri": str(STRANGE)}))
    assert site.hearing == Hearing.WHOLE


def test_up_before() -> None:
    """Of a session that was up before, what is absent is not known; its peer is asked to tell all again."""
    site = Listening()
    site.hears(announce(FIFTH, OURS))
    assert (site.witness.hearing, site.witness.paths) == (Hearing.LEARNING, {V4: (PATH,)})
    site.now += LONGEST
    assert site.hearing == Hearing.LEARNING  # however long it is not asked
    up = dict.fromkeys(site.neighbors.ours, True)
    (neighbor,) = site.ears.to_ask(up)
    site.ears.asked(neighbor, site.now)
    assert site.ears.to_ask(up) == []
    assert (site.witness.hearing, site.witness.paths) == (Hearing.LEARNING, {V4: (PATH,)})
    site.now += QUIET
    assert site.witness.hearing is Hearing.WHOLE


def test_no_refresh() -> None:
    """A session that can't ask is unknown until it comes up again, and says what to do."""
    site = Listening(refreshable=False)
    up = dict.fromkeys(site.neighbors.ours, True)
    assert site.ears.to_ask(up) == []
    site.now += LONGEST
    assert site.witness.hearing is Hearing.UNKNOWN
    assert "capability { route-refresh enable; }" in site.witness.reason


@pytest.mark.parametrize("lost", ["garbled", "unseen", "prefixes", "section"])
def test_lost(lost: str) -> None:
    """Where anything may have been missed, nothing is known any more until it was asked for again: soon."""
    site = Listening()
    site.session(up=True)
    site.hears(announce(FIFTH, OURS), eor("ipv4"), eor("ipv6"))
    assert site.witness.hearing is Hearing.WHOLE
    match lost:
        case "garbled":
            site.ears.take(Garbled("{"), site.now)
        case "unseen":
            site.look(missed=(ENDS,))
        case "prefixes":
            site.ears.listen_for([V4, V6, STRANGE])
        case "section":
            told, site.neighbors = site.neighbors, ConfiguredNeighbors(NEIGHBORS[:1], "speaker")
            site.look()
            site.neighbors = told
            site.look()
    assert (site.witness.hearing, site.witness.paths) == (Hearing.LEARNING, {})
    assert site.ears.to_ask(dict.fromkeys(site.neighbors.ours, True))


UNREADABLE = [
    announce({**FIFTH, "origin": "blue"}, OURS),
    announce({**FIFTH, "community": 5}, OURS),
    announce({**FIFTH, "community": [[1, 2, 3]]}, OURS),
    announce({**FIFTH, "med": -1}, OURS),
    announce({**FIFTH, "as-path": {"0": {"element": "as-sequence"}}}, OURS),
    announce({**FIFTH, "as-path": {"0": {"element": "as-sequence", "value": [0]}}}, OURS),
    announce(
        {**FIFTH, "as-path": {"0": {"element": "as-sequence", "value": [1] * (MAX_ASNS + 1)}}}, OURS
    ),
    announce(FIFTH, OURS, hop="blue"),
    {"update": {"announce": {"ipv4 unicast": {PEER: [{}]}}}},
    {"update": {"announce": 5}},
    {"update": []},
]


@pytest.mark.parametrize("message", UNREADABLE, ids=range(len(UNREADABLE)))
def test_unreadable(message: Any) -> None:
    """What a peer sends that can't be read makes its own table unknown, and says nothing of the conversation."""
    site = Listening()
    site.session(up=True)
    site.hears(eor("ipv4"), eor("ipv6"))
    site.hears(message)
    assert site.witness.hearing is Hearing.UNKNOWN
    assert (
        site.ears.to_ask(dict.fromkeys(site.neighbors.ours, True)) == []
    )  # it would send the same


def test_said_twice() -> None:
    """A key that a peer says twice is believed neither way, and is no reason to doubt ExaBGP."""
    text = line(announce(FIFTH, OURS)).replace(
        '"origin": "igp"', '"origin": "igp", "origin": "egp"'
    )
    assert parse_message(text) == HeardGarbled(ENDS)
    assert isinstance(parse_message(line({"open": {}})), Ignored)
    assert isinstance(parse_message(line(eor("ipv4"), peer="nobody")), Ignored)


def test_many_paths() -> None:
    """Paths of one prefix are kept by their identifiers, up to a number; of more, nothing is known."""
    site = Listening()
    site.session(up=True)
    site.hears(eor("ipv4"), eor("ipv6"))
    for number in range(MAX_PATHS):
        site.hears(announce(FIFTH, {**OURS, "path-information": f"0.0.0.{number}"}))
    assert len(site.witness.paths[V4]) == MAX_PATHS
    site.hears(withdraw({**OURS, "path-information": "0.0.0.3"}))
    assert len(site.witness.paths[V4]) == MAX_PATHS - 1
    for number in (3, 100):
        site.hears(announce(FIFTH, {**OURS, "path-information": f"0.0.0.{number}"}))
    assert (site.witness.hearing, site.witness.paths) == (Hearing.UNKNOWN, {})


def test_budget() -> None:
    """However long its paths are, and however many prefixes are ours: what is kept of a session is bounded."""
    site = Listening()
    site.ears.listen_for([parse_prefix(f"192.0.2.{number}") for number in range(200)])
    site.session(up=True)
    asns = {"as-path": {"0": {"element": "as-sequence", "value": [64500] * MAX_ASNS}}}
    kept = 0
    while site.witness.hearing is not Hearing.UNKNOWN:
        prefix, path = divmod(kept, MAX_PATHS)
        nlri = {"nlri": f"192.0.2.{prefix}/32", "path-information": f"0.0.0.{path}"}
        site.hears(announce({"origin": "igp", **asns}, nlri))
        kept += 1
    assert kept - 1 == (BUDGET + BUDGET_EACH * 200) // (MAX_ASNS + 8)
    assert site.witness.paths == {}


def test_the_same_object() -> None:
    """While nothing changes, the same object is returned: a cycle that changes nothing costs nothing."""
    site = Listening()
    site.session(up=True)
    site.hears(announce(FIFTH, OURS), eor("ipv4"), eor("ipv6"))
    up = dict.fromkeys(site.neighbors.ours, True)
    first = site.ears.heard(up, site.now)
    site.hears(announce(FIFTH, {"nlri": str(STRANGE)}))
    assert site.ears.heard(up, site.now + 1) is first
    site.hears(withdraw(OURS))
    assert site.ears.heard(up, site.now + 1) is not first


def test_refreshable() -> None:
    """Only where both ends have the capability can a peer be asked."""
    shown = (
        "Neighbor 203.0.113.11",
        "   local          203.0.113.2     ",
        "   route-refresh:               enabled         enabled                ",
        "Neighbor 203.0.113.12",
        "   local          203.0.113.2     ",
        "   route-refresh:              disabled         enabled                ",
    )
    assert parse_refreshable(shown) == {ENDS}


def test_kinds() -> None:
    """All that may be heard is one type."""
    event = parse_message(line(withdraw(OURS)))
    assert isinstance(event, Heard)
    assert event == HeardUpdate(ENDS, ((str(V4), ""),), (), {})


def test_a_local_address_that_exabgp_chooses() -> None:
    """What a neighbour told is that of its last session, from whichever address: not of the one before, nor of none."""
    site = Listening()
    shown = (text.replace(f"local-address {LOCAL};", "local-address auto;") for text in SHOWN)
    site.neighbors = ConfiguredNeighbors(parse_neighbors(shown), "speaker")
    site.look()
    for local in ("203.0.113.3", LOCAL, "203.0.113.3"):
        ends = Ends.parse(PEER, local)
        site.ears.take(PeerState(ends, up=True, reason=""), site.now)
        site.ears.take(HeardUpdate(ends, (), (((str(V4), ""), PEER),), FIFTH), site.now)
        site.look()
        site.now += QUIET
        assert (site.witness.hearing, site.witness.paths) == (Hearing.WHOLE, {V4: (PATH,)})
        site.ears.take(PeerState(ends, up=False, reason=""), site.now)
