"""Owns the whole chain in a guest: realservers, keepalived, IPVS, the watchdog, its daemon, a far peer."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from speaker.control.client import ask
from tests.kernel.keepalived import Keepalived, VirtualServer
from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.frr import Frr, config
from tests.support.lab.frr_site import FrrSite
from tests.support.lab.history import TRACE, History
from tests.support.lab.installed import Installed
from tests.support.lab.netns import Namespace, Network
from tests.support.lab.session import Session
from tests.support.lab.site import Site, Tables, merge

Backend = Literal["exabgp v5", "exabgp v4", "frr"]
HERE = Installed(Path(sys.prefix))
"""The product as the tests have it: a guest has nothing to install from."""
DEFAULTS: Tables = {
    "policy": {"max_withdraw": "100%"},
    "health": {"source": "ipvs", "interval": "1s"},
}


class BesideExabgp:
    """A watchdog that ExaBGP spawned."""

    def __init__(self, host: Namespace, flavour: Flavour, session: Session, tables: Tables) -> None:
        """Start ExaBGP. As root, for the tests' own environment may be private."""
        self.site = Site(host, flavour, HERE, [session], tables, user="root")

    @property
    def pid(self) -> int:
        """The watchdog's process id."""
        return self.site.reconciler

    def kill(self) -> None:
        """End the watchdog at once, and wait for its successor to serve."""
        self.site.end_watchdog(signal.SIGKILL)

    def log(self) -> str:
        """Return what ExaBGP and the watchdog have logged."""
        return self.site.exabgp.log()


class BesideFrr:
    """A watchdog that stays beside FRR's bgpd."""

    def __init__(self, host: Namespace, session: Session, tables: Tables) -> None:
        """Start bgpd and the watchdog."""
        self.frr = Frr(host, config([session]))
        self.site = FrrSite(host, self.frr, tables)
        self.process = self.site.daemon()

    @property
    def pid(self) -> int:
        """The watchdog's process id."""
        return self.process.pid

    def kill(self) -> None:
        """End the watchdog at once, and start another one."""
        self.process.kill()
        (self.site.state / "control.sock").unlink()
        self.process = self.site.daemon()

    def log(self) -> str:
        """Return what the watchdog has logged."""
        return self.process.log()


class Chain:
    """A load balancer with all of it, and the far peer that it announces to."""

    def __init__(
        self,
        network: Network,
        backend: Backend,
        servers: Sequence[VirtualServer],
        tables: Tables,
        *,
        label: str = "lb",
        far: Namespace | None = None,
        fifo: bool = True,
    ) -> None:
        """Start the far peer, the daemon and the watchdog; neither keepalived nor a realserver yet.

        Args:
            network: where they are.
            backend: the daemon.
            servers: what keepalived is configured to balance.
            tables: what vip.toml says beyond the defaults.
            label: the load balancer's name.
            far: the far peer's host; None for one of its own.
            fifo: whether keepalived writes its events.
        """
        self.host = network.host(label)
        self.link = network.link(far or network.host(f"{label}-far"), self.host)
        session = self.link.session(64500, 64699)
        self.bird = Bird(self.link.a.namespace, [session], options=TRACE)
        self.history = History(self.bird)
        self.fifo = self.host.directory / "lvs.fifo"
        here = {
            "health": {"keepalived_fifo": str(self.fifo)},
            "backend": {"exabgp": {"next_hop": {"ipv6": self.link.b.ipv6}}},
        }
        merged = merge(merge(DEFAULTS, here), tables)
        self.tables = merged
        self.reconciler: BesideExabgp | BesideFrr
        if backend == "frr":
            self.reconciler = BesideFrr(self.host, session.flipped(), merged)
        else:
            flavour: Flavour = "v5" if backend == "exabgp v5" else "v4"
            self.reconciler = BesideExabgp(self.host, flavour, session.flipped(), merged)
        self.site: Site | FrrSite = self.reconciler.site
        self.realservers = self.site.realservers
        self.keepalived = Keepalived(self.host, servers, fifo=self.fifo if fifo else None)
        self.bird.wait_for_sessions(within=60)
        eventually(self._serves, within=60, what="a served control socket")

    def _serves(self) -> bool:
        return (self.site.state / "control.sock").exists()

    # --- what the watchdog says -------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """Return what `vip_mgmt status --json` shows, without Python's start."""
        answer = ask(self.site.state / "control.sock", "GET", "/status")
        return dict(answer)

    def routes(self) -> dict[str, dict[str, Any]]:
        """Return what the watchdog says of routes, by prefix."""
        return {route["prefix"]: route for route in self.status()["routes"]}

    def says(self, prefix: str, within: float = 10, **wanted: Any) -> dict[str, Any]:
        """Wait until the watchdog says some things of a route, and return all that it says.

        Args:
            prefix: the route.
            within: seconds.
            wanted: keys of the route with their values; `reason` need only be in the text.
        """

        def holds(route: Mapping[str, Any]) -> bool:
            return all(
                value in route[key] if key == "reason" else route[key] == value
                for key, value in wanted.items()
            )

        return eventually(
            lambda: self.routes()[prefix], until=holds, within=within, what=f"{prefix}: {wanted}"
        )

    def mgmt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run vip_mgmt to its end."""
        run = self.site.mgmt if isinstance(self.site, Site) else self.site.asked
        return run(*arguments)

    def reload(self, tables: Tables) -> None:
        """Change vip.toml and have the watchdog take it."""
        before = len(self.reconciler.log())
        self.tables = merge(self.tables, tables)
        self.site.configure(tables)
        os.kill(self.reconciler.pid, signal.SIGHUP)
        eventually(
            lambda: "configuration applied" in self.reconciler.log()[before:],
            within=20,
            what="the watchdog's word that it took the configuration",
        )

    # --- what the peer has ------------------------------------------------------------------

    def sees(self, *prefixes: str, within: float = 10) -> None:
        """Wait until the peer has exactly some prefixes."""
        eventually(
            lambda: sorted(self.bird.routes()),
            until=lambda seen: seen == sorted(prefixes),
            within=within,
            what=f"exactly {sorted(prefixes)} at the peer of {self.host.name}",
            every=0.05,
        )

    def moves(self) -> list[tuple[str, str]]:
        """Return what happened at the peer since its memory began: `("removed", prefix)`, in order."""
        return [(event.verb, event.prefix) for event in self.history.events()]

    # --- the table --------------------------------------------------------------------------

    def table(self) -> dict[str, dict[str, int]]:
        """Return IPVS's weights by service and realserver: `{"-t 192.0.2.1:80": {"…:8080": 1}}`."""
        shown: dict[str, dict[str, int]] = {}
        for line in self.host.run("ipvsadm", "-S", "-n").splitlines():
            words = line.split()
            service = " ".join(words[1:3])
            if words[0] == "-A":
                shown[service] = {}
            else:
                shown[service][words[4]] = int(words[7])
        return shown
