"""Owns waiting: a condition with a deadline, never a bare sleep."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
SLOW = 6
"""How many times as slow as an idle machine a busy one may be. What is well never waits for so long."""


def eventually(
    check: Callable[[], T],
    *,
    within: float,
    what: str,
    until: Callable[[T], object] = bool,
    every: float = 0.01,
) -> T:
    """Call `check` until it holds, and return what it gave.

    A `check` may read a value (with `until` to judge it, so that a failure can
    say what was seen instead) or may assert: an AssertionError means not yet.

    Args:
        check: reads the state of the world once; must be quick.
        within: seconds until it is a failure, on an idle machine.
        what: the awaited state in words, for the failure's message.
        until: whether a value read by `check` is the awaited one.
        every: seconds between two looks.

    Raises:
        AssertionError: the deadline has passed; says what was last seen.
    """
    __tracebackhide__ = True
    deadline = time.monotonic() + SLOW * within
    while True:
        try:
            value = check()
        except AssertionError as error:
            seen = str(error)
        else:
            if until(value):
                return value
            seen = repr(value)
        if time.monotonic() >= deadline:
            message = f"not within {SLOW * within:g} s: {what}; last seen: {seen}"
            raise AssertionError(message)
        time.sleep(every)
