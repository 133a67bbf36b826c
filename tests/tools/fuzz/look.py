"""Owns the looking: inputs for one parser, in a process of its own, until one breaks it or time is over."""

from __future__ import annotations

import os
import resource
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from tests.tools.fuzz.mutate import Mutations, shortened
from tests.tools.fuzz.parsers import all_parsers
from tests.tools.fuzz.rule import TooSlowError, hold

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.tools.fuzz.parsers import Parser

MEMORY = 1 << 30
"""Bytes that a parser may take in addition: none of its inputs has more than 65,536."""
SHORTEN = 30.0
"""For how long to make an input shorter, in seconds."""


@dataclass(frozen=True, slots=True)
class Look:
    """What came of looking: how many inputs were tried; what broke it, and how, where something did."""

    name: str
    tried: int
    broken_by: bytes | None = None
    how: str = ""


def look_alone(name: str, seconds: float, number: int) -> Look:
    """Do as `look`, in a process of its own, whose memory is bounded."""
    parser = all_parsers()[name]
    with parser.ready() as read:  # what is imported when it is first needed, is now
        for data in parser.seeds:
            hold(read, data)
    _bound_memory()
    return look(parser, seconds, number)


def look(parser: Parser, seconds: float, number: int) -> Look:
    """Try inputs on a parser for so long, or until one breaks it.

    Args:
        parser: which.
        seconds: how long.
        number: begins the random numbers: the same one gives the same inputs.
    """
    with parser.ready() as read:
        mutations = Mutations(parser.seeds, Random(number))
        until, tried = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            data, tried = mutations.next(), tried + 1
            if fault := _fault(read, data):
                if not _place(fault):  # too slow, and so would be each try of a shorter one
                    return Look(parser.name, tried, data, fault)
                short = shortened(data, lambda less: _same(fault, _fault(read, less)), SHORTEN)
                return Look(parser.name, tried, short, _fault(read, short))
    return Look(parser.name, tried)


def _fault(read: Callable[[bytes], object], data: bytes) -> str:
    """Return how an input breaks a parser, nothing where it does not."""
    try:
        hold(read, data)
    except TooSlowError as error:
        return str(error)
    except Exception:  # noqa: BLE001 - whatever it is, it is told
        return traceback.format_exc()
    return ""


def _same(one: str, other: str) -> bool:
    """Tell whether two faults are of one place."""
    return bool(other) and _place(one) == _place(other)


def _place(fault: str) -> list[str]:
    return [line for line in fault.splitlines() if line.startswith("  File ")][-1:]


def _bound_memory() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
