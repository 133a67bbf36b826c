"""A soft drain on a real kernel: connections through IPVS from a client behind a router that forwards by BGP.

The data centre that drains is beside ExaBGP; beside FRR it does the same each night.
"""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from itertools import count

import pytest

from tests.kernel import ipvs
from tests.kernel.chain import HERE
from tests.kernel.traffic import PORT, Connection, Prober, serve
from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.frr import Frr, config
from tests.support.lab.frr_site import FrrSite
from tests.support.lab.netns import Link, Namespace, Network
from tests.support.lab.site import Site
from tests.support.profiles import NIGHTLY

pytestmark = pytest.mark.guest("ipvsadm", "bird", "vtysh")
VIP, PREFIX = "192.0.2.1", "192.0.2.1/32"
TABLES = {
    "health": {"source": "none", "interval": "1s"},
    "drain": {"settle": "2s", "quiet": "1s", "timeout": "60s", "return": "2s"},
    "vip": {"vip-1.tld": {"addresses": [VIP], "prefer": ["par1", "lyo1"]}},
}
MANY, ROUNDS = (10, 12) if NIGHTLY else (2, 0)
"""How many connections are open, and how often it is measured how quickly new ones go elsewhere."""
WITHIN = 1.0
"""Seconds within which new connections go elsewhere, at the median."""
SHORT, LONG, LONGER = 0.5, 15.0, 60.0
"""Seconds. The last outlasts a `vip_mgmt -d`, however slow the guest is."""


class Balanced:
    """A data centre: a load balancer with IPVS before a server, announced by the product."""

    def __init__(self, network: Network, router: Namespace, dc: str) -> None:
        """Have all but the product run."""
        self.dc, self.host = dc, network.host(dc)
        self.link: Link = network.link(router, self.host)
        self.session = self.link.session(64500, 64699)
        self.host.add("lo", f"{VIP}/32")
        self.host.run("ip", "route", "add", "default", "via", self.link.a.ipv4)
        serve(self.host, dc)
        server = f"{self.link.b.ipv4}:{PORT} -m"
        for line in ipvs.service(f"-t {VIP}:80", server):
            self.host.run("ipvsadm", *line.split())

    def begin(self, daemon: str = "exabgp") -> None:
        """Have a routing daemon and the watchdog run."""
        near = self.session.flipped()
        self.site: Site | FrrSite
        if daemon == "frr":
            frr = FrrSite(
                self.host, Frr(self.host, config([near])), {**TABLES, "node": {"dc": self.dc}}
            )
            frr.daemon()
            self.site = frr
        else:
            env = {"VIP_DC": self.dc}
            self.site = Site(self.host, "v5", HERE, [near], TABLES, user="root", env=env)

    def mgmt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run vip_mgmt to its end; beside FRR again, until it is known what came of it: a vtysh takes a second in a guest, and more."""
        if not isinstance(self.site, FrrSite):
            return self.site.mgmt(*arguments)
        asked = partial(self.site.asked, *arguments)
        return eventually(
            asked,
            until=lambda done: "not confirmed" not in done.stderr,
            within=60,
            what=f"what came of vip_mgmt {' '.join(arguments)}",
        )


class World:
    """A client, a router, two data centres."""

    def __init__(self, network: Network, daemon: str) -> None:
        """Start it all, par1 beside a routing daemon, and wait until the router goes to the first choice."""
        self.router, self.client = network.host("router"), network.host("client")
        link = network.link(self.router, self.client)
        self.client.run("ip", "route", "add", "default", "via", link.a.ipv4)
        ipvs.load()
        self.par1, self.lyo1 = (Balanced(network, self.router, dc) for dc in ("par1", "lyo1"))
        self.bird = Bird(self.router, [self.par1.session, self.lyo1.session], forwards=True)
        self.numbers = count()
        self.par1.begin(daemon)
        self.lyo1.begin()
        self.bird.wait_for_sessions(within=90)
        self.goes_to("par1")

    def goes_to(self, *dcs: str) -> None:
        """Wait until the router forwards to a data centre, or to none."""
        via = {self.par1.link.b.ipv4: "par1", self.lyo1.link.b.ipv4: "lyo1"}

        def found() -> list[str]:
            shown = self.router.run("ip", "route", "show", PREFIX)
            return [via[hop] for hop in re.findall(r"via (\S+)", shown)]

        eventually(found, until=lambda seen: seen == [*dcs], within=30, what=f"a route to {dcs}")

    def connect(self, seconds: float) -> Connection:
        """Have the client connect, and wait until it has."""
        made = Connection(self.client, VIP, seconds, next(self.numbers))
        eventually(lambda: made.lines, until=bool, within=15, what="a connection")
        return made

    def ends(self, connection: Connection) -> str:
        """Wait until a connection is over, and return what became of it."""
        told = eventually(
            lambda: connection.lines,
            until=lambda lines: len(lines) > 1 or "cut" in lines[0],
            within=LONGER + 30,
            what="the end of a connection",
        )
        return told[-1]


@pytest.fixture(scope="module", params=["exabgp", pytest.param("frr", marks=pytest.mark.nightly)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """All of it, once beside each daemon."""
    with Network() as network:
        yield World(network, request.param)


@pytest.fixture
def alone(world: World) -> Iterator[World]:
    """A router that has no other path: what it forwards to par1 has nowhere else to go."""
    world.bird.disable(world.lyo1.session.remote)
    yield world
    eventually(
        lambda: world.par1.mgmt("-a", "all").returncode,
        until=lambda status: status == 0,
        within=30,
        what="a restored VIP",
    )
    world.bird.enable(world.lyo1.session.remote)
    world.bird.wait_for_sessions(within=30)
    world.goes_to("par1")


def test_soft_cuts_nothing(alone: World) -> None:
    """Connections that end within `timeout` end by themselves: the route stays until the last is over."""
    seconds = [SHORT, *(LONG + n for n in range(MANY - 1))]
    made = [alone.connect(each) for each in reversed(seconds)]
    done = alone.par1.mgmt("-d", "vip-1.tld", "--soft")
    assert done.returncode == 0, done.stderr
    assert f"Deleting route to {PREFIX}; no connection is cut" in done.stderr
    assert [alone.ends(each) for each in made] == ["par1 ended"] * MANY
    alone.goes_to()


def test_hard_cuts(alone: World) -> None:
    """The comparison: `-d` takes the route away below those that last."""
    made = [alone.connect(LONGER) for _ in range(MANY)]
    assert [each.lines for each in made] == [["connected par1"]] * MANY, "open until then"
    assert alone.par1.mgmt("-d", "vip-1.tld").returncode == 0
    assert all(alone.ends(each).startswith("par1 cut") for each in made)


def test_new_ones_go_elsewhere(world: World) -> None:
    """A router with another path takes it within a second of the first stage, with all that it forwards.

    It forwards packets, and not connections: those that were open go to the other load balancer, which does
    not know them. What is left in par1 is what comes from routers that stay with it.
    """
    before = world.connect(LONGER)
    assert before.lines == ["connected par1"]
    would = world.par1.mgmt("-d", "vip-1.tld", "--soft", "--dry-run")
    assert re.search(
        rf"{PREFIX}: would go to lyo1; 1 active connection; in a second [0-9.]+ new ones, [0-9.k]+ bytes",
        would.stderr,
    ), would.stderr
    began = time.monotonic()
    done = world.par1.mgmt("-d", "vip-1.tld", "--soft", "--no-wait")
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    after = world.connect(SHORT)
    assert after.lines[0] == "connected lyo1"
    assert world.ends(after) == "lyo1 ended"
    assert world.ends(before).startswith("par1 cut")
    seen = world.bird.routes(world.par1.session.remote)[PREFIX]
    assert (len(seen.as_path), "65535:0" in seen.communities) == (6, True)
    assert took < 30
    assert world.par1.mgmt("-a", "vip-1.tld", "--soft").returncode == 0
    world.goes_to("par1")


@pytest.mark.nightly
@pytest.mark.parametrize("world", ["exabgp"], indirect=True)
@pytest.mark.parametrize("how", ["--soft", "hard"])
def test_how_quickly_new_ones_go(world: World, how: str) -> None:
    """While a client connects again and again, new ones go elsewhere within a second, and after the command none comes here.

    The numbers in docs/commands.md are these: from when the intent is on the disk, before anything is announced,
    until the last new connection that came here began. One that is being made while the router takes the other path
    may break, and what is open does, however it is drained.
    """
    words = ["--soft", "--no-wait"] if how == "--soft" else []
    prober = Prober(world.client, VIP, 0.05, next(world.numbers))
    returned, before = [], world.connect(LONGER)
    for _ in range(ROUNDS):
        done = world.par1.mgmt("-d", "vip-1.tld", *words)
        assert done.returncode == 0, done.stderr
        returned.append(time.time())
        world.goes_to("lyo1")
        assert world.par1.mgmt("-a", "vip-1.tld").returncode == 0
        world.goes_to("par1")
    prober.stop()
    history = json.loads(world.par1.mgmt("history", "vip-1.tld", "--json").stdout)
    event = "draining" if words else "drained"
    began = [line["time"] for line in history if line["event"] == event][-ROUNDS:]
    seen, took = prober.seen(), []
    for start, end in zip(began, returned, strict=True):
        here = [when for when, who in seen if who == "par1" and start <= when <= end]
        took.append(max(here, default=start) - start)
    broken = sum(who == "nobody" for _, who in seen)
    numbers = sorted(round(each, 3) for each in took)
    said = f"{how}: {broken} of {len(seen)} broken; last one here after {numbers} s"
    assert broken <= 2 * ROUNDS, f"{said}: more than one for each move there and back"
    assert world.ends(before).startswith("par1 cut")
    for end in returned:  # the first that began after the command had returned
        first = next(who for when, who in seen if when > end)
        assert first == "lyo1", said
    assert numbers[ROUNDS // 2] < WITHIN, said
