"""What a world of the contract is: a backend with a daemon behind it, and a peer behind that."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

from policy.drain_profile import soft_profiles
from policy.extended import ExtendedCommunity
from policy.route import (
    Asn,
    AsPath,
    Attributes,
    Community,
    LargeCommunity,
    Origin,
    Route,
    parse_prefix,
)
from policy.topology import Address, DataCentre, Profile, Topology, Vip
from tests.support.lab.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from policy.route import Prefix
    from speaker.backends.base import Backend
    from tests.support.fakes.exabgp import Received
    from tests.support.lab.bird import Bird
    from tests.support.lab.session import SeenRoute

ASN = Asn(64699)
FOREIGN = parse_prefix("198.51.100.0/24")
"""A route of the daemon's own configuration: none of ours."""
EXTENDED = tuple(
    map(
        ExtendedCommunity.parse,
        ("rt:64500:4294967295", "rt:65546:7", "rt:192.0.2.1:5", "soo:64500:1", "soo:65546:7"),
    )
)
"""One of each form."""
PROFILES = (
    Profile("prepend-0", 0),
    Profile("prepend-1", 1),
    Profile("prepend-3", 3),
    Profile(
        "full",
        2,
        50,
        Origin.IGP,
        (Community(64699, 100),),
        (LargeCommunity(64699, 1, 2),),
        extended_communities=EXTENDED,
    ),
)
DRAINED_SOFTLY = tuple(map(parse_prefix, ("192.0.2.1", "2001:db8::1", "203.0.113.0/24")))
SITE = Topology(
    (DataCentre("par1", ASN, mark=Community(64699, 1)), DataCentre("lyo1", ASN)),
    (
        Vip(
            "vip-1.tld",
            tuple(Address(prefix, ("par1", "lyo1")) for prefix in DRAINED_SOFTLY),
            (Profile("near", 1), Profile("far", 3)),
        ),
    ),
)
"""What VIPs there are, for a driver that must know how they drain; the data centre marks its routes."""
HERE = SITE.dcs[0]
ALL_PROFILES = (
    *PROFILES,
    *map(HERE.marked, (*SITE.vips[0].ranks, *soft_profiles(SITE, HERE))),
)


class World(Protocol):
    """A backend under test, its daemon, and the peer whose view decides."""

    @property
    def backend(self) -> Backend:
        """The driver."""
        ...

    @property
    def peer(self) -> tuple[str, int]:
        """The eBGP peer's address and ASN."""
        ...

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        """Run something in the backend's event loop."""
        ...

    def table(self) -> Mapping[Prefix, Route]:
        """Return what the eBGP peer has by now."""
        ...

    def becomes(self, wanted: Mapping[Prefix, Route]) -> None:
        """Wait until the peer has exactly this, and the foreign route."""
        ...

    def sessions(self, *, up: bool) -> None:
        """Bring all sessions up, or down, and wait until they are."""
        ...

    def soon(self, check: Callable[[], bool], what: str) -> None:
        """Wait until a check is true."""
        ...

    def spoil(self, *, after: int = 0) -> bool:
        """Let a later command be refused; False where this world can't be made to fail."""
        ...


class _Base(ABC):
    """What all worlds have: a loop of their own, and a peer's table."""

    backend: Backend
    peer: tuple[str, int]

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(what)

    @abstractmethod
    def table(self) -> Mapping[Prefix, Route]: ...

    def close(self) -> None:
        self._runner.close()

    def _check(self, wanted: Mapping[Prefix, Route]) -> None:
        found = dict(self.table())
        assert found.pop(FOREIGN, None) is not None
        assert found == wanted


class Faked(_Base):
    """A world over a fake: whatever was asked for is so at once."""

    def becomes(self, wanted: Mapping[Prefix, Route]) -> None:
        self._check(wanted)

    def soon(self, check: Callable[[], bool], what: str) -> None:
        self.run(asyncio.sleep(1))
        assert check(), what


class Live(_Base):
    """A world over a real daemon, with BIRD as the peer. It can't be made to fail."""

    def __init__(self, runner: asyncio.Runner, bird: Bird) -> None:
        super().__init__(runner)
        self._bird = bird

    def table(self) -> Mapping[Prefix, Route]:
        return {p: route(p, seen) for p, seen in _parsed(self._bird.routes())}

    def becomes(self, wanted: Mapping[Prefix, Route]) -> None:
        eventually(
            lambda: self._check(wanted),
            until=lambda _: True,
            within=10,
            what="the wanted table at the peer",
        )

    def sessions(self, *, up: bool) -> None:
        for neighbor in self._bird.sessions():
            (self._bird.enable if up else self._bird.disable)(neighbor)
        eventually(
            self._bird.sessions,
            until=lambda seen: all(state is up for state in seen.values()),
            within=30,
            what=f"all sessions {'up' if up else 'down'}",
        )

    def announces(self, marks: Mapping[Prefix, Community]) -> None:
        """Have the peer announce prefixes, each with a community, and no others of ours."""
        self._bird.announce({str(prefix): str(mark) for prefix, mark in marks.items()})

    def soon(self, check: Callable[[], bool], what: str) -> None:
        eventually(check, until=bool, within=15, what=what)

    def spoil(self, *, after: int = 0) -> bool:
        del after
        return False


def _parsed(routes: Mapping[str, SeenRoute]) -> list[tuple[Prefix, SeenRoute]]:
    return [(parse_prefix(text), seen) for text, seen in routes.items()]


def route(prefix: Prefix, seen: SeenRoute | Received) -> Route:
    """Return what a peer has of a prefix, as we would send it."""
    return Route(
        prefix,
        Attributes(
            AsPath(tuple(map(Asn, seen.as_path))),
            seen.med,
            Origin(seen.origin),
            tuple(map(Community.parse, seen.communities)),
            tuple(map(LargeCommunity.parse, seen.large_communities)),
            extended_communities=tuple(map(ExtendedCommunity.parse, seen.extended_communities)),
        ),
    )
