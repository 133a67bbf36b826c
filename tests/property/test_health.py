"""The judge of health: thresholds, hysteresis, rise and fall, against a model that keeps all history."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from policy.errors import PolicyError
from policy.health import (
    Health,
    HealthRule,
    Need,
    Service,
    ServiceMemory,
    State,
    Thresholds,
    so_many,
)
from policy.judge import judge
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WEB, TLS, DNS = made.SERVICES[:3]
Look = tuple[float, dict[Service, int] | None]


def watch(
    rule: HealthRule, looks: Sequence[Look], *, was_announced: bool = False
) -> list[tuple[Health, Mapping[Service, ServiceMemory]]]:
    """Judge at every look, with what the look before left in memory."""
    memory: Mapping[Service, ServiceMemory] = {}
    verdicts = []
    for now, live in looks:
        verdict = judge(rule, live, memory, was_announced=was_announced, now=now)
        memory = verdict.memory
        verdicts.append((verdict.health, memory))
    return verdicts


def model(
    thresholds: Thresholds, looks: Sequence[tuple[float, int]], *, was_announced: bool
) -> list[bool]:
    """Whether a service is up at each look, told from all looks so far and nothing remembered."""
    states: list[bool] = []
    for index, (now, count) in enumerate(looks):
        bad, good = count <= thresholds.drop_at, count >= thresholds.restore_at
        if not states:
            states.append(good or (was_announced and not bad))
            continue
        up = states[-1]
        delay = thresholds.fall if up else thresholds.rise
        since = None
        for earlier, seen in looks[index::-1]:
            contrary = seen <= thresholds.drop_at if up else seen >= thresholds.restore_at
            if not contrary:
                break
            since = earlier
        states.append(not up if since is not None and now - since >= delay else up)
    return states


@given(
    thresholds=made.thresholds(),
    steps=st.lists(st.tuples(made.STEPS, st.integers(0, 7)), min_size=1, max_size=15),
    was_announced=st.booleans(),
)
@example(
    thresholds=Thresholds(0, 1, fall=1.0),
    steps=[(0.0, 1), (0.0, 0), (1.0, 0)],
    was_announced=False,
)
def test_one_service(
    thresholds: Thresholds, steps: list[tuple[float, int]], *, was_announced: bool
) -> None:
    """A service turns when it has said the opposite for rise or fall: not earlier, not later."""
    now, looks = 1000.0, []
    for step, count in steps:
        now += step
        looks.append((now, count))
    verdicts = watch(
        HealthRule(thresholds),
        [(when, {WEB: count}) for when, count in looks],
        was_announced=was_announced,
    )
    expected = model(thresholds, looks, was_announced=was_announced)
    assert [health is Health.UP for health, _ in verdicts] == expected


@given(thresholds=made.thresholds(), was_up=st.booleans(), data=st.data())
def test_hysteresis(thresholds: Thresholds, data: st.DataObject, *, was_up: bool) -> None:
    """Between the thresholds a service stays what it was, for ever."""
    between = st.integers(thresholds.drop_at + 1, thresholds.restore_at - 1)
    assume(thresholds.restore_at - thresholds.drop_at > 1)
    memory = {WEB: ServiceMemory(State.UP if was_up else State.DOWN)}
    for now in (0.0, 1.0, 1e6):
        verdict = judge(
            HealthRule(thresholds), {WEB: data.draw(between)}, memory, was_announced=False, now=now
        )
        assert verdict.health is (Health.UP if was_up else Health.DOWN)
        assert verdict.look_again is None
        assert verdict.memory == memory


@given(rule=made.health_rules(), looks=made.timelines(), was_announced=st.booleans())
def test_unknown_changes_nothing(
    rule: HealthRule, looks: list[Look], *, was_announced: bool
) -> None:
    """Unknown is not down: it leaves the memory alone, and all verdicts after it as they would be."""
    verdicts = watch(rule, looks, was_announced=was_announced)
    known = [look for look in looks if look[1] is not None]
    expected = watch(rule, known, was_announced=was_announced)
    assert [verdict for verdict in verdicts if verdict[0] is not Health.UNKNOWN] == expected
    memory: Mapping[Service, ServiceMemory] = {}
    for (_, live), (health, after) in zip(looks, verdicts, strict=True):
        assert (health is Health.UNKNOWN) == (live is None)
        if live is None:
            assert after == memory
        memory = after


@given(rule=made.health_rules(), looks=made.timelines(), was_announced=st.booleans())
def test_need(rule: HealthRule, looks: list[Look], *, was_announced: bool) -> None:
    """An address is up where all, or any, of its services are; a required one that is missing is not."""
    for (_, live), (health, memory) in zip(
        looks, watch(rule, looks, was_announced=was_announced), strict=True
    ):
        if live is None:
            continue
        if rule.required:
            assert memory.keys() == rule.required.keys()
        if not memory:
            assert health is Health.DOWN
            continue
        states = [state.up for state in memory.values()]
        need = all if rule.need is Need.ALL else any
        assert (health is Health.UP) == need(states)


@given(rule=made.health_rules(), looks=made.timelines(), was_announced=st.booleans())
def test_look_again_is_honest(rule: HealthRule, looks: list[Look], *, was_announced: bool) -> None:
    """Where nothing is seen to change, nothing is decided anew before `look_again`, and then it is."""
    memory: Mapping[Service, ServiceMemory] = {}
    for now, live in looks:
        verdict = judge(rule, live, memory, was_announced=was_announced, now=now)
        memory = verdict.memory
        deadline = verdict.look_again
        assert deadline is None or deadline > now
        for later in (now, now + 0.05, now + 5, now + 3600):
            again = judge(rule, live, memory, was_announced=was_announced, now=later)
            if deadline is None or later < deadline:
                assert (again.health, again.memory) == (verdict.health, memory)
        if deadline is not None:
            turned = judge(rule, live, memory, was_announced=was_announced, now=deadline)
            assert turned.memory != memory


@given(made.health_rules(), made.timelines())
def test_a_clock_that_was_set(rule: HealthRule, looks: list[Look]) -> None:
    """Times that lie in the future are taken as now: no service waits longer than its rise or fall."""
    for (now, live), (_, memory) in zip(looks, watch(rule, looks), strict=True):
        if live is None:
            continue
        ahead = {
            service: replace(state, since=now + 1e9) if state.since else state
            for service, state in memory.items()
        }
        verdict = judge(rule, live, ahead, was_announced=False, now=now)
        longest = max(
            (max(t.rise, t.fall) for t in (rule.thresholds, *rule.required.values())), default=0
        )
        assert verdict.look_again is None or verdict.look_again <= now + longest


@given(rule=made.health_rules(), looks=made.timelines(), was_announced=st.booleans())
def test_the_same_again(rule: HealthRule, looks: list[Look], *, was_announced: bool) -> None:
    """The same looks give the same verdicts."""
    assert watch(rule, looks, was_announced=was_announced) == watch(
        rule, looks, was_announced=was_announced
    )


@given(percent=st.integers(0, 100), of=st.integers(1, 1000), data=st.data())
@example(7, 100, None)
def test_a_share(percent: int, of: int, data: st.DataObject | None) -> None:
    """A share of realservers is reached by so many, and not by one less; of any, one is needed; no count lies between."""
    needed = so_many(percent / 100, of)
    assert 1 <= needed <= of
    assert needed * 100 >= percent * of
    assert needed == 1 or (needed - 1) * 100 < percent * of
    live = needed if data is None else data.draw(st.integers(0, of))
    rule = HealthRule(Thresholds(needed - 1, needed))
    found = judge(rule, {WEB: live}, {}, was_announced=False, now=0.0)
    assert (found.health is Health.UP) == (live > 0 and live * 100 >= percent * of)
    assert found.health is not Health.UNKNOWN


def test_fall_when_all_services_vanish() -> None:
    """An address whose last service vanishes falls like one whose last realserver died."""
    rule = HealthRule(Thresholds(fall=10.0, rise=5.0))
    looks: list[Look] = [(0.0, {WEB: 2}), (1.0, {}), (10.9, {}), (11.0, {}), (12.0, {WEB: 2})]
    looks += [(16.9, {WEB: 2}), (17.0, {WEB: 2})]
    up, down = Health.UP, Health.DOWN
    assert [health for health, _ in watch(rule, looks)] == [up, up, up, down, down, down, up]


def test_a_service_that_left() -> None:
    """Where others exist, a service that vanished does not count, unless it is required."""
    looks: list[Look] = [(0.0, {WEB: 1, TLS: 1}), (1.0, {WEB: 1})]
    assert watch(HealthRule(), looks)[-1][0] is Health.UP
    required = HealthRule(required={WEB: Thresholds(), TLS: Thresholds()})
    assert watch(required, looks)[-1][0] is Health.DOWN


def test_never_seen() -> None:
    """An address that has no service and never had one is down."""
    verdict = judge(HealthRule(), {}, {}, was_announced=True, now=0.0)
    assert (verdict.health, verdict.realservers) == (Health.DOWN, 0)
    assert verdict.reason == "0 realservers: no service exists"


def test_reasons() -> None:
    """The reason has the count of all services, and names those that are down or turning."""
    rule = HealthRule(Thresholds(fall=5.0), required={WEB: Thresholds(fall=5.0), TLS: Thresholds()})
    first = judge(rule, {WEB: 1, DNS: 7}, {}, was_announced=False, now=0.0)
    assert first.reason == "1 realserver: tcp/443 down with 0, does not exist"
    then = judge(rule, {WEB: 0, TLS: 3}, first.memory, was_announced=False, now=2.0)
    assert then.reason == "3 realservers: tcp/80 falling for 0.0s"
    assert (then.health, then.look_again) == (Health.UP, 7.0)
    unknown = judge(rule, None, {}, was_announced=False, now=0.0, unknown="no ip_vs here")
    assert (unknown.health, unknown.reason) == (Health.UNKNOWN, "no ip_vs here")
    many = {Service("tcp", port): 0 for port in range(1, 9)}
    text = judge(HealthRule(), many, {}, was_announced=False, now=0.0).reason
    assert text.endswith("tcp/3 down with 0, 5 more")


@pytest.mark.parametrize(
    "numbers", [(1, 1, 0.0, 0.0), (-1, 1, 0.0, 0.0), (2, 1, 0.0, 0.0), (0, 1, -1.0, 0.0)]
)
def test_senseless_thresholds(numbers: tuple[int, int, float, float]) -> None:
    """Thresholds without a gap, or negative, can't exist."""
    with pytest.raises(PolicyError, match="health"):
        Thresholds(*numbers)


@pytest.mark.parametrize(
    ("count", "was_announced", "up"),
    [
        (1, True, False),
        (2, True, True),
        (2, False, False),
        (3, False, True),
    ],
)
def test_first_sight(count: int, *, was_announced: bool, up: bool) -> None:
    """A service seen for the first time is what its count says; between the thresholds, what it was."""
    rule = HealthRule(Thresholds(drop_at=1, restore_at=3, fall=60.0, rise=60.0))
    verdict = judge(rule, {WEB: count}, {}, was_announced=was_announced, now=0.0)
    assert (verdict.health is Health.UP) == up
    assert verdict.look_again is None
