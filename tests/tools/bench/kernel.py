"""On a real kernel: from a realserver's removal from IPVS to the route's loss at the peer.

Measured in a guest, where a system call takes some fifty times as long, and keepalived, the
watchdog, ExaBGP and BIRD share one processor. So the budget is held to the median there.
"""

import json
import sys
from collections.abc import Iterator

from tests.kernel.delay import stage
from tests.support.guest.boot import PROGRAMS, run
from tests.support.lab.requirements import require
from tests.tools.bench.own import p99
from tests.tools.bench.row import Row

COUNTS = (1, 1_000)
EACH = 5
"""Deaths a round."""
INTERVAL = 1.0
BUDGET = 100.0
"""Milliseconds."""
_ROW = "row "


def bench(rounds: int) -> Iterator[Row]:
    """Measure in a guest."""
    require(*PROGRAMS)
    for count in COUNTS:
        argv = [sys.executable, "-m", "tests.bench.kernel", str(count), str(rounds * EACH)]
        outcome = run(argv, within=900, env={"LC_ALL": "C.UTF-8"})
        if outcome.status:
            raise RuntimeError(f"measuring in a guest: {outcome.status}:\n{outcome.stderr}")
        for line in outcome.stdout.splitlines():
            if line.startswith(_ROW):
                yield _row(count, *json.loads(line.removeprefix(_ROW)))


def _row(count: int, times: list[float], fifo: bool) -> Row:  # noqa: FBT001 - from JSON
    way = "with the fifo" if fifo else f"every {INTERVAL:g} s"
    what = f"in a guest: removal to loss at the peer, {count} VIPs, {way}"
    budget = BUDGET if fifo else 1000 * INTERVAL + BUDGET
    return Row(what, tuple(times), budget, "ms", f"p99 {p99(times):.0f} ms")


def main(count: int, deaths: int) -> None:
    """Measure, inside the guest, and write a line for each row."""
    with stage("exabgp v5", count, f"{INTERVAL:g}s") as made:
        for fifo in (True, False):
            made.keepalived(fifo=fifo)
            times = [1000 * seconds for seconds in made.losses(deaths, rest=1.5, within=INTERVAL)]
            print(f"{_ROW}{json.dumps([times, fifo])}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
