"""docs/migration.md, the walk: who follows it gets from two files to an ExaBGP that sends what bgpd sent."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.live.followed import PAGE, WALK, Followed
from tests.live.runbook import blocks
from tests.migration.stage import OPTIONS
from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import FLAVOURS
from tests.support.lab.frr import Frr
from tests.support.lab.requirements import require
from tests.support.lab.session import Session

if TYPE_CHECKING:
    from tests.support.lab.exabgp import Flavour
    from tests.support.lab.installed import Installed
    from tests.support.lab.netns import Network
    from tests.support.lab.session import SeenRoute

UPSTREAMS = {"203.0.113.1": 64500, "203.0.113.2": 64501}
BGPD, EXABGP = "203.0.113.10", "203.0.113.11"


def seen(birds: dict[str, Bird], speaker: str) -> dict[str, dict[str, SeenRoute]]:
    """Return what each upstream has from a speaker, whatever the next hop."""
    return {
        upstream: {
            prefix: replace(route, next_hop="") for prefix, route in bird.routes(speaker).items()
        }
        for upstream, bird in birds.items()
    }


@pytest.mark.one_exabgp  # test_cut_over.py runs the page's other commands beside both
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_walk(network: Network, installed: Installed, flavour: Flavour) -> None:
    """Each command succeeds, and both upstreams get from ExaBGP what they have from bgpd, each its own."""
    require("bird", "vtysh", flavours=(flavour,))
    host, routers = network.host("lb1"), network.host("routers")
    device, far = network.wire(host, routers)
    machine = Followed(host, device, installed, flavour)
    host.add(device, f"{BGPD}/24")
    routers.add(far, *(f"{upstream}/24" for upstream in UPSTREAMS))
    birds: dict[str, Bird] = {}
    for upstream, asn in UPSTREAMS.items():
        folder = routers.directory / str(asn)
        folder.mkdir()
        sessions = [Session(upstream, asn, here, 64699, ("ipv4",)) for here in (BGPD, EXABGP)]
        birds[upstream] = Bird(
            replace(routers, directory=folder), sessions, router_id=upstream, options=OPTIONS
        )
    files, imported, placed, compared, started, status = blocks(PAGE)[WALK]
    text = re.search(r"<<'END'\n(.*)\nEND\n", files, re.DOTALL)
    assert text is not None
    frr = Frr(host, text[1] + "\n")
    machine.programs(frr)
    machine.follow(files)
    assert "2 data centres; the UPDATEs of bgpd and ExaBGP are equal" in machine.follow(imported)
    machine.follow(placed)
    assert "all 4 UPDATEs are equal" in machine.follow(compared)
    machine.adapt()
    machine.follow(started)
    got = eventually(
        lambda: (seen(birds, BGPD), seen(birds, EXABGP)),
        until=lambda both: both[0] == both[1] and all(both[0].values()),
        within=60,
        what="the same from bgpd and from ExaBGP",
    )[1]
    first, second = (got[upstream]["192.0.2.1/32"] for upstream in UPSTREAMS)
    assert first != second, "each upstream gets its own"
    eventually(lambda: "yes" in machine.follow(status), within=30, what="all as wanted")
