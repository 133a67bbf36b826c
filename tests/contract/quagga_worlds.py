"""The driver for bgpd, over the fake of each dialect and over a live FRR."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from policy.extended import ExtendedCommunity
from policy.route import (
    Asn,
    AsPath,
    Attributes,
    Community,
    LargeCommunity,
    Origin,
    Route,
)
from policy.wanted import WantedRoutes
from speaker.backends.quagga.driver import QuaggaBackend
from speaker.backends.quagga.vtysh import Shell
from speaker.config.settings import QuaggaSettings
from tests.contract.worlds import ALL_PROFILES, ASN, FOREIGN, HERE, SITE, Faked, Live, World
from tests.support.fakes.bgpd import Bgpd, communities, extended
from tests.support.lab.bird import Bird
from tests.support.lab.frr import Frr, config
from tests.support.lab.netns import Network
from tests.support.lab.release import RELEASES
from tests.support.lab.requirements import require, require_release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from policy.route import Prefix
    from tests.support.fakes.bgpd import Dialect
    from tests.support.fakes.bgpd import Path as BgpPath
    from tests.support.lab.release import Release

SETTINGS = QuaggaSettings(Path("/usr/bin/vtysh"), "VIP-{profile}")


async def no_pause(_: float) -> None:
    """Wait for nothing."""
    await asyncio.sleep(0)


class FakeBgpd(Faked):
    """The driver over the fake: what it would send is what its paths have."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(asyncio.Runner())
        self.bgpd = Bgpd(dialect)
        self.peer = self.bgpd.peer
        self.backend = QuaggaBackend(self.bgpd, pause=no_pause)
        self.backend.configure(ASN, SETTINGS, ALL_PROFILES)
        lines = ("configure terminal", f"router bgp {ASN}", f"network {FOREIGN}")
        self.run(self.bgpd(lines))

    def table(self) -> Mapping[Prefix, Route]:
        for _ in range(2):  # what was just changed is so a moment later
            self.run(self.bgpd(("show bgp ipv4 unicast", "show bgp ipv6 unicast")))
        return {p: sent(p, path) for p, path in self.bgpd.paths.items() if path.best}

    def sessions(self, *, up: bool) -> None:
        self.bgpd.established = up

    def spoil(self, *, after: int = 0) -> bool:
        self.bgpd.faults[:] = [*[False] * after, True]
        return True


def sent(prefix: Prefix, path: BgpPath) -> Route:
    """Return what an eBGP peer gets of a path."""
    prepended = path.value("as-path").removeprefix("prepend ")
    return Route(
        prefix,
        Attributes(
            AsPath((ASN, *(Asn(int(asn)) for asn in prepended.split()))),
            int(path.value("metric") or 0),
            Origin(path.value("origin") or "igp"),
            tuple(map(Community.parse, communities(path.value("community")))),
            tuple(map(LargeCommunity.parse, communities(path.value("large-community")))),
            extended_communities=tuple(map(ExtendedCommunity.parse, extended(path.sets))),
        ),
    )


class RealFrr(Live):
    """The driver over a live FRR, with BIRD as the peer."""

    def __init__(self, network: Network, root: Path) -> None:
        host, peer = network.host("speaker"), network.host("peer")
        session = network.link(host, peer).session(int(ASN), 64500)
        super().__init__(asyncio.Runner(), Bird(peer, [session.flipped()]))
        self.peer = (session.remote, 64500)
        frr = Frr(host, config([session], ipv4=[f"network {FOREIGN}"]), root=root)
        self.backend = QuaggaBackend(Shell(frr.vtysh))
        self.backend.configure(ASN, SETTINGS, ALL_PROFILES, WantedRoutes(SITE, HERE))
        self._bird.wait_for_sessions()


@contextmanager
def fake_bgpd(dialect: Dialect) -> Iterator[World]:
    """The fake of a dialect."""
    world = FakeBgpd(dialect)
    try:
        yield world
    finally:
        world.close()


@contextmanager
def real_frr(release: Release) -> Iterator[World]:
    """The live FRR of a release."""
    require("bird")
    require_release(release)
    with ExitStack() as stack:
        world = RealFrr(stack.enter_context(Network()), release.root)
        stack.callback(world.close)
        world.becomes({})
        yield world


QUAGGA_WORLDS: Mapping[str, Callable[[], AbstractContextManager[World]]] = {
    "bgpd-fake-quagga-0.99": lambda: fake_bgpd("quagga-0.99.22.4"),
    "bgpd-fake-quagga-1.2": lambda: fake_bgpd("quagga-1.2.4"),
    "bgpd-fake-frr-8.4": lambda: fake_bgpd("frr-8.4.4"),
    "bgpd-fake-frr-10.3": lambda: fake_bgpd("frr-10.3"),
    **{f"frr-of-{each.suite}": partial(real_frr, each) for each in RELEASES},
}
