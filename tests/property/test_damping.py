"""Damping of what flaps: RFC 2439's promises, for the pure rule and for whole assessments."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.assess import Assessment, Memory, assess
from policy.assignment import assignments
from policy.cases import preview
from policy.damping import PENALTY, Damping, DampingRule, withdrawn
from policy.decide import Cause
from policy.errors import PolicyError
from policy.guard import GuardRule
from policy.health import HealthRule, Observation
from policy.intent import Intent, Mode
from policy.topology import Address, DataCentre, Profile, Topology, Vip
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.decide import Decision
    from policy.health import Service
    from policy.route import Prefix

PREFIX = made.HOSTS_V4[0]
WEB = made.SERVICES[0]
RULE = DampingRule()
FREE = GuardRule(1.0, 0.0)


def pass_through(
    rule: DampingRule, gaps: Sequence[float]
) -> list[tuple[float, float, float | None]]:
    """Withdraw after each gap; return when, the penalty, and until when it is held down."""
    now, last, seen = 1000.0, None, []
    for gap in gaps:
        now += gap
        last = withdrawn(rule, last, now)
        seen.append((now, last.now(rule, now), last.until(rule, now)))
    return seen


GAPS = st.lists(st.sampled_from([0.0, 1.0, 30.0, 120.0, 600.0, 1e6]), min_size=1, max_size=20)


@given(made.damping_rules(), GAPS)
def test_bounded(rule: DampingRule, gaps: list[float]) -> None:
    """However much it flaps: the penalty has a ceiling, and nothing is held for over max_suppress."""
    for now, penalty, until in pass_through(rule, gaps):
        assert 0 < penalty <= rule.ceiling
        assert until is None or now < until <= now + rule.max_suppress * (1 + 1e-9)


@given(made.damping_rules(), GAPS, st.lists(st.floats(0, 1e6), min_size=2, max_size=5))
def test_decay(rule: DampingRule, gaps: list[float], later: list[float]) -> None:
    """The penalty only falls while nothing happens, by half in a half-life; then it is forgotten."""
    now, last = 1000.0, None
    for gap in gaps:
        now += gap
        last = withdrawn(rule, last, now)
    assert last is not None
    penalties = [last.now(rule, now + wait) for wait in sorted(later)]
    assert penalties == sorted(penalties, reverse=True)
    half = last.now(rule, now + rule.half_life)
    assert half == pytest.approx(last.penalty / 2) or (half == 0 and last.penalty < rule.reuse)
    assert last.now(rule, now + rule.max_suppress + 2 * rule.half_life) == 0


@given(made.damping_rules(), st.sampled_from([0.0, 1.0, 10.0]))
def test_longer_each_time(rule: DampingRule, gap: float) -> None:
    """Flapping that goes on is held down longer each time, until it is for max_suppress."""
    seen = pass_through(rule, [gap] * 100)
    waits = [0.0 if until is None else until - now for now, _, until in seen]
    assert waits == sorted(waits)
    if gap == 0:
        assert waits[-1] == pytest.approx(rule.max_suppress)


@given(made.damping_rules())
def test_reuse(rule: DampingRule) -> None:
    """It is held down from `suppress` until the penalty is down to `reuse`, and not between the two."""
    _, _, until = pass_through(rule, [0.0] * 1000)[-1]
    last = None
    for _ in range(1000):
        last = withdrawn(rule, last, 0.0)
        assert last.damped == (last.penalty >= rule.suppress)
    assert last is not None
    assert until is not None
    end = last.until(rule, 0.0)
    assert end is not None
    assert last.now(rule, end) == pytest.approx(rule.reuse)
    assert last.until(rule, end) is None
    assert last.until(rule, end * 0.999) == end


@given(made.damping_rules(), st.floats(0, 1e9))
def test_a_clock_that_was_set_back(rule: DampingRule, back: float) -> None:
    """A clock that was set back raises no penalty, and holds for no longer than max_suppress."""
    last = Damping(rule.ceiling, 1e9, damped=True, up=True)
    now = 1e9 - back
    assert last.now(rule, now) == rule.ceiling
    until = last.until(rule, now)
    assert until is not None
    assert until <= now + rule.max_suppress * (1 + 1e-6)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((0.0, 2000, 750, 60), "half_life = 0.0"),
        ((60.0, 2000, 750, 0), "max_suppress = 0"),
        ((60.0, 750, 750, 600), "suppress greater than reuse"),
        ((60.0, 2000, 0, 600), "reuse must be greater than 0"),
        ((60.0, 2000, 750, 60), "is never reached: max_suppress bounds the penalty at 1500"),
    ],
)
def test_senseless_rules(numbers: tuple[float, float, float, float], said: str) -> None:
    """A rule that could never hold anything down, or for ever, can't exist."""
    with pytest.raises(PolicyError, match=said):
        DampingRule(*numbers)


# --- a prefix that flaps -------------------------------------------------------------------------


@dataclass
class Site:
    """One prefix, whose decisions are done at once, and other VIPs that fare as its own does."""

    rule: DampingRule | None = RULE
    guard: GuardRule = FREE
    others: tuple[Prefix, ...] = ()
    announced: set[Prefix] = field(default_factory=set)
    were_up: set[Prefix] = field(default_factory=set)
    intents: dict[Prefix, Intent] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    last: Assessment | None = None

    def look(self, now: float, count: int | None) -> Decision:
        """Look once. Withdrawals that are decided are counted."""
        prefixes = (PREFIX, *self.others)
        vips = tuple(
            Vip(
                f"vip-{number}.tld",
                (Address(prefix, ("par1",)),),
                (Profile("near", 0),),
                HealthRule(damping=self.rule),
            )
            for number, prefix in enumerate(prefixes, 1)
        )
        topology = Topology((DataCentre("par1", made.LOCAL_ASN),), vips)
        live: dict[Prefix, dict[Service, int]] = (
            {} if count is None else {prefix: {WEB: count} for prefix in prefixes}
        )
        result = assess(
            assignments(topology, topology.dcs[0]),
            Observation(live, "unreadable"),
            (),
            self.intents,
            frozenset(self.announced),
            frozenset(self.were_up),
            self.guard,
            self.memory,
            now,
        )
        self.last, self.memory = result, result.memory
        for prefix, decision in result.decisions.items():
            (self.announced.discard if decision.route is None else self.announced.add)(prefix)
            if decision.cause in {Cause.HEALTH, Cause.DAMPING}:
                up = decision.cause is Cause.DAMPING or decision.route is not None
                (self.were_up.add if up else self.were_up.discard)(prefix)
        return result.decisions[PREFIX]

    def flap(self, now: float, times: int = 1) -> Decision:
        """Be down, and up again, each a second later."""
        for _ in range(times):
            self.look(now, 0)
            decision = self.look(now + 1, 2)
            now += 2
        return decision

    @property
    def penalty(self) -> float:
        return self.memory.damping[PREFIX].penalty if PREFIX in self.memory.damping else 0.0


def test_held_down() -> None:
    """What flapped three times is held down although it is up, says until when, and comes back then."""
    site = Site()
    assert site.look(1000.0, 2).route
    assert site.flap(1010.0, 2).route
    assert site.flap(1014.0).route  # 2,983 by now
    held = site.flap(1016.0)
    assert (held.route, held.cause) == (None, Cause.DAMPING)
    assert held.reason.startswith("damped: penalty 39")
    assert ", until 1970-01-01T00:2" in held.reason
    assert held.reason.endswith("; health up: 2 realservers")
    assert site.last is not None
    due = site.last.look_again
    assert due is not None
    assert site.look(due - 0.1, 2).route is None
    assert site.look(due, 2).route


def test_off() -> None:
    """Without a rule nothing is held down, however it flaps."""
    site = Site(None)
    site.look(1000.0, 2)
    assert site.flap(1010.0, 50).route
    assert not site.memory.damping


@given(st.lists(st.tuples(made.STEPS, st.sampled_from([1, 2, None])), max_size=12))
def test_no_flap_no_damping(steps: list[tuple[float, int | None]]) -> None:
    """What was never withdrawn for its health is never damped."""
    site, now = Site(), 1000.0
    for step, count in steps:
        now += step
        assert site.look(now, count).cause is not Cause.DAMPING
        assert not site.memory.damping


LOOKS = st.lists(
    st.tuples(st.sampled_from([0.5, 1.0, 20.0, 130.0, 700.0]), st.sampled_from([0, 2, None])),
    min_size=1,
    max_size=30,
)


@given(LOOKS, st.lists(st.integers(0, 3), min_size=30, max_size=30), st.booleans())
@example([(1.0, 2), *[(0.5, 0), (0.5, 2)] * 5, (1.0, None)], [3] * 30, True)  # noqa: FBT003
def test_however_often_it_is_looked(
    steps: list[tuple[float, int | None]],
    more: list[int],
    restarts: bool,  # noqa: FBT001 - Hypothesis gives it
) -> None:
    """More looks in between, and restarts that keep what is remembered, change no decision."""
    once, often, now = Site(), Site(), 1000.0
    for (step, count), extra in zip(steps, more, strict=False):
        now += step
        expected = once.look(now, count)
        for _ in range(extra + 1):
            assert often.look(now, count).route == expected.route
        for part in range(extra):
            often.look(now + 0.1 * (part + 1), count)
        if restarts:
            often.memory = Memory(often.memory.health, damping=often.memory.damping)
        assert often.penalty == once.penalty or not min(
            (site.memory.damping[PREFIX].now(RULE, now) if PREFIX in site.memory.damping else 0.0)
            for site in (once, often)
        )


def test_an_operator_does_not_flap_it() -> None:
    """Drains count for nothing, nor does what health does meanwhile."""
    site, now = Site(), 1000.0
    site.look(now, 2)
    for _ in range(10):
        now += 1
        site.intents = {PREFIX: Intent(Mode.DRAINED, "alice", now)}
        site.look(now, 2)
        site.look(now, 0)
        site.look(now, 2)
        site.intents = {}
        assert site.look(now, 2).route
    assert not site.memory.damping


def test_an_operator_beats_it() -> None:
    """What is forced is announced, damped or not; to restore is foreseen without the damping."""
    site = Site()
    site.look(1000.0, 2)
    assert site.flap(1001.0, 5).cause is Cause.DAMPING
    auto = Intent(Mode.AUTO, "alice", 1.0)
    assert preview(site.memory.cases[PREFIX], auto, 1012.0).route
    site.intents = {PREFIX: Intent(Mode.FORCED, "alice", 1.0)}
    assert site.look(1012.0, 2).route
    site.intents = {}
    assert site.look(1013.0, 2).cause is Cause.DAMPING
    site.memory = replace(site.memory, damping={})
    assert site.look(1014.0, 2).route


def test_unknown_is_held_down_too() -> None:
    """What is damped does not come back because its health became unknown."""
    site = Site()
    site.look(1000.0, 2)
    assert site.flap(1001.0, 5).cause is Cause.DAMPING
    decision = site.look(1012.0, None)
    assert (decision.route, decision.cause) == (None, Cause.DAMPING)
    assert site.look(2000.0, None).cause is Cause.HOLD


def test_what_the_guard_holds_is_no_flap() -> None:
    """A withdrawal that the guard did not let go is none; once it lets go, it is one."""
    site = Site(others=made.HOSTS_V4[-1:], guard=GuardRule(0.0, 60.0))
    site.look(1000.0, 2)
    for _ in range(10):
        assert site.look(1001.0, 0).cause is Cause.GUARD
        assert site.look(1002.0, 2).route
    assert not site.memory.damping
    site.look(1003.0, 0)
    assert site.look(1063.0, 0).route is None
    assert site.penalty == PENALTY


@given(st.integers(1, 30))
def test_flapping_while_damped_counts(times: int) -> None:
    """What flaps on while it is held down is held down for longer."""
    site = Site()
    site.look(1000.0, 2)
    site.flap(1001.0, 5)
    before = site.memory.damping[PREFIX].until(RULE, 1012.0)
    site.flap(1012.0, times)
    after = site.memory.damping[PREFIX].until(RULE, 1012.0 + 2 * times)
    assert before is not None
    assert after is not None
    assert after > before
