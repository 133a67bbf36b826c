"""A VIP with a rule, assessed: what decides for services decides for rules, and only what changed is judged again."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.assess import Assessment, Memory, assess
from policy.assignment import assignments
from policy.damping import DampingRule
from policy.decide import Cause
from policy.explain import Decided
from policy.explain.change import change
from policy.guard import GuardRule
from policy.health import (
    CheckerRule,
    Health,
    HealthRule,
    Observation,
    Service,
    ServiceMemory,
    State,
    Thresholds,
)
from policy.judge import ITSELF, judge
from policy.route import Asn
from policy.rule import AtLeast, Not, Said, Term, value
from policy.ruled import ruled, together
from policy.topology import Address, DataCentre, Profile, Topology, Vip
from tests.support.strategies.checks import rules

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from policy.rule import Rule

UP, DOWN, UNKNOWN = Health.UP, Health.DOWN, Health.UNKNOWN
FREE, INSTANTLY = GuardRule(1.0, 0.0), Thresholds()
WEB = Service("tcp", 80)
HERE = DataCentre("par1", Asn(64699))
NAMES = ("a", "b", "c")
PREFIXES = {name: ip_network(f"192.0.2.{index}/32") for index, name in enumerate(NAMES, 1)}
Says = dict[str, dict[str, Health]]


def site(
    *of: Rule | None, damping: DampingRule | None = None, thresholds: Thresholds = INSTANTLY
) -> Topology:
    """A VIP for each rule, in reversed order: those that are asked for stand behind those that ask."""
    vips = [
        Vip(
            name,
            (Address(PREFIXES[name], ("par1",)),),
            (Profile("near", 0),),
            HealthRule(thresholds, rule=rule, damping=damping),
        )
        for name, rule in zip(NAMES, of, strict=False)
    ]
    return Topology((HERE,), tuple(reversed(vips)))


class Run:
    """Assessments of a site, one after the other."""

    def __init__(self, topology: Topology, guard: GuardRule = FREE) -> None:
        self.guard = guard
        self.duties = assignments(topology, HERE)
        self.memory = Memory()
        self.announced: Collection[object] = {*self.duties}
        self.said: dict[str, dict[str, Said]] = {name: {} for name in NAMES}
        self.now = 1000.0

    def look(self, live: Mapping[str, int], says: Says) -> Assessment:
        """Assess once more; the objects of what is said stay while nothing is said otherwise."""
        self.now += 1.0
        for name, of in says.items():
            new = {source: Said(health, "so") for source, health in of.items()}
            if new != self.said[name]:
                self.said[name] = new
        seen = Observation(
            {PREFIXES[name]: {WEB: count} for name, count in live.items()},
            said={PREFIXES[name]: each for name, each in self.said.items()},
        )
        was = frozenset(p for p in self.duties if p in self.announced)
        found = assess(self.duties, seen, (), {}, was, was, self.guard, self.memory, self.now)
        self.memory = found.memory
        self.announced = {p for p, route in found.desired.items() if route}
        return found


def healths(found: Assessment) -> dict[str, Health]:
    return {
        name: found.health[PREFIXES[name]].health
        for name in NAMES
        if PREFIXES[name] in found.health
    }


SOURCES = ("check/x", "check/y")
SAYS = st.fixed_dictionaries(
    {
        name: st.fixed_dictionaries({each: st.sampled_from(Health) for each in SOURCES})
        for name in NAMES
    }
)
LIVE = st.fixed_dictionaries({}, optional={name: st.integers(0, 2) for name in NAMES})


@given(
    rules(("ipvs", *SOURCES)),
    rules(("ipvs", "vip/a", *SOURCES)),
    rules(("vip/a", "vip/b", "check/x")),
    st.lists(st.tuples(LIVE, SAYS), min_size=1, max_size=6),
)
@example(
    Term("ipvs"),
    Not(Term("vip/a")),
    AtLeast(2, (Term("vip/b"), Term("vip/a"))),
    [({"a": count}, {}) for count in (1, 1, 1, 0, 0, 0, 1)],
)
def test_step_by_step(
    one: Rule, two: Rule, three: Rule, steps: Sequence[tuple[dict[str, int], Says]]
) -> None:
    """What is gone on from gives what looking at everything afresh gives, and that is what the rules say."""
    topology = site(one, two, three)
    run = Run(topology)
    for live, says in steps:
        found = run.look(live, says)
        known = healths(found)
        for vip in topology.vips:
            said = dict(run.said[vip.name])
            if vip.name in live:
                said["ipvs"] = Said(UP if live[vip.name] else DOWN)
            said |= {f"vip/{name}": Said(known[name]) for name in NAMES}
            assert vip.health.rule is not None
            assert known[vip.name] is value(vip.health.rule, said)


def test_unknown_holds() -> None:
    """A rule that is unknown keeps the VIP as it was, announced or withdrawn, and says what is not known."""
    run = Run(site(Term("check/x")))
    held = run.look({}, {"a": {"check/x": UNKNOWN}}).decisions[PREFIXES["a"]]
    assert (held.route is not None, held.cause) == (True, Cause.HOLD)
    assert held.reason == "health unknown, held announced: check/x is unknown (so)"
    down = run.look({}, {"a": {"check/x": DOWN}}).decisions[PREFIXES["a"]]
    assert (down.route, down.reason) == (None, "down: check/x is down (so)")
    assert run.look({}, {"a": {"check/x": UNKNOWN}}).decisions[PREFIXES["a"]].route is None


def test_what_is_still_asked() -> None:
    """A rule that waits only for first answers is settling, and no trouble yet; one that waits for more is."""
    new, old = Said(UNKNOWN, "not asked yet", settling=True), Said(UNKNOWN, "no answer")
    rule = AtLeast(2, (Term("check/x"), Term("check/y")))
    for x, y, settling in ((new, new, True), (new, Said(UP), True), (new, old, False)):
        assert ruled(rule, None, {"check/x": x, "check/y": y}).settling is settling
    assert not ruled(rule, None, {"check/x": new, "check/y": Said(DOWN)}).settling
    assert not ruled(rule, None, {"check/x": new}).settling, "of check/y nothing is known"
    assert together([ruled(Term("check/x"), None, {"check/x": new})]).settling


def test_nothing_in_ipvs() -> None:
    """A rule that does not ask for services does without any."""
    found = Run(site(Term("check/x"))).look({}, {"a": {"check/x": UP}})
    assert found.decisions[PREFIXES["a"]].reason == "up: check/x is up (so)"


def test_damping() -> None:
    """What flaps by its rule is damped like what flaps by its services."""
    run = Run(site(Term("check/x"), damping=DampingRule()))
    for _ in range(4):
        run.look({}, {"a": {"check/x": DOWN}})
        last = run.look({}, {"a": {"check/x": UP}})
    assert last.decisions[PREFIXES["a"]].cause is Cause.DAMPING


@given(
    st.lists(st.sampled_from(Health), min_size=1, max_size=12),
    st.sampled_from([0.0, 1.0, 2.5]),
    st.sampled_from([0.0, 1.0, 2.5]),
)
@example([UP, DOWN, DOWN, DOWN, UP, DOWN, DOWN, DOWN, UP, UP, UP, UP], 2.5, 2.5)
@example([UP, DOWN, UNKNOWN, DOWN, DOWN], 2.5, 0.0)
def test_fall_and_rise(says: list[Health], fall: float, rise: float) -> None:
    """What a rule without services says must last for `fall`, or `rise`, like what services are: one of the two on each look."""
    thresholds = Thresholds(0, 1, fall, rise)
    ruled_run = Run(site(Term("check/x"), thresholds=thresholds))
    served = Run(site(None, thresholds=thresholds))
    for each in says:
        by_rule = healths(ruled_run.look({}, {"a": {"check/x": each}}))["a"]
        live = {} if each is UNKNOWN else {"a": int(each is UP)}
        assert by_rule is healths(served.look(live, {}))["a"]
        dues = [run.memory.cases[PREFIXES["a"]].due for run in (ruled_run, served)]
        assert dues[0] == dues[1]


def test_fall_and_rise_are_told() -> None:
    """A verdict that waits for `fall` or `rise` says for how long, and is looked at when that ends."""
    run = Run(site(Term("check/x"), thresholds=Thresholds(0, 1, 2.5, 2.5)))
    for each in (UP, DOWN):
        run.look({}, {"a": {"check/x": each}})
    falling = run.look({}, {"a": {"check/x": DOWN}})
    found = falling.health[PREFIXES["a"]]
    assert (found.health, found.look_again) == (UP, run.now + 1.5)
    assert found.reason == "check/x is down (so), falling for 0.0s"
    case = falling.memory.cases[PREFIXES["a"]]
    decided = Decided(
        case.facts, case.health, case.decision, FREE, falling.memory.guard, run.now, 0
    )
    assert change(decided).startswith("withdrawn when check/x is down for 2.5s; or by")
    run.look({}, {}), run.look({}, {})
    found = run.look({}, {"a": {"check/x": UP}}).health[PREFIXES["a"]]
    assert (found.health, found.reason) == (DOWN, "check/x is up (so), rising for 0.0s")


def test_fall_of_services_is_theirs() -> None:
    """Where a rule asks for services, `fall` is of those: what a check says counts at once."""
    rule = AtLeast(2, (Term("ipvs"), Term("check/x")))
    run = Run(site(rule, thresholds=Thresholds(0, 1, 5.0)))
    run.look({"a": 1}, {"a": {"check/x": UP}})
    assert healths(run.look({"a": 0}, {}))["a"] is UP
    assert healths(run.look({"a": 0}, {"a": {"check/x": DOWN}}))["a"] is DOWN


@pytest.mark.parametrize("state", [State.UP, State.FALLING, State.DOWN])
def test_a_rule_that_goes(state: State) -> None:
    """What is remembered of a rule is no service of its VIP, once that has no rule any more: it is waited for by nobody."""
    rule = HealthRule(checker=CheckerRule(restart_grace=10.0))
    memory = {ITSELF: ServiceMemory(state, 1.0)}
    found = judge(rule, {WEB: 1}, memory, was_announced=True, now=2.0)
    assert (found.health, found.reason, {*found.memory}) == (UP, "1 realserver", {WEB})


def test_guard() -> None:
    """More VIPs than `max_withdraw` that are down by their rules at once must stay so for `confirm`."""
    run = Run(site(*[Term("check/x")] * 3), GuardRule(0.5, 3.0))
    run.look({}, {name: {"check/x": UP} for name in NAMES})
    causes = []
    for _ in range(4):
        found = run.look({}, {name: {"check/x": DOWN} for name in NAMES})
        causes.append({decision.cause for decision in found.decisions.values()})
    assert causes == [{Cause.GUARD}] * 3 + [{Cause.HEALTH}]


def test_guard_lets_one_go() -> None:
    """One VIP that is down by its rule is never held."""
    run = Run(site(*[Term("check/x")] * 3), GuardRule(0.5, 3.0))
    run.look({}, {name: {"check/x": UP} for name in NAMES})
    found = run.look({}, {"a": {"check/x": DOWN}})
    assert found.decisions[PREFIXES["a"]].cause is Cause.HEALTH


def test_what_is_not_judged_again() -> None:
    """Where nothing is said otherwise, a decision is the same object."""
    run = Run(site(Term("check/x"), Term("vip/a")))
    says = {name: {"check/x": UP} for name in NAMES}
    before, after = run.look({}, says), run.look({}, says)
    assert all(after.decisions[p] is before.decisions[p] for p in run.duties)
