"""One data centre and its far peer, as the measurements need it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from operator import eq
from pathlib import Path

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Config, ExaBgp, Flavour
from tests.support.lab.netns import Network
from tests.support.lab.site import Tables, merge, toml

BIN = Path(sys.executable).parent
PREFER = ["par1", "lyo1"]
BASE: Tables = {
    "node": {"dc": "par1"},
    "dc": {name: {"asn": 64699} for name in PREFER},
    "policy": {"max_withdraw": "100%"},
}
PATIENCE = 120.0


def configure(folder: Path, tables: Tables) -> Path:
    """Write a vip.toml of par1, whose state is in a folder, and return its path.

    Args:
        folder: where it is, too.
        tables: what it says besides.
    """
    names = {"state": "state.sqlite3", "control": "control.sock"}
    here = {"node": {key: str(folder / name) for key, name in names.items()}}
    path = folder / "vip.toml"
    path.write_text(toml(merge(merge(BASE, here), tables)))
    return path


class DataCentre:
    """A namespace with ExaBGP and a helper of ours, and a BIRD beyond a link."""

    def __init__(
        self, network: Network, label: str, flavour: Flavour, options: Sequence[str] = ()
    ) -> None:
        """Make the two hosts and start the far peer, with more statements for its neighbour."""
        self.host, self._far = network.host(label), network.host(f"{label}-far")
        self.link = network.link(self._far, self.host)
        self._session = self.link.session(64500, 64699)
        self._flavour: Flavour = flavour
        self.bird = Bird(self._far, [self._session], options=options)

    @property
    def next_hop(self) -> str:
        """Its address on the link."""
        return self.link.b.ipv6

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.host.directory

    def configure(self, vips: int, source: str, interval: str, more: Tables | None = None) -> Path:
        """Write a vip.toml of dual-stack VIPs, and of what it says besides, and return its path."""
        services = {"tcp/80": {"realservers": ["127.0.0.1:8081"]}} if source == "tcp" else {}
        table = {"prefer": PREFER, "services": services}
        addresses = (
            (f"198.{51 + n // 65536}.{n // 256 % 256}.{n % 256}", f"2001:db8::{n + 1:x}")
            for n in range(vips)
        )
        tables = {
            "health": {"source": source, "interval": interval},
            "backend": {"exabgp": {"next_hop": {"ipv6": self.next_hop}}},
            "vip": {
                f"vip-{number}.tld": {"addresses": [*both], **table}
                for number, both in enumerate(addresses)
            },
        }
        return configure(self.folder, merge(tables, more or {}))

    def exabgp(self, run: Sequence[str]) -> ExaBgp:
        """Start ExaBGP with a helper, as root, because the tests' own environment may be private.

        It tells the helper of each UPDATE that it sends, as the example has it.
        """
        level = "CRITICAL" if self._flavour == "v5" else "CRIT"
        env = {"exabgp.log.level": level, "exabgp.api.chunk": "20"}  # as packaged
        config = Config([self._session.flipped()], run, send=True)
        exabgp = ExaBgp(self.host, self._flavour, config, user="root", env=env)
        self.bird.wait_for_sessions()
        return exabgp

    def reconciler(self, config: Path) -> ExaBgp:
        """Start ExaBGP with vip_watchdog, as the example has it."""
        return self.exabgp([str(BIN / "vip_watchdog"), "--config", str(config)])

    def realserver(self) -> int:
        """Start the realserver of all VIPs and return its process id; it accepts nothing yet."""
        script = Path(__file__).with_name("realserver.py")
        process = self.host.spawn([sys.executable, str(script), "8081"], log="realserver.log")
        process.ready(lambda: "ready" in process.log(), "the realserver")
        return process.pid

    def until(self, count: int) -> None:
        """Wait until the far peer has so many prefixes."""
        eventually(
            self.bird.count, until=partial(eq, count), within=PATIENCE, what=f"{count} prefixes"
        )

    def mgmt(self, config: Path, *arguments: str) -> float:
        """Run vip_mgmt and return the seconds it took."""
        started = time.monotonic()
        command = self.host.command(str(BIN / "vip_mgmt"), "--config", str(config), *arguments)
        subprocess.run(command, check=True, capture_output=True)
        return time.monotonic() - started


def timed(number: signal.Signals, pid: int, wait: partial[None]) -> float:
    """Send a signal and return the seconds until `wait` is over."""
    started = time.monotonic()
    os.kill(pid, number)
    wait()
    return time.monotonic() - started


def cpu_seconds(pid: int) -> float:
    """Return the seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
