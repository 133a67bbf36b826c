"""Rules for single neighbours, as Hypothesis makes them up: few neighbours, so that rules meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from policy.errors import PolicyError
from policy.extended import ExtendedCommunity
from policy.peers import NO_PEERS, PeerPolicy, PeerRule, Peers, RuledNeighbor
from policy.route import Community, LargeCommunity
from tests.support.strategies.policy import PEERS

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = ("vip-0.tld", "vip-1.tld", "vip-2.tld")
_COMMUNITIES = st.frozensets(st.builds(Community, st.just(64500), st.integers(0, 2)), max_size=2)
_LARGE = st.frozensets(
    st.builds(LargeCommunity, st.just(64500), st.just(1), st.integers(0, 2)), max_size=2
)
_EXTENDED = st.frozensets(
    st.sampled_from([*map(ExtendedCommunity.parse, ("rt:64500:1", "rt:64500:2", "soo:65546:1"))]),
    max_size=2,
)


@st.composite
def policies(draw: st.DrawFn, names: Sequence[str] = NAMES, *, limits: bool = True) -> PeerPolicy:
    """A policy. Without limits, it keeps no VIP back."""
    some = st.frozensets(st.sampled_from(names)) if names and limits else st.just(frozenset[str]())
    announce = draw(st.none() | some) if limits else None
    return PeerPolicy(
        announce,
        frozenset() if announce is not None else draw(some),
        draw(_COMMUNITIES),
        draw(_LARGE),
        draw(st.none() | st.integers(0, 2)),
        draw(st.none() | st.integers(0, 2)),
        draw(st.none() | st.sampled_from([0, 100, 200])),
        draw(_EXTENDED),
    )


@st.composite
def site_peers(draw: st.DrawFn, dcs: Sequence[str], names: Sequence[str]) -> Peers:
    """All rules of a site, as a file may have them: groups, then single neighbours."""
    rules = []
    for number in range(draw(st.integers(0, 2))):
        by_dc = draw(st.booleans())
        whose = st.sampled_from(dcs) if by_dc else st.just("")
        picked = draw(
            st.lists(
                st.builds(RuledNeighbor, st.sampled_from(PEERS), whose), unique=True, min_size=1
            )
        )
        ordered = [n for dc in dict.fromkeys(p.dc for p in picked) for n in picked if n.dc == dc]
        rules.append(PeerRule(tuple(ordered), draw(policies(names)), f"group-{number}"))
    for address in draw(st.lists(st.sampled_from(PEERS), unique=True, max_size=2)):
        dc = draw(st.sampled_from(["", *dcs]))
        rules.append(PeerRule((RuledNeighbor(address, dc),), draw(policies(names))))
    try:
        return Peers(tuple(rule for rule in rules if rule.policy != PeerPolicy()))
    except PolicyError:  # two groups give a neighbour different numbers
        return NO_PEERS
