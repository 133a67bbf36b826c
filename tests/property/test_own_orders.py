"""What a program asks as its own, such as a roll over machines, never takes back an operator's word, and is taken back wholly itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.intent import Intent, Mode
from policy.site_intent import (
    MAX_STANDING,
    Extent,
    SiteIntent,
    Width,
    asked,
    folded,
    holding,
    merged,
)
from tests.support.machines_of_a_site import MACHINES, PAR, START, ManyMachines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.machines_of_a_site import Letter

LB1 = MACHINES[0]
MODES = (Mode.AUTO, Mode.DRAINED, Mode.DRAINING, Mode.FORCED, Mode.RETURNING)
OWN_MODES = (Mode.DRAINING, Mode.AUTO)
TIMES = (10.0, 70.0, 1e6)


class Step(NamedTuple):
    """What happens next: an operator asks at a machine, a program does for a machine, a letter is sent to all, or one is heard."""

    kind: str
    machine: int
    number: int
    width: Width
    mode: Mode
    own_mode: Mode
    seconds: float | None


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(["ask", "ask", "own", "own", "send", "hear", "hear"]),
        st.integers(0, 2),
        st.integers(0, 8),
        st.sampled_from(Width),
        st.sampled_from(MODES),
        st.sampled_from(OWN_MODES),
        st.sampled_from([None, None, 60.0]),
    ),
    max_size=25,
)
SKEWS = st.tuples(*[st.sampled_from([0.0, -240.0, 240.0])] * 3)


def played(skews: tuple[float, ...], steps: list[Step], *, own: bool) -> ManyMachines:
    """Return the machines after some steps, with what programs ask or without."""
    site = ManyMachines(skews)
    letters: list[Letter] = []
    for at, step in enumerate(steps):
        machine = site.machines[step.machine]
        if step.kind == "ask":
            site.ask(machine, step.width, step.mode, at, step.seconds)
        elif step.kind == "own" and own:
            site.ask_own(machine, MACHINES[step.number % 3], step.own_mode, at)
        elif step.kind == "send":
            letters.append(machine.letter())
        elif step.kind == "hear" and letters:
            site.deliver(letters[step.number % len(letters)], machine)
    return site


def of_operators(known: Iterable[SiteIntent]) -> list[SiteIntent]:
    return [each for each in known if not each.own]


def ids(known: Iterable[SiteIntent]) -> list[str]:
    return sorted(each.id for each in known)


@given(SKEWS, STEPS)
def test_no_operators_word_is_lost(skews: tuple[float, ...], steps: list[Step]) -> None:
    """At any time there stands of what operators asked what would stand without what programs asked; and a drain of it holds."""
    site, without = played(skews, steps, own=True), played(skews, steps, own=False)
    for machine, other in zip(site.machines, without.machines, strict=True):
        assert ids(of_operators(machine.known())) == ids(other.known())
        for now in TIMES:
            wanted = holding(other.known(), machine.here, START + now)
            found = holding(machine.known(), machine.here, START + now)
            if wanted is not None and not wanted.intent.restores:
                assert found is not None
                assert found.id == wanted.id


@given(SKEWS, STEPS)
def test_after_it_all_is_as_before(skews: tuple[float, ...], steps: list[Step]) -> None:
    """Once what a program drained is restored as its own, each machine obeys what operators asked of it, and nothing else."""
    site, without = played(skews, steps, own=True), played(skews, steps, own=False)
    for each in (site, without):
        each.exchange_all()
    for machine, other in zip(site.machines, without.machines, strict=True):
        for mode in OWN_MODES:
            site.ask_own(machine, machine.here, mode, 1000.0)
        assert (
            len([each for each in machine.known() if each.own and each.extent == machine.here]) == 1
        )
        for now in TIMES:
            wanted = holding(other.known(), machine.here, START + now)
            found = holding(machine.known(), machine.here, START + now)
            assert found is not None
            assert (found.intent.mode is Mode.AUTO) if wanted is None else (found.id == wanted.id)


OWN = asked("own", LB1, Intent(Mode.DRAINING, "root", START + 50, "roll"), (), own=True)
OTHER = asked("other", LB1, Intent(Mode.DRAINING, "root", START, "other"), (), own=True)
SAME_WORDS = asked("same", LB1, Intent(Mode.DRAINED, "ann", START, "roll"), ())


def test_what_it_overrules() -> None:
    """It overrules only what was asked as its own for the same reason: neither another program's, nor an operator's of the same words."""
    restore = Intent(Mode.AUTO, "root", START + 60, "roll")
    assert asked("x", LB1, restore, [OWN, OTHER, SAME_WORDS], own=True).seen == ("own",)
    assert {*asked("x", LB1, restore, [OWN, OTHER, SAME_WORDS]).seen} == {"own", "other", "same"}


@pytest.mark.parametrize("extent", [LB1, PAR], ids=str)
@pytest.mark.parametrize(
    ("mode", "holds"),
    [
        (Mode.DRAINED, True),
        (Mode.DRAINING, True),
        (Mode.FORCED, False),
        (Mode.AUTO, False),
        (Mode.RETURNING, False),
    ],
)
def test_beside_an_operators_word(extent: Extent, mode: Mode, *, holds: bool) -> None:
    """Beside an operator's drain, of either kind and however old or wide, it changes nothing; what else one asked drains for its time."""
    word = asked("word", extent, Intent(mode, "ann", START), ())
    for known in ([OWN, word], [word, OWN]):
        assert holding(known, LB1, START + 100) == (word if holds else OWN)
    restored = asked(
        "back", LB1, Intent(Mode.AUTO, "root", START + 60, "roll"), [word, OWN], own=True
    )
    assert holding(merged([word, OWN], [restored]), LB1, START + 100) == word


def test_folded_apart() -> None:
    """Where very many stand side by side, an operator's drain is not made one with a program's, which that would take back."""
    words = [
        asked(str(n), LB1, Intent(Mode.DRAINING, f"u{n}", START + n), ())
        for n in range(MAX_STANDING)
    ]
    kept = folded([*words, OWN])
    assert {each.own for each in kept} == {True, False}
    restored = asked("back", LB1, Intent(Mode.AUTO, "root", START + 60, "roll"), kept, own=True)
    found = holding(merged(kept, [restored]), LB1, START + 100)
    assert found is not None
    assert found.intent.owner == f"u{MAX_STANDING - 1}"
