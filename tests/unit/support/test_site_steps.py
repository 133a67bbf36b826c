"""The steps of a seed are the same each time, have as many faults as asked, and each that lasts is healed by its own."""

from __future__ import annotations

import pytest

from tests.support.site_steps import ALIKE, BREAKS, CALM, ONCE, Step, steps

MACHINES = ("par1/lb1", "par1/lb2", "lyo1/lb1", "lyo1/lb2")


def made(seed: int, faults: int = 200) -> list[Step]:
    return steps(seed, faults, MACHINES, ("par1", "lyo1"), ("m1", "m2", "m3"), ("192.0.2.1/32",))


def test_replay() -> None:
    """A seed makes the same steps, another one others; they come to an end with a calm."""
    assert made(1) == made(1)
    assert made(1) != made(2)
    assert sum(step.is_fault for step in made(1)) == 200
    assert made(1)[-1].what == "calm"


@pytest.mark.parametrize("seed", range(20))
def test_what_is_broken_is_healed_once(seed: int) -> None:
    """Nothing is broken twice, or by two kinds at one link or member; nothing is healed that is well; a calm comes after a few."""
    broken: set[tuple[str, tuple[str, ...]]] = set()
    since = 0
    for step in made(seed):
        since = 0 if step.what == "calm" else since + 1
        assert since <= CALM
        if step.what == "calm":
            broken.clear()
        elif step.what in BREAKS:
            alike = next((kinds for kinds in ALIKE if step.what in kinds), (step.what,))
            assert not any((what, step.on) in broken for what in alike)
            broken.add((step.what, step.on))
        elif step.what in BREAKS.values():
            broken.remove((next(w for w, by in BREAKS.items() if by == step.what), step.on))


def test_each_kind_comes() -> None:
    """A few seeds have every kind of fault."""
    assert {step.what for seed in range(3) for step in made(seed) if step.is_fault} == {
        *BREAKS,
        *ONCE,
    }
