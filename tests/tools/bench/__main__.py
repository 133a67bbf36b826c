"""Prints each budget with what was measured: medians, spread, and the ratio to the budget."""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.support.lab.dns import DnsServer, records
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.inside import inside
from tests.support.lab.netns import Network
from tests.support.lab.requirements import require
from tests.tools.bench import bulk, checks, frr, kernel, own
from tests.tools.bench.bulk import UP
from tests.tools.bench.dc import DataCentre, cpu_seconds, quiet
from tests.tools.bench.row import Row

RESTING = 1_000
NAMED = "vip-2.tld"
ROWS_OF_NO_FLAVOUR = {
    "frr": frr.bench,
    "own": own.own_part,
    "reload": own.reloaded,
    "kernel": kernel.bench,
    "checks": checks.bench,
}
ROWS = ["bulk", "all", "drain", "rest", "death", *ROWS_OF_NO_FLAVOUR]


def drain(flavour: Flavour, rounds: int) -> Iterator[Row]:
    """From the start of `vip_mgmt -d NAME` to the loss at the peer, among 1,000 prefixes."""
    addresses = "A 198.51.0.2", "AAAA 2001:db8::3"
    answers = {f"{NAMED} {a.split()[0]}": records(f"{NAMED}. {a}") for a in addresses}
    with Network() as network, ExitStack() as stack:
        dc = DataCentre(network, "dc", flavour)
        with inside(dc.host):
            server = stack.enter_context(DnsServer(answers))
        address, port = server.endpoint
        resolver = {"node": {"resolver": f"{address}:{port}"}}
        config = dc.configure(RESTING // 2, "none", "1s", resolver)
        running = dc.reconciler(config)
        dc.until(RESTING)
        for name, what, gone in (("198.51.0.1", "an address", 1), (NAMED, "a name", 2)):
            lost, whole = [], []
            for _ in range(rounds):
                quiet(running)
                started = time.monotonic()
                command = dc.host.spawn(mgmt(config, "-d", name), log="mgmt.log")
                dc.until(RESTING - gone)
                lost.append(time.monotonic() - started)
                if command.wait(10) != 0:
                    raise RuntimeError(command.log())
                whole.append(time.monotonic() - started)
                dc.mgmt(config, "-a", name)
                dc.until(RESTING)
            note = f"until it returned {statistics.median(whole):.2f} s"
            title = f"{flavour}: vip_mgmt -d of {what} until the peer lost it"
            yield Row(title, tuple(lost), 0.3, "s", note)


def mgmt(config: Path, *arguments: str) -> list[str]:
    """Return a vip_mgmt command."""
    return [str(Path(sys.executable).parent / "vip_mgmt"), "--config", str(config), *arguments]


def rest(flavour: Flavour, seconds: float) -> Iterator[Row]:
    """CPU and memory of the watchdog at rest with 1,000 VIPs."""
    with Network() as network:
        dc = DataCentre(network, "dc", flavour)
        config = dc.configure(RESTING, "tcp", "1s")
        realserver = dc.realserver()
        os.kill(realserver, UP)
        running = dc.reconciler(config)
        dc.until(2 * RESTING)
        quiet(running)
        (pid,) = running.helpers()
        before, started = cpu_seconds(pid), time.monotonic()
        eventually(lambda: time.monotonic() - started >= seconds, within=2 * seconds, what="rest")
        share = 100 * (cpu_seconds(pid) - before) / (time.monotonic() - started)
        yield Row(f"{flavour}: at rest, {RESTING} dual-stack VIPs, CPU", (share,), 2, "% of a core")
        yield Row(
            f"{flavour}: at rest, {RESTING} dual-stack VIPs, memory", (memory(pid),), 70, "MB"
        )


def memory(pid: int) -> float:
    """Return a process's resident memory, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmRSS:"))
    return int(kilobytes) / 1000


def main() -> int:
    """Measure, print, and return 1 where a budget does not hold."""
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--flavour", choices=["v4", "v5"], action="append")
    parser.add_argument("--only", choices=ROWS, action="append")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # installed modules are compiled once
    flavours: list[Flavour] = options.flavour or ["v5", "v4"]
    require("bird", flavours=tuple(flavours))
    wanted = options.only or ROWS
    good = True
    for flavour in flavours:
        rows = {
            "bulk": partial(bulk.bulk, flavour, options.rounds),
            "all": partial(bulk.all_drained, flavour, options.rounds),
            "drain": partial(drain, flavour, options.rounds),
            "rest": partial(rest, flavour, 20.0),
            "death": partial(own.whole, flavour, options.rounds),
        }
        for name, measured in rows.items():
            if name in wanted:
                good = shown(measured()) and good
    for name, bench in ROWS_OF_NO_FLAVOUR.items():
        if name in wanted:
            good = shown(bench(options.rounds)) and good
    return 0 if good else 1


def shown(rows: Iterable[Row]) -> bool:
    """Print rows as they are measured; return whether all budgets hold."""
    good = True
    for row in rows:
        print(row, flush=True)
        good = good and row.holds
    return good


if __name__ == "__main__":
    sys.exit(main())
