"""The lines that ExaBGP is told by: each neighbour gets its own, and no line reaches one that is not to get it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from policy.peers import PeerPolicy, PeerRule, Peers, RuledNeighbor
from policy.plan import Announce
from policy.route import Asn, AsPath, Attributes, Route, parse_prefix
from speaker.backends.exabgp.api_text import fits, sent
from speaker.backends.exabgp.lines import render
from speaker.backends.exabgp.neighbors import ConfiguredNeighbors
from speaker.config.settings import NextHop
from tests.support.strategies.policy import PEERS, V6_HOP, ebgp
from tests.support.strategies.policy import sites as exabgps

if TYPE_CHECKING:
    from policy.route import IpAddress
    from tests.support.strategies.policy import Site

PREFIX = parse_prefix("192.0.2.1")
BASE = Attributes(AsPath((Asn(64699), Asn(64699))), 0)
KEPT = PeerPolicy(excepted=frozenset({"vip"}))
HOPS = NextHop(None, V6_HOP)


def route(*rules: PeerRule) -> Route:
    return Peers(rules).at("").route("vip", Route(PREFIX, BASE))


def test_local_preference_is_for_ibgp_alone() -> None:
    """An eBGP neighbour's line has none, and is as wanted without."""
    outside = replace(ebgp(PEERS[0]), families=frozenset({4}))
    inside = replace(outside, peer_as=outside.local_as)
    wanted = replace(BASE, local_preference=200)
    for neighbor, text in ((outside, ""), (inside, " local-preference 200")):
        line = sent(wanted, neighbor, None)
        assert line.attributes.local_preference == (200 if text else None)
        found = [
            each.text
            for each in render(
                [Announce(route(PeerRule((RuledNeighbor(neighbor.address),), PREFERRED)))],
                ConfiguredNeighbors([neighbor]),
                HOPS,
            )
        ]
        assert ("local-preference" in found[0]) is bool(text)
        assert fits(line, wanted, neighbor, None)
    assert not fits(sent(BASE, inside, None), wanted, inside, None)


PREFERRED = PeerPolicy(local_preference=200)


@given(exabgps(), st.sets(st.sampled_from(PEERS)))
def test_no_line_reaches_who_is_not_to_get_it(site: Site, kept: set[IpAddress]) -> None:
    """Of whichever neighbours, all withdrawals are first, and no announcement names one that is kept from it."""
    neighbors = ConfiguredNeighbors(site.neighbors)
    rules = [PeerRule((RuledNeighbor(each),), KEPT) for each in kept]
    lines = [line.command for line in render([Announce(route(*rules))], neighbors, HOPS)]
    announced = [line for line in lines if "announce" in line]
    assert lines == [*(line for line in lines if "withdraw" in line), *announced]
    left = [n for n in neighbors.of_family(4) if n.address in kept]
    for line in announced:
        assert "neighbor " in line or not left
        assert not any(neighbor.selector in line for neighbor in left)
    for neighbor in left:
        assert any("withdraw" in line for line in lines)
        assert len(left) == len(neighbors.all) or any(
            neighbor.selector in line for line in lines if "withdraw" in line
        )
