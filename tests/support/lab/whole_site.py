"""Owns a whole site: two data centres of two load balancers each, the router that all announce to, and their etcd.

In each data centre one load balancer is beside ExaBGP and one beside FRR; the clock of one of the four is wrong. etcd has a
member in each data centre, and one in a third place.
"""

import itertools
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.lab.bird import Bird
from tests.support.lab.etcd import EtcdCluster
from tests.support.lab.eventually import eventually
from tests.support.lab.fabric import Fabric, Port
from tests.support.lab.frr import Frr, config
from tests.support.lab.frr_site import FrrSite
from tests.support.lab.history import TRACE, Event
from tests.support.lab.installed import Installed
from tests.support.lab.netns import Namespace, Network
from tests.support.lab.process import Process
from tests.support.lab.session import Session
from tests.support.lab.site import Site, Tables, merge, vip
from tests.support.lab.skew import Skew
from tests.support.site_steps import CLIENT

ASN, ROUTER = 64699, 64500
DCS = ("par1", "lyo1")
PLACES = (*DCS, "tie1")
"""Where etcd has a member: a third place has nothing else."""
MACHINES = ("lb1", "lb2")
"""lb1 is beside ExaBGP, lb2 beside FRR."""
NAMES = tuple(f"{dc}/{machine}" for dc, machine in itertools.product(DCS, MACHINES))
SKEWED, AHEAD = "par1/lb2", 60
"""Whose clock is wrong, and how many seconds it is ahead."""
PREFIX, USER, PASSWORD = "/vip-speaker/", "vip", "lab password"
PORTS = {"192.0.2.1/32": 8081, "192.0.2.2/32": 8082, "192.0.2.3/32": 8083}
"""The realserver's port of each VIP, on each machine."""
QUOTA = 16 << 20
"""Bytes that each member of etcd may store: so few that a test can fill them."""


def _vip(number: int, prefix: str) -> dict[str, Any]:
    prefer = list(DCS if number % 2 else reversed(DCS))
    return vip(prefix.removesuffix("/32"), ports=[PORTS[prefix]], prefer=prefer)


TABLES: dict[str, Any] = {
    "dc": {dc: {"asn": ASN, "mark": f"64699:{number}"} for number, dc in enumerate(DCS, 1)},
    "policy": {"max_withdraw": "100%", "keep_last": True},
    "vip": {f"vip-{n}.tld": _vip(n, prefix) for n, prefix in enumerate(PORTS, 1)},
}


@dataclass(eq=False)
class Balancer:
    """One load balancer. `near` is its address at the router, `port` its port on etcd's LAN."""

    name: str
    site: Site | FrrSite
    near: str
    port: Port
    daemon: Process | None = field(default=None, init=False)

    @property
    def dc(self) -> str:
        """Its data centre."""
        return self.name.partition("/")[0]

    def mgmt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run vip_mgmt on it to its end."""
        if isinstance(self.site, Site):
            return self.site.mgmt(*arguments)
        return self.site.asked(*arguments)

    @property
    def realservers(self) -> set[int]:
        """The ports of its realservers that live."""
        return self.site.realservers.open_ports

    @property
    def trouble(self) -> str:
        """What its watchdog says is wrong."""
        return "\n".join(self.site.status()["trouble"])

    @property
    def store(self) -> Path:
        """Where it keeps what it was asked."""
        return self.site.state / "state.sqlite3"

    def start(self) -> None:
        """Start the watchdog, where ExaBGP does not."""
        if isinstance(self.site, FrrSite):
            self.daemon = self.site.daemon()

    def crash(self) -> None:
        """Kill the watchdog, and wait until the next one serves."""
        if isinstance(self.site, Site):
            self.site.end_watchdog(signal.SIGKILL)
            return
        assert self.daemon is not None
        self.daemon.kill()
        (self.site.state / "control.sock").unlink(missing_ok=True)
        self.start()

    def log(self) -> str:
        """Return what its watchdogs have said."""
        if isinstance(self.site, Site):
            return self.site.exabgp.log()
        return "" if self.daemon is None else self.daemon.log()


class WholeSite:
    """All of it. Where etcd is left out, the four do not know of one another."""

    def __init__(
        self, network: Network, installed: Installed, tables: Tables, *, etcd: bool = True
    ) -> None:
        """Start all, and wait for their sessions.

        Args:
            network: where they are.
            installed: the product.
            tables: what vip.toml says beyond the defaults.
            etcd: whether they share what they are asked.
        """
        self._network, self._installed = network, installed
        self._expired: set[str] = set()
        self._lone: set[str] = set()
        self._skewed = Skew(network.directory, AHEAD).env
        self._tables = merge(TABLES, tables)
        self.etcd = EtcdCluster(network, tls=True, options=[f"--quota-backend-bytes={QUOTA}"])
        self.fabric = Fabric(network, self.etcd, PLACES)
        if etcd:
            self._shares()
        router = network.host("router")
        hosts = {name: network.host(name.replace("/", "-")) for name in NAMES}
        sessions = {
            name: network.link(router, host).session(ROUTER, ASN, families=("ipv4",))
            for name, host in hosts.items()
        }
        self.bird = Bird(router, list(sessions.values()), options=TRACE)
        with ThreadPoolExecutor(2) as both:
            made = both.map(self._balancer, NAMES, hosts.values(), sessions.values())
            self.balancers = dict(zip(NAMES, made, strict=True))
        self.bird.wait_for_sessions()

    def _shares(self) -> None:
        """Start etcd, with a user for the four."""
        self.etcd.start()
        self.etcd.authenticate(USER, PASSWORD, PREFIX)
        password = self._network.directory / "password"
        password.write_text(f"{PASSWORD}\n")
        cert, key = self._readable()
        table = {
            "etcd": list(self.etcd.endpoints),
            "ca": str(self.etcd.ca),
            "cert": str(cert),
            "key": str(key),
            "user": USER,
            "password_file": str(password),
        }
        self._tables = merge({"site": table}, self._tables)

    def _readable(self) -> tuple[Path, Path]:
        """Let everybody read what clients show: ExaBGP's watchdogs are nobody's."""
        assert self.etcd.shown is not None
        cert, key = self.etcd.shown
        key.chmod(0o644)
        return cert, key

    def certify(self, name: str = CLIENT, *, days: int) -> None:
        """Give the four, or a member of etcd, another certificate, which lasts so many days: negative ones have expired."""
        (self._expired.add if days < 0 else self._expired.discard)(name)
        if name != CLIENT:
            self.etcd.certify_member(name, days=days)
            return
        self.etcd.certify(days=days)
        self._readable()

    def _balancer(self, name: str, host: Namespace, session: Session) -> Balancer:
        dc, machine = name.split("/")
        number = NAMES.index(name) + 21
        port = self.fabric.join(host, dc, number)
        tables = merge(self._tables, {"node": {"dc": dc}})
        if "site" in tables:
            tables = merge(tables, {"site": {"machine": machine}})
        make = self._exabgp if machine == "lb1" else self._frr
        near = session.flipped()
        made = Balancer(name, make(name, host, near, tables), near.local, port)
        made.start()
        return made

    def _exabgp(self, name: str, host: Namespace, near: Session, tables: Tables) -> Site:
        up, env = list(PORTS.values()), self._environment(name)
        return Site(host, "v5", self._installed, [near], tables, up=up, env=env)

    def _frr(self, name: str, host: Namespace, near: Session, tables: Tables) -> FrrSite:
        frr = Frr(host, config([near], router_id=near.local))
        up, env = list(PORTS.values()), self._environment(name)
        return FrrSite(host, frr, tables, up=up, env=env)

    def _environment(self, name: str) -> dict[str, str]:
        return self._skewed if name == SKEWED else {}

    def __getitem__(self, name: str) -> Balancer:
        """Return a load balancer by its name, as `par1/lb1`."""
        return self.balancers[name]

    # --- what the router has -----------------------------------------------------------------

    def paths(self, prefix: str) -> dict[str, int]:
        """Return the length of the AS_PATH that the router has of a prefix, by who announces it."""
        found = {each.name: self.bird.routes(each.near) for each in self.balancers.values()}
        return {
            name: len(routes[prefix].as_path) for name, routes in found.items() if prefix in routes
        }

    def of(self, event: Event) -> str:
        """Return whose route came or went."""
        return NAMES[int(event.protocol.removeprefix("peer"))]

    def has(self, prefix: str, *names: str, within: float = 10) -> None:
        """Wait until the router has a prefix from just some: `par1` stands for all of its machines."""
        each = self.balancers.values()
        wanted = {one.name for one in each if one.dc in names or one.name in names}
        eventually(
            lambda: set(self.paths(prefix)),
            until=lambda found: found == wanted,
            within=within,
            what=f"{prefix} from {sorted(wanted)} alone",
        )

    def part_from_router(self, name: str) -> None:
        """Have the router end the session with a machine, and refuse it."""
        self._lone.add(name)
        self.bird.disable(self[name].near)

    def peer(self, name: str) -> None:
        """Have the router take a machine's session again."""
        self._lone.discard(name)
        self.bird.enable(self[name].near)

    def heal(self) -> None:
        """End all that is wrong with links, certificates, sessions, etcd's members and realservers."""
        for name in [*self._lone]:
            self.peer(name)
        for name in [*self._expired]:
            self.certify(name, days=30)
        for trunk in self.fabric.trunks.values():
            trunk.restore()
        for balancer in self.balancers.values():
            balancer.port.restore()
        self.etcd.heal()
        for balancer in self.balancers.values():
            balancer.site.realservers.open(*PORTS.values())
