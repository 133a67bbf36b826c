"""docs/migration.md, command by command: a router never lacks a VIP, nor sees another AS_PATH, there and back."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from tests.live.followed import PAGE, WALK, Followed
from tests.live.runbook import blocks
from tests.migration import corpus
from tests.migration.stage import OLD_DEFAULTS, SOONER
from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.frr import Frr
from tests.support.lab.requirements import require
from tests.support.lab.session import BOTH, Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.lab.exabgp import Flavour
    from tests.support.lab.installed import Installed
    from tests.support.lab.netns import Network
    from tests.support.lab.session import SeenRoute

# The page's example is the site `toolkit` of the corpus.
ROUTER = ("203.0.113.1", "2001:db8:ffff:1::1")
OLD, NEW = ("203.0.113.10", "2001:db8:ffff:1::10"), ("203.0.113.11", "2001:db8:ffff:1::11")
PATHS = {
    "192.0.2.1/32": 2,
    "192.0.2.2/32": 3,
    "192.0.2.3/32": 2,
    "192.0.2.4/32": 3,
    "2001:db8::1/128": 2,
    "2001:db8::2/128": 3,
}
"""How often the router sees the AS of each VIP of par1."""


class Machine(Followed):
    """The page's lb1 with its bgpd, where the page's commands run, and the router."""

    def __init__(self, network: Network, installed: Installed, flavour: Flavour) -> None:
        host, router = network.host("lb1"), network.host("router")
        device, far = network.wire(host, router)
        super().__init__(host, device, installed, flavour)
        self.host.add(device, f"{OLD[0]}/24", f"{OLD[1]}/64")
        router.add(far, f"{ROUTER[0]}/24", f"{ROUTER[1]}/64")
        sessions = [
            Session(here, 64500, there, 64699, (family,))
            for pair in (OLD, NEW)
            for here, there, family in zip(ROUTER, pair, BOTH, strict=True)
        ]
        self.bird = Bird(router, sessions)
        files = corpus.files("toolkit")
        self.frr = Frr(self.host, OLD_DEFAULTS + SOONER + files["par1"].read_text())
        for dc, path in files.items():
            (self.root / "work" / path.name).write_bytes(path.read_bytes())
            if dc == "par1":
                (self.root / "quagga/bgpd.conf").write_bytes(path.read_bytes())
        self.programs(self.frr)

    def routes(self, pair: Sequence[str]) -> dict[str, SeenRoute]:
        """Return what the router has from two of our addresses, whatever the next hop."""
        found = {p: r for address in pair for p, r in self.bird.routes(address).items()}
        return {prefix: replace(route, next_hop="") for prefix, route in found.items()}

    def wait(self, old: bool, new: bool) -> None:  # noqa: FBT001 - which of the two speaks
        """Wait until the router has all VIPs from those who speak, with the same attributes, and no others."""

        def right() -> bool:
            wanted = {p: (64699,) * count for p, count in PATHS.items()}
            for speaks, pair in ((old, OLD), (new, NEW)):
                routes = self.routes(pair)
                if {p: r.as_path for p, r in routes.items()} != (wanted if speaks else {}):
                    return False
            return not (old and new) or self.routes(OLD) == self.routes(NEW)

        eventually(right, within=30, what=f"routes of bgpd {old}, of ExaBGP {new}")


class Probe:
    """Looks at the router's best path of every VIP, every 50 ms, from its start to its end."""

    def __init__(self, bird: Bird) -> None:
        self._bird = bird
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.seen: list[tuple[float, dict[str, SeenRoute]]] = []

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            self.seen.append((time.monotonic(), self._bird.routes()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def assert_steady(self) -> None:
        """Every VIP was there at every look, with its AS_PATH, and with this machine as next hop."""
        assert len(self.seen) > 40, "it looked"
        for when, routes in self.seen:
            at = f"{when - self.seen[0][0]:.2f} s after the start"
            paths = {prefix: route.as_path for prefix, route in routes.items()}
            assert paths == {p: (64699,) * count for p, count in PATHS.items()}, at
            assert {route.next_hop for route in routes.values()} <= {*OLD, *NEW}, at


def test_page(network: Network, installed: Installed, flavour: Flavour) -> None:
    """Nobody without a route and no other AS_PATH, forth and back; every command of the page succeeds."""
    require("bird", "vtysh", flavours=(flavour,))
    steps = blocks(PAGE)
    del steps[WALK]  # tests/live/test_walk.py follows it
    machine = Machine(network, installed, flavour)
    machine.wait(old=True, new=False)
    before = machine.routes(OLD)
    with Probe(machine.bird) as probe:
        (block,) = steps.pop("1. Import")
        machine.follow(block)
        (block,) = steps.pop("2. Put the files in place")
        machine.follow(block)
        block, running = steps.pop("3. Compare")
        assert "all 6 UPDATEs are equal" in machine.follow(block)
        machine.adapt()
        assert "all 6 UPDATEs are equal" in machine.follow(running)
        (block,) = steps.pop("4. Shadow")
        assert "6 prefixes, bgpd and vip_watchdog disagree on 0" in machine.follow(block)
        machine.wait(old=True, new=False)

        addresses, start = steps.pop("5. Bring ExaBGP's sessions up beside bgpd's")
        machine.follow(addresses)
        machine.follow(start)
        machine.wait(old=True, new=True)
        # The router may have a route before the watchdog has read it back.
        eventually(
            lambda: "yes" in machine.follow("vip_mgmt status"), within=10, what="all as wanted"
        )
        machine.follow("vip_mgmt plan")

        (block,) = steps.pop("6. Let bgpd's sessions go")
        machine.follow(block)
        machine.wait(old=False, new=True)
        assert machine.routes(NEW) == before, "each attribute is what it was"

        sessions, stop = steps.pop("Going back")
        machine.follow(sessions)
        machine.wait(old=True, new=True)
        machine.follow(stop)
        machine.wait(old=True, new=False)
        assert machine.routes(OLD) == before
    probe.assert_steady()
    assert not steps, "commands of the page that no test follows"
