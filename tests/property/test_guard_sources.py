"""The guard counts VIPs whatever tells of them: services, checks, reports, other VIPs, behind aggregates or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from policy.assess import Assessment, Memory, assess
from policy.assignment import assignments
from policy.damping import DampingRule
from policy.decide import Cause
from policy.guard import GuardRule
from policy.health import Health, HealthRule, Observation, Service
from policy.route import Asn
from policy.rule import AtLeast, Said, Term
from policy.topology import Address, AggregateRule, DataCentre, Profile, Topology, Vip
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Collection

    from policy.rule import Rule

HERE = DataCentre("par1", Asn(64699))
WEB, DAMPING = Service("tcp", 80), DampingRule(1.0, 2.0, 1.0, 5.0)
NAMES = ("a", "b", "c", "d")
PREFIXES = {
    name: tuple(ip_network(f"192.0.2.{4 * index + host}/32") for host in range(3))
    for index, name in enumerate(NAMES)
}
"""Of each VIP three: a checker that loses one family takes a part of it."""
RULES: tuple[Rule | None, ...] = (
    None,
    Term("check/x"),
    Term("report/app"),
    AtLeast(2, (Term("ipvs"), Term("check/x"), Term("report/app"))),
)
COVERING = ip_network("192.0.2.0/24")
RANKS = (Profile("near", 0),)
Bad = dict[str, int]
"""How many of a VIP's prefixes are bad, from the last one on."""


@dataclass
class Site:
    """Four VIPs that are all announced at first, each judged by a rule or by its services alone."""

    rules: tuple[Rule | None, ...]
    guard: GuardRule
    aggregate: AggregateRule | None = None
    damping: DampingRule | None = None
    now: float = 1000.0
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        vips = tuple(
            Vip(
                name,
                tuple(Address(prefix, ("par1",)) for prefix in PREFIXES[name]),
                RANKS,
                HealthRule(rule=rule, damping=self.damping),
            )
            for name, rule in zip(NAMES, self.rules, strict=True)
        )
        covering = [Vip("all", (Address(COVERING, ("par1",)),), RANKS, aggregate=self.aggregate)]
        aggregates = tuple(covering[:1] if self.aggregate else ())
        self.duties = assignments(Topology((HERE,), vips, aggregates), HERE)
        kept_back = self.aggregate is not None and self.aggregate.summary_only
        hosts = frozenset(p for p in self.duties if p != COVERING)
        self.up = hosts
        self.announced: Collection[object] = {COVERING} if kept_back else {*self.duties}

    def look(self, bad: Bad, passed: float = 1.0) -> Assessment:
        """Assess once more, some seconds later."""
        self.now += passed
        live, said = {}, {}
        for name, prefixes in PREFIXES.items():
            for index, prefix in enumerate(prefixes):
                is_bad = len(prefixes) - index <= bad.get(name, 0)
                live[prefix] = {WEB: 0 if is_bad else 2}
                health = Health.DOWN if is_bad else Health.UP
                said[prefix] = {each: Said(health, "so") for each in ("check/x", "report/app")}
        found = assess(
            self.duties,
            Observation(live, said=said),
            {COVERING},
            {},
            frozenset(p for p in self.duties if p in self.announced),
            self.up,
            self.guard,
            self.memory,
            self.now,
        )
        self.memory = found.memory
        self.announced = {p for p, route in found.desired.items() if route}
        self.up = frozenset(p for p, each in found.alone.items() if each.route and p != COVERING)
        return found


SITES = st.builds(
    Site,
    st.tuples(*[st.sampled_from(RULES)] * len(NAMES)),
    made.guard_rules(),
    st.none() | st.builds(AggregateRule, st.integers(1, 3), st.booleans()),
    st.sampled_from([None, DAMPING]),
)
STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.5, 1.0, 3.0])), min_size=1, max_size=8
)


def held(found: Assessment) -> set[object]:
    return {p for p, decision in found.alone.items() if decision.cause is Cause.GUARD}


@given(SITES, st.sampled_from(NAMES), STEPS)
def test_one_vip_is_never_held(site: Site, name: str, steps: list[tuple[int, float]]) -> None:
    """Whatever judges it, however it comes and goes, under the strictest rule."""
    site.guard = GuardRule(0.0, 60.0)
    site.look({})
    for count, passed in steps:
        found = site.look({name: count}, passed)
        assert not held(found)
        bad = PREFIXES[name][len(PREFIXES[name]) - count :]
        assert all(found.alone[prefix].route is None for prefix in bad)


@given(SITES, st.lists(st.sampled_from(NAMES), min_size=2, unique=True), st.integers(1, 3))
def test_many_are_held_until_they_are_confirmed(site: Site, names: list[str], count: int) -> None:
    """By their names, be it a part of each: more than the share stays announced for `confirm`, and goes then."""
    site.look({})
    bad = dict.fromkeys(names, count)
    prefixes = {prefix for name in names for prefix in PREFIXES[name][3 - count :]}
    many = len(names) > site.guard.max_withdraw * len(NAMES) and site.guard.confirm > 0
    assert held(site.look(bad)) == (prefixes if many else set())
    found = site.look(bad, site.guard.confirm)
    assert not held(found)
    assert all(found.alone[prefix].route is None for prefix in prefixes)


def test_who_asks_for_another_vip_counts() -> None:
    """A VIP that goes because another one does is one more: what tells of that one may be wrong, too."""
    site = Site((None, Term("vip/a"), Term("vip/a"), None), GuardRule(0.5, 3.0))
    site.look({})
    found = site.look({"a": 3})
    assert {name for name in NAMES if held(found) & {*PREFIXES[name]}} == {"a", "b", "c"}
    assert not held(site.look({"a": 3}, 3.0))
