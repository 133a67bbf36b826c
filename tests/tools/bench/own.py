"""A realserver's death on the host, at the host's speed, where the kernel has no ip_vs.

IPVS's table is a file as the kernel writes it, keepalived is a process of that name that sleeps,
and its events come through a real fifo. All else is real. Measured are the watchdog's own part,
from the event to the line for ExaBGP, and the whole until the far peer has lost the route.
"""

import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from operator import eq
from pathlib import Path

from policy.route import Asn, parse_prefix
from speaker.backends.exabgp.neighbors import ConfiguredNeighbor
from speaker.health.ipvs.table import IpvsTable, RealServer, VirtualServer
from tests.support.fakes.exabgp import Daemon
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.history import TRACE, History
from tests.support.lab.netns import Network
from tests.tools.bench.dc import PREFER, DataCentre, configure
from tests.tools.bench.row import Row
from tests.unit.health.ipvs.tables import render

VIPS = 1_000
MANY = 10_000
LOADING = 2.0
"""About how long so many are loaded, in seconds."""
REST = 10.0
"""Longer than ExaBGP is asked about a change, in seconds."""
EACH = 8
"""Deaths a round."""
INTERVAL = 1.0
PEER = "203.0.113.1"
SCRIPT = Path(__file__).with_name("own_script.py")
NEIGHBOR = ConfiguredNeighbor(
    ip_address(PEER),
    ip_address("203.0.113.2"),
    Asn(64699),
    Asn(64500),
    frozenset({4, 6}),
    frozenset({"speaker"}),
)


def own_part(rounds: int) -> Iterator[Row]:
    """Measure from the event to the line, which this reads and answers in ExaBGP's place."""
    with ExitStack() as stack:
        kernel = stack.enter_context(_kernel())
        exabgp = stack.enter_context(_played(kernel))
        times = [1000 * _death(kernel, exabgp, n) for n in _numbers(rounds)]
        what = f"event to line, the watchdog's own part, {VIPS} VIPs"
        yield Row(what, tuple(times), 20, "ms", f"p99 {p99(times):.1f} ms")


def reloaded(rounds: int) -> Iterator[Row]:
    """Measure the same among many VIPs, while none and while all of them are loaded again."""
    with ExitStack() as stack:
        kernel = stack.enter_context(_kernel(vips=MANY))
        exabgp = stack.enter_context(_played(kernel))
        for signals in ((), (signal.SIGHUP,)):
            times = []
            for number in range(rounds):
                _PAUSED.wait(REST)
                for each in signals:
                    os.kill(exabgp.pid, each)
                times.append(1000 * _death(kernel, exabgp, 7 * number, after=(0.0, LOADING)))
            way = "in a reload" if signals else "at rest"
            what = f"event to line, the watchdog's own part, {MANY} VIPs, {way}"
            yield Row(what, tuple(times), 200, "ms", f"p99 {p99(times):.1f} ms")


def whole(flavour: Flavour, rounds: int) -> Iterator[Row]:
    """Measure until the far peer has lost the route, with keepalived's events and without."""
    with ExitStack() as stack:
        network = stack.enter_context(Network())
        dc = DataCentre(network, "dc", flavour, options=TRACE)
        kernel = stack.enter_context(_kernel(dc.host.command))
        dc.exabgp(kernel.run)
        peer = _Peer(dc, History(dc.bird))
        peer.until(VIPS)
        for fifo in (True, False):
            times = [1000 * _death(kernel, peer, n, fifo=fifo) for n in _numbers(rounds)]
            way = "with the fifo" if fifo else f"every {INTERVAL:g} s"
            what = f"{flavour}: removal to loss at the peer, {VIPS} VIPs, {way}, p99"
            budget = 100 if fifo else 1000 * INTERVAL + 100
            note = f"median {statistics.median(times):.0f} ms of {len(times)}"
            yield Row(what, (p99(times),), budget, "ms", note)


def p99(values: Sequence[float]) -> float:
    """Return the value that one in a hundred exceeds: the greatest of less than a hundred."""
    return sorted(values)[max(len(values) * 99 // 100, 1) - 1]


def _numbers(rounds: int) -> Iterator[int]:
    return (7 * n % VIPS for n in range(EACH * rounds))


# --- IPVS and keepalived -----------------------------------------------------------------------


class _Kernel:
    """What stands for IPVS and for keepalived."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        ends = tuple(RealServer(ip_address(f"192.0.2.{n}"), 8080, 1) for n in (1, 2, 3))
        addresses = [ip_address(f"198.51.{n // 256}.{n % 256}") for n in range(count)]
        self._services = {VirtualServer("tcp", where, 80): ends for where in addresses}
        self.keys = list(self._services)
        self._write()
        health = {
            "source": "ipvs",
            "interval": f"{INTERVAL:g}s",
            "warm_up": "0s",
            "keepalived_fifo": str(folder / "lvs.fifo"),
        }
        vips = {
            f"vip-{n}.tld": {"addresses": [str(where)], "prefer": PREFER}
            for n, where in enumerate(addresses)
        }
        configure(folder, {"health": health, "vip": vips})
        os.mkfifo(folder / "lvs.fifo", 0o600)
        self._fifo = os.open(folder / "lvs.fifo", os.O_RDWR)

    @property
    def run(self) -> list[str]:
        """The watchdog's command."""
        return [sys.executable, str(SCRIPT), *(str(self.folder / n) for n in ("vip.toml", "table"))]

    def take(self, key: VirtualServer) -> tuple[RealServer, ...]:
        """Take a service's realservers away, and return them."""
        ends = self._services[key]
        self.give(key, ())
        return ends

    def give(self, key: VirtualServer, ends: tuple[RealServer, ...]) -> None:
        """Give a service realservers."""
        self._services[key] = ends
        self._write()

    def event(self, key: VirtualServer, state: str) -> None:
        """Write what keepalived would."""
        line = f"RS [192.0.2.1]:tcp:8080 [{key.address}]:tcp:80 {state}\n"
        os.write(self._fifo, line.encode())

    def _write(self) -> None:
        """Have the table as a reader of /proc would find it: whole, whenever he looks."""
        new = self.folder / "table.new"
        new.write_bytes(render(IpvsTable(self._services)))
        new.rename(self.folder / "table")


@contextmanager
def _kernel(
    there: Callable[..., list[str]] = lambda *argv: [*argv], vips: int = VIPS
) -> Iterator[_Kernel]:
    """Make a table, and run a process whose name is keepalived's, and which sleeps.

    Args:
        there: makes a command run where the watchdog does.
        vips: how many the table has.
    """
    with tempfile.TemporaryDirectory() as folder:
        kernel = _Kernel(Path(folder), vips)
        program = kernel.folder / "keepalived"
        shutil.copy(shutil.which("sleep") or "sleep", program)
        process = subprocess.Popen(there(str(program), "infinity"))
        try:
            yield kernel
        finally:
            process.kill()
            process.wait()


# --- who sees the withdrawal -------------------------------------------------------------------


@dataclass
class _Played:
    """ExaBGP, played: its lines are read, kept with their time, and answered."""

    daemon: Daemon
    lines: list[tuple[float, str]] = field(default_factory=list)
    pid: int = 0
    """The watchdog's."""

    def answer(self, process: "subprocess.Popen[str]") -> None:
        """Answer until the watchdog ends."""
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{self.daemon.state(PEER, 'up')}\n")
        for line in process.stdout:
            self.lines.append((time.time(), line))
            answer = self.daemon.answer(line.rstrip("\n"))
            try:
                process.stdin.write("".join(f"{text}\n" for text in answer))
            except BrokenPipeError:
                return

    def until(self, count: int) -> None:
        """Wait until so many prefixes are announced."""
        _until(lambda: len(self.daemon.sessions[PEER].table), count)

    def lost(self, prefix: str, since: float) -> float:
        """Return when the line came that withdrew a prefix."""
        found = next(
            when
            for when, line in self.lines
            if when >= since and line.startswith("withdraw") and line.endswith(f" {prefix}\n")
        )
        self.lines.clear()
        return found


@contextmanager
def _played(kernel: _Kernel) -> Iterator[_Played]:
    """Run the watchdog, and wait until it has announced all."""
    played = _Played(Daemon([NEIGHBOR], 5))
    played.daemon.establish(PEER)
    process = subprocess.Popen(
        kernel.run,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        bufsize=1,
    )
    answering = threading.Thread(target=played.answer, args=(process,))
    answering.start()
    try:
        played.pid = process.pid
        played.until(len(kernel.keys))
        yield played
    finally:
        process.kill()
        process.wait()
        answering.join()


@dataclass
class _Peer:
    """The real ExaBGP's far peer."""

    dc: DataCentre
    history: History

    def until(self, count: int) -> None:
        """Wait until it has so many prefixes."""
        _until(self.dc.bird.count, count)

    def lost(self, prefix: str, since: float) -> float:
        """Return when it lost a prefix."""
        found = next(
            event.time
            for event in self.history.events(prefix)
            if event.time >= since and event.verb == "removed"
        )
        self.history.start()
        return found


def _until(seen: Callable[[], int], count: int) -> None:
    eventually(seen, until=partial(eq, count), within=60, what=f"{count} prefixes")


_CHANCE = random.Random(0)
_PAUSED = threading.Event()


def _death(
    kernel: _Kernel,
    seen: _Played | _Peer,
    number: int,
    *,
    fifo: bool = True,
    after: tuple[float, float] = (1.5, 1.5 + INTERVAL),
) -> float:
    """Have the realservers of a VIP die and return; return the seconds until its route was lost."""
    # Far enough from the last change that it has been read back, and not in step with the interval.
    _PAUSED.wait(_CHANCE.uniform(*after))
    key, count = kernel.keys[number], len(kernel.keys)
    began = time.time()
    ends = kernel.take(key)
    if fifo:
        began = time.time()
        kernel.event(key, "DOWN")
    seen.until(count - 1)
    taken = seen.lost(str(parse_prefix(str(key.address))), began) - began
    kernel.give(key, ends)
    kernel.event(key, "UP")
    seen.until(count)
    return taken
