"""The model of a neutral router's decision (RFC 4271 §9.1.2.2), beside the rule read literally."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.best_path import announcements, best, choices, shares, succession
from policy.route import Asn, AsPath, Attributes, Origin, Route
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.topology import Topology

PREFIX = made.HOSTS_V4[0]
ORDER = {"igp": 0, "egp": 1, "incomplete": 2}


@st.composite
def heard(draw: st.DrawFn) -> dict[str, Route]:
    """Announcements of one prefix by some data centres, alike enough to tie often."""
    paths = st.builds(AsPath.originated, st.sampled_from(made.ASNS[:3]), st.integers(0, 2))
    some = st.builds(
        Attributes, paths, st.sampled_from([None, 0, 1, 50]), st.sampled_from(tuple(Origin))
    )
    names = draw(st.lists(st.sampled_from(made.DC_NAMES), unique=True))
    return {name: Route(PREFIX, draw(some)) for name in names}


def beats(one: Attributes, other: Attributes) -> bool:
    """Whether a route removes another from consideration, in the words of §9.1.2.2 a to c."""
    if len(one.as_path) != len(other.as_path):
        return len(one.as_path) < len(other.as_path)
    if one.origin != other.origin:
        return ORDER[one.origin] < ORDER[other.origin]
    same_neighbour = tuple(one.as_path)[:1] == tuple(other.as_path)[:1]
    return same_neighbour and (one.med or 0) < (other.med or 0)


def route(*path: int, med: int = 0, origin: Origin = Origin.IGP) -> Route:
    return Route(PREFIX, Attributes(AsPath(tuple(map(Asn, path))), med, origin))


@given(heard(), st.sets(st.sampled_from(made.DC_NAMES)))
@example(
    {"a": route(64699, med=9), "b": route(64496, med=1), "c": route(64699, med=1)}, {"a", "b", "c"}
)
def test_best(heard: Mapping[str, Route], living: set[str]) -> None:
    """A living DC is chosen where no route of another removes its own; there is always one."""
    alive = {name: route.attributes for name, route in heard.items() if name in living}
    unbeaten = {
        name for name, own in alive.items() if not any(beats(each, own) for each in alive.values())
    }
    assert best(heard, living) == unbeaten
    assert bool(unbeaten) == bool(alive)
    assert best(heard) == best(heard, heard.keys())


@pytest.mark.parametrize(
    ("one", "other", "chosen"),
    [
        (route(64699), route(64699, 64699, med=0), "a"),
        (route(64699, origin=Origin.INCOMPLETE), route(64699, 64699), "a"),
        (route(64699, origin=Origin.EGP), route(64699, origin=Origin.IGP), "b"),
        (route(64699, origin=Origin.EGP, med=9), route(64699, origin=Origin.INCOMPLETE), "a"),
        (route(64699, med=9), route(64699, med=8), "b"),
        (route(64699, med=9), route(64496, med=8), "ab"),
        (route(64699), route(64699), "ab"),
    ],
)
def test_steps(one: Route, other: Route, chosen: str) -> None:
    """The length of the AS_PATH, then ORIGIN, then MED of one neighbouring AS; then it is a tie."""
    assert best({"a": one, "b": other}) == set(chosen)


@given(made.topologies(), st.sets(st.sampled_from(made.DC_NAMES)))
def test_choices(topology: Topology, living: set[str]) -> None:
    """Of any living DCs, a router chooses the first in the preference, by the path alone."""
    found = choices(topology, living)
    assert tuple(found) == topology.prefixes
    for vip, address in topology:
        first = next((name for name in address.prefer if name in living), None)
        assert found[address.prefix] == ({first} if first else frozenset())
        assert succession(topology, vip, address) == tuple(frozenset({n}) for n in address.prefer)
        assert announcements(topology, vip, address).keys() == set(address.prefer)


@given(made.topologies())
def test_shares(topology: Topology) -> None:
    """A DC's share is the part of the addresses that it is chosen for."""
    found = shares(topology, choices(topology).values())
    first = [address.prefer[0] for _, address in topology]
    for dc in topology.dcs:
        assert found[dc.name] == pytest.approx(first.count(dc.name) / max(len(first), 1))


def test_shares_of_ties() -> None:
    """An address for which two tie counts half for each; one that nobody has counts for nobody."""
    topology = made.topology_of("par1", "lyo1", "fra1")
    chosen = [frozenset({"par1", "lyo1"}), frozenset({"par1"}), frozenset[str]()]
    assert shares(topology, chosen) == {"par1": 0.75, "lyo1": 0.25, "fra1": 0.0}
