"""Owns the rule of every parser: whatever comes, a value or a typed error, in time that grows with its length."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS, EACH = 1.0, 20e-6
"""Processor time for any input, and in addition for each byte: ten times what a parser that is linear
takes. One whose time grows with the square of 65,536 takes longer by far."""
MAX_ERROR, ERROR_EACH = 10_000, 40
"""Characters of an error, and in addition for each byte of the input."""


class TooSlowError(BaseException):
    """It takes more processor time than it may. No handler of exceptions takes it for another one."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Interrupt what takes longer: of processor time, which other programs do not shorten."""

    def stop(*_: object) -> None:
        raise TooSlowError(f"not done after {seconds:.2f} s of processor time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def hold(read: Callable[[bytes], object], data: bytes) -> None:
    """Have a parser read an input, and see that it keeps the rule.

    Raises:
        Exception: it does not: what it raised that is no typed error, or what is wrong with that.
        TooSlowError: it took too long.
    """
    try:
        with within(SECONDS + EACH * len(data)):
            read(data)
    except (SpeakerError, PolicyError) as error:
        if len(str(error)) > MAX_ERROR + ERROR_EACH * len(data):
            raise AssertionError(f"an error of {len(str(error))} characters") from error
