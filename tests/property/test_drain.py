"""A soft drain, stage by stage: what ends one, whatever is interrupted, unknown, or set."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.connections import ConnectionCount
from policy.drain import (
    GONE,
    LEFT,
    USUAL_RULE,
    DrainRule,
    Progress,
    StageStep,
    TakenOver,
    Then,
    at_time,
    next_intent,
    resolved,
    step,
)
from policy.errors import PolicyError
from policy.intent import Intent, Mode
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SOFT = (Mode.DRAINING, Mode.RETURNING)
TIMES = st.sampled_from([0.0, 1.0, 5.0, 30.0])
RULES = st.builds(
    DrainRule,
    settle=TIMES,
    connections=st.sampled_from([0, 3]),
    quiet=TIMES,
    timeout=st.sampled_from([30.0, 60.0]),
    then=st.sampled_from(Then),
    back=TIMES,
)
ASKED = Intent(Mode.DRAINING, "alice", 500.0)


class Look(NamedTuple):
    """One look at a prefix: how long after the last, its active connections, whether the stage is in effect.

    `shift`: the process is another one, for which the steady clock stands so much elsewhere.
    """

    after: float
    active: int | None
    in_effect: bool
    shift: float | None = None

    @property
    def counted(self) -> ConnectionCount | None:
        return None if self.active is None else ConnectionCount(self.active, 7)


WAITS = Look(1.0, 4, in_effect=True)
"""A look at what has connections."""


def looks(shifts: st.SearchStrategy[float | None] | None = None) -> st.SearchStrategy[list[Look]]:
    return st.lists(
        st.builds(
            Look,
            made.STEPS,
            st.none() | st.sampled_from([0, 0, 0, 3, 4]),
            st.sampled_from([True, True, False]),
            st.none() if shifts is None else shifts,
        ),
        max_size=20,
    )


def run(
    rule: DrainRule,
    intent: Intent,
    timeline: Sequence[Look],
    keep: Callable[[Progress | None], Progress | None] = lambda progress: progress,
) -> list[tuple[float, StageStep]]:
    """Return the steps of a timeline until one ends the stage, each with the time since its begin."""
    passed, offset, before, steps = 0.0, 0.0, None, []
    for look in timeline:
        passed += look.after
        offset += look.shift or 0.0
        now = 1000.0 + passed + offset
        found = step(rule, intent, keep(before), look.counted, now, in_effect=look.in_effect)
        before = found.progress
        steps.append((passed, found))
        if found.follows is not None:
            break
    return steps


def begin(timeline: Sequence[Look]) -> int | None:
    """Return the place of the look that finds the stage in effect first."""
    return next((at for at, look in enumerate(timeline) if look.in_effect), None)


@given(RULES, looks())
@example(DrainRule(settle=30.0, quiet=0.0), [Look(0.0, 0, in_effect=True)])
def test_what_ends_it(rule: DrainRule, timeline: list[Look]) -> None:
    """It ends at the first look that has seen few enough for `quiet`, and `settle` pass; or at `timeout`.

    Both are counted from when the daemon had the drain profile. A count that is not known is never few.
    """
    steps = run(rule, ASKED, timeline)
    start, times = (
        begin(timeline),
        [sum(look.after for look in timeline[: n + 1]) for n, _ in enumerate(timeline)],
    )
    for at, (now, found) in enumerate(steps):
        if start is None or at < start:
            assert found == StageStep(None)
            continue
        since = start
        for place in range(start, at + 1):
            active = timeline[place].active
            if active is None or active > rule.connections:
                since = place + 1
        is_quiet = since <= at and now - times[since] >= rule.quiet
        is_over = rule.then is Then.WITHDRAW and now - times[start] >= rule.timeout
        ends = is_over or (is_quiet and now - times[start] >= rule.settle)
        assert (found.follows is Mode.DRAINED) == ends
        if ends:
            assert found.progress is not None
            assert found.progress.left == timeline[at].active
            assert found.progress.is_of(replace(ASKED, mode=Mode.DRAINED))


@given(
    rule=RULES, mode=st.sampled_from(Mode), lasts=made.STEPS, now=made.STEPS, was_soft=st.booleans()
)
def test_an_end_that_was_said(
    rule: DrainRule, mode: Mode, *, lasts: float, now: float, was_soft: bool
) -> None:
    """Until its end an intent is as it is; from there on a soft drain returns for `back`, and anything else is over."""
    intent = replace(ASKED, mode=mode, until=ASKED.since + lasts)
    stage = Progress(Mode.DRAINED, intent.since if was_soft else intent.since - 1.0, 1000.0)
    found = at_time(intent, stage, rule, intent.since + now)
    if now < lasts:
        assert found is intent
    elif (mode is Mode.DRAINING or (mode is Mode.DRAINED and was_soft)) and now < lasts + rule.back:
        assert found is not None
        assert (found.mode, found.owner, found.since) == (Mode.RETURNING, "alice", intent.until)
        assert found.until == found.since + rule.back
    else:
        assert found is None
    assert at_time(replace(intent, until=None), stage, rule, now).mode is mode  # type: ignore[union-attr]  # it has no end


@given(
    rule=RULES,
    look=looks().filter(bool).map(lambda found: found[0]),
    mode=st.sampled_from(Mode),
    takeover=st.sampled_from(TakenOver),
    forced=st.booleans(),
    insisted=st.booleans(),
    begun=st.booleans(),
)
@example(
    rule=USUAL_RULE,
    look=WAITS,
    mode=Mode.DRAINING,
    takeover=TakenOver.GONE,
    forced=False,
    insisted=True,
    begun=True,
)
@example(
    rule=USUAL_RULE,
    look=WAITS,
    mode=Mode.DRAINING,
    takeover=TakenOver.LEFT,
    forced=False,
    insisted=True,
    begun=True,
)
@example(
    rule=USUAL_RULE,
    look=WAITS,
    mode=Mode.DRAINING,
    takeover=TakenOver.LEFT,
    forced=True,
    insisted=False,
    begun=True,
)
def test_who_takes_over_is_gone(
    rule: DrainRule,
    look: Look,
    mode: Mode,
    takeover: TakenOver,
    *,
    forced: bool,
    insisted: bool,
    begun: bool,
) -> None:
    """What drains is announced as before at once, and nothing is cut, unless that is insisted; in no other stage, and for nothing less than that."""
    drains = mode is Mode.DRAINING
    intent = replace(ASKED, mode=mode, forced=forced and drains, insisted=insisted and drains)
    before = Progress(mode, ASKED.since, 1000.0, quiet_since=1000.0) if begun else None
    now = 1000.0 + look.after
    given = rule, intent, before, look.counted, now
    found = step(*given, in_effect=look.in_effect, takeover=takeover)
    why = {TakenOver.GONE: GONE, TakenOver.LEFT: LEFT}.get(takeover)
    if why is None or not drains or insisted:
        assert found == step(*given, in_effect=look.in_effect)
        return
    assert (found.progress, found.why) == (None, why)
    assert found.follows is not None
    after = next_intent(intent, found.follows)
    assert (None if after is None else after.mode) == (Mode.FORCED if intent.forced else None)


@given(RULES, looks(), st.sampled_from(SOFT))
def test_due(rule: DrainRule, timeline: list[Look], mode: Mode) -> None:
    """Where nothing but time passes, it ends when it said, and not before."""
    intent = replace(ASKED, mode=mode)
    for place, (passed, found) in enumerate(run(rule, intent, timeline)):
        if found.progress is None or found.follows is not None:
            continue
        count, now = timeline[place].counted, 1000.0 + passed
        if found.due is None:
            late = step(rule, intent, found.progress, count, now + 1e6, in_effect=True)
            assert late.follows is None
            continue
        assert found.due > now
        early = step(rule, intent, found.progress, count, found.due - 1e-3, in_effect=False)
        assert early.follows is None
        then = step(rule, intent, found.progress, count, found.due, in_effect=False)
        assert then.follows is not None


@given(RULES, looks(st.none() | st.just(0.0)), st.sampled_from(SOFT))
def test_a_restart_changes_nothing(rule: DrainRule, timeline: list[Look], mode: Mode) -> None:
    """Whichever looks another process makes, that has read back what was recorded, it ends at the same one."""
    intent = replace(ASKED, mode=mode)
    alone = [look._replace(shift=None) for look in timeline]
    assert run(rule, intent, timeline) == run(rule, intent, alone)


@given(RULES, looks(st.none() | st.sampled_from([-10.0, -3600.0])), st.sampled_from(SOFT))
@example(
    DrainRule(back=30.0),
    [
        Look(0.0, None, in_effect=True),
        Look(1.0, None, in_effect=True, shift=-3600.0),
        Look(60.0, None, in_effect=True),
    ],
    Mode.RETURNING,
)
def test_a_clock_that_was_set_back(rule: DrainRule, timeline: list[Look], mode: Mode) -> None:
    """A process whose clock stands earlier waits no less than it must."""
    intent = replace(ASKED, mode=mode)
    steps = run(rule, intent, timeline)
    start = begin(timeline)
    if not steps or start is None:
        return
    passed = [sum(look.after for look in timeline[: n + 1]) for n, _ in enumerate(timeline)]
    if steps[-1][1].follows is not None:
        lasted = steps[-1][0] - passed[start]
        assert lasted >= (rule.settle if mode is Mode.DRAINING else rule.back)
    elif mode is Mode.RETURNING or rule.then is Then.WITHDRAW:
        last = max([start, *(n for n, look in enumerate(timeline) if look.shift)])
        most = rule.timeout if mode is Mode.DRAINING else rule.back
        assert steps[-1][0] - passed[last] < most, "no longer than a process that begins it"


@given(RULES, looks(st.sampled_from([None, 60.0, 1e9])))
def test_a_clock_that_was_set_ahead(rule: DrainRule, timeline: list[Look]) -> None:
    """It may end a stage early, never skip one: what was not announced softly is not withdrawn."""
    steps = run(rule, ASKED, timeline)
    start = begin(timeline)
    ends = [at for at, (_, found) in enumerate(steps) if found.follows is not None]
    assert not ends or (start is not None and ends[0] >= start)
    if rule.then is Then.STAY:
        for at in ends:
            active = timeline[at].active
            assert active is not None
            assert active <= rule.connections


@given(RULES, looks(), st.sampled_from([Mode.DRAINED, Mode.FORCED, Mode.AUTO]))
def test_no_stage(rule: DrainRule, timeline: list[Look], mode: Mode) -> None:
    """An intent that is of no stage is left alone."""
    assert all(
        found == StageStep(None) for _, found in run(rule, replace(ASKED, mode=mode), timeline)
    )


@pytest.mark.parametrize("since", [500.0, 501.0])
@pytest.mark.parametrize("other", SOFT)
@pytest.mark.parametrize("mode", SOFT)
def test_of_another_intent(mode: Mode, other: Mode, since: float) -> None:
    """What was remembered of another word of an operator, or of another stage, is of no use."""
    old = Progress(other, 500.0, 0.0, 0.0)
    found = step(DrainRule(), Intent(mode, "bob", since), old, None, 1000.0, in_effect=True)
    is_same = (other, 500.0) == (mode, since)
    assert (found.follows is not None) is is_same
    assert is_same or found.progress == Progress(mode, since, 1000.0)


@given(RULES, looks())
def test_the_way_back(rule: DrainRule, timeline: list[Look]) -> None:
    """It ends when it was announced softly for `return`, whatever connections there are."""
    intent = replace(ASKED, mode=Mode.RETURNING)
    start = begin(timeline)
    for at, (now, found) in enumerate(run(rule, intent, timeline)):
        if start is None or at < start:
            assert found == StageStep(None)
            continue
        began = sum(look.after for look in timeline[: start + 1])
        assert (found.follows is Mode.AUTO) == (now - began >= rule.back)


WAS = st.none() | made.intents()


@given(made.intents([Mode.DRAINING, Mode.RETURNING]), WAS)
@example(Intent(Mode.DRAINING, "alice", 9.0), Intent(Mode.DRAINED, "bob", 1.0))
@example(Intent(Mode.DRAINING, "alice", 9.0), Intent(Mode.FORCED, "bob", 1.0))
@example(Intent(Mode.RETURNING, "alice", 9.0), Intent(Mode.FORCED, "bob", 1.0))
def test_asked_over_another(asked: Intent, was: Intent | None) -> None:
    """No word for a soft stage announces what is withdrawn to drain it, or moves traffic away to return it."""
    found, mode = resolved(asked, was), was.mode if was else Mode.AUTO
    assert (found.owner, found.reason, found.until) == (asked.owner, asked.reason, asked.until)
    if asked.mode is Mode.DRAINING:
        assert found.mode is (Mode.DRAINED if mode is Mode.DRAINED else Mode.DRAINING)
        assert found.insisted == (asked.insisted and found.mode is Mode.DRAINING)
        assert found.forced == (
            mode is Mode.FORCED or (mode is Mode.DRAINING and was is not None and was.forced)
        )
    else:
        back = (Mode.DRAINED, Mode.DRAINING, Mode.RETURNING)
        assert found.mode is (Mode.RETURNING if mode in back else Mode.AUTO)
    if was is not None and was.mode is found.mode is asked.mode:
        assert found.since == was.since, "the stage goes on"


@given(made.intents([Mode.AUTO, Mode.DRAINED, Mode.FORCED]), WAS)
def test_other_words(asked: Intent, was: Intent | None) -> None:
    """All else is as it is asked for."""
    assert resolved(asked, was) == asked


def test_what_follows() -> None:
    """What was forced, or insisted, is not so any more once it is withdrawn."""
    forced = replace(ASKED, forced=True, insisted=True)
    assert next_intent(forced, Mode.DRAINED) == replace(ASKED, mode=Mode.DRAINED)
    assert next_intent(forced, Mode.AUTO) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"prepends": 0},
        {"prepends": 33},
        {"settle": -1.0},
        {"connections": -1},
        {"timeout": 29.0},
        {"quiet": 901.0},
        {"back": -0.1},
    ],
)
def test_no_rule(wrong: dict[str, float]) -> None:
    """A rule that makes no sense is refused."""
    with pytest.raises(PolicyError):
        DrainRule(**wrong)  # type: ignore[arg-type]  # of several types
