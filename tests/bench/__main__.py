"""Prints each budget with what was measured: medians, spread, and the ratio to the budget."""

import argparse
import os
import signal
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial
from ipaddress import ip_address
from pathlib import Path

from policy.plan import Announce, Change, Withdraw
from policy.route import Asn, AsPath, Attributes, Route, parse_prefix
from speaker.backends.exabgp_neighbors import Neighbor
from speaker.backends.exabgp_text import render
from speaker.settings import NextHop
from tests.bench import frr, kernel, own
from tests.bench.dc import DataCentre, timed
from tests.bench.row import Row
from tests.lab.eventually import eventually
from tests.lab.exabgp import ExaBgp, Flavour
from tests.lab.netns import Network
from tests.lab.requirements import require

PREFIXES = 10_000
RESTING = 1_000
REST = 12.0
"""Longer than a change of all prefixes is read back and sent again, where it follows on another."""
ROWS_OF_NO_FLAVOUR = {"frr": frr.bench, "own": own.own_part, "kernel": kernel.bench}
ROWS = ["bulk", "drain", "rest", "death", *ROWS_OF_NO_FLAVOUR]
UP, DOWN = signal.SIGUSR1, signal.SIGUSR2


def bulk(flavour: Flavour, rounds: int) -> Iterator[Row]:
    """10,000 prefixes, until the far peer has them, against a bare helper, turn by turn."""
    with Network() as network:
        ours, bare = (DataCentre(network, label, flavour) for label in ("ours", "bare"))
        config = ours.configure(PREFIXES // 2, "tcp", "20ms")
        realserver = ours.realserver()
        running = ours.watchdog(config)
        settled(ours, running)
        compared, helper = bare_helper(bare)
        times: dict[tuple[str, signal.Signals], list[float]] = {}
        rested = time.monotonic()
        for _ in range(rounds):
            for number, count in ((UP, PREFIXES), (DOWN, 0)):
                for name, dc, exabgp, pid in (
                    ("ours", ours, running, realserver),
                    ("bare", bare, compared, helper),
                ):
                    if name == "ours":
                        at_rest(rested)
                    quiet(exabgp)
                    taken = timed(number, pid, partial(dc.until, count))
                    times.setdefault((name, number), []).append(taken)
                    if name == "ours":
                        rested = time.monotonic() + REST
                    quiet(exabgp)
        for number, what in ((UP, "announced"), (DOWN, "withdrawn")):
            pairs = zip(times["ours", number], times["bare", number], strict=True)
            note = (
                f"ours {statistics.median(times['ours', number]):.2f} s, "
                f"bare {statistics.median(times['bare', number]):.2f} s"
            )
            title = f"{flavour}: {PREFIXES} prefixes {what}, against a bare helper"
            yield Row(title, tuple(a / b for a, b in pairs), 1.15, "x", note)


def at_rest(when: float) -> None:
    """Wait until the watchdog has long read its last change back, and doubts none of it."""
    eventually(lambda: time.monotonic() >= when, within=2 * REST, what="rest")


def bare_helper(dc: DataCentre) -> tuple[ExaBgp, int]:
    """Start ExaBGP with the bare helper, which has the lines that we would write; return its id too."""
    neighbor = Neighbor(
        ip_address(dc.link.a.ipv4),
        ip_address(dc.link.b.ipv4),
        Asn(64699),
        Asn(64500),
        frozenset({4, 6}),
        frozenset({"speaker"}),
    )
    attributes = Attributes(AsPath.originated(Asn(64699), 1), 0)
    half = PREFIXES // 2
    prefixes = [
        *(parse_prefix(f"198.51.{n // 256}.{n % 256}") for n in range(half)),
        *(parse_prefix(f"2001:db8::{n + 1:x}") for n in range(half)),
    ]
    hops = NextHop(ipv6=ip_address(dc.next_hop))  # type: ignore[arg-type]
    files = []
    for name, changes in (
        ("announce", [Announce(Route(prefix, attributes)) for prefix in prefixes]),
        ("withdraw", [Withdraw(prefix) for prefix in prefixes]),
    ):
        path = dc.folder / name
        ordered: list[Change] = [*changes]
        path.write_text("".join(f"{line.text}\n" for line in render(ordered, [neighbor], hops)))
        files.append(str(path))
    script = Path(__file__).with_name("bare.py")
    exabgp = dc.exabgp([sys.executable, str(script), *files])
    return exabgp, exabgp.helpers()[0]


def drain(flavour: Flavour, rounds: int) -> Iterator[Row]:
    """From the start of `vip_mgmt -d NAME` to the loss at the peer, among 1,000 VIPs."""
    with Network() as network:
        dc = DataCentre(network, "dc", flavour)
        config = dc.configure(RESTING // 2, "none", "1s")
        running = dc.watchdog(config)
        dc.until(RESTING)
        quiet(running)
        lost, whole = [], []
        for _ in range(rounds):
            started = time.monotonic()
            command = dc.host.spawn(mgmt(config, "-d", "198.51.0.1"), log="mgmt.log")
            dc.until(RESTING - 1)
            lost.append(time.monotonic() - started)
            if command.wait(10) != 0:
                raise RuntimeError(command.log())
            whole.append(time.monotonic() - started)
            dc.mgmt(config, "-a", "198.51.0.1")
            dc.until(RESTING)
            quiet(running)
        note = f"until it returned {statistics.median(whole):.2f} s"
        yield Row(f"{flavour}: vip_mgmt -d until the peer lost it", tuple(lost), 0.5, "s", note)


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
        running = dc.watchdog(config)
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


def cpu_seconds(pid: int) -> float:
    """Return the seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """Return a process's resident memory, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmRSS:"))
    return int(kilobytes) / 1000


def quiet(exabgp: ExaBgp) -> None:
    """Wait until ExaBGP and its helper have been idle for a moment."""
    pids = [exabgp.pid, *exabgp.helpers()]
    seen: list[tuple[float, float]] = []

    def idle() -> bool:
        now = (time.monotonic(), sum(map(cpu_seconds, pids)))
        seen.append(now)
        past = [used for when, used in seen if now[0] - 1.5 <= when <= now[0] - 1.0]
        return bool(past) and now[1] - past[0] < 0.5

    eventually(idle, within=60, what="ExaBGP idle", every=0.1)


def settled(dc: DataCentre, exabgp: ExaBgp) -> None:
    """Wait until the watchdog has sent everything again after the session came up."""
    log = "started: dc"
    eventually(lambda: log in exabgp.log(), within=20, what="the watchdog's start")
    started = time.monotonic()
    eventually(lambda: time.monotonic() - started > 11, within=20, what="the settling time")
    dc.until(0)
    quiet(exabgp)


def main() -> int:
    """Measure, print, and return 1 where a budget does not hold."""
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--flavour", choices=["v4", "v5"], action="append")
    parser.add_argument("--only", choices=ROWS, action="append")
    options = parser.parse_args()
    flavours: list[Flavour] = options.flavour or ["v5", "v4"]
    require("bird", flavours=tuple(flavours))
    wanted = options.only or ROWS
    good = True
    for flavour in flavours:
        rows = {
            "bulk": partial(bulk, flavour, options.rounds),
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
