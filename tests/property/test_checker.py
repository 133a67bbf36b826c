"""What the checker's end and start mean for the services that it keeps: unknown is not down."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policy.errors import PolicyError
from policy.health import (
    Checker,
    CheckerRule,
    Health,
    HealthRule,
    Need,
    Service,
    ServiceMemory,
    Thresholds,
)
from policy.judge import judge
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.health import AddressHealth

WEB, TLS = made.SERVICES[:2]
UP, DOWN, UNKNOWN = Health.UP, Health.DOWN, Health.UNKNOWN
DEAD = Checker()
OLD = Checker(0.0)
USUAL = CheckerRule(required=True, restart_grace=10.0, warm_up=10.0)
Live = dict[Service, int]


@dataclass
class Address:
    """An address that is looked at, and announced or not as health decides."""

    rule: HealthRule = field(default_factory=lambda: HealthRule(checker=USUAL))
    announced: bool = False
    memory: Mapping[Service, ServiceMemory] = field(default_factory=dict)
    last: AddressHealth | None = None

    def look(self, now: float, live: Live | None, checker: Checker | None = OLD) -> Health:
        """Look once."""
        verdict = judge(
            self.rule,
            live,
            self.memory,
            was_announced=self.announced,
            now=now,
            checker=checker,
        )
        self.last, self.memory = verdict, verdict.memory
        if verdict.health is not UNKNOWN:
            self.announced = verdict.health is UP
        return verdict.health

    @property
    def reason(self) -> str:
        assert self.last is not None
        return self.last.reason

    @property
    def look_again(self) -> float | None:
        assert self.last is not None
        return self.last.look_again


def test_killed() -> None:
    """A table without keepalived is frozen: unknown, whatever it says, until keepalived is back."""
    address = Address()
    assert address.look(100.0, {WEB: 2}) is UP
    assert address.look(101.0, {WEB: 2}, DEAD) is UNKNOWN
    assert "keepalived not running" in address.reason
    assert address.look(1e6, {WEB: 0}, DEAD) is UNKNOWN
    assert address.look_again is None
    assert address.look(1e6 + 1, {WEB: 2}, Checker(1e6)) is UP
    assert address.look(1e6 + 2, {WEB: 0}, Checker(1e6)) is UNKNOWN
    assert address.look(1e6 + 10, {WEB: 0}, Checker(1e6)) is DOWN


@pytest.mark.parametrize("counts", [(2, 0), (0,), (0, 2), (0, None, 2), (2, None, 0)])
def test_frozen_in_every_state(counts: tuple[int | None, ...]) -> None:
    """What a killed keepalived left says nothing: not of what was falling, down, rising or back."""
    address = Address(HealthRule(Thresholds(fall=5.0, rise=5.0), checker=USUAL))
    for index, count in enumerate(counts):
        address.look(100.0 + index, {} if count is None else {WEB: count})
    for left in (0, 1, 2):
        assert address.look(200.0, {WEB: left}, DEAD) is UNKNOWN
        assert address.look(1e6, {WEB: left}, DEAD) is UNKNOWN


def test_not_there_yet_after_the_start() -> None:
    """What was up, and is not in IPVS again, is unknown until warm_up is over, whatever the grace."""
    for grace in (0.0, 3.0):
        address = Address(HealthRule(checker=replace(USUAL, restart_grace=grace)))
        address.look(90.0, {WEB: 2})
        new = Checker(100.0)
        assert address.look(100.5, {}, new) is UNKNOWN
        assert address.look(109.9, {}, new) is UNKNOWN
        assert address.look(110.0, {}, new) is DOWN


def test_killed_and_flushed() -> None:
    """What a killed keepalived left is full, and proves nothing: the next one may empty it late.

    Once the next one was seen to fill it, a realserver that it takes away is dead at once.
    """
    address, new = Address(), Checker(102.0)
    address.look(100.0, {WEB: 2})
    address.look(101.0, {WEB: 2}, DEAD)
    assert address.look(102.1, {WEB: 2}, new) is UP
    assert address.look(103.0, {WEB: 0}, new) is UNKNOWN
    assert address.reason == "tcp/80 has 0, not checked yet: keepalived started 1.0s ago"
    assert address.look_again == 112.0
    assert address.look(104.0, {WEB: 1}, new) is UP
    assert address.look(105.0, {WEB: 0}, new) is DOWN


@pytest.mark.parametrize("fall", [0.0, 5.0])
def test_fall_after_the_doubt(fall: float) -> None:
    """`fall` counts from when the doubt is over, also for what was falling before the restart."""
    for before in (2, 0):
        address, new = Address(HealthRule(Thresholds(fall=fall), checker=USUAL)), Checker(102.0)
        address.look(90.0, {WEB: 2})
        address.look(101.0, {WEB: before if fall else 2})
        assert address.look(103.0, {WEB: 0}, new) is UNKNOWN
        assert address.look(111.9, {WEB: 0}, new) is UNKNOWN
        assert address.look(112.0, {WEB: 0}, new) is (UP if fall else DOWN)
        assert address.look(112.0 + fall, {WEB: 0}, new) is DOWN


def test_a_service_that_comes_back_in_alpha_mode() -> None:
    """What was up and comes back empty is unknown for warm_up, counted from when it came back.

    keepalived's start may be long ago: it took that long to read its configuration, or a HUP
    brought the service back.
    """
    for passes in (True, False):
        address = Address()
        address.look(90.0, {WEB: 2})
        address.look(100.0, {})
        assert address.look(105.0, {WEB: 0}) is UNKNOWN
        assert address.look(108.0, {WEB: 0}) is UNKNOWN
        assert address.reason == "tcp/80 has 0, not checked yet: it appeared 3.0s ago"
        assert address.look_again == 115.0
        if passes:
            assert address.look(109.0, {WEB: 1}) is UP
            assert address.look(110.0, {WEB: 0}) is DOWN
        else:
            assert address.look(115.0, {WEB: 0}) is DOWN


def test_not_asked_for() -> None:
    """Where keepalived is not required, the table is believed without it."""
    address = Address(HealthRule(checker=CheckerRule(restart_grace=10.0, warm_up=10.0)))
    assert address.look(100.0, {WEB: 2}, DEAD) is UP
    assert address.look(101.0, {WEB: 0}, DEAD) is DOWN
    assert address.look(102.0, {WEB: 1}, Checker(101.5)) is UP


def test_ended() -> None:
    """A service that vanished may come back for restart_grace; then it is down."""
    address = Address()
    address.look(100.0, {WEB: 2})
    assert address.look(101.0, {}, DEAD) is UNKNOWN
    assert address.reason == "tcp/80 gone from IPVS for 0.0s, may come back"
    assert address.look_again == 111.0
    assert address.look(110.9, {}, DEAD) is UNKNOWN
    assert address.look(111.0, {}, DEAD) is DOWN
    assert address.reason == "0 realservers: tcp/80 down with 0, does not exist"
    assert address.look(1e6, {}, DEAD) is DOWN


def test_each_restart_has_its_own_grace() -> None:
    """A service that came back and vanished again is waited for as long again."""
    address = Address()
    address.look(90.0, {WEB: 2})
    for ended in (100.0, 109.0, 118.0):
        assert address.look(ended, {}, DEAD) is UNKNOWN
        assert address.look(ended + 7.0, {}, DEAD) is UNKNOWN
        new = Checker(ended + 7.5)
        assert address.look(ended + 8.0, {WEB: 0}, new) is UNKNOWN
    assert address.look(137.0, {}, DEAD) is UNKNOWN
    assert address.look(146.9, {}, DEAD) is UNKNOWN
    assert address.look(147.0, {}, DEAD) is DOWN


def test_fall_after_the_grace() -> None:
    """What was given up falls like one whose last realserver died: `fall` counts from then."""
    address = Address(HealthRule(Thresholds(fall=5.0), checker=USUAL))
    address.look(100.0, {WEB: 2})
    assert address.look(101.0, {}) is UNKNOWN
    assert address.look(111.0, {}) is UP
    assert address.look_again == 116.0
    assert address.look(115.9, {}) is UP
    assert address.look(116.0, {}) is DOWN


def test_down_needs_no_grace() -> None:
    """A service that was down and vanishes is down, and known to be."""
    address = Address()
    address.look(100.0, {WEB: 0})
    assert address.look(101.0, {}, DEAD) is DOWN
    assert address.look(102.0, {}) is DOWN


def test_never_there() -> None:
    """An address that never had a service is down, with keepalived and without."""
    for checker in (None, DEAD, OLD, Checker(99.0)):
        assert Address(announced=True).look(100.0, {}, checker) is DOWN


def test_removed_from_the_configuration() -> None:
    """A service that keepalived's new configuration leaves out is given up after the grace."""
    address = Address()
    address.look(100.0, {WEB: 2, TLS: 2})
    assert address.look(101.0, {WEB: 2}) is UNKNOWN
    assert address.look(111.0, {WEB: 2}) is UP
    assert address.memory.keys() == {WEB}


def test_what_is_known_decides() -> None:
    """Where one known service decides, what is unknown of the others does not matter."""
    both = dict.fromkeys((WEB, TLS), Thresholds())
    every = Address(HealthRule(required=both, checker=USUAL))
    every.look(100.0, {WEB: 2, TLS: 2})
    assert every.look(101.0, {TLS: 2}) is UNKNOWN
    assert every.look(102.0, {TLS: 0}) is DOWN
    some = Address(HealthRule(need=Need.ANY, required=both, checker=USUAL))
    some.look(100.0, {WEB: 2, TLS: 2})
    assert some.look(101.0, {TLS: 2}) is UP
    assert some.look(102.0, {TLS: 0}) is UNKNOWN
    assert some.look(111.0, {TLS: 0}) is DOWN


def test_full_before_any_check() -> None:
    """What was down does not come back before warm_up is over: keepalived has not checked it yet."""
    address = Address()
    address.look(50.0, {WEB: 0})
    new = Checker(100.0)
    assert address.look(101.0, {WEB: 2}, new) is DOWN
    assert address.reason == ("2 realservers: tcp/80 rising for 0.0s, keepalived started 1.0s ago")
    assert address.look_again == 110.0
    assert address.look(109.9, {WEB: 2}, new) is DOWN
    assert address.look(110.0, {WEB: 2}, new) is UP


def test_rise_counts_from_the_start() -> None:
    """With `rise`, that is what counts, and from keepalived's start: before it, nothing was checked."""
    address = Address(HealthRule(Thresholds(rise=30.0), checker=USUAL))
    address.look(50.0, {WEB: 0})
    assert address.look(80.0, {WEB: 2}) is DOWN
    assert address.look_again == 110.0
    assert address.look(101.0, {WEB: 2}, Checker(100.0)) is DOWN
    assert address.look_again == 130.0
    assert address.look(130.0, {WEB: 2}, Checker(100.0)) is UP


@pytest.mark.parametrize("announced", [True, False])
def test_seen_for_the_first_time(announced: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A VIP that nothing is remembered of stays what it was, until keepalived has checked it."""
    new = Checker(100.0)
    for count in (0, 2):
        address = Address(announced=announced)
        assert address.look(101.0, {WEB: count}, new) is not (DOWN if announced else UP)
        assert address.look(110.0, {WEB: count}, new) is (UP if count else DOWN)


def test_up_stays_up_in_default_mode() -> None:
    """A restart that fills the table at once withdraws nothing; a check that fails then does."""
    address = Address()
    address.look(90.0, {WEB: 2})
    address.look(99.0, {}, DEAD)
    new = Checker(100.0)
    assert address.look(100.2, {WEB: 2}, new) is UP
    assert address.look(101.2, {WEB: 0}, new) is DOWN


@pytest.mark.parametrize("seen", [True, False])
def test_up_stays_up_in_alpha_mode(seen: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A table that is empty because nothing was checked yet says nothing until warm_up is over.

    Neither where the service was seen to vanish, nor where keepalived was quicker.
    """
    new = Checker(100.0)
    for recovers in (True, False):
        address = Address()
        address.look(90.0, {WEB: 2})
        if seen:
            address.look(99.0, {}, DEAD)
        assert address.look(100.2, {WEB: 0}, new) is UNKNOWN
        why = "it appeared 0.0s" if seen else "keepalived started 0.2s"
        assert address.reason == f"tcp/80 has 0, not checked yet: {why} ago"
        end = address.look_again
        assert end == (110.2 if seen else 110.0)
        if recovers:
            assert address.look(103.0, {WEB: 1}, new) is UP
            assert address.look(104.0, {WEB: 0}, new) is DOWN
        else:
            assert address.look(end, {WEB: 0}, new) is DOWN


@st.composite
def looks(draw: st.DrawFn) -> list[tuple[float, Live | None, Checker | None]]:
    """Looks at one address, with what is known of the checker at each."""
    return [(now, live, _by(now, draw(made.CHECKERS))) for now, live in draw(made.timelines())]


def _by(now: float, checker: Checker | None) -> Checker | None:
    """Return a checker that does not start in the future."""
    if checker is None or checker.started is None:
        return checker
    return Checker(min(checker.started, now))


@given(made.health_rules(made.checker_rules()), looks(), st.booleans())
def test_look_again_is_honest(
    rule: HealthRule,
    steps: list[tuple[float, Live | None, Checker | None]],
    was_announced: bool,  # noqa: FBT001 - Hypothesis gives it
) -> None:
    """Where nothing is seen to change, nothing is decided anew before `look_again`, and then it is."""
    memory: Mapping[Service, ServiceMemory] = {}
    for now, live, checker in steps:
        look = partial(judge, rule, live, was_announced=was_announced, checker=checker)
        verdict = look(memory, now=now)
        memory, deadline = verdict.memory, verdict.look_again
        assert deadline is None or deadline > now
        for later in (now, now + 0.05, now + 5, now + 3600):
            if deadline is None or later < deadline:
                then = look(memory, now=later)
                assert (then.health, then.memory) == (verdict.health, memory)
        if deadline is not None:
            then = look(memory, now=deadline)
            assert (then.health, then.memory, then.look_again) != (
                verdict.health,
                memory,
                deadline,
            )


@given(made.health_rules(), made.timelines(), st.booleans())
def test_a_checker_that_always_ran(
    rule: HealthRule,
    steps: list[tuple[float, Live | None]],
    was_announced: bool,  # noqa: FBT001 - Hypothesis gives it
) -> None:
    """Under a keepalived that runs for long, a service that exists is judged by its count alone."""
    steps = [(now, None if live is None else {WEB: 0, **live}) for now, live in steps]
    assume(not rule.required or rule.required.keys() <= {WEB})
    steps = [(now, None if live is None else {WEB: live[WEB]}) for now, live in steps]
    kept = Address(replace(rule, checker=USUAL), was_announced)
    plain = Address(rule, was_announced)
    for now, live in steps:
        assert kept.look(now, live) is plain.look(now, live, None)
        assert kept.look_again == plain.look_again


class Keepalived:
    """A keepalived as it was measured, over one VIP whose realservers are alive all the time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.live: Live = {WEB: 2, TLS: 1}
        self.checker = Checker(0.0)
        self.checked_at: float | None = None

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        if self.checked_at is not None and self.now >= self.checked_at:
            self.live, self.checked_at = {WEB: 2, TLS: 1}, None

    def ends(self) -> None:
        """End by SIGTERM: the table is emptied."""
        self.live, self.checker, self.checked_at = {}, DEAD, None

    def dies(self) -> None:
        """End by SIGKILL: the table stays."""
        self.checker, self.checked_at = DEAD, None

    def starts(self) -> None:
        """Start: for as long as it reads its configuration, the table is as it was."""
        self.passes(0.01)
        self.checker = Checker(self.now)

    def flushes(self) -> None:
        """Empty the table, with `lvs_flush`."""
        self.live = {}

    def fills(self, *, alpha: bool) -> None:
        """Fill what is not there: at once, or in alpha mode by the first checks, 5 s later."""
        full = {WEB: 2, TLS: 1}
        self.live = {**dict.fromkeys(full, 0), **self.live} if alpha else full
        self.checked_at = self.now + 5.0 if alpha else None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ends", "dies"]),
        st.sampled_from([(0.0, 0.0), (0.5, 0.5), (9.0, 0.5), (0.5, 4.0)]),
        st.booleans(),
        st.booleans(),
        st.sampled_from([0.0, 0.5, 4.0, 5.0, 30.0]),
    ),
    max_size=5,
)


@given(made.health_rules(st.just(USUAL)), STEPS, st.lists(st.booleans(), min_size=20, max_size=20))
def test_no_restart_withdraws_a_healthy_vip(
    rule: HealthRule,
    steps: list[tuple[str, tuple[float, float], bool, bool, float]],
    looked: list[bool],
) -> None:
    """Nothing that keepalived does at restart withdraws a healthy VIP, whenever it is looked at.

    However long it takes to read its configuration, over whatever a killed one has left.
    """
    assume(all(s in (WEB, TLS) for s in rule.required))
    rule = replace(
        rule, thresholds=Thresholds(), required=dict.fromkeys(rule.required, Thresholds())
    )
    address, world = Address(rule), Keepalived()
    assert address.look(world.now, world.live, world.checker) is UP
    see = iter(looked)

    def may_look() -> None:
        if next(see):
            assert address.look(world.now, dict(world.live), world.checker) is not DOWN

    for end, (gap, reading), flush, alpha, then in steps:
        getattr(world, end)()
        may_look()
        world.passes(gap)
        world.starts()
        may_look()
        world.passes(reading)
        if flush:
            world.flushes()
            may_look()
        world.fills(alpha=alpha)
        may_look()
        world.passes(then)
        assert address.look(world.now, dict(world.live), world.checker) is not DOWN
    world.passes(30.0)
    assert address.look(world.now, dict(world.live), world.checker) is UP


@given(st.lists(st.tuples(made.STEPS, st.integers(0, 2), st.booleans()), min_size=1, max_size=12))
def test_nothing_comes_back_unchecked(steps: list[tuple[float, int, bool]]) -> None:
    """What was down is not announced within warm_up after keepalived's start, whatever its count."""
    address, now, checker = Address(), 1000.0, OLD
    for step, count, restarts in steps:
        now += step
        if restarts:
            checker = Checker(now)
        before = address.announced
        address.look(now, {WEB: count}, checker)
        assert checker.started is not None
        if now < checker.started + USUAL.warm_up:
            assert before or not address.announced


BOTH = dict.fromkeys((WEB, TLS), Thresholds())


@pytest.mark.parametrize("required", [{}, {WEB: Thresholds()}])
@pytest.mark.parametrize("before", [None, 2, 0])
def test_a_service_that_appears(before: int | None, required: dict[Service, Thresholds]) -> None:
    """What was missing, and fills at a HUP, is not believed before warm_up is over.

    Neither where it was there before, nor where the address never had any service.
    """
    address = Address(HealthRule(required=required, checker=USUAL))
    if before is not None:
        address.look(50.0, {WEB: before})
    for now in (60.0, 70.0, 99.0):
        address.look(now, {})
    assert not address.announced
    assert address.look(100.0, {WEB: 2}) is DOWN
    assert address.look(101.0, {WEB: 2}) is DOWN
    assert address.reason == "2 realservers: tcp/80 appeared 1.0s ago, not checked yet"
    assert address.look_again == 110.0
    assert address.look(109.9, {WEB: 2}) is DOWN
    assert address.look(110.0, {WEB: 2}) is UP
    assert address.look(111.0, {WEB: 0}) is DOWN
    assert address.look(112.0, {WEB: 1}) is UP


def test_a_service_that_appears_bit_by_bit() -> None:
    """However its first realservers come and go, warm_up counts from when the service was there."""
    address = Address()
    address.look(99.0, {})
    for now, count in ((100.0, 0), (100.1, 2), (103.0, 0), (109.9, 2)):
        assert address.look(now, {WEB: count}) is DOWN
        assert address.look_again == 110.0
    assert address.look(110.0, {WEB: 2}) is UP
    address.look(111.0, {WEB: 0})
    address.look(112.0, {})
    assert address.look(113.0, {WEB: 0}) is DOWN
    assert address.look(123.0, {WEB: 0}) is DOWN
    assert address.look_again is None
    assert address.look(200.0, {WEB: 1}) is UP


def test_rise_counts_from_the_appearance() -> None:
    """With `rise`, that is what counts for a service that appears, too, known before or not."""
    for before in ({}, {WEB: 2}):
        address = Address(HealthRule(Thresholds(rise=3.0), checker=USUAL))
        address.look(50.0, dict(before))
        address.look(60.0, {})
        address.look(99.0, {})
        assert address.look(100.0, {WEB: 2}) is DOWN
        assert address.look(102.9, {WEB: 2}) is DOWN
        assert address.look(103.0, {WEB: 2}) is UP


def test_the_start_and_then_the_appearance() -> None:
    """Where keepalived starts anew meanwhile, warm_up counts from then."""
    address = Address()
    address.look(99.0, {})
    address.look(100.0, {WEB: 2})
    assert address.look(106.0, {WEB: 2}, Checker(105.0)) is DOWN
    assert address.look(114.9, {WEB: 2}, Checker(105.0)) is DOWN
    assert address.look(115.0, {WEB: 2}, Checker(105.0)) is UP


@pytest.mark.parametrize("announced", [True, False])
def test_a_watchdog_that_starts(announced: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A table that is there at the first look is believed at once."""
    assert Address(announced=announced).look(100.0, {WEB: 2}) is UP


def test_still_announced() -> None:
    """What is announced all the same, because the guard holds it, is believed when it is back."""
    address = Address()
    address.look(50.0, {WEB: 2})
    address.look(60.0, {})
    assert address.look(70.0, {}) is DOWN
    address.announced = True
    assert address.look(71.0, {WEB: 2}) is UP


def test_one_more_service() -> None:
    """A service that is new to a VIP that is up withdraws nothing; to one that is down, it waits."""
    address = Address(HealthRule(need=Need.ANY, checker=USUAL))
    address.look(50.0, {WEB: 2})
    assert address.look(51.0, {WEB: 2, TLS: 2}) is UP
    address = Address(HealthRule(need=Need.ANY, checker=USUAL))
    address.look(50.0, {WEB: 0})
    assert address.look(51.0, {WEB: 0, TLS: 2}) is DOWN
    assert address.look(61.0, {WEB: 0, TLS: 2}) is UP
    every = Address(HealthRule(required=BOTH, checker=USUAL))
    every.look(50.0, {WEB: 2})
    assert every.look(51.0, {WEB: 2, TLS: 2}) is DOWN
    assert every.look(61.0, {WEB: 2, TLS: 2}) is UP


@given(
    made.health_rules(st.just(USUAL)),
    st.lists(
        st.tuples(made.STEPS, st.dictionaries(st.sampled_from([WEB, TLS]), st.integers(0, 2))),
        min_size=1,
        max_size=12,
    ),
)
def test_nothing_that_appears_is_believed_unchecked(
    rule: HealthRule, steps: list[tuple[float, Live]]
) -> None:
    """An address that had no service, as the last look saw, is not announced before warm_up is over."""
    plain = Thresholds()
    rule = replace(rule, thresholds=plain, required=dict.fromkeys(rule.required, plain))
    address, now, appeared, was_empty = Address(rule), 1000.0, 0.0, False
    for step, live in steps:
        now += step
        if was_empty and live and not address.announced:
            appeared = now
        announced = address.announced
        was_empty = address.look(now, dict(live)) is DOWN and not live
        if now < appeared + USUAL.warm_up:
            assert announced or not address.announced


@pytest.mark.parametrize("numbers", [(-1.0, 0.0), (0.0, -0.1)])
def test_senseless_rules(numbers: tuple[float, float]) -> None:
    """Negative times can't exist."""
    with pytest.raises(PolicyError, match="restart_grace"):
        CheckerRule(True, *numbers)  # noqa: FBT003 - the first of three
