"""Owns counting: how much more is done for four times as many."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

SIZE = 200
TIMES = 4
LIMIT = 1.1 * TIMES
"""Four times the prefixes may take a little over four times the calls: sorting is no fault."""


@dataclass
class Work:
    """How many functions were called."""

    calls: int = 0


@contextmanager
def counting() -> Iterator[Work]:
    """Count the functions that are called, Python's and C's, in this thread and in new ones.

    It is the same number on any machine, however busy. Comparing and hashing our own values are
    calls too, so a prefix that is looked up in a list counts once for each that it is compared with.
    """
    work = Work()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        del frame, argument
        work.calls += event in {"call", "c_call"}

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
    few, many = (measure(count).calls for count in (size, TIMES * size))
    assert few >= size, f"{few} calls for {size} prefixes: nothing was done for each"
    assert many <= LIMIT * few, (
        f"{few} calls for {size} prefixes, {many} for {TIMES * size}: "
        f"{many / few:.1f} times the work for {TIMES} times the prefixes"
    )
