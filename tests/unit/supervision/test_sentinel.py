"""The thread that ends a process which can't end itself, where that is safe; and the pulse that it feels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speaker.supervision.pulse import SHORTEST, STILL, STILL_EACH, Pulse
from speaker.supervision.sentinel import AGAIN, ENDING, YOUNG, Sentinel

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Time as a test sets it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def wall(self) -> float:
        return self.now

    def steady(self) -> float:
        return self.now


class World:
    """A sentinel over a process that stands still, or not."""

    def __init__(self, started_again: str = "ExaBGP") -> None:
        self.clock = Clock()
        self.still: float | None = None
        self.left: list[float] = []
        self.alive = 0
        self.sentinel = Sentinel(
            lambda: self.still,
            lambda: self.left.append(self.clock.now),
            started_again=started_again,
            alive=self._count,
            steady=self.clock.steady,
        )

    def _count(self) -> None:
        self.alive += 1

    def pass_seconds(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.clock.now += 1
            self.sentinel.look()


@pytest.fixture
def world() -> Callable[..., World]:
    return World


def test_moves(world: Callable[..., World]) -> None:
    """A process that moves is left alone."""
    it = world()
    it.pass_seconds(10 * YOUNG)
    assert it.left == []
    assert it.alive == 10 * YOUNG


def test_still(world: Callable[..., World], caplog: pytest.LogCaptureFixture) -> None:
    """One that stands still ends itself, and says so, with the place where it stands."""
    it = world()
    it.pass_seconds(YOUNG)
    it.still = 61.0
    it.sentinel.look()
    assert len(it.left) == 1
    assert "cycles make no progress for 61 s" in caplog.text
    assert "ended, ExaBGP starts it again" in caplog.text
    assert "the main thread is at " in caplog.text


def test_young(world: Callable[..., World], caplog: pytest.LogCaptureFixture) -> None:
    """One that has just been started does not: ExaBGP ends with its process's fifth end in 64 s."""
    it = world()
    it.still = 61.0
    it.pass_seconds(YOUNG - 1)
    assert it.left == []
    assert caplog.text.count("not ended yet") == pytest.approx(YOUNG / AGAIN, abs=1)
    it.pass_seconds(1)
    assert len(it.left) == 1
    assert YOUNG > 64


def test_nobody_starts_it_again(
    world: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    """Where nobody is known to start it again, it only says so, once a minute."""
    it = world("")
    it.pass_seconds(YOUNG)
    it.still = 61.0
    it.pass_seconds(2 * AGAIN)
    assert it.left == []
    assert caplog.text.count("restart it") == 2


def test_an_end_that_does_not_come(
    world: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    """A process that is told to end does, in time, young or not, whoever starts it again."""
    for it in (world(), world("")):
        it.sentinel.ending()
        it.pass_seconds(ENDING - 1)
        assert it.left == []
        it.pass_seconds(1)
        assert len(it.left) == 1
    assert caplog.text.count("shutdown takes longer") == 2


@pytest.mark.parametrize("interval", [0.1, 1.0, 60.0])
def test_pulse(interval: float) -> None:
    """The age counts from the last completed cycle; a step of a cycle that ended is a move, too."""
    clock = Clock()
    pulse = Pulse(clock)
    clock.now += 1e6
    assert (pulse.age, pulse.old(interval), pulse.still(interval, 1)) == (None, "", None)
    limit, longest = max(10 * interval, SHORTEST), max(10 * interval, STILL + 100 * STILL_EACH)
    pulse.start()
    clock.now += limit
    assert (pulse.age, pulse.old(interval)) == (None, "")
    clock.now += 1
    assert pulse.old(interval) == f"none completed since the start, {limit + 1:.0f} s ago"
    pulse.completed()
    assert (pulse.age, pulse.old(interval)) == (0.0, "")
    clock.now += longest + 1
    pulse.moved()
    assert pulse.age == longest + 1
    assert pulse.old(interval) == f"none completed for {longest + 1:.0f} s"
    assert pulse.still(interval, 100) is None
    clock.now += longest
    assert pulse.still(interval, 100) is None
    clock.now += 1
    assert pulse.still(interval, 100) == longest + 1
