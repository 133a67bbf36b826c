"""Looks for inputs that break a parser: `./dev fuzz [--number N] [SECONDS] [PARSER…]`.

Each processor has a process for one parser after the other, which get the same share of the time.
What breaks one is made as short as it can be, printed, and kept in .cache/fuzz: moved from there to
tests/tools/fuzz/kept/PARSER/, tests/unit/test_fuzz.py tries it for ever.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import multiprocessing
import os
import secrets
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tests.tools.fuzz.look import look_alone
from tests.tools.fuzz.parsers import all_parsers

if TYPE_CHECKING:
    from tests.tools.fuzz.look import Look

FOUND = Path(__file__).parents[3] / ".cache" / "fuzz"
KEPT = Path("tests/tools/fuzz/kept")


def main(arguments: list[str]) -> int:
    """Look, say what was found, and return the exit status: 1 where something was."""
    asked = _asked(arguments)
    seconds, names = asked.seconds, asked.parsers
    processes = max(1, os.cpu_count() or 1)
    share = seconds * min(processes, len(names)) / len(names)
    with ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        looks = [pool.submit(look_alone, name, share, asked.number) for name in names]
        broken = 0
        for each in looks:
            found = each.result()
            print(f"{found.name}: {found.tried} inputs", flush=True)
            if found.broken_by is not None:
                broken += 1
                _tell(found, found.broken_by)
    print(f"{len(names) - broken} passed, {broken} failed; --number {asked.number}")
    return 1 if broken else 0


def _asked(arguments: list[str]) -> argparse.Namespace:
    known = [*all_parsers()]
    usage = argparse.ArgumentParser(
        "./dev fuzz",
        description="Look for inputs that break a parser of outside text.",
        epilog="PARSERS: " + ", ".join(known),
    )
    usage.add_argument(
        "seconds", metavar="SECONDS", nargs="?", default=60.0, type=_seconds, help="in all (60)"
    )
    usage.add_argument(
        "--number",
        type=int,
        default=secrets.randbits(32),
        help="begins the random numbers: the same one gives the same inputs (any)",
    )
    usage.add_argument("parsers", metavar="PARSER", nargs="*", help="which ones (all)")
    asked = usage.parse_args(arguments)
    if unknown := [name for name in asked.parsers if name not in known]:
        usage.error(f"PARSER: {unknown[0]}: not known; one of {', '.join(known)}")
    asked.parsers = asked.parsers or known
    return asked


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < math.inf:
        raise ValueError(text)
    return seconds


_seconds.__name__ = "number of seconds"  # for the error


def _tell(found: Look, data: bytes) -> None:
    path = FOUND / found.name / hashlib.sha256(data).hexdigest()[:12]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    print(found.how)
    print(f"{found.name}: broken by {data[:2000]!r}{' …' * (len(data) > 2000)}")
    print(
        f"{found.name}: it is in {path}; to try it for ever: mv it to {KEPT / found.name}/",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
