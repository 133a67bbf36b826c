"""A load balancer with a systemd of its own, a router on this machine, and the product's wheels."""

from __future__ import annotations

import re
import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from tests.live.runbook import blocks
from tests.support.lab.bird import Bird
from tests.support.lab.inside import Realservers
from tests.support.lab.machine import Machine
from tests.support.lab.netns import Network
from tests.support.lab.release import MACHINES, Release
from tests.support.lab.requirements import require, require_release
from tests.systemd.built import Built, built
from tests.systemd.wheels import SOURCE, VERSIONS, collect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.support.lab.session import Session

PORT = 8080
OPEN = {
    "DeviceAllow": "ProtectClock=yes brings it: a clock that may only be read",
    "IPAddressDeny": "routers and realservers are the site's: a drop-in of docs/exabgp.md",
    "PrivateNetwork": "BGP",
    "PrivateUsers": "who it is that drains",
    "ProcSubset": "/proc/net/ip_vs",
    "ProtectProc": "keepalived",
    "RestrictAddressFamilies_AF_INET_INET6": "BGP, realservers",
    "RestrictAddressFamilies_AF_NETLINK": "require_address",
    "RestrictAddressFamilies_AF_UNIX": "the control socket, syslog, bgpd",
    "RootDirectoryOrRootImage": "programs and files are the machine's",
}
"""What the units leave open, and for what."""


@dataclass
class LoadBalancer:
    """A machine that announces, and what the router sees of it."""

    machine: Machine
    session: Session
    bird: Bird
    realservers: Realservers

    def follow(self, page: str, heading: str, number: int, version: str = VERSIONS[0]) -> None:
        """Run a block of shell of a page as it is written, but offline.

        Args:
            page: the page.
            heading: above the block.
            number: of the block under the heading.
            version: what is installed, where the block installs.
        """
        self._sh(blocks(SOURCE / page)[heading][number], version)

    def install(self) -> None:
        """Install the programs as the README does beside ExaBGP, and no unit."""
        block = blocks(SOURCE / "README.md")["Install it beside ExaBGP"][0]
        programs = re.search(r"# The programs.*?\n\n", block, re.DOTALL)
        assert programs, block
        self._sh(f"{programs[0]}mkdir /etc/vip-speaker", VERSIONS[0])

    @property
    def second(self) -> Session:
        """Another session with the same router, from an address that the machine has not been given."""
        return replace(self.session, local=str(IPv4Address(self.session.local) + 128))

    @property
    def is_up(self) -> bool:
        """Whether the session is up."""
        return self.bird.sessions()[self.session.local]

    def _sh(self, text: str, version: str) -> None:
        offline = f"pip install --quiet --no-index --find-links /wheels vip-speaker=={version}"
        self.machine.sh(f"cd /source\n{text.replace('pip install .', offline)}")


@contextmanager
def steadily(bird: Bird, *, has: Sequence[str] = (), lacks: Sequence[str] = ()) -> Iterator[None]:
    """Look again and again while the context lasts: the router always has these, and never those."""
    over, wrong, looks = threading.Event(), list[str](), 0

    def look() -> None:
        nonlocal looks
        while not over.wait(0.02):
            looks += 1
            found = bird.routes().keys()
            if not set(has) <= found or found & set(lacks):
                wrong.append(f"look {looks}: {sorted(found)}")

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert looks > 10
    assert wrong == []


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(each, marks=() if each is MACHINES[0] else pytest.mark.nightly, id=each.suite)
        for each in MACHINES
    ],
)
def suite(request: pytest.FixtureRequest) -> Release:
    """The releases: the oldest by day, all of them at night."""
    chosen: Release = request.param
    require("systemd-nspawn", "mmdebstrap")
    require_release(chosen)
    return chosen


@pytest.fixture(scope="module")
def lb(suite: Release) -> Iterator[LoadBalancer]:
    """A load balancer that has started, with the sources and the wheels in it; nothing is installed."""
    with Network() as network:
        host, router = network.host("lb1"), network.host("router")
        link = network.link(router, host)
        session = link.session(64500, 64699)
        machine = Machine(host, suite.root, masked=["exabgp.service", "frr.service"])
        collect(suite.root, machine.path("/wheels/all").parent)
        for part in ("packaging", "vip.toml.example", "exabgp.conf.example"):
            _copy(SOURCE / part, machine.path(f"/source/{part}"))
        machine.start()
        second = replace(session, remote=str(IPv4Address(session.remote) + 128))
        router.add(link.a.device, f"{IPv4Address(session.local) + 128}/30")
        bird = Bird(router, [session, second])
        realservers = Realservers(host)
        realservers.open(PORT)
        yield LoadBalancer(machine, session.flipped(), bird, realservers)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


@pytest.fixture(scope="package")
def packages() -> Built:
    """What ./dev package builds, and the same as the next version."""
    return built()
