"""The contract of a backend where vip.toml gives single neighbours something else: each has just its own."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from policy.plan import Announce, Drift, Withdraw, plan
from policy.route import parse_prefix
from speaker import config
from speaker.backends.dry_run import DryRun
from speaker.reconcile.reach import Reach, Reaches
from tests.contract.peers_worlds import WORLDS, Had, PeersWorld, routes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policy.plan import Change
    from policy.route import Prefix, Route
    from policy.topology import Topology
    from policy.wanted import WantedRoutes
    from speaker.backends.base import Reading

V4, V6, SECOND, THIRD = map(parse_prefix, ("192.0.2.1", "2001:db8::1", "192.0.2.2", "192.0.2.3"))
ALL = (V4, V6, SECOND, THIRD)
SITE = """
[node]
dc = "par1"
[dc.par1]
asn = 64699
[dc.lyo1]
asn = 64699
[policy]
prepends = [1, 2]
[vip."vip-1.tld"]
addresses = ["192.0.2.1", "2001:db8::1"]
[vip."vip-2.tld"]
addresses = ["192.0.2.2"]
[vip."vip-3.tld"]
addresses = ["192.0.2.3"]
"""
RULES = """
[peer_group.transit]
neighbors = ["{transit}"]
except = ["vip-2.tld"]
prepends = "+2"
communities = ["64500:80"]
large_communities = ["64500:1:2"]
extended_communities = ["rt:64500:80", "soo:65546:1"]
med = 7
[peer."{peering}"]
announce = ["vip-1.tld", "vip-2.tld"]
[peer."{inside}"]
local_preference = 200
"""
EXTENDED = frozenset({"rt:64500:80", "soo:65546:1"})


@pytest.fixture(scope="module", params=WORLDS)
def lasting(request: pytest.FixtureRequest) -> Iterator[PeersWorld]:
    """A world for all tests of a backend."""
    with WORLDS[request.param]() as world:
        yield world


@pytest.fixture
def world(lasting: PeersWorld) -> PeersWorld:
    """A world in which nothing of ours is announced."""
    lasting.configure(site(lasting, RULES))
    assert ask(lasting, *map(Withdraw, ALL)) == {}
    lasting.soon(lambda: has(lasting))
    read(lasting)
    return lasting


def site(world: PeersWorld, rules: str, *, less: bool = False) -> Topology:
    """Return the topology of a site with rules for the peers of a world; one without the second VIP."""
    vips = SITE.replace('[vip."vip-2.tld"]\naddresses = ["192.0.2.2"]\n', "") if less else SITE
    transit, peering, inside = world.addresses
    with TemporaryDirectory() as directory:
        path = Path(directory, "vip.toml")
        path.write_text(vips + rules.format(transit=transit, peering=peering, inside=inside))
        return config.load(path, {}).topology


def ask(world: PeersWorld, *changes: Change) -> Mapping[Prefix, str]:
    failures: Mapping[Prefix, str] = world.run(world.backend.apply(changes))
    return failures


def read(world: PeersWorld) -> Reading:
    found: Reading = world.run(world.backend.read(ALL))
    return found


def announce(world: PeersWorld, wanted: WantedRoutes, *prefixes: Prefix) -> dict[Prefix, Route]:
    """Have prefixes announced, and return their routes."""
    found = {route.prefix: route for route in routes(wanted, *prefixes)}
    assert ask(world, *map(Announce, found.values())) == {}
    return found


def has(
    world: PeersWorld,
    transit: Mapping[Prefix, Had] | None = None,
    peering: Mapping[Prefix, Had] | None = None,
    inside: Mapping[Prefix, Had] | None = None,
) -> None:
    """Assert that each peer has just this."""
    found = world.tables()
    addresses = map(str, world.addresses)
    assert found == dict(zip(addresses, (transit or {}, peering or {}, inside or {}), strict=True))


def had(copies: int, med: int = 0, *, own: bool = False, preference: int | None = None) -> Had:
    """Return what a peer has."""
    return Had(
        " ".join(["64699"] * copies),
        med,
        frozenset({"64500:80"}) if own else frozenset(),
        frozenset({"64500:1:2"}) if own else frozenset(),
        preference,
        EXTENDED if own else frozenset(),
    )


TO_TRANSIT = {V4: had(4, 7, own=True), V6: had(4, 7, own=True), THIRD: had(4, 7, own=True)}
TO_PEERING = {V4: had(2), V6: had(2), SECOND: had(2)}
TO_INSIDE = dict.fromkeys(ALL, had(1, preference=200))


def reach(world: PeersWorld, reading: Reading, route: Route) -> Reach:
    return Reaches(world.backend.peers()).of(reading.sent.get(route.prefix), route)


def test_each_has_its_own(world: PeersWorld) -> None:
    """Each peer has what it is to have, with its own attributes, and it is read back as wanted."""
    wanted = announce(world, world.configure(site(world, RULES)), *ALL)
    assert read(world).routes == wanted
    world.soon(lambda: has(world, TO_TRANSIT, TO_PEERING, TO_INSIDE))

    def complete() -> None:
        reading = read(world)
        assert all(reach(world, reading, route).complete for route in wanted.values())
        assert reading.trouble == ""

    world.soon(complete)


def test_who_is_not_to_get_it_was_never_sent_it(world: PeersWorld) -> None:
    """It is announced by selector from the start: never to all, to be withdrawn from one."""
    transit, peering, _ = world.addresses
    announce(world, world.configure(site(world, RULES)), *ALL)
    for address, prefix in ((transit, SECOND), (peering, THIRD)):
        assert prefix not in (world.announced_to(address) or ())
    reading = read(world)
    assert reading.sent[SECOND][str(transit)] is False
    assert reading.sent[THIRD][str(peering)] is False


def test_withdrawn_from_all(world: PeersWorld) -> None:
    """What is withdrawn is gone everywhere, and the rest stays with each."""
    wanted = announce(world, world.configure(site(world, RULES)), *ALL)
    assert ask(world, Withdraw(V4), Withdraw(SECOND)) == {}
    assert read(world).routes == {**wanted, V4: None, SECOND: None}
    left = [
        {prefix: one for prefix, one in each.items() if prefix not in (V4, SECOND)}
        for each in (TO_TRANSIT, TO_PEERING, TO_INSIDE)
    ]
    world.soon(lambda: has(world, *left))


def test_a_rule_that_comes_and_goes(world: PeersWorld) -> None:
    """What the plan of a reading changes is what the rule does, in both directions, and no more."""
    plain = world.configure(site(world, ""))
    announce(world, plain, *ALL)
    same = {prefix: had(2) for prefix in ALL}
    world.soon(lambda: has(world, same, same, dict.fromkeys(ALL, had(1, preference=100))))
    for rules, seen in (
        (RULES, (TO_TRANSIT, TO_PEERING, TO_INSIDE)),
        ("", (same, same, dict.fromkeys(ALL, had(1, preference=100)))),
    ):
        now = world.configure(site(world, rules))
        desired = {route.prefix: route for route in routes(now, *ALL)}
        before = read(world).routes
        assert ask(world, *plan(desired, before)) == {}
        assert read(world).routes == desired
        assert plan(desired, read(world).routes) == ()
        world.soon(lambda seen=seen: has(world, *seen))  # type: ignore[misc]  # of a lambda with a default


def test_who_drains_softly_is_last_for_each(world: PeersWorld) -> None:
    """Each peer's own numbers stand behind: LOCAL_PREF is 0 for iBGP peers, and no MED is lower than any."""
    wanted = world.configure(site(world, RULES))
    announce(world, wanted, *ALL)
    soft = {prefix: route for prefix in ALL if (route := wanted.soft(prefix)) is not None}
    assert ask(world, *map(Announce, soft.values())) == {}
    assert read(world).routes == soft
    gone = frozenset({"65535:0"})
    transit = Had(
        " ".join(["64699"] * 10),
        8,
        frozenset({"64500:80"}) | gone,
        frozenset({"64500:1:2"}),
        None,
        EXTENDED,
    )
    peering = Had(" ".join(["64699"] * 8), 8, gone, frozenset(), None)
    inside = Had(" ".join(["64699"] * 7), 8, gone, frozenset(), 0)
    world.soon(
        lambda: has(
            world,
            dict.fromkeys(TO_TRANSIT, transit),
            dict.fromkeys(TO_PEERING, peering),
            dict.fromkeys(ALL, inside),
        )
    )
    plain = world.configure(site(world, ""))
    soft = {prefix: route for prefix in ALL if (route := plain.soft(prefix)) is not None}
    assert ask(world, *map(Announce, soft.values())) == {}
    assert read(world).routes == soft, "where all get the same but LOCAL_PREF"


NOT_TRANSIT = '[peer."{transit}"]\nexcept = ["vip-2.tld"]'
BUT_TRANSIT: tuple[dict[Prefix, Had], ...] = (
    {},
    {SECOND: had(2)},
    {SECOND: had(1, preference=100)},
)


def test_a_peer_that_has_what_it_is_not_to_have(world: PeersWorld) -> None:
    """It is no route as wanted, whatever the others have; asking for what is wanted again takes it away."""
    plain = world.configure(site(world, ""))
    announce(world, plain, SECOND)
    now = world.configure(site(world, NOT_TRANSIT))
    found = read(world).routes[SECOND]
    assert isinstance(found, Drift), "transit has it"
    wanted = announce(world, now, SECOND)
    assert read(world).routes[SECOND] == wanted[SECOND]
    world.soon(lambda: has(world, *BUT_TRANSIT))


def test_kept_from_one_while_its_session_is_down(world: PeersWorld) -> None:
    """What a peer was to get, and is not to get any more when its session comes up, is taken away again.

    ExaBGP sends what was announced and withdrawn while a session was down, and does not list it.
    """
    transit, _, _ = world.addresses
    world.session(transit, up=False)
    try:
        announce(world, world.configure(site(world, "")), SECOND)
        now = world.configure(site(world, NOT_TRANSIT))
        read(world)
        (route,) = announce(world, now, SECOND).values()
    finally:
        world.session(transit, up=True)

    def healed() -> None:
        reading = read(world)
        if reading.routes[SECOND] != route or SECOND in reading.doubtful:
            ask(world, Announce(route))
        has(world, *BUT_TRANSIT)
        assert reach(world, reading, route).complete

    world.soon(healed)


def test_what_left_the_file_is_kept_back_until_it_is_withdrawn(world: PeersWorld) -> None:
    """Somebody asks for another VIP alone, under a file that lacks this one: who was not to get it still does not."""
    announce(world, world.configure(site(world, RULES)), *ALL)
    read(world)
    less = site(
        world, RULES.replace('except = ["vip-2.tld"]', "").replace(', "vip-2.tld"', ""), less=True
    )
    now = world.configure(less)
    read(world)
    announce(world, now, V4)
    read(world)
    transit, *others = ({SECOND: each.get(SECOND)} for each in world.tables().values())
    assert transit == {SECOND: None}
    assert all(each[SECOND] for each in others)
    assert ask(world, Withdraw(SECOND)) == {}
    left = {prefix: one for prefix, one in TO_INSIDE.items() if prefix != SECOND}
    only = {prefix: one for prefix, one in TO_PEERING.items() if prefix != SECOND}

    def settled() -> None:
        if read(world).is_untidy:
            ask(world)
        has(world, TO_TRANSIT, only, left)
        assert not read(world).is_untidy

    world.soon(settled)


def test_kept_from_all(world: PeersWorld) -> None:
    """What no neighbour is to get has failed, with the reason, and is nowhere."""
    rules = "\n".join(
        f'[peer."{{{who}}}"]\nexcept = ["vip-2.tld"]' for who in ("transit", "peering", "inside")
    )
    wanted = world.configure(site(world, rules))
    failures = ask(world, *map(Announce, routes(wanted, SECOND)))
    assert failures.keys() == {SECOND}
    assert "every neighbor" in failures[SECOND]
    assert read(world).routes[SECOND] is None
    has(world)


def test_a_neighbour_that_is_not_there(world: PeersWorld) -> None:
    """A rule for a neighbour that the daemon lacks is trouble, with its address; the others get their own."""
    rules = RULES + '[peer."192.0.2.99"]\nexcept = ["vip-1.tld"]'
    wanted = announce(world, world.configure(site(world, rules)), *ALL)
    reading = read(world)
    assert reading.routes == wanted
    assert "192.0.2.99" in reading.trouble
    elsewhere = RULES + '[peer."192.0.2.99"]\nexcept = ["vip-1.tld"]\ndc = "lyo1"'
    world.configure(site(world, elsewhere))
    assert read(world).trouble == ""


def test_dry_run(world: PeersWorld) -> None:
    """A dry run shows who would be sent what, and nobody is."""
    wanted = world.configure(site(world, RULES))
    dry = DryRun(world.backend)
    changes = [*map(Announce, routes(wanted, *ALL))]
    read(world)
    assert world.run(dry.apply(changes)) == {}
    reading = world.run(dry.read(ALL))
    assert reading.routes == {change.prefix: change.route for change in changes}
    transit, peering, inside = map(str, world.addresses)
    assert reading.sent[SECOND] == {transit: False, peering: True, inside: True}
    assert reading.sent[THIRD] == {transit: True, peering: False, inside: True}
    has(world)
