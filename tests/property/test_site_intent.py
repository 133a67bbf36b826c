"""What is asked of a whole site: no drain is lost, all come to the same, and nobody is ever stuck.

The rule: a drain holds on each machine of its extent until it ends, unless something was asked of the same extent by somebody who
knew it; and while a restore holds that was asked for a narrower extent, which the machine is of, by somebody who knew it. What
somebody knew is what had happened before, as messages carried it, and no clock.
"""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.intent import Intent, Mode
from policy.site_intent import (
    EVERYWHERE,
    MAX_SEEN,
    MAX_STANDING,
    Extent,
    SiteIntent,
    Width,
    asked,
    folded,
    holding,
    lasting,
    merged,
)
from tests.support.machines_of_a_site import MACHINES, PAR, START, ManyMachines

if TYPE_CHECKING:
    from tests.support.machines_of_a_site import Letter

LB1, LB2, LYO1 = MACHINES
MODES = (Mode.AUTO, Mode.DRAINED, Mode.DRAINING, Mode.FORCED, Mode.RETURNING)
SKEWS = st.tuples(*[st.sampled_from([0.0, -240.0, 240.0, 7200.0])] * 3)


class Step(NamedTuple):
    """What happens next: a machine asks, sends a letter to all, hears one of those sent, keeps a copy, or goes on from one."""

    kind: str
    machine: int
    width: Width = Width.DC
    mode: Mode = Mode.DRAINED
    seconds: float | None = None
    number: int = 0


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(["ask", "ask", "ask", "send", "hear", "hear", "keep", "restore"]),
        st.integers(0, 2),
        st.sampled_from(Width),
        st.sampled_from(MODES),
        st.sampled_from([None, None, 60.0, 3600.0]),
        st.integers(0, 9),
    ),
    max_size=25,
)
"""Letters that nobody hears are lost; those heard twice, or after later ones, are as in any network; who hears none is partitioned."""


def played(
    skews: tuple[float, ...], steps: list[Step], *, burst: int = 1, fold: bool = False
) -> ManyMachines:
    """Return the machines after some steps."""
    site = ManyMachines(skews, fold=fold)
    letters: list[Letter] = []
    kept: dict[int, list[Letter]] = {0: [], 1: [], 2: []}
    for at, step in enumerate(steps):
        machine = site.machines[step.machine]
        if step.kind == "ask":
            for _ in range(burst if step.number == 0 else 1):
                site.ask(machine, step.width, step.mode, at, step.seconds)
        elif step.kind == "send":
            letters.append(machine.letter())
        elif step.kind == "hear" and letters:
            site.deliver(letters[step.number % len(letters)], machine)
        elif step.kind == "keep":
            kept[step.machine].append(machine.letter())
        elif step.kind == "restore" and kept[step.machine]:
            machine.restore(kept[step.machine][step.number % len(kept[step.machine])])
    return site


def is_drained(known: list[SiteIntent], here: Extent, now: float) -> bool:
    found = holding(known, here, now)
    return found is not None and not found.intent.restores


ASK, RESTORED = Step("ask", 0), Step("ask", 1, mode=Mode.AUTO)


@given(SKEWS, STEPS, st.sampled_from([10.0, 70.0, 400.0, 1e6]))
@example((0.0, 240.0, 0.0), [ASK, RESTORED], 10.0)
@example((0.0, 0.0, 0.0), [ASK, ASK._replace(width=Width.MACHINE, seconds=60.0)], 70.0)
@example(
    (0.0, 0.0, 0.0),
    [ASK, Step("ask", 0, Width.MACHINE, Mode.FORCED, 60.0), Step("ask", 0, Width.SITE, Mode.AUTO)],
    70.0,
)
@example(
    (0.0, 0.0, 0.0),
    [ASK, Step("keep", 0), Step("ask", 0, mode=Mode.AUTO), Step("send", 0), Step("restore", 0)],
    10.0,
)
def test_no_drain_is_lost(skews: tuple[float, ...], steps: list[Step], now: float) -> None:
    """At any time each machine is drained exactly where the rule says so of what it has heard; at last, all have the same."""
    site = played(skews, steps)
    for machine in site.machines:
        drained = is_drained(machine.known(), machine.here, START + now)
        assert drained == bool(site.drains_by_the_rule(machine, START + now))
    site.exchange_all()
    for machine in site.machines:
        drained = is_drained(machine.known(), machine.here, START + now)
        assert drained == bool(site.drains_by_the_rule(machine, START + now))
    shared = [{e: s for e, s in m.copies.items() if e.width is Width.SITE} for m in site.machines]
    assert shared[0] == shared[1] == shared[2]
    pair = [m.copies.get(PAR) for m in site.machines[:2]]
    assert pair[0] == pair[1]


@given(SKEWS, STEPS)
def test_nobody_is_stuck(skews: tuple[float, ...], steps: list[Step]) -> None:
    """A restore for a machine lifts there, at once, whatever is known there; a drain drains; also after it was told to all."""
    site = played(skews, steps)
    for mode, drained in ((Mode.AUTO, False), (Mode.DRAINED, True)):
        for machine in site.machines:
            site.ask(machine, Width.MACHINE, mode, 100.0, None)
            assert is_drained(machine.known(), machine.here, START + 10_000) is drained
    for machine in site.machines:
        site.ask(machine, Width.MACHINE, Mode.AUTO, 200.0, None)
    before = {m.here: site.drains_by_the_rule(m, START + 10_000) for m in site.machines}
    site.exchange_all()
    for machine in site.machines:
        new = site.drains_by_the_rule(machine, START + 10_000) - before[machine.here]
        assert is_drained(machine.known(), machine.here, START + 10_000) == bool(new)


@given(SKEWS, STEPS)
def test_nobody_is_stuck_after_very_many(skews: tuple[float, ...], steps: list[Step]) -> None:
    """However much was asked before, what stands is among what an intent names."""
    site = played(skews, steps, burst=MAX_SEEN + 1)
    for machine in site.machines:
        site.ask(machine, Width.MACHINE, Mode.AUTO, 100.0, None)
        assert not is_drained(machine.known(), machine.here, START + 10_000)


@given(SKEWS, STEPS, st.sampled_from(Width))
def test_who_sees_it_lifts_it(skews: tuple[float, ...], steps: list[Step], width: Width) -> None:
    """A restore lifts all that is known of its extent and of wider ones on each machine of it, once they have heard of it."""
    site = played(skews, steps)
    site.exchange_all()
    one = site.machines[0]
    restore = site.ask(one, width, Mode.AUTO, 100.0, None)
    site.exchange_all()
    for machine in site.machines:
        if restore.extent.covers(machine.here):
            held = holding(machine.known(), machine.here, START + 10_000)
            assert held is not None
            assert held.intent.restores or held.extent.width < width


@given(SKEWS, STEPS)
def test_what_is_too_old_fails_towards_drained(skews: tuple[float, ...], steps: list[Step]) -> None:
    """Where more was asked than an intent can name, a drain that no restore ever knew still holds."""
    site = played(skews, steps, burst=MAX_SEEN + 1)
    site.exchange_all()
    for machine in site.machines:
        lifted = {
            n
            for e in site.events.values()
            if not e.drains or e.intent.until is not None
            for n in e.past
        }
        if site.drains_by_the_rule(machine, START + 1e6) - lifted:
            assert is_drained(machine.known(), machine.here, START + 1e6)


@given(
    st.lists(st.tuples(st.sampled_from(MODES), st.sampled_from([None, 60.0, 3600.0])), max_size=20),
    st.sampled_from([10.0, 70.0, 4000.0]),
)
@example([(Mode.DRAINED, 60.0)] * MAX_STANDING + [(Mode.DRAINED, 3600.0)], 70.0)
@example([(Mode.AUTO, None)] * MAX_STANDING + [(Mode.DRAINED, 60.0)], 70.0)
def test_what_is_folded(wanted: list[tuple[Mode, float | None]], now: float) -> None:
    """Where more stand side by side than are kept, it is drained for as long as before, and all come to the same."""
    lonely = [
        asked(f"x{n}", EVERYWHERE, Intent(mode, "x", START, "", seconds and START + seconds), ())
        for n, (mode, seconds) in enumerate(wanted)
    ]
    site = ManyMachines((0.0, 0.0, 0.0), fold=True)
    first = site.machines[0]
    for one in lonely:  # each of somebody who knew of nothing
        first.copies[EVERYWHERE] = folded(merged(first.copies.get(EVERYWHERE, ()), [one]))
        assert len(first.copies[EVERYWHERE]) <= MAX_STANDING
    assert {*folded(lonely)} == {*folded(lonely[::-1])}
    site.exchange_all()
    for machine in site.machines:
        drains = any(not e.intent.restores and e.intent.in_force(START + now) for e in lonely)
        assert is_drained(machine.known(), machine.here, START + now) is drains
        assert machine.copies == first.copies


@st.composite
def histories(draw: st.DrawFn) -> list[SiteIntent]:
    """Draw intents of one extent, each of which knows some of those before it."""
    found: list[SiteIntent] = []
    for number in range(draw(st.integers(0, 7))):
        known = [each for each in found if draw(st.booleans())]
        until = draw(st.sampled_from([None, START + 60]))
        intent = Intent(draw(st.sampled_from(MODES)), "x", START + number, "", until)
        found.append(asked(str(number), PAR, intent, merged(known)))
    return found


@given(histories(), st.lists(st.integers(0, 2), min_size=7, max_size=7), st.data())
def test_merging(found: list[SiteIntent], parts: list[int], data: st.DataObject) -> None:
    """It is associative, commutative and idempotent, also of what was merged before."""
    one, two, three = (
        [each for each, part in zip(found, parts, strict=False) if part == n] for n in range(3)
    )
    expected = merged(found)
    for a, b, c in permutations((one, two, three)):
        assert merged(merged(a, b), c) == merged(a, merged(b, c)) == expected
    again = data.draw(st.lists(st.sampled_from(found))) if found else []
    assert merged(expected, again) == expected
    assert merged(expected, expected) == expected
    assert merged(data.draw(st.permutations(found))) == expected


@given(SKEWS, STEPS)
def test_no_gap(skews: tuple[float, ...], steps: list[Step]) -> None:
    """What holds is to be held for exactly as long as it is drained by something all along, or by what it is, until it ends."""
    site = played(skews, steps)
    for machine in site.machines:
        known, here = machine.known(), machine.here
        ends = [e.intent.until for e in known if e.intent.until is not None]
        for now in (START, START + 30.0, START + 4000.0):
            found, until = holding(known, here, now), lasting(known, here, now)
            if found is None or found.intent.restores:
                assert until == (None if found is None else found.intent.until)
                continue
            moments = sorted({now, *(end for end in ends if end > now)})
            first = next((at for at in moments if not is_drained(known, here, at)), None)
            assert until == first


SITE = asked("s", EVERYWHERE, Intent(Mode.DRAINED, "s", START), ())
DC = asked("d", PAR, Intent(Mode.AUTO, "d", START + 9), ())
KNOWING = asked("k", PAR, Intent(Mode.AUTO, "k", START + 9), [SITE])
SOFT = asked("h", LB1, Intent(Mode.DRAINING, "h", START + 99), ())
FORCED = asked("f", LB1, Intent(Mode.FORCED, "f", START), ())
FORCED_DC = asked("g", PAR, Intent(Mode.FORCED, "g", START + 99), ())


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], None),
        ([SITE, DC], SITE),
        ([SITE, KNOWING], KNOWING),
        ([SITE, SOFT], SITE),
        ([DC, SOFT], SOFT),
        ([DC, FORCED], FORCED),
        ([SITE, FORCED], SITE),
        ([FORCED, FORCED_DC], FORCED),
        ([DC, FORCED_DC], FORCED_DC),
    ],
)
def test_what_holds(known: list[SiteIntent], expected: SiteIntent | None) -> None:
    """What knew nothing of each other: a drain holds, one that withdraws first; then what is forced; then the narrowest."""
    assert holding(known, LB1, START + 100) == expected


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("later", MODES)
@pytest.mark.parametrize("orders", [1, MAX_SEEN, MAX_SEEN + 1, 3 * MAX_SEEN])
def test_an_old_one_comes_back(mode: Mode, later: Mode, orders: int) -> None:
    """What is older than all that an order names stands beside it, by the rule for strangers; the next order ends that, whatever both are."""
    old = asked("old", PAR, Intent(mode, "x", START), ())
    last = old
    for number in range(orders):
        last = asked(f"n{number}", PAR, Intent(later, "y", START + 1 + number), [last])
    again = merged([last], [old])
    assert again == ((last,) if orders <= MAX_SEEN else (last, old))
    drains = Mode.DRAINED, Mode.DRAINING
    found = holding(again, LB1, START + 999)
    assert found is not None
    assert (found.intent.mode in drains) == bool(
        {*drains} & {later, *([mode] if len(again) > 1 else [])}
    )
    for mode_now in MODES:
        now = asked("now", PAR, Intent(mode_now, "z", START + 998), again)
        assert merged([now], again, [old], [last]) == (now,)
        assert holding(merged([now], again), LB1, START + 999) == now


def test_extents() -> None:
    """Who is of which, and how it is said."""
    assert EVERYWHERE.covers(PAR)
    assert PAR.covers(LB1)
    assert not LB1.covers(LB2)
    assert not PAR.covers(LYO1)
    assert not PAR.covers(EVERYWHERE)
    assert [str(e) for e in (EVERYWHERE, PAR, LB1)] == ["everywhere", "par1", "par1/lb1"]
    assert str(SITE) == "drained everywhere by s at 2023-11-14T22:13:20Z"
    one = SiteIntent("x", LB1, Intent(Mode.AUTO, "ann", START, "why"), (), "par1/lb2")
    assert str(one) == "auto for par1/lb1 by ann on par1/lb2 at 2023-11-14T22:13:20Z: why"
