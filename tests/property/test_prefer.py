"""Rule 6 of the design, whatever the preference is: an order, equal, or a part of the data centres."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.assess import Memory, assess
from policy.assignment import assignments
from policy.best_path import best, best_by, choices, shares
from policy.decide import Cause
from policy.failover import takeovers
from policy.guard import GuardRule
from policy.health import CheckerRule, HealthRule, Observation, Service
from policy.lint import lint
from policy.lint.announced import Announced, Announcements
from policy.lint.finding import Code
from policy.lint.notes import notes
from policy.lint.routes import routes
from policy.order import Order, ranks_fault
from policy.route import Asn, AsPath, Attributes, Community, Origin, Route
from policy.topology import Address, DataCentre, Profile, Topology, Vip
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from policy.intent import Intent
    from policy.route import Prefix


ONE, OTHER = (Community(64699, 1),), (Community(64699, 2),)


def living(names: Iterable[str]) -> list[set[str]]:
    """All non-empty sets."""
    names = tuple(names)
    sets = chain.from_iterable(combinations(names, count + 1) for count in range(len(names)))
    return [*map(set, sets)]


def is_ordered(vip: Vip, address: Address) -> bool:
    return not address.equal and vip.order is not Order.NONE


@given(made.wider_topologies())
def test_rule_6(topology: Topology) -> None:
    """Exactly one is best where data centres are ordered; where they are equal, all tie.

    "For every address whose preference is an order, and every non-empty set of living DCs, exactly one
    DC is strictly best by what the site orders with (AS_PATH, unless it says otherwise); when the best
    fails, the next takes over and no other address moves. Where the preference is `equal`, all tie on
    every attribute that decides." And none but those that announce it ever has it.
    """
    for alive in living(dc.name for dc in topology.dcs):
        found = choices(topology, alive)
        for vip, address in topology:
            chosen, able = found[address.prefix], [n for n in address.prefer if n in alive]
            assert chosen <= {*able}
            assert bool(chosen) == bool(able)
            if address.equal:
                assert chosen == {*able}
            elif is_ordered(vip, address):
                assert chosen == {*able[:1]}


@given(made.wider_topologies())
def test_takeover(topology: Topology) -> None:
    """When one fails, the next takes over what it had, equal ones share what is left, and nothing else moves."""
    for failed in topology.dcs:
        for moved in takeovers(topology, [failed.name]):
            vip, address = topology.find(moved.prefix) or (None, None)
            assert vip is not None
            assert address is not None
            assert moved.equal == address.equal
            left = [name for name in address.prefer if name != failed.name]
            if failed.name not in moved.before:
                assert moved.after == moved.before
            elif address.equal:
                assert moved.after == {*left}
            elif is_ordered(vip, address):
                assert moved.after == {*left[:1]}


@given(made.wider_topologies())
def test_equal_ones_share(topology: Topology) -> None:
    """An address for which data centres are equal counts for each in equal parts; all parts are one whole."""
    held = {a.prefix: {*a.prefer} for _, a in topology if a.equal}
    chosen = {prefix: choices(topology)[prefix] for prefix in held}
    assert chosen == held
    parts = shares(topology, chosen.values())
    for dc in topology.dcs:
        own = sum(1 / len(names) for names in held.values() if dc.name in names)
        assert abs(parts[dc.name] * len(held) - own) < 1e-9


@given(made.wider_topologies())
def test_who_announces(topology: Topology) -> None:
    """Those named announce it, equal ones alike but for their ASN; the others have no route for it."""
    for dc in topology.dcs:
        for prefix, duty in assignments(topology, dc).items():
            address, found = duty.address, duty.route
            if dc.name not in address.prefer:
                assert (duty.rank, duty.profile, found) == (None, None, None)
                continue
            assert found is not None
            assert found.prefix == prefix
            ranks = address.ranks or duty.vip.ranks
            place = 0 if address.equal else address.prefer.index(dc.name)
            assert (duty.rank, duty.profile) == (place, ranks[place])
            assert found.attributes == dc.attributes(ranks[place])


NEVER = {Code.TIE, Code.NOT_FIRST, Code.FOREIGN_ASN, Code.NOT_EQUAL}


@given(made.wider_topologies())
def test_what_is_accepted_is_clean(topology: Topology) -> None:
    """What vip.toml can say has no such finding; an address that one alone announces has no backup."""
    found = lint(topology)
    assert not NEVER & {finding.code for finding in found}
    alone = {f.subject for f in found if f.code is Code.NO_BACKUP}
    if len(topology.dcs) > 1:
        assert alone == {f"{v.name} {a.prefix}" for v, a in topology if len(a.prefer) == 1}


@given(made.wider_topologies())
def test_what_is_not_proven_is_noted(topology: Topology) -> None:
    """Where a neutral router does not order what is ordered, or equal ones have different ASNs, a note says so."""
    noted = "\n".join(notes(topology))
    asns = {dc.name: dc.asn for dc in topology.dcs}
    for vip, address in topology:
        several = len({asns[name] for name in address.prefer}) > 1
        announced = {
            dc.name: assignments(topology, dc)[address.prefix].route for dc in topology.dcs
        }
        given = {name: route for name, route in announced.items() if route is not None}
        proven = all(
            best(given, alive) == {next(n for n in address.prefer if n in alive)}
            for alive in living(address.prefer)
        )
        if address.equal:
            assert not several or "different ASNs: their paths tie" in noted
        elif vip.order is Order.NONE and len(address.prefer) > 1:
            assert "is not promised" in noted
        elif not proven:
            assert "is not known here" in noted
    assert bool(noted) <= bool(topology.prefixes)


@pytest.mark.parametrize(
    ("asns", "order", "equal", "said"),
    [
        ((64496, 64496), Order.MED, False, ""),
        ((64496, 64497), Order.MED, False, "ordered by MED in data centres with different ASNs: "),
        ((64496, 64496), Order.COMMUNITY, False, "ordered by communities: "),
        ((64496, 64496), Order.NONE, False, 'order = "none": '),
        ((64496, 64496), Order.PREPENDS, True, ""),
        ((64496, 64497), Order.PREPENDS, True, "equal in data centres with different ASNs: "),
        ((64496, 64496), Order.PREPENDS, False, ""),
    ],
)
def test_notes(asns: tuple[int, int], order: Order, said: str, *, equal: bool) -> None:
    """What only upstreams can make true is noted, and nothing else, with the addresses that it is about."""
    far = 1 if order is Order.PREPENDS else 0
    med = 2 if order is Order.MED else 0
    ranks = (Profile("near", 0, communities=ONE), Profile("far", far, med, communities=OTHER))
    addresses = tuple(Address(p, ("par1", "lyo1"), equal=equal) for p in made.HOSTS_V4[:2])
    dcs = tuple(DataCentre(n, Asn(a)) for n, a in zip(("par1", "lyo1"), asns, strict=True))
    found = notes(Topology(dcs, (Vip("vip-1.tld", addresses, ranks, order=order),)))
    assert [note.partition(said)[0] for note in found] == (
        [f"vip-1.tld {made.HOSTS_V4[0]} and 1 more: "] if said else []
    )


def upstream(order: Order, prefer: Sequence[str], heard: Mapping[str, Attributes]) -> set[str]:
    """Who is not beaten, by the words of RFC 4271 §9.1.1 (LOCAL_PREF) and §9.1.2.2 a to c, pair by pair."""

    def local_pref(name: str) -> int:
        """A worse rank has a lower one; the same communities have the same."""
        same = [i for i, n in enumerate(prefer) if heard[n].communities == heard[name].communities]
        return -min(same) if order is Order.COMMUNITY else 100

    def beats(one: str, other: str) -> bool:
        a, b = heard[one], heard[other]
        if local_pref(one) != local_pref(other):
            return local_pref(one) > local_pref(other)
        if len(a.as_path) != len(b.as_path):
            return len(a.as_path) < len(b.as_path)
        origins = [Origin.IGP, Origin.EGP, Origin.INCOMPLETE]
        if a.origin is not b.origin:
            return origins.index(a.origin) < origins.index(b.origin)
        compared = order is Order.MED or a.as_path.asns[0] == b.as_path.asns[0]
        return compared and (a.med or 0) < (b.med or 0)

    return {name for name in heard if not any(beats(each, name) for each in heard)}


@st.composite
def heard(draw: st.DrawFn) -> dict[str, Route]:
    paths = st.builds(AsPath.originated, st.sampled_from(made.ASNS[:2]), st.integers(0, 1))
    words = st.lists(st.sampled_from([Community(64699, 1), Community(64699, 2)]), max_size=2)
    some = st.builds(
        Attributes, paths, st.sampled_from([None, 0, 9]), st.sampled_from(Origin), words.map(tuple)
    )
    names = made.DC_NAMES[: draw(st.integers(1, 4))]
    return {name: Route(made.HOSTS_V4[0], draw(some)) for name in names}


TWO_ASES = {
    name: Route(made.HOSTS_V4[0], Attributes(AsPath.originated(asn, 0), med))
    for name, asn, med in zip(made.DC_NAMES, made.ASNS[:2], (0, 9), strict=False)
}


@given(heard(), st.sampled_from(Order), st.permutations(made.DC_NAMES[:4]))
@example(TWO_ASES, Order.MED, made.DC_NAMES[:4])
@example(TWO_ASES, Order.PREPENDS, made.DC_NAMES[:4])
def test_an_upstream_that_orders_so(
    heard: Mapping[str, Route], order: Order, names: Sequence[str]
) -> None:
    """The model of an upstream chooses those that no other route beats, by LOCAL_PREF first, MEDs compared or not."""
    prefer = [name for name in names if name in heard]
    every = {name: route.attributes for name, route in heard.items()}
    assert best_by(order, prefer, heard) == upstream(order, prefer, every)


def one_as(*communities: tuple[Community, ...]) -> dict[str, Route]:
    path = AsPath.originated(made.LOCAL_ASN, 0)
    routes = (
        Route(made.HOSTS_V4[0], Attributes(path, 0, communities=each)) for each in communities
    )
    return dict(zip(made.DC_NAMES, routes, strict=False))


@given(heard(), st.sampled_from(Order))
@example(one_as(ONE, OTHER), Order.COMMUNITY)
@example(one_as(ONE, OTHER), Order.PREPENDS)
def test_equal_or_not(heard: Mapping[str, Route], order: Order) -> None:
    """That data centres are not equal is found exactly where two of them are parted by what decides."""
    address = Announced(made.HOSTS_V4[0], heard, tuple(heard), "vip-1.tld", equal=True, order=order)
    found = routes(Announcements(dict.fromkeys(heard, made.ASNS[0]), (address,)))
    codes = {finding.code for finding in found}
    parted = any(
        len(best_by(by, tuple(heard), heard, pair)) == 1
        for pair in combinations(heard, 2)
        for by in (Order.MED, order)
    )
    assert (Code.NOT_EQUAL in codes) == parted
    assert not {Code.TIE, Code.NOT_FIRST} & codes


@st.composite
def any_ranks(draw: st.DrawFn) -> tuple[Profile, ...]:
    """Profiles that differ little, so that they often tie."""
    words = st.sampled_from([(), (Community(64699, 1),), (Community(64699, 2),)])
    some = st.builds(
        Profile,
        st.just("rank"),
        st.integers(0, 2),
        st.integers(0, 1),
        st.sampled_from([Origin.IGP, Origin.EGP]),
        words,
    )
    return tuple(draw(st.lists(some, min_size=1, max_size=3)))


COMES_BACK = tuple(Profile("rank", n, communities=c) for n, c in enumerate((ONE, OTHER, ONE)))


@given(any_ranks(), st.sampled_from([Order.PREPENDS, Order.MED, Order.COMMUNITY]))
@example(COMES_BACK, Order.COMMUNITY)
def test_ranks_that_are_accepted_are_ordered(ranks: tuple[Profile, ...], order: Order) -> None:
    """Where nothing is wrong with ranks, of any living ones the first is best; by MED, that is all there is to it."""
    names = made.DC_NAMES[: len(ranks)]
    given = {
        name: Route(made.HOSTS_V4[0], profile.attributes(made.LOCAL_ASN))
        for name, profile in zip(names, ranks, strict=True)
    }
    ordered = all(
        best_by(order, names, given, alive) == {next(n for n in names if n in alive)}
        for alive in living(names)
    )
    fault = ranks_fault(ranks, order)
    assert fault is not None or ordered
    if order is Order.MED:
        assert (fault is None) == ordered
    assert ranks_fault(ranks, Order.NONE) is None


def announced_by(*prefer: str) -> tuple[Vip, ...]:
    """Two VIPs of two addresses each that these data centres announce."""
    names = [f"{''.join(prefer)}-{n}.tld" for n in range(2)]
    return tuple(
        Vip(
            name,
            tuple(
                Address(made.host_v4(4 * len(prefer) + 2 * n + m), prefer, equal=len(prefer) == 2)
                for m in range(2)
            ),
            (Profile.plain(0), Profile.plain(1), Profile.plain(2)),
            HealthRule(checker=CheckerRule(required=False)),
        )
        for n, name in enumerate(names)
    )


A_PART = replace(
    made.topology_of("par1", "lyo1", "fra1"),
    vips=(
        *announced_by("par1"),
        *announced_by("par1", "lyo1"),
        *announced_by(*"par1 lyo1 fra1".split()),
    ),
)
SOME = st.sets(st.sampled_from(A_PART.prefixes))


@given(
    st.sampled_from(A_PART.dcs),
    st.dictionaries(st.sampled_from(A_PART.prefixes), made.intents()),
    SOME,
    SOME,
)
@example(A_PART.dcs[2], {}, {*A_PART.prefixes}, {*A_PART.prefixes})
def test_not_here(
    dc: DataCentre, intents: Mapping[Prefix, Intent], announced: set[Prefix], dead: set[Prefix]
) -> None:
    """What others announce is withdrawn here, whatever health or an operator says, and counts for no guard."""
    own = assignments(A_PART, dc)
    web = Service("tcp", 80)
    found = assess(
        own,
        Observation({prefix: {web: prefix not in dead} for prefix in own}),
        (),
        intents,
        announced,
        announced,
        GuardRule(0.0, 60.0),
        Memory(),
        0.0,
    )
    elsewhere = {p for p, duty in own.items() if dc.name not in duty.address.prefer}
    for prefix in elsewhere:
        decision = found.decisions[prefix]
        assert (decision.route, decision.cause) == (None, Cause.PREFERENCE)
        names = ", ".join(own[prefix].address.prefer)
        assert decision.reason == f"not announced here: only {names}"
    here = {own[p].vip.name for p in announced - elsewhere}
    for decision in found.decisions.values():
        if decision.cause is Cause.GUARD:
            assert f"of {len(here)} VIPs" in decision.reason
        assert (decision.cause is Cause.PREFERENCE) == (decision.prefix in elsewhere)
