"""All prefixes at once: announced, withdrawn and drained, against a bare helper that is given the lines."""

import signal
import statistics
import sys
import time
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_address
from pathlib import Path

from policy.plan import Announce, Change, Withdraw
from policy.route import Asn, AsPath, Attributes, Route, parse_prefix
from speaker.backends.exabgp.lines import render
from speaker.backends.exabgp.neighbors import ConfiguredNeighbor, ConfiguredNeighbors
from speaker.config.settings import NextHop
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import ExaBgp, Flavour
from tests.support.lab.netns import Network
from tests.tools.bench.dc import BIN, DataCentre, quiet, timed
from tests.tools.bench.row import Row

PREFIXES = 10_000
REST = 12.0
"""Longer than a change of all prefixes is read back and sent again, where it follows on another."""
UP, DOWN = signal.SIGUSR1, signal.SIGUSR2


def bulk(flavour: Flavour, rounds: int) -> Iterator[Row]:
    """10,000 prefixes, until the far peer has them, against a bare helper, turn by turn."""
    with Network() as network:
        ours, bare = (DataCentre(network, label, flavour) for label in ("ours", "bare"))
        config = ours.configure(PREFIXES // 2, "tcp", "20ms")
        realserver = ours.realserver()
        running = ours.reconciler(config)
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
            yield Row(title, tuple(a / b for a, b in pairs), 1.1, "x", note)


def all_drained(flavour: Flavour, rounds: int) -> Iterator[Row]:
    """From the start of `vip_mgmt -d all` to the first loss at the peer, and to the last, turn by turn."""
    with Network() as network:
        ours, bare = (DataCentre(network, label, flavour) for label in ("ours", "bare"))
        config = ours.configure(PREFIXES // 2, "none", "1s")
        running = ours.reconciler(config)
        compared, helper = bare_helper(bare)
        first, ratios, whole = [], [], []
        for _ in range(rounds):
            timed(UP, helper, partial(bare.until, PREFIXES))
            ours.until(PREFIXES)
            rested = time.monotonic() + REST
            at_rest(rested)
            quiet(compared)
            quiet(running)
            started = time.monotonic()
            command = ours.host.spawn(
                [str(BIN / "vip_mgmt"), "--config", str(config), "-d", "all"], log="mgmt.log"
            )
            eventually(ours.bird.count, until=PREFIXES.__gt__, within=60, what="a loss")
            first.append(time.monotonic() - started)
            ours.until(0)
            lost = time.monotonic() - started
            if command.wait(120) != 0:
                raise RuntimeError(command.log()[-2000:])
            whole.append(time.monotonic() - started)
            quiet(running)
            ratios.append(lost / timed(DOWN, helper, partial(bare.until, 0)))
            ours.mgmt(config, "-a", "all")
        note = f"of {PREFIXES}"
        yield Row(f"{flavour}: vip_mgmt -d all until the first loss", tuple(first), 0.5, "s", note)
        note = f"until it returned {statistics.median(whole):.2f} s"
        title = f"{flavour}: vip_mgmt -d all until the peer has none, against a bare helper"
        yield Row(title, tuple(ratios), 1.5, "x", note)


def at_rest(when: float) -> None:
    """Wait until the watchdog has long read its last change back, and doubts none of it."""
    eventually(lambda: time.monotonic() >= when, within=2 * REST, what="rest")


def bare_helper(dc: DataCentre) -> tuple[ExaBgp, int]:
    """Start ExaBGP with the bare helper, which has the lines that we would write; return its id too."""
    neighbor = ConfiguredNeighbor(
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
        path.write_text(
            "".join(
                f"{line.text}\n" for line in render(ordered, ConfiguredNeighbors([neighbor]), hops)
            )
        )
        files.append(str(path))
    script = Path(__file__).with_name("bare.py")
    exabgp = dc.exabgp([sys.executable, str(script), *files])
    quiet(exabgp)  # before it waits for signals, one ends it
    return exabgp, exabgp.helpers()[0]


def settled(dc: DataCentre, exabgp: ExaBgp) -> None:
    """Wait until the watchdog has sent everything again after the session came up."""
    log = "started: dc"
    eventually(lambda: log in exabgp.log(), within=20, what="the watchdog's start")
    started = time.monotonic()
    eventually(lambda: time.monotonic() - started > 11, within=20, what="the settling time")
    dc.until(0)
    quiet(exabgp)
