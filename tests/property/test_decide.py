"""The precedence of operator, guard and watchdog, and what the guard may hold."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.assess import Assessment, Memory, assess
from policy.assignment import Assignment, assignments
from policy.decide import Cause, Decision, decide
from policy.errors import PolicyError
from policy.guard import GuardMemory, GuardRule, Restrained, restrain
from policy.health import (
    AddressHealth,
    Health,
    HealthRule,
    Observation,
    Presence,
    Service,
    Thresholds,
)
from policy.intent import MAX_TEXT, Intent, Mode
from policy.route import Prefix, Route
from policy.topology import Address, DataCentre, Profile, Topology, Vip
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence


PREFIXES: tuple[Prefix, ...] = (*made.HOSTS_V4, *made.HOSTS_V6)
ROUTES: dict[Prefix, Route] = {prefix: Route(prefix, made.SOME[0]) for prefix in PREFIXES}
ROUTE = ROUTES[PREFIXES[0]]
HEALTHS = st.one_of(
    st.none(), st.sampled_from(Health).map(lambda health: AddressHealth(health, 3, "a reason"))
)


# --- decide --------------------------------------------------------------------------------------


def stands_above(intent: Intent) -> bool:
    """Whether an intent decides alone, whatever the health."""
    return intent.mode in (Mode.DRAINED, Mode.FORCED) or (intent.is_soft and intent.forced)


@given(
    mode=st.sampled_from([Mode.DRAINING, Mode.RETURNING]),
    health=HEALTHS,
    was_announced=st.booleans(),
    here=st.booleans(),
    damped=st.sampled_from(["", "penalty 1"]),
    forced=st.booleans(),
)
def test_soft(mode: Mode, health: AddressHealth | None, damped: str, **known: bool) -> None:
    """What drains or returns is announced and withdrawn as in auto; what was forced before is announced."""
    forced = known.pop("forced")
    intent = Intent(mode, "alice", 0.0, forced=forced)
    alone = decide(ROUTE, None, health, damped=damped, **known)
    decision = decide(ROUTE, intent, health, damped=damped, **known)
    if forced:
        assert (decision.route, decision.cause) == (ROUTE, Cause.OPERATOR)
    else:
        assert (decision.route, decision.cause) == (alone.route, alone.cause)
        assert decision.reason == f"{intent}; {alone.reason}"


@given(
    intent=made.intents((Mode.DRAINED, Mode.FORCED)), health=HEALTHS, was_announced=st.booleans()
)
def test_operator_first(
    intent: Intent, health: AddressHealth | None, *, was_announced: bool
) -> None:
    """Drained is withdrawn and forced is announced, whatever the health; the reason says by whom."""
    decision = decide(ROUTE, intent, health, was_announced=was_announced)
    assert decision.route == (None if intent.mode is Mode.DRAINED else ROUTE)
    assert decision.cause is Cause.OPERATOR
    assert intent.owner in decision.reason


@given(intent=st.none() | made.intents((Mode.AUTO,)), health=HEALTHS, was_announced=st.booleans())
def test_then_health(
    intent: Intent | None, health: AddressHealth | None, *, was_announced: bool
) -> None:
    """In auto: up is announced, down withdrawn, unknown held as it was, unchecked announced."""
    decision = decide(ROUTE, intent, health, was_announced=was_announced)
    expected = {Health.UP: True, Health.DOWN: False, Health.UNKNOWN: was_announced}
    assert (decision.route is not None) == (health is None or expected[health.health])
    assert (decision.cause is Cause.HOLD) == (
        health is not None and health.health is Health.UNKNOWN
    )
    assert decision.reason


@given(
    intent=st.none() | made.intents(),
    health=HEALTHS,
    was_announced=st.booleans(),
    damped=st.sampled_from(["", "penalty 1"]),
)
def test_the_address_is_elsewhere(
    intent: Intent | None, health: AddressHealth | None, damped: str, *, was_announced: bool
) -> None:
    """An address that is not here is not announced, up, unknown or unchecked; but an operator decides."""
    decision = decide(ROUTE, intent, health, was_announced=was_announced, here=False, damped=damped)
    if intent is not None and stands_above(intent):
        assert decision.cause is Cause.OPERATOR
        assert decision.route == (None if intent.mode is Mode.DRAINED else ROUTE)
    else:
        assert (decision.route, decision.cause) == (None, Cause.ADDRESS)
        assert decision.reason.endswith("address not on this machine")


@given(intent=st.none() | made.intents(), health=HEALTHS, was_announced=st.booleans())
def test_damped(
    intent: Intent | None, health: AddressHealth | None, *, was_announced: bool
) -> None:
    """What is damped is not announced, up or unknown; an operator's word beats it, and down is down."""
    plain = decide(ROUTE, intent, health, was_announced=was_announced)
    decision = decide(ROUTE, intent, health, was_announced=was_announced, damped="penalty 1")
    auto = intent is None or not stands_above(intent)
    if auto and health is not None and health.health is not Health.DOWN:
        assert (decision.route, decision.cause) == (None, Cause.DAMPING)
        assert "damped: penalty 1; health " in decision.reason
    else:
        assert decision == plain


@given(made.intents(), st.floats(0, 4e9))
def test_expiry(intent: Intent, now: float) -> None:
    """An intent holds until its end, and no longer; its text says until when."""
    assert intent.in_force(now) == (intent.until is None or now < intent.until)
    assert (" until " in str(intent)) == (intent.until is not None)


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31m", "x" * (MAX_TEXT + 1), "\0"])
def test_reasons_are_printable(text: str) -> None:
    """A reason that would break a terminal or a log can't exist."""
    with pytest.raises(PolicyError, match="reason"):
        Intent(Mode.DRAINED, "alice", 0.0, text)


# --- guard ---------------------------------------------------------------------------------------


@dataclass
class Guarded:
    """A guard over some prefixes that are announced at first, and what it let go when."""

    rule: GuardRule
    prefixes: tuple[Prefix, ...] = PREFIXES[:6]
    vips: Sequence[str] = "abcdef"
    """The names of the prefixes' VIPs."""
    memory: GuardMemory = field(default_factory=GuardMemory)
    announced: set[Prefix] = field(default_factory=lambda: set(PREFIXES[:6]))
    bad_since: dict[Prefix, float] = field(default_factory=dict)
    let_go: dict[Prefix, float] = field(default_factory=dict)
    look_again: float | None = None

    def look(
        self, now: float, bad: Collection[Prefix], drained: Collection[Prefix] = ()
    ) -> dict[Prefix, Decision]:
        """Look once, and do what is decided."""
        wanted = self.wanted(bad, drained)
        result = self.restrain(self.rule, wanted, now)
        self.memory, self.look_again = result.memory, result.look_again
        assert [decision.prefix for decision in result.decisions] == list(self.prefixes)
        fell = set(bad) - set(drained)
        self.bad_since = {prefix: self.bad_since.get(prefix, now) for prefix in fell}
        self.let_go = {prefix: when for prefix, when in self.let_go.items() if prefix in fell}
        for decision in result.decisions:
            gone = decision.route is None
            if gone and decision.prefix in fell and decision.prefix in self.announced:
                self.let_go[decision.prefix] = now
            (self.announced.discard if gone else self.announced.add)(decision.prefix)
        return {decision.prefix: decision for decision in result.decisions}

    def wanted(self, bad: Collection[Prefix], drained: Collection[Prefix]) -> list[Decision]:
        """Return what is decided before the guard is asked."""
        return [
            Decision(prefix, None, Cause.OPERATOR, "drained")
            if prefix in drained
            else Decision(prefix, None, Cause.HEALTH, "down")
            if prefix in bad
            else Decision(prefix, ROUTES[prefix], Cause.HEALTH, "up")
            for prefix in self.prefixes
        ]

    def restrain(self, rule: GuardRule, wanted: Sequence[Decision], now: float) -> Restrained:
        """Ask the guard, under any rule. Changes nothing."""
        vip_of = dict(zip(self.prefixes, self.vips, strict=True)).get
        return restrain(rule, wanted, self.announced, ROUTES.__getitem__, vip_of, self.memory, now)

    def names(self, prefixes: Iterable[Prefix]) -> set[str]:
        """Return the names of the VIPs that have any of some prefixes."""
        return {self.vips[self.prefixes.index(prefix)] for prefix in prefixes}


VIPS = st.text("abcdef", min_size=6, max_size=6)
"""Which VIP each of six prefixes is of: all are of one, each is of its own, and all between."""


def timelines() -> st.SearchStrategy[list[tuple[float, set[Prefix], set[Prefix]]]]:
    """Steps of time with the prefixes that are bad, and those that are drained."""
    some = st.sets(st.sampled_from(PREFIXES[:6]))
    few = st.one_of(st.just(set[Prefix]()), st.sets(st.sampled_from(PREFIXES[:6]), max_size=1))
    return st.lists(st.tuples(made.STEPS, some, few), min_size=1, max_size=12)


@given(made.guard_rules(), timelines(), VIPS)
def test_no_landslide(
    rule: GuardRule, steps: list[tuple[float, set[Prefix], set[Prefix]]], vips: str
) -> None:
    """No more VIPs than one, or max_withdraw, go within `confirm`, unless each was bad for that long.

    However small the steps in which they go, and whichever part of each.
    """
    guarded, now = Guarded(rule, vips=vips), 1000.0
    for step, bad, drained in steps:
        now += step
        before = set(guarded.announced)
        decisions = guarded.look(now, bad, drained)
        going = {p for p in before - drained if p in bad and decisions[p].route is None}
        hasty = {p for p in going if now - guarded.bad_since[p] < rule.confirm}
        if not hasty:
            continue
        recent = {p for p, when in guarded.let_go.items() if now - when < rule.confirm}
        assert going <= recent
        names, all_names = guarded.names(recent), guarded.names(recent | before)
        assert len(names) <= max(1, rule.max_withdraw * len(all_names))


@given(made.guard_rules(), timelines(), VIPS)
def test_only_landslides_are_held(
    rule: GuardRule, steps: list[tuple[float, set[Prefix], set[Prefix]]], vips: str
) -> None:
    """What is held is of more than one VIP, and of more than max_withdraw, within `confirm`."""
    guarded, now = Guarded(rule, vips=vips), 1000.0
    for step, bad, _ in steps:
        now += step
        before = set(guarded.announced)
        decisions = guarded.look(now, bad)
        held = {p for p, decision in decisions.items() if decision.cause is Cause.GUARD}
        if held:
            recent = {p for p, when in guarded.let_go.items() if now - when < rule.confirm}
            going = guarded.names(recent | held)
            assert len(going) > 1
            assert len(going) > rule.max_withdraw * len(guarded.names(before))


@given(made.guard_rules(), timelines(), VIPS, st.sampled_from("abcdef"))
def test_one_vip_is_never_held(
    rule: GuardRule, steps: list[tuple[float, set[Prefix], set[Prefix]]], vips: str, name: str
) -> None:
    """A VIP goes at once where it goes alone: all of it or a part, of many or the only one."""
    guarded, now = Guarded(rule, vips=vips), 1000.0
    own = {prefix for prefix, vip in zip(guarded.prefixes, vips, strict=True) if vip == name}
    for step, bad, _ in steps:
        now += step
        decisions = guarded.look(now, bad & own)
        assert {p for p, decision in decisions.items() if decision.route is None} == bad & own


@given(made.guard_rules(), st.floats(0, 1), timelines(), VIPS)
def test_a_greater_share_holds_less(
    rule: GuardRule,
    share: float,
    steps: list[tuple[float, set[Prefix], set[Prefix]]],
    vips: str,
) -> None:
    """Of the same, after the same: what a greater max_withdraw holds, a smaller one holds too."""
    guarded, now = Guarded(rule, vips=vips), 1000.0
    for step, bad, drained in steps:
        now += step
        low, high = sorted((rule.max_withdraw, share))
        wanted = guarded.wanted(bad, drained)
        held = [
            {
                decision.prefix
                for decision in guarded.restrain(
                    replace(rule, max_withdraw=each), wanted, now
                ).decisions
                if decision.cause is Cause.GUARD
            }
            for each in (high, low)
        ]
        assert held[0] <= held[1]
        guarded.look(now, bad, drained)


@given(made.guard_rules(), timelines(), VIPS)
def test_operators_are_not_held(
    rule: GuardRule, steps: list[tuple[float, set[Prefix], set[Prefix]]], vips: str
) -> None:
    """A drain is never held, however many VIPs go with it."""
    guarded, now = Guarded(rule, vips=vips), 1000.0
    for step, bad, drained in steps:
        now += step
        decisions = guarded.look(now, bad, drained)
        for prefix in drained:
            assert (decisions[prefix].route, decisions[prefix].cause) == (None, Cause.OPERATOR)
        for prefix in set(guarded.prefixes) - bad - drained:
            assert decisions[prefix].route == ROUTES[prefix]


@given(made.guard_rules(), timelines(), VIPS, st.sets(st.sampled_from(PREFIXES[:6]), min_size=1))
def test_no_hold_for_ever(
    rule: GuardRule,
    steps: list[tuple[float, set[Prefix], set[Prefix]]],
    vips: str,
    bad: set[Prefix],
) -> None:
    """Whatever was before: what stays bad for `confirm` goes, at the time that look_again says."""
    guarded, now = Guarded(rule, vips=vips), 1000.0
    for step, earlier, drained in steps:
        now += step
        guarded.look(now, earlier, drained)
    guarded.look(now, bad)
    for _ in range(2 * len(PREFIXES)):
        if guarded.look_again is None:
            break
        assert now < guarded.look_again <= now + rule.confirm
        now = guarded.look_again
        guarded.look(now, bad)
    assert guarded.look_again is None
    assert guarded.announced == set(guarded.prefixes) - bad


@given(made.guard_rules(), timelines(), VIPS)
@example(
    # Two are too many of the three that are announced, and not of five, once two more are up again.
    GuardRule(0.5, 3.0),
    [(0.1, {*PREFIXES[:2], PREFIXES[3]}, set()), (60.0, {PREFIXES[n] for n in (0, 2, 5)}, set())],
    "abcdef",
)
def test_look_again_of_the_guard(
    rule: GuardRule, steps: list[tuple[float, set[Prefix], set[Prefix]]], vips: str
) -> None:
    """What is held stays held until look_again, where nothing else changes, not what is announced either."""
    guarded, now = Guarded(rule, vips=vips), 1000.0
    for step, bad, drained in steps:
        now += step
        before: set[Prefix] | None = None
        while before != guarded.announced:
            before = set(guarded.announced)
            decisions = guarded.look(now, bad, drained)
        held = {p for p, decision in decisions.items() if decision.cause is Cause.GUARD}
        assert (guarded.look_again is None) == (not held)
        if guarded.look_again is not None:
            now += (guarded.look_again - now) / 2
            again = guarded.look(now, bad, drained)
            assert {p for p, d in again.items() if d.cause is Cause.GUARD} == held


def test_restored_ones_are_forgotten() -> None:
    """What was let go and came back does not count among what goes now."""
    guarded = Guarded(GuardRule(0.34, 10.0))
    first, second, third = guarded.prefixes[:3]
    guarded.look(0.0, {first, second})
    assert guarded.announced == set(guarded.prefixes) - {first, second}
    guarded.look(1.0, {})
    guarded.look(2.0, {third})
    assert third not in guarded.announced


def test_the_limit_itself_is_not_too_many() -> None:
    """Exactly max_withdraw may go at once; one more is held, with all that go with it."""
    guarded = Guarded(GuardRule(0.5, 3.0))
    guarded.look(0.0, guarded.prefixes[:3])
    assert guarded.announced == set(guarded.prefixes[3:])
    guarded.look(1.0, guarded.prefixes[:4])
    assert guarded.announced == set(guarded.prefixes[3:])


def test_a_family_of_all_vips_is_a_landslide() -> None:
    """A VIP counts as going as soon as a part of it does: none loses all, and still it is held."""
    guarded = Guarded(GuardRule(0.5, 3.0), vips="aabbcc")
    first_of_each = guarded.prefixes[::2]
    decisions = guarded.look(0.0, first_of_each)
    assert guarded.announced == set(guarded.prefixes)
    assert decisions[first_of_each[0]].reason.startswith("held: 3 of 3 VIPs would")


def test_a_vip_in_small_steps_is_one_vip() -> None:
    """Its prefixes go one after the other, each at once; what went does not count for a second VIP."""
    guarded = Guarded(GuardRule(0.5, 3.0), vips="aaaaab")
    for number in range(1, 6):
        guarded.look(number / 10, guarded.prefixes[:number])
        assert guarded.announced == set(guarded.prefixes[number:])
    guarded.look(1.0, guarded.prefixes)
    assert guarded.announced == {guarded.prefixes[5]}


def test_what_left_the_configuration_is_no_vip() -> None:
    """What is still announced and in no VIP any more makes no landslide smaller."""
    guarded = Guarded(GuardRule(0.5, 3.0), PREFIXES[:2], vips="ab")
    guarded.announced |= set(PREFIXES[2:])
    reason = guarded.look(0.0, PREFIXES[:2])[PREFIXES[0]].reason
    assert reason.startswith("held: 2 of 2 VIPs would")


def test_a_short_landslide_is_nothing() -> None:
    """All bad for less than `confirm` and then well: nothing was withdrawn."""
    guarded = Guarded(GuardRule(0.5, 3.0))
    guarded.look(0.0, guarded.prefixes)
    guarded.look(2.9, guarded.prefixes)
    guarded.look(3.0, {})
    assert guarded.announced == set(guarded.prefixes)
    guarded.look(3.1, guarded.prefixes)
    assert guarded.look_again == pytest.approx(6.1)


def test_what_is_said_of_a_hold() -> None:
    """A hold says how many would go, the limit, and what was decided before it."""
    guarded = Guarded(GuardRule(0.5, 3.0))
    reason = guarded.look(0.0, guarded.prefixes)[guarded.prefixes[0]].reason
    assert reason == (
        "held: 6 of 6 VIPs would be withdrawn at once, more than 50%; must stay bad for 3s; down"
    )


@pytest.mark.parametrize(("share", "confirm"), [(-0.1, 0.0), (1.1, 0.0), (0.5, -1.0)])
def test_senseless_guards(share: float, confirm: float) -> None:
    """A share beyond 0 to 1, or a negative time, can't exist."""
    with pytest.raises(PolicyError, match=r"max_withdraw|confirm"):
        GuardRule(share, confirm)


def test_a_failover_is_not_held() -> None:
    """Addresses that move to another machine go all at once: that is no fault of the check."""
    decisions = [Decision(p, None, Cause.ADDRESS, "elsewhere") for p in PREFIXES]
    result = restrain(
        GuardRule(0.0, 60.0), decisions, PREFIXES, ROUTES.__getitem__, str, GuardMemory(), 0.0
    )
    assert [decision.route for decision in result.decisions] == [None] * len(PREFIXES)
    assert result.look_again is None


# --- assess --------------------------------------------------------------------------------------


@dataclass
class Case:
    """All that an assessment depends on."""

    assignments: Mapping[Prefix, Assignment]
    observation: Observation
    unchecked: frozenset[Prefix]
    intents: dict[Prefix, Intent]
    announced: frozenset[Prefix]
    was_announced: frozenset[Prefix]
    guard: GuardRule

    def assess(self, memory: Memory, now: float) -> Assessment:
        return assess(
            self.assignments,
            self.observation,
            self.unchecked,
            self.intents,
            self.announced,
            self.was_announced,
            self.guard,
            memory,
            now,
        )


@st.composite
def cases(draw: st.DrawFn, topology: Topology) -> Case:
    prefixes = topology.prefixes
    some = st.frozensets(st.sampled_from(prefixes)) if prefixes else st.just(frozenset[Prefix]())
    live: dict[Prefix, dict[Service, int]] = {
        prefix: found for prefix in prefixes if (found := draw(made.counts())) is not None
    }
    return Case(
        assignments(topology, topology.dcs[0]),
        Observation(live, "no ip_vs"),
        draw(some),
        {prefix: draw(made.intents()) for prefix in draw(some)},
        draw(some),
        draw(some),
        draw(made.guard_rules()),
    )


@given(
    made.topologies().flatmap(lambda topology: st.lists(cases(topology), min_size=1, max_size=4))
)
def test_assess(steps: list[Case]) -> None:
    """Every prefix gets one decision; the same inputs give the same; time alone waits for look_again."""
    memory, now = Memory(), 1000.0
    for case in [steps[0], *steps, *steps[-1:], *steps[:1]]:
        now += 1.0
        result = case.assess(memory, now)
        assert result == case.assess(memory, now)
        fresh = case.assess(replace(memory, cases={}), now)
        assert fresh.desired == result.desired
        assert fresh.memory.health == result.memory.health
        assert fresh.look_again == result.look_again
        assert list(result.decisions) == list(case.assignments)
        assert result.health.keys() == case.assignments.keys() - case.unchecked
        for prefix, decision in result.decisions.items():
            intent, duty = case.intents.get(prefix), case.assignments[prefix]
            soft = intent is not None and intent.is_soft
            assert decision.route in {None, duty.soft if soft else duty.route}
            assert decision.reason
            if intent is not None and stands_above(intent):
                assert (decision.route is None) == (intent.mode is Mode.DRAINED)
            elif prefix not in case.unchecked and prefix not in case.observation.live:
                assert (decision.route is not None) == (prefix in case.was_announced)
        memory = result.memory
        due = result.look_again
        assert due is None or due > now
        for later in (now, now + 0.3, now + 30.0):
            if due is None or later < due:
                assert case.assess(memory, later).desired == result.desired


def one_vip(rule: HealthRule, addresses: int) -> Topology:
    """One data centre, and one VIP with so many addresses."""
    at = tuple(Address(prefix, ("par1",)) for prefix in PREFIXES[:addresses])
    vip = Vip("vip-1.tld", at, (Profile("near", 0),), rule)
    return Topology((DataCentre("par1", made.LOCAL_ASN),), (vip,))


BETWEEN = one_vip(HealthRule(Thresholds(drop_at=0, restore_at=2)), 2)
"""With one realserver each, its addresses stay what they were."""


@given(
    made.topologies().flatmap(lambda topology: st.lists(cases(topology), min_size=1, max_size=3))
)
@example(
    [
        Case(
            assignments(BETWEEN, BETWEEN.dcs[0]),
            Observation({p: {made.SERVICES[0]: 1} for p in BETWEEN.prefixes}),
            frozenset(),
            {},
            frozenset(),
            frozenset(PREFIXES[:1]),
            GuardRule(),
        )
    ]
)
def test_health_is_each_prefix_s_own(steps: list[Case]) -> None:
    """A prefix's health is what it would be, were it the only one."""
    memory = Memory()
    for now, case in enumerate(steps):
        result = case.assess(memory, now)
        for prefix, assignment in case.assignments.items():
            alone = replace(case, assignments={prefix: assignment}).assess(
                replace(memory, cases={}), now
            )
            assert alone.health.get(prefix) == result.health.get(prefix)
        memory = result.memory


@given(made.topologies().flatmap(cases))
def test_unknown_holds_all(case: Case) -> None:
    """Where nothing is known, nothing that is left to the watchdog changes."""
    case.observation, case.unchecked, case.intents = Observation({}, "gone"), frozenset(), {}
    desired = case.assess(Memory(), 0.0).desired
    assert {prefix for prefix, route in desired.items() if route} == case.was_announced


@pytest.mark.parametrize("presence", [None, Presence(None, "x")])
def test_presence_that_was_never_known(presence: Presence | None) -> None:
    """Where it was never known what is here, what is announced goes on, and nothing else begins."""
    topology = one_vip(HealthRule(require_address=True), 3)
    case = Case(
        assignments(topology, topology.dcs[0]),
        Observation({p: {made.SERVICES[0]: 1} for p in PREFIXES[:3]}, presence=presence),
        frozenset(PREFIXES[2:3]),
        {},
        frozenset(PREFIXES[:1]),
        frozenset(),
        GuardRule(0.0, 60.0),
    )
    announced = {p for p, route in case.assess(Memory(), 0.0).desired.items() if route}
    assert announced == {PREFIXES[0]}
    here = Presence(frozenset(PREFIXES[1:3]))
    case.observation = replace(case.observation, presence=here)
    announced = {p for p, route in case.assess(Memory(), 0.0).desired.items() if route}
    assert announced == {PREFIXES[1], PREFIXES[2]}
