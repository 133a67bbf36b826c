"""Owns a data centre beside FRR whose far peers are to have different things."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.lab.bird import Bird
from tests.support.lab.frr import Frr, config
from tests.support.lab.frr_site import FrrSite
from tests.support.lab.history import TRACE, History
from tests.support.lab.site import misses, sees, vip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.lab.netns import Network
    from tests.support.lab.release import Release
    from tests.support.lab.session import Session

PORT = 8081
ONE, TWO = "192.0.2.1/32", "192.0.2.2/32"
SITE_MAP = ("configure terminal", "route-map SITE permit 10", "exit")


@dataclass
class Lab:
    """A data centre with a transit and a peering, each at a session of one BIRD, and a FRR that has a route of its own."""

    site: FrrSite
    bird: Bird
    history: History
    transit: Session
    peering: Session

    @property
    def lines(self) -> list[str]:
        """Return bgpd's lines that are ours and of neighbours."""
        lines = map(str.strip, self.site.frr.ask("show running-config").splitlines())
        return [line for line in lines if "VIP-OUT-" in line]

    def as_wanted(self) -> None:
        """Wait until each has just its own."""
        sees(self.bird, ONE, neighbor=self.transit.local, within=15)
        sees(self.bird, ONE, TWO, neighbor=self.peering.local, within=15)
        misses(self.bird, TWO, neighbor=self.transit.local, within=15)
        assert self.bird.routes(self.transit.local)[ONE].as_path == (64699,) * 4
        assert self.bird.routes(self.transit.local)[ONE].communities == {"64500:80"}
        assert self.bird.routes(self.peering.local)[ONE].as_path == (64699,) * 2
        theirs = self.bird.routes(self.transit.local)["198.51.100.0/24"]
        assert (theirs.as_path, theirs.communities) == ((64699,), frozenset())

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Begin as is wanted; in the end nothing ever came to transit that is not for it."""
        self.bird.wait_for_sessions()
        self.site.passes()
        self.as_wanted()
        self.history.start()
        yield
        assert not self.to_transit(TWO), "it came to transit"

    def to_transit(self, prefix: str) -> bool:
        """Tell whether a prefix ever came to transit since the history began."""
        found = {event.protocol for event in self.history.events(prefix)}
        return "peer0" in found


def made(network: Network, release: Release) -> Lab:
    """Make one."""
    host, far = network.host("par1"), network.host("bird")
    transit, peering = (network.link(host, far).session(64699, asn) for asn in (64500, 64501))
    bird = Bird(far, [transit.flipped(), peering.flipped()], options=TRACE)
    text = config([transit, peering], ipv4=["network 198.51.100.0/24"])
    group = {
        "neighbors": {"par1": [transit.remote]},
        "except": ["vip-2.tld"],
        "prepends": "+2",
        "communities": ["64500:80"],
    }
    tables: dict[str, Any] = {
        "vip": {
            name: vip(address, ports=[PORT], prefer=["par1", "lyo1"])
            for name, address in (("vip-1.tld", "192.0.2.1"), ("vip-2.tld", "192.0.2.2"))
        },
        "peer_group": {"transit": group},
        "backend": {"quagga": {"outbound": True}},
    }
    site = FrrSite(host, Frr(host, text, root=release.root), tables, up=[PORT])
    bird.wait_for_sessions()
    return Lab(site, bird, History(bird), transit, peering)
