"""Aggregates: announced exactly while enough members are, in an order in which nothing attracts what no one answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.aggregate import NO_AGGREGATES, Aggregates, aggregate, stages, waits
from policy.assess import Assessment, Memory, assess
from policy.assignment import assignments
from policy.decide import Cause, Decision
from policy.drain_profile import SoftRoutes
from policy.errors import PolicyError
from policy.guard import GuardRule
from policy.health import Checker, CheckerRule, HealthRule, Observation, Service
from policy.intent import Intent, Mode
from policy.plan import Announce, Withdraw, apply, plan
from policy.preference import profile
from policy.route import Asn, Prefix, Route, parse_prefix
from policy.topology import Address, AggregateRule, DataCentre, Profile, Topology, Vip
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

PAR1, LYO1 = DataCentre("par1", Asn(64699)), DataCentre("lyo1", Asn(64699))
RANKS = tuple(map(Profile.plain, (1, 2)))
ORDERS = (("par1", "lyo1"), ("lyo1", "par1"))
WEB = Service("tcp", 80)
NARROW, WIDE = parse_prefix("203.0.113.0/24"), parse_prefix("203.0.112.0/20")
V6 = parse_prefix("2001:db8::/48")
COVERING = (NARROW, WIDE, V6)
INSIDE = tuple(map(parse_prefix, ("203.0.113.1/32", "203.0.113.2/32", "203.0.113.128/25")))
AROUND = (parse_prefix("203.0.112.9/32"), parse_prefix("2001:db8::1/128"))
OUTSIDE = tuple(map(parse_prefix, ("192.0.2.1/32", "203.0.96.0/19", "2001:db9::1/128")))
HOSTS = (*INSIDE, *AROUND, *OUTSIDE)


def vip(prefix: Prefix, order: tuple[str, ...] = ORDERS[0], rule: HealthRule | None = None) -> Vip:
    return Vip(f"vip-{prefix}", (Address(prefix, order),), RANKS, rule or HealthRule())


def covering(prefix: Prefix, rule: AggregateRule, order: tuple[str, ...] = ORDERS[0]) -> Vip:
    return Vip(str(prefix), (Address(prefix, order),), RANKS, aggregate=rule)


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """VIPs in, around and beside aggregates that may lie in each other."""
    orders = st.sampled_from(ORDERS)
    hosts = draw(st.lists(st.sampled_from(HOSTS), unique=True))
    rules = st.builds(AggregateRule, st.integers(1, 3), st.booleans())
    found = draw(st.lists(st.sampled_from(COVERING), unique=True))
    return Topology(
        (PAR1, LYO1),
        tuple(vip(prefix, draw(orders)) for prefix in hosts),
        tuple(covering(prefix, draw(rules), draw(orders)) for prefix in found),
    )


def inside(topology: Topology, prefix: Prefix) -> list[Prefix]:
    """The VIPs' prefixes in an aggregate, as one would say it."""
    return [
        address.prefix
        for each in topology.vips
        for address in each.addresses
        if address.prefix.version == prefix.version and address.prefix.subnet_of(prefix)  # type: ignore[arg-type] # of one version, as was asked
    ]


@dataclass
class Step:
    """What one assessment is given beside the duties."""

    live: Mapping[Prefix, Mapping[Service, int]]
    intents: dict[Prefix, Intent]
    announced: frozenset[Prefix]
    guard: GuardRule


@st.composite
def steps(draw: st.DrawFn, topology: Topology) -> Step:
    prefixes = topology.prefixes
    hosts = [a.prefix for each in topology.vips for a in each.addresses]
    some = st.frozensets(st.sampled_from(prefixes)) if prefixes else st.just(frozenset[Prefix]())
    live = {
        p: {WEB: count} for p in hosts if (count := draw(st.sampled_from([None, 0, 2]))) is not None
    }
    intents = {prefix: draw(made.intents()) for prefix in draw(some)}
    return Step(live, intents, draw(some), draw(made.guard_rules()))


def looked(
    topology: Topology, step: Step, memory: Memory, was: Collection[Prefix], now: float
) -> Assessment:
    own = assignments(topology, PAR1)
    return assess(
        own,
        Observation(step.live, "no ip_vs"),
        {each.addresses[0].prefix for each in topology.aggregates},
        step.intents,
        step.announced,
        was,
        step.guard,
        memory,
        now,
    )


def auto(intent: Intent | None) -> bool:
    return intent is None or intent.mode is Mode.AUTO or intent.is_soft


SITES = topologies().flatmap(
    lambda topology: st.tuples(st.just(topology), st.lists(steps(topology), min_size=1, max_size=4))
)


@given(SITES)
def test_enough(site: tuple[Topology, list[Step]]) -> None:
    """An aggregate is announced exactly while at_least of its members are decided so; an operator goes before.

    A member is what lies inside. Of what is kept back, nothing is ever announced by itself, and all else
    is as if there were no aggregate.
    """
    topology, all_steps = site
    plain = replace(topology, aggregates=())
    memory, bare, now = Memory(), Memory(), 1000.0
    was: frozenset[Prefix] = frozenset()
    for step in all_steps:
        now += 1.0
        found = looked(topology, step, memory, was, now)
        others = looked(plain, step, bare, was, now)
        memory, bare = found.memory, others.memory
        kept = {
            p
            for each in topology.aggregates
            if each.aggregate and each.aggregate.summary_only
            for p in inside(topology, each.addresses[0].prefix)
        }
        for each in topology.aggregates:
            assert each.aggregate is not None
            prefix = each.addresses[0].prefix
            decision, intent = found.decisions[prefix], step.intents.get(prefix)
            count = sum(found.alone[p].route is not None for p in inside(topology, prefix))
            if auto(intent):
                assert (decision.route is not None) == (count >= each.aggregate.at_least)
                assert decision.cause is Cause.MEMBERS
                assert f"needs {each.aggregate.at_least}" in decision.reason
            else:
                assert intent is not None
                assert (decision.route is not None) == (intent.mode is Mode.FORCED)
                assert decision.cause is Cause.OPERATOR
            attributes = profile(each, each.addresses[0], PAR1).attributes(PAR1.asn)
            if intent is not None and intent.is_soft:
                attributes = (
                    SoftRoutes(topology, PAR1).profile(each, each.addresses[0]).attributes(PAR1.asn)
                )
            assert decision.route in (None, Route(prefix, attributes))
            assert found.desired[prefix] == decision.route
        for prefix in kept:
            assert found.desired[prefix] is None
            if found.alone[prefix].route is not None:
                assert found.decisions[prefix].cause is Cause.AGGREGATE
                assert found.alone[prefix].reason in found.decisions[prefix].reason
        for prefix in others.decisions.keys() - kept:
            assert found.decisions[prefix] == found.alone[prefix]
        if not step.guard.confirm:  # which would count others as announced
            for prefix, decision in others.decisions.items():
                assert found.alone[prefix] == decision


@given(SITES)
def test_the_same_again(site: tuple[Topology, list[Step]]) -> None:
    """Where nothing changed, each decision is the same object; what work was spared changes no decision."""
    topology, all_steps = site
    memory, now = Memory(), 1000.0
    for step in all_steps:
        found = looked(topology, step, memory, step.announced, now)
        again = looked(topology, step, found.memory, step.announced, now)
        fresh = looked(
            topology,
            step,
            replace(memory, cases={}, last=None, aggregates=None),
            step.announced,
            now,
        )
        assert {p: d.route for p, d in fresh.decisions.items()} == found.desired
        if again.alone == found.alone:
            assert all(
                again.decisions[p] is d
                for p, d in found.decisions.items()
                if p in found.memory.aggregated.decisions
            )
        memory = found.memory


@st.composite
def changing(draw: st.DrawFn) -> tuple[Topology, Step, Step, Topology]:
    """A site before and after: what is alive changes, and what the file says."""
    before, after = draw(topologies()), draw(topologies())
    return before, draw(steps(before)), draw(steps(after)), after


@given(changing())
def test_order(site: tuple[Topology, Step, Step, Topology]) -> None:
    """Interrupted between any two changes, no aggregate that was not announced is before its members are.

    Nor does one that goes stay while members go; and what an aggregate stands for, or stood for, has it
    or itself until the end. Whatever was done, planning again gives what is left.
    """
    topology, step, later, new = site
    was = {**looked(topology, step, Memory(), (), 1000.0).desired}
    desired = looked(new, later, Memory(), (), 1000.0).desired
    own = assignments(new, PAR1)
    aggregates = Aggregates.of(own)
    changes = plan(desired, {**dict.fromkeys(desired), **was}, was)
    ordered = [change for stage in stages(changes, aggregates, own) for change in stage]
    assert sorted(map(str, ordered)) == sorted(map(str, changes))
    state = {**dict.fromkeys(desired), **was}
    for done in range(len(ordered) + 1):
        now = apply(ordered[:done], state)
        for prefix, members in aggregates.members.items():
            rule = own[prefix].vip.aggregate
            assert rule is not None
            if auto(later.intents.get(prefix)) and not rule.summary_only:
                arriving = now[prefix] is not None and state[prefix] is None
                up = [p for p in members if now[p] is not None]
                kept = [p for p in members if p in aggregates.keepers]
                if arriving and not kept:
                    assert len(up) >= rule.at_least
                if (
                    state[prefix] is not None
                    and desired[prefix] is None
                    and now[prefix] is not None
                ):
                    assert all(now[p] == state[p] for p in members)
        for prefix, keepers in aggregates.keepers.items():
            stood = state[prefix] is not None
            if stood and any(desired[keeper] is not None for keeper in keepers):
                assert now[prefix] is not None or any(now[keeper] is not None for keeper in keepers)
        assert apply(plan(desired, now, was), now).items() >= desired.items()


def test_it_goes_before_its_members_and_comes_after_them() -> None:
    """While it is announced and a member is not yet, or no more, it would attract what nobody answers."""
    topology = Topology((PAR1, LYO1), (vip(INSIDE[0]),), (covering(NARROW, AggregateRule()),))
    own = assignments(topology, PAR1)
    aggregates = Aggregates.of(own)
    gone = [Withdraw(INSIDE[0]), Withdraw(NARROW)]
    assert [*stages(gone, aggregates, own)] == [[Withdraw(NARROW)], [Withdraw(INSIDE[0])]]
    came = [Announce(route) for prefix in (NARROW, INSIDE[0]) if (route := own[prefix].route)]
    assert [*stages(came, aggregates, own)] == [came[1:], came[:1]]


def test_an_aggregate_that_left_goes_last() -> None:
    """Where summary_only ends with its aggregate, the members are there before it goes."""
    topology = Topology((PAR1, LYO1), (vip(INSIDE[0]),))
    own = assignments(topology, PAR1)
    route = own[INSIDE[0]].route
    assert route is not None
    new = Announce(route)
    assert [*stages([Withdraw(NARROW), new], NO_AGGREGATES, own)] == [[new], [Withdraw(NARROW)]]


def test_a_failed_aggregate_is_waited_for() -> None:
    """What an aggregate is to stand for stays while the aggregate could not be announced."""
    topology = Topology(
        (PAR1, LYO1), (vip(INSIDE[0]),), (covering(NARROW, AggregateRule(summary_only=True)),)
    )
    aggregates = Aggregates.of(assignments(topology, PAR1))
    gone = Withdraw(INSIDE[0])
    assert waits(gone, aggregates, {NARROW}) == "waits until 203.0.113.0/24 is announced"
    assert waits(gone, aggregates, {AROUND[0]}) == ""
    assert waits(Withdraw(NARROW), aggregates, {NARROW}) == ""


# --- health, the guard, a restart ------------------------------------------------------------------

CHECKED = HealthRule(checker=CheckerRule(required=True))


def kept_back(count: int) -> Topology:
    rule = AggregateRule(summary_only=True)
    hosts = [parse_prefix(f"203.0.113.{number}") for number in range(1, count + 1)]
    return Topology(
        (PAR1, LYO1), tuple(vip(host, rule=CHECKED) for host in hosts), (covering(NARROW, rule),)
    )


def one_look(
    topology: Topology,
    live: Mapping[Prefix, Mapping[Service, int]],
    announced: Collection[Prefix],
    was: Collection[Prefix],
    guard: GuardRule,
    memory: Memory,
    now: float,
) -> Assessment:
    return assess(
        assignments(topology, PAR1),
        Observation(live, "no ip_vs", Checker(1.0)),
        {NARROW},
        {},
        announced,
        was,
        guard,
        memory,
        now,
    )


def test_the_guard_holds_members_that_are_kept_back() -> None:
    """The loss of many VIPs behind an aggregate is held like that of VIPs that are announced themselves."""
    topology, guard = kept_back(4), GuardRule(0.5, 3.0)
    hosts = topology.prefixes[:4]
    up = one_look(topology, {p: {WEB: 1} for p in hosts}, {NARROW}, hosts, guard, Memory(), 1000.0)
    assert up.desired == {**dict.fromkeys(hosts), NARROW: up.decisions[NARROW].route}
    dead = {host: {WEB: 0} for host in hosts}
    held = one_look(topology, dead, {NARROW}, hosts, guard, up.memory, 1001.0)
    assert held.decisions[NARROW].route is not None
    assert {held.alone[p].cause for p in hosts} == {Cause.GUARD}
    assert held.look_again == 1004.0
    gone = one_look(topology, dead, {NARROW}, hosts, guard, held.memory, 1004.0)
    assert gone.decisions[NARROW].route is None
    assert gone.decisions[NARROW].reason == "down: 0 of 4 prefixes in it up, and kept back; needs 1"


def test_an_aggregate_is_no_vip_to_the_guard() -> None:
    """One VIP is never held, and counts once, although its aggregate is announced beside it."""
    topology = Topology((PAR1, LYO1), (vip(INSIDE[0]),), (covering(NARROW, AggregateRule()),))
    everything = {NARROW, INSIDE[0]}
    dead = {INSIDE[0]: {WEB: 0}}
    found = one_look(topology, dead, everything, everything, GuardRule(0.0, 60.0), Memory(), 1000.0)
    assert found.desired == {INSIDE[0]: None, NARROW: None}


@pytest.mark.parametrize("was_up", [True, False])
def test_unknown_is_not_down(*, was_up: bool) -> None:
    """An aggregate whose members' health is unknown stays as they are held."""
    topology = kept_back(2)
    was = topology.prefixes[:2] if was_up else ()
    found = one_look(topology, {}, {NARROW}, was, GuardRule(), Memory(), 1000.0)
    assert (found.decisions[NARROW].route is not None) == was_up
    assert {d.cause for p, d in found.alone.items() if p != NARROW} == {Cause.HOLD}


def test_what_stands_for_members() -> None:
    """A member counts as announced where its aggregate is, and it was up: not otherwise."""
    topology = kept_back(2)
    aggregates = Aggregates.of(assignments(topology, PAR1))
    first, second = topology.prefixes[:2]
    assert aggregates.standing_for({NARROW}, {first}) == {first}
    assert aggregates.standing_for({second}, {first, second}) == frozenset()


def test_together() -> None:
    """Whoever acts for a few prefixes decides for the aggregate and all its members with them."""
    topology = Topology(
        (PAR1, LYO1),
        tuple(map(vip, HOSTS)),
        (covering(NARROW, AggregateRule()), covering(V6, AggregateRule())),
    )
    aggregates = Aggregates.of(assignments(topology, PAR1))
    assert aggregates.together([INSIDE[0]]) == {NARROW, *INSIDE}
    assert aggregates.together([NARROW]) == {NARROW, *INSIDE}
    assert aggregates.together([OUTSIDE[0]]) == {OUTSIDE[0]}


def decided(prefixes: Sequence[Prefix], topology: Topology) -> dict[Prefix, Decision]:
    own = assignments(topology, PAR1)
    return {
        p: Decision(p, each.route if p in prefixes else None, Cause.HEALTH, "up")
        for p, each in own.items()
    }


def test_members_of_both() -> None:
    """A prefix in two aggregates counts for both, and an aggregate is no member of a wider one."""
    rule = AggregateRule(at_least=2)
    topology = Topology(
        (PAR1, LYO1), (vip(INSIDE[0]),), (covering(NARROW, AggregateRule()), covering(WIDE, rule))
    )
    own = assignments(topology, PAR1)
    found = aggregate(Aggregates.of(own), own, decided([INSIDE[0]], topology), {})
    assert found.decisions[NARROW].route is not None
    assert found.decisions[WIDE].reason == "down: 1 of 1 prefix in it announced; needs 2"
    assert found.decisions[WIDE].route is None


def test_refused() -> None:
    """No aggregate needs nobody; nor is one prefix an aggregate's and a VIP's."""
    with pytest.raises(PolicyError, match="at_least = 0"):
        AggregateRule(at_least=0)
    with pytest.raises(PolicyError, match="a prefix belongs to one place"):
        Topology((PAR1, LYO1), (vip(NARROW),), (covering(NARROW, AggregateRule()),))
