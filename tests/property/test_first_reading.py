"""Before the orders of the site were ever read: nothing is announced that was not, nothing is withdrawn for it, and it ends by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.assess import Assessment, Memory, assess
from policy.assignment import assignments
from policy.decide import Cause, Decision
from policy.first_reading import Unread, wait
from policy.guard import GuardRule
from policy.health import Observation
from policy.intent import Intent, Mode
from policy.keep_last import KeepLast
from policy.last import LastOne
from policy.route import Asn, AsPath, Attributes, Route, parse_prefix
from policy.topology import AggregateRule, Topology
from tests.property.test_aggregate import (
    INSIDE,
    LYO1,
    NARROW,
    PAR1,
    WEB,
    covering,
    steps,
    topologies,
    vip,
)
from tests.property.test_aggregate import Step as Given

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from policy.route import Prefix

WITHIN = 30.0
SITES = topologies().flatmap(
    lambda topology: st.tuples(st.just(topology), steps(topology), some(topology), some(topology))
)


def some(topology: Topology) -> st.SearchStrategy[frozenset[Prefix]]:
    """Some prefixes."""
    prefixes = topology.prefixes
    return st.frozensets(st.sampled_from(prefixes)) if prefixes else st.just(frozenset())


def decided(
    topology: Topology,
    step: Given,
    was: Collection[Prefix],
    unread: Unread | None,
    now: float,
    memory: Memory | None = None,
) -> Assessment:
    """What is decided, with nothing remembered and the last one kept."""
    return assess(
        assignments(topology, PAR1),
        Observation(step.live, "no ip_vs"),
        {each.addresses[0].prefix for each in topology.aggregates},
        step.intents,
        step.announced,
        was,
        step.guard,
        memory or Memory(),
        now,
        LastOne(KeepLast.KNOWN),
        unread,
    )


@given(SITES, st.floats(0.0, WITHIN, exclude_max=True))
def test_nothing_new_and_nothing_less(
    site: tuple[Topology, Given, frozenset[Prefix], frozenset[Prefix]], now: float
) -> None:
    """While it lasts: announced is only what is announced already, or what an operator asked for here; none of that is lost for it."""
    topology, step, was, asked = site
    usual = decided(topology, step, was, None, now)
    found = decided(topology, step, was, Unread(WITHIN, WITHIN, asked), now)
    free = {*step.announced, *step.intents, *asked}
    for prefix, route in found.desired.items():
        if route is not None:
            assert prefix in free
            assert usual.desired[prefix] is not None
        assert (prefix in found.waiting) == (found.decisions[prefix].cause is Cause.SITE)
        if prefix in found.waiting:
            assert prefix not in free
            assert found.look_again is not None
            assert found.look_again <= WITHIN
    for each in topology.vips:  # aggregates go by members, of which some may wait
        for address in each.addresses:
            prefix = address.prefix
            if prefix in free and usual.alone.get(prefix) is not None:
                assert found.alone[prefix].route == usual.alone[prefix].route
    assert not usual.waiting


@given(SITES, st.floats(WITHIN, 1e6))
def test_it_ends_by_itself(
    site: tuple[Topology, Given, frozenset[Prefix], frozenset[Prefix]], now: float
) -> None:
    """Once it has lasted long enough, all is decided as if the orders were known, whatever was decided meanwhile; no event is needed."""
    topology, step, was, asked = site
    unread = Unread(WITHIN, WITHIN, asked)
    before = decided(topology, step, was, unread, 0.0)
    after = decided(topology, step, was, unread, now, before.memory)
    usual = decided(topology, step, was, None, now, decided(topology, step, was, None, 0.0).memory)
    assert after.desired == usual.desired
    assert not after.waiting


@given(SITES)
def test_orders_that_were_read_end_it_at_once(
    site: tuple[Topology, Given, frozenset[Prefix], frozenset[Prefix]],
) -> None:
    """Once they were read, they alone decide: what they drain is never announced, and all else is as if there had been no wait."""
    topology, step, was, asked = site
    before = decided(topology, step, was, Unread(WITHIN, WITHIN, asked), 0.0)
    drained = {p: Intent(Mode.DRAINED, "ann", 0.0) for p in asked}
    read = replace(step, intents={**step.intents, **drained})
    after = decided(topology, read, was, None, 1.0, before.memory)
    assert not after.waiting
    assert all(after.desired[p] is None for p in asked if p in after.desired)
    usual = decided(topology, read, was, None, 1.0, decided(topology, step, was, None, 0.0).memory)
    assert after.desired == usual.desired


@pytest.mark.parametrize(
    ("announced", "cause"), [(INSIDE[:2], Cause.SITE), (INSIDE[:1], Cause.MEMBERS)]
)
def test_an_aggregate(announced: tuple[Prefix, ...], cause: Cause) -> None:
    """An aggregate goes by its members, of which some may wait; with enough of them that are announced already it waits itself."""
    topology = Topology(
        (PAR1, LYO1),
        tuple(vip(prefix) for prefix in INSIDE),
        (covering(NARROW, AggregateRule(2)),),
    )
    step = Given({p: {WEB: 2} for p in INSIDE}, {}, frozenset(announced), GuardRule())
    found = decided(topology, step, (), Unread(WITHIN, WITHIN), 0.0)
    assert {p for p, route in found.desired.items() if route} == {*announced}
    assert found.decisions[NARROW].cause is cause
    assert (NARROW in found.waiting) == (cause is Cause.SITE)
    asked = Unread(WITHIN, WITHIN, frozenset({NARROW}))
    found = decided(topology, step, (), asked, 0.0)
    assert bool(found.desired[NARROW]) == (cause is Cause.SITE)


@pytest.mark.parametrize("announced", [frozenset({NARROW}), frozenset()])
def test_what_an_aggregate_stands_for(announced: frozenset[Prefix]) -> None:
    """An aggregate that is announced in place of its members goes on: they do not wait, who were never announced by themselves."""
    topology = Topology(
        (PAR1, LYO1),
        tuple(vip(prefix) for prefix in INSIDE),
        (covering(NARROW, AggregateRule(2, summary_only=True)),),
    )
    step = Given({p: {WEB: 2} for p in INSIDE}, {}, announced, GuardRule())
    found = decided(topology, step, (), Unread(WITHIN, WITHIN), 0.0)
    assert {p for p, route in found.desired.items() if route} == announced
    assert found.waiting == (frozenset() if announced else frozenset(INSIDE))


PREFIXES = tuple(map(parse_prefix, ("192.0.2.1/32", "192.0.2.2/32", "2001:db8::1/128")))
CAUSES = st.sampled_from([Cause.HEALTH, Cause.HOLD, Cause.LAST, Cause.ASKING, Cause.MEMBERS])


@st.composite
def decisions(draw: st.DrawFn) -> Mapping[Prefix, Decision]:
    """Decisions by what may be decided of what no operator asked."""
    route = {p: Route(p, Attributes(AsPath((Asn(64699),)))) for p in PREFIXES}
    return {
        p: Decision(p, draw(st.sampled_from([None, route[p]])), draw(CAUSES), "as seen")
        for p in PREFIXES
    }


ANY = st.frozensets(st.sampled_from(PREFIXES))


@given(decisions(), ANY, ANY, ANY, st.floats(-10.0, 100.0))
@example({}, frozenset(), frozenset(), frozenset(), WITHIN)
def test_what_waits(
    made: Mapping[Prefix, Decision],
    announced: frozenset[Prefix],
    intents: frozenset[Prefix],
    asked: frozenset[Prefix],
    now: float,
) -> None:
    """Just that waits which is to be announced, is not, and of which nobody asked anything here: each for its reason, whoever decided."""
    found = wait(Unread(WITHIN, WITHIN, asked), made, announced, intents, now)
    to_come = {p for p, each in made.items() if each.route is not None}
    expected = to_come - announced - intents - asked if now < WITHIN else frozenset()
    assert found.keys() == expected
    for prefix, each in found.items():
        assert (each.route, each.cause) == (None, Cause.SITE)
        assert "30s at most" in each.reason
        assert each.reason.endswith(made[prefix].reason)
    assert not wait(None, made, announced, intents, now)
