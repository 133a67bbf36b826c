"""Owns a measurement: from a realserver's removal by keepalived to the route's loss at the peer.

keepalived writes what it does to two fifos: one is the watchdog's, the other is read here by a
process that the kernel prefers to all others, so that the moment is known.
"""

import random
import statistics
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kernel import ipvs
from tests.kernel.chain import Backend, Chain
from tests.kernel.keepalived import Keepalived, VirtualServer
from tests.support.lab.eventually import eventually
from tests.support.lab.netns import Network
from tests.support.lab.process import Process

SHARED, FRAGILE = 8081, 8082
"""The realserver of all VIPs but one, and that one's."""
ONE = ipvs.address(0)
REST = 5.0
"""Seconds after a change until the watchdog has read it back and sent it again, and looks no more."""
_STAMP = """
import os, sys, time
os.nice(-20)
os.mkfifo(sys.argv[1], 0o600)
with open(os.open(sys.argv[1], os.O_RDWR), buffering=1) as fifo:
    print("ready", flush=True)
    for line in fifo:
        print(time.time(), line, end="", flush=True)
"""


def tables(count: int, interval: str) -> Mapping[str, Any]:
    """Return vip.toml's tables of so many VIPs."""
    names = {f"vip-{number}.tld": ipvs.address(number) for number in range(count)}
    return {
        "health": {"interval": interval, "warm_up": "2s", "restart_grace": "10m"},
        "vip": {
            name: {"addresses": [where], "prefer": ["par1", "lyo1"]}
            for name, where in names.items()
        },
    }


def servers(count: int) -> list[VirtualServer]:
    """Return so many virtual servers; the first is checked often, the others now and then."""
    others = (ipvs.address(number) for number in range(1, count))
    first = VirtualServer(f"{ONE} 80", (FRAGILE,))
    return [first, *(VirtualServer(f"{where} 80", (SHARED,), delay=20) for where in others)]


@dataclass
class Stage:
    """A chain of so many VIPs, and the moments of what keepalived does."""

    chain: Chain
    count: int
    _stamps: Process

    def events(self) -> list[tuple[float, str]]:
        """Return keepalived's events: when, and its line."""
        lines = self._stamps.log().splitlines(keepends=True)[1:]
        words = [line[:-1].partition(" ") for line in lines if line.endswith("\n")]
        return [(float(when), line) for when, _, line in words]

    def keepalived(self, *, fifo: bool) -> None:
        """Have keepalived run, with or without the watchdog's fifo."""
        if self.chain.keepalived.alive:
            self.chain.keepalived.stop()
        self.chain.keepalived = Keepalived(
            self.chain.host,
            servers(self.count),
            fifo=self.chain.fifo if fifo else None,
            options=[f"notify_fifo {_stamps_of(self.chain)}"],
        )
        self.chain.keepalived.start()
        self.until(self.count)

    def until(self, count: int, within: float = 60) -> None:
        """Wait until the peer has so many prefixes."""
        eventually(
            self.chain.bird.count,
            until=lambda seen: seen == count,
            within=within,
            what=f"{count} prefixes at the peer",
            every=0.05,
        )

    def losses(self, deaths: int, *, rest: float = REST, within: float = 0) -> list[float]:
        """Return the seconds from removal to loss, for each of some deaths of a realserver.

        Args:
            deaths: how many.
            rest: seconds of peace before each.
            within: the time between them varies by so many seconds, so that they have nothing to
                do with the watchdog's interval.
        """
        chance = random.Random(0)
        return [self._loss(rest + chance.uniform(0, within)) for _ in range(deaths)]

    def _loss(self, pause: float) -> float:
        threading.Event().wait(pause)
        self.chain.history.start()
        seen = len(self.events())
        self.chain.realservers.close(FRAGILE)
        self.until(self.count - 1)
        (lost,) = self.chain.history.events()
        (removed, *_) = eventually(
            lambda: [when for when, line in self.events()[seen:] if _is_removal(line)],
            within=5,
            what="keepalived's event",
        )
        self.chain.realservers.open(FRAGILE)
        self.until(self.count)
        return lost.time - removed


def _is_removal(line: str) -> bool:
    return line.startswith("RS ") and f":{FRAGILE} " in line and line.endswith(" DOWN")


def _stamps_of(chain: Chain) -> Path:
    return chain.host.directory / "stamps.fifo"


@contextmanager
def stage(backend: Backend, count: int, interval: str) -> Iterator[Stage]:
    """Make a chain of so many VIPs; keepalived does not run yet."""
    with Network() as network:
        chain = Chain(network, backend, servers(count), tables(count, interval))
        chain.realservers.open(SHARED, FRAGILE)
        argv = [sys.executable, "-c", _STAMP, str(_stamps_of(chain))]
        stamps = chain.host.spawn(argv, log="stamps.log")
        stamps.ready(lambda: "ready" in stamps.log(), "the reader of events")
        yield Stage(chain, count, stamps)


def shown(seconds: Sequence[float]) -> str:
    """Return values in words: median and worst."""
    median, worst = statistics.median(seconds), max(seconds)
    return f"median {1000 * median:.0f} ms, worst {1000 * worst:.0f} ms of {len(seconds)}"
