"""A route for the same VIP that is learned from another data centre, beside our own or alone."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.lab.eventually import eventually
from tests.support.lab.frr import Frr, config
from tests.support.lab.frr_site import Bench
from tests.support.lab.netns import Network
from tests.support.lab.release import Release
from tests.support.lab.requirements import require
from tests.support.lab.site import vip

LIVE = 8081
V4, V6 = "192.0.2.1/32", "2001:db8::1/128"
BOTH = ("192.0.2.1", "2001:db8::1")
OURS = (64699, 64699)
TABLES: dict[str, Any] = {"vip": {"vip-1.tld": vip(*BOTH, ports=[LIVE])}}
LEARNED = {"different AS": (64699, 64511), "allowas-in": (64699, 64511, 64699)}
"""What the far peer gets of the other data centre's route, through us."""


class Learning:
    """A data centre whose bgpd has a router for another neighbour, which may announce the same VIP."""

    def __init__(self, network: Network, root: Path) -> None:
        self.dc = Bench(network, TABLES, up=[LIVE], root=root)
        link = network.link(network.host("router"), self.dc.host)
        session = link.session(64511, 64699)
        maps = ["route-map AGAIN permit 10", " set as-path prepend 64699", "exit"]
        self.router = Frr(link.a.namespace, config([session], asn=64511, before=maps), root=root)
        near = session.flipped()
        allow = f"neighbor {near.remote} allowas-in"
        self.dc.frr.ask(
            *("configure terminal", "router bgp 64699"),
            *(
                f"neighbor {near.remote} remote-as 64511",
                f"neighbor {near.remote} timers connect 1",
            ),
            *("address-family ipv4 unicast", allow, "exit-address-family"),
            *("address-family ipv6", f"neighbor {near.remote} activate", allow),
        )

    def learn(self, kind: str) -> None:
        """Have the router announce the VIP, and wait until the far peer has that through us."""
        also = " route-map AGAIN" if kind == "allowas-in" else ""
        self._router(f"network {V4}{also}", f"network {V6}{also}")

    def forget(self) -> None:
        """Have the router announce nothing."""
        networks = self.router.networks()
        if networks:
            self._router(*(f"no network {prefix}" for prefix in (V4, V6)))

    def _router(self, first: str, second: str) -> None:
        self.router.ask(
            *("configure terminal", "router bgp 64511", first, "address-family ipv6", second)
        )

    def peer_has(self, as_path: tuple[int, ...] | None) -> None:
        """Wait until the far peer has both prefixes by an AS_PATH, or not at all."""

        def seen() -> list[tuple[int, ...] | None]:
            routes = self.dc.bird.routes()
            return [routes[p].as_path if p in routes else None for p in (V4, V6)]

        eventually(
            seen,
            until=lambda got: got == [as_path, as_path],
            within=15,
            what=f"{as_path} at the peer",
        )

    def announced(self) -> list[bool | None]:
        """Return what status says of both prefixes."""
        routes = self.dc.site.routes()
        return [routes[prefix]["announced"] for prefix in (V4, V6)]


@pytest.fixture(scope="module")
def shared(release_network: Network, release: Release) -> Learning:
    require("bird")
    return Learning(release_network, release.root)


@pytest.fixture
def lab(shared: Learning) -> Learning:
    """Nothing is announced, nothing is learned."""
    shared.forget()
    shared.dc.reset()
    shared.dc.bird.wait_for_sessions()
    return shared


kinds = pytest.mark.parametrize("kind", LEARNED)


@kinds
def test_learned_alone_is_not_announced(lab: Learning, kind: str) -> None:
    """Learned before we announce: status says no, `-a` announces, a pass would too.

    The toolkit said "already exists", and announced nothing.
    """
    lab.learn(kind)
    lab.peer_has(LEARNED[kind])
    assert lab.announced() == [False, False]
    said = f"bgp_mgt: Adding route to {V4}\nbgp_mgt: Adding route to {V6}\n"
    assert lab.dc.site.mgmt("-a", *BOTH) == (0, said)
    lab.peer_has(OURS)
    assert lab.announced() == [True, True]


@kinds
def test_a_pass_announces_beside_a_learned_route(lab: Learning, kind: str) -> None:
    """Cron is not misled by it either, and the second pass changes nothing."""
    lab.learn(kind)
    lab.peer_has(LEARNED[kind])
    status, said = lab.dc.site.cron()
    assert (status, said.count("> add route")) == (0, 2)
    lab.peer_has(OURS)
    assert lab.dc.site.cron() == (0, "")


@kinds
def test_a_drain_leaves_the_learned_route(lab: Learning, kind: str) -> None:
    """`-d` withdraws ours and says so; again: already removed; status says no; `-a` restores."""
    lab.dc.site.cron()
    lab.peer_has(OURS)
    lab.learn(kind)
    assert lab.announced() == [True, True]
    said = f"bgp_mgt: Deleting route to {V4}\nbgp_mgt: Deleting route to {V6}\n"
    assert lab.dc.site.mgmt("-d", *BOTH) == (0, said)
    lab.peer_has(LEARNED[kind])
    assert lab.announced() == [False, False]
    status, said = lab.dc.site.mgmt("-d", *BOTH)
    replaced, _, said = said.partition("\n")
    assert replaced.startswith(f"bgp_mgt: {V4}, {V6}: replaced: drained by root at ")
    assert (status, said) == (0, f"Route {V4} already removed\nRoute {V6} already removed\n")
    assert lab.dc.site.cron() == (0, "")
    lab.peer_has(LEARNED[kind])
    assert lab.dc.site.mgmt("-a", *BOTH)[0] == 0
    lab.peer_has(OURS)


@kinds
def test_the_learned_route_goes(lab: Learning, kind: str) -> None:
    """With ours announced, or drained: what the other data centre does changes nothing of ours."""
    lab.dc.site.cron()
    lab.learn(kind)
    lab.peer_has(OURS)
    assert lab.dc.site.mgmt("-a", *BOTH)[1].count("already exists") == 2
    lab.forget()
    assert lab.announced() == [True, True]
    assert lab.dc.site.cron() == (0, "")
    assert lab.dc.site.mgmt("-d", *BOTH)[0] == 0
    lab.peer_has(None)
