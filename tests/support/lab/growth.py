"""Owns counting: how much more is done for four times as many."""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import policy
import speaker
from tests.support.fakes.virtual_time import BESIDE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_STEP = asyncio.Handle._run.__code__
_OURS = tuple(path for package in (policy, speaker) for path in package.__path__)
SIZE = 200
TIMES = 4
LIMIT = 1.1 * TIMES
"""Four times the prefixes may take a little over four times the calls: sorting is no fault."""


@dataclass
class Work:
    """How many functions were called: in all, and in the longest step of an event loop.

    `own` are those that our own functions are or call, but for what runs in a thread beside the loop;
    `own_longest` are those of them in the longest step.
    """

    calls: int = 0
    longest: int = 0
    step: int = 0
    own: int = 0
    own_step: int = 0
    own_longest: int = 0


@contextmanager
def counting() -> Iterator[Work]:
    """Count the functions that are called, Python's and C's, in this thread and in new ones.

    It is the same number on any machine, however busy. Comparing and hashing our own values are
    calls too, so a prefix that is looked up in a list counts once for each that it is compared with.
    """
    work = Work()
    beside = False

    def note(frame: FrameType, event: str, argument: Any) -> None:
        del argument
        nonlocal beside
        if frame.f_code is BESIDE and event in {"call", "return"}:
            beside = event == "call"
        if event == "call" and frame.f_code is _STEP:
            work.step = work.own_step = 0
        elif event in {"call", "c_call"}:
            work.calls += 1
            if not beside:
                work.step += 1
                work.longest = max(work.longest, work.step)
            if not beside and frame.f_code.co_filename.startswith(_OURS):
                work.own += 1
                work.own_step += 1
                work.own_longest = max(work.own_longest, work.own_step)

    before = sys.getprofile()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield work
    finally:
        sys.setprofile(before)
        threading.setprofile(before)


def assert_linear(measure: Callable[[int], Work], size: int = SIZE) -> None:
    """Fail where four times as many take more than four times the work.

    Args:
        measure: does the work for so many prefixes, and returns what of it was counted.
        size: the smaller number.
    """
    __tracebackhide__ = True
    measure(2)  # what is done once in a process, such as importing, is done now
    few, many = (measure(count).calls for count in (size, TIMES * size))
    assert few >= size, f"{few} calls for {size} prefixes: nothing was done for each"
    assert many <= LIMIT * few, (
        f"{few} calls for {size} prefixes, {many} for {TIMES * size}: "
        f"{many / few:.1f} times the work for {TIMES} times the prefixes"
    )


def assert_steps(measure: Callable[[int], Work], size: int) -> None:
    """Fail where a step of the event loop is longer for four times as many.

    Args:
        measure: as for `assert_linear`.
        size: the smaller number: more than are worked on in a step.
    """
    __tracebackhide__ = True
    measure(2)  # what is done once in a process, such as importing, is done now
    few, many = (measure(count).longest for count in (size, TIMES * size))
    assert few, "no step was seen"
    assert many <= 1.1 * few, (
        f"{few} calls in the longest step for {size} prefixes, {many} for {TIMES * size}: "
        "others wait for all of it"
    )
