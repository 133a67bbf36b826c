"""Puts one fault after the other into a copy of the code, and has the tests of its rules catch each.

Exit status 0 where each fault was caught and the same tests pass without any, 1 otherwise.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from tests.tools.mutants.faults import FAULTS, SUITES, Fault

ROOT = Path(__file__).resolve().parents[3]
COPIED = ("policy", "speaker", "tests", "pyproject.toml")
MUTATED = ("policy", "speaker/backends/exabgp", "speaker/backends/quagga", "speaker/state")
LEFT_OUT = shutil.ignore_patterns("golden", "migration", "bench", "live", "daemons", "kernel")
AT_ONCE = 2
QUICKLY, DAILY = "mutants", "ci"
RULES = ("-k", "not the_page")  # pages are not copied, and prove no rule
TEST_FAILED = 1  # pytest's exit status; 2 and more are no test's verdict
CAUGHT = re.compile(r"^FAILED (.+?)(?: - |$)", re.MULTILINE)


def copy(place: Path) -> None:
    """Copy what the tests need. Compiled files come along: their sources keep their times."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=LEFT_OUT)
        else:
            shutil.copy2(source, place / name)


def put(fault: Fault | None, place: Path) -> None:
    """Make the code of a copy as it is, with a fault or without.

    Raises:
        ValueError: the fault's text is not in its file exactly once.
    """
    for name in MUTATED:
        shutil.rmtree(place / name)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, place / name, ignore=ignored)
    if fault is None:
        return
    path = place / fault.path
    text = path.read_text()
    if text.count(fault.old) != 1:
        raise ValueError(
            f"fault: {fault.name}: {fault.old!r} is {text.count(fault.old)} times in "
            f"{fault.path}; give a text that is there once"
        )
    path.write_text(text.replace(fault.old, fault.new))


def run(place: Path, suites: tuple[str, ...], profile: str) -> subprocess.CompletedProcess[str]:
    """Run property tests in a copy until the first fails, looking as hard as a profile of Hypothesis does."""
    files = [f"tests/{suite if '/' in suite else f'property/{suite}'}.py" for suite in suites]
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-rf",
            "-p",
            "no:cacheprovider",
            *RULES,
            *files,
        ],
        cwd=place,
        env=os.environ | {"HYPOTHESIS_PROFILE": profile},
        capture_output=True,
        text=True,
        check=False,
    )


def judge(fault: Fault | None, place: Path) -> tuple[bool, str]:
    """Say whether what must happen did, and in a line what did."""
    begin = time.monotonic()
    put(fault, place)
    done = run(place, SUITES if fault is None else fault.suites, QUICKLY)
    if fault is not None and done.returncode == 0:  # which examples are drawn, the library decides
        done = run(place, fault.suites, DAILY)
    took = f"{time.monotonic() - begin:.1f} s"
    caught = CAUGHT.search(done.stdout)
    if fault is None:
        good = done.returncode == 0
        return good, "no fault: " + (f"all pass ({took})" if good else f"FAILS\n{done.stdout}")
    if done.returncode == 0:
        return False, f"{fault.name}: NOT CAUGHT by {', '.join(fault.suites)}"
    if done.returncode != TEST_FAILED or caught is None:
        return False, f"{fault.name}: no verdict, exit status {done.returncode}\n{done.stdout}"
    return True, f"{fault.name}: caught by {caught[1].removeprefix('tests/')} ({took})"


def main() -> int:
    """Judge all, two at a time."""
    with ExitStack() as stack:
        places: SimpleQueue[Path] = SimpleQueue()
        for _ in range(AT_ONCE):
            place = Path(stack.enter_context(TemporaryDirectory(prefix="mutants-")))
            copy(place)
            places.put(place)

        def one(fault: Fault | None) -> bool:
            place = places.get()
            try:
                good, line = judge(fault, place)
            finally:
                places.put(place)
            print(line, flush=True)
            return good

        with ThreadPoolExecutor(AT_ONCE) as pool:
            results = list(pool.map(one, [None, *FAULTS]))
    bad = results.count(False)
    print(f"{len(FAULTS)} faults: {f'{bad} not as it must be' if bad else 'all caught'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
