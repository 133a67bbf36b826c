"""Checks the lab itself: that its parts say the same of the same, and that they can fail."""

from functools import partial
from operator import eq

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import FLAVOURS, Config, ExaBgp, Flavour
from tests.support.lab.gobgp import GoBgp
from tests.support.lab.netns import Network
from tests.support.lab.puppet import Puppet
from tests.support.lab.requirements import require
from tests.support.lab.session import SeenRoute

V4, V6 = "192.0.2.1/32", "2001:db8::1/128"


def test_eventually_says_what_it_saw_last() -> None:
    """A condition that never holds is a failure that shows the last value read."""
    with pytest.raises(AssertionError, match=r"not within 0.06 s: three routes; last seen: 2"):
        eventually(lambda: 2, until=partial(eq, 3), within=0.01, what="three routes")


def test_eventually_takes_an_assertion_for_not_yet() -> None:
    """A check that asserts is asked again until it passes."""
    seen = iter(["not yet", "nor now", ""])

    def check() -> str:
        trouble = next(seen)
        assert not trouble, trouble
        return "there"

    assert eventually(check, within=1, what="no trouble") == "there"


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_bird_and_gobgp_see_the_same_route(network: Network, flavour: Flavour) -> None:
    """One announcement is one SeenRoute, whatever daemon the far peer is."""
    require("bird", "gobgpd", "gobgp", flavours=(flavour,))
    speaker = network.host("speaker")
    bird_link, gobgp_link = (
        network.link(network.host(label), speaker) for label in ("bird", "gobgp")
    )
    bird = Bird(bird_link.a.namespace, [bird_link.session(64500, 64699)])
    gobgp = GoBgp(gobgp_link.a.namespace, gobgp_link.session_per_family(64501, 64699))
    sessions = [bird_link.session(64500, 64699), *gobgp_link.session_per_family(64501, 64699)]
    puppet = Puppet(speaker)
    exabgp = ExaBgp(
        speaker, flavour, Config([session.flipped() for session in sessions], puppet.run)
    )
    helper = puppet.helper()
    bird.wait_for_sessions()
    gobgp.wait_for_sessions()

    attributes = "as-path [ 64699 64699 65551 ] med 7 origin egp community [ 64699:1 65535:0 ] large-community [ 64699:1:2 ]"
    for link in (bird_link, gobgp_link):
        helper.ask(
            f"neighbor {link.a.ipv4} announce route {V4} next-hop {link.b.ipv4} {attributes}"
        )
    helper.ask(
        f"neighbor {bird_link.a.ipv4} announce route {V6} next-hop {bird_link.b.ipv6} {attributes}"
    )
    helper.ask(
        f"neighbor {gobgp_link.a.ipv6} announce route {V6} next-hop {gobgp_link.b.ipv6} {attributes}"
    )

    def expected(prefix: str, next_hop: str) -> SeenRoute:
        communities, large = frozenset({"64699:1", "65535:0"}), frozenset({"64699:1:2"})
        return SeenRoute(prefix, (64699, 64699, 65551), next_hop, 7, "egp", communities, large)

    for peer, end in ((bird, bird_link.b), (gobgp, gobgp_link.b)):
        routes = {V4: expected(V4, end.ipv4), V6: expected(V6, end.ipv6)}
        eventually(peer.routes, until=partial(eq, routes), within=5, what=f"{routes} at {peer}")
        assert peer.best(V4) == routes[V4]
        assert peer.best("192.0.2.9/32") is None
        assert peer.count() == len(routes)
    assert bird.routes(bird_link.b.ipv4).keys() == {V4, V6}
    assert gobgp.routes(gobgp_link.b.ipv6).keys() == {V6}

    assert exabgp.terminate() == 0
    eventually(bird.count, until=partial(eq, 0), within=5, what="no route after ExaBGP has gone")
