"""The contract of a backend: what is applied comes to be at the peer, and is read back as it is."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

import pytest

from policy.plan import Announce, Change, Drift, Withdraw, plan
from policy.route import Attributes, Community, Prefix, Route, parse_prefix
from policy.wanted import WantedRoutes
from policy.witness import Hearing
from speaker.backends.base import BackendError
from speaker.reconcile.reach import NO_SESSION, Reach, Reaches
from tests.contract.dry_run_worlds import DRY_WORLDS
from tests.contract.exabgp_worlds import EXABGP_WORLDS
from tests.contract.quagga_worlds import QUAGGA_WORLDS
from tests.contract.worlds import ASN, DRAINED_SOFTLY, FOREIGN, HERE, PROFILES, SITE, Live, World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

V4, V6, SECOND = map(parse_prefix, ("192.0.2.1", "2001:db8::1", "192.0.2.2"))
WIDE = parse_prefix("203.0.113.0/24")
PLAIN, ONE, THREE, FULL = (profile.attributes(ASN) for profile in PROFILES)
OURS: dict[Prefix, None] = {}


ALL_WORLDS = {**EXABGP_WORLDS, **QUAGGA_WORLDS, **DRY_WORLDS}
FAKES = [name for name in ALL_WORLDS if "fake" in name]


def only(*names: str) -> pytest.MarkDecorator:
    """Run a test in some worlds alone."""
    return pytest.mark.parametrize("lasting", names, indirect=True, scope="module")


HEARING = [n for n in ALL_WORLDS if n in ("exabgp-v4-told", "exabgp-v5-told") or "frr-of" in n]


# A real daemon refuses nothing that we ask for: that is what the fakes are for.
refusing = only(*FAKES)
# A dry run asks for nothing, which nobody can refuse; but it has to be read.
unreadable = only(*FAKES, *DRY_WORLDS)


@pytest.fixture(scope="module", params=ALL_WORLDS)
def lasting(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world for all tests of a backend."""
    with ALL_WORLDS[request.param]() as world:
        yield world


@pytest.fixture
def world(lasting: World) -> World:
    """A world in which nothing of ours is announced."""
    assert not ask(lasting, *map(Withdraw, OURS))
    lasting.becomes({})
    OURS.clear()
    lasting.run(lasting.backend.read([V4]))  # whatever was in doubt
    return lasting


def ask(world: World, *changes: Change) -> Mapping[Prefix, str]:
    """Apply changes, and return what failed."""
    OURS.update((change.prefix, None) for change in changes)
    failures: Mapping[Prefix, str] = world.run(world.backend.apply(changes))
    return failures


def read(world: World, *prefixes: Prefix) -> Mapping[Prefix, Route | Drift | None]:
    found: Mapping[Prefix, Route | Drift | None] = world.run(world.backend.read(prefixes)).routes
    return found


@pytest.mark.parametrize("attributes", [PLAIN, ONE, THREE, FULL], ids=str)
@pytest.mark.parametrize("prefix", [V4, V6, WIDE], ids=str)
def test_announce(world: World, prefix: Prefix, attributes: Attributes) -> None:
    """What is announced is at the peer with exactly its attributes, and is read back so."""
    route = Route(prefix, attributes)
    assert ask(world, Announce(route)) == {}
    assert read(world, prefix) == {prefix: route}
    world.becomes({prefix: route})


def test_withdraw(world: World) -> None:
    """What is withdrawn is gone at the peer, and is read back as nothing; others stay."""
    routes = {prefix: Route(prefix, ONE) for prefix in (V4, V6, SECOND)}
    assert ask(world, *map(Announce, routes.values())) == {}
    world.becomes(routes)
    assert ask(world, Withdraw(V4), Withdraw(V6)) == {}
    assert read(world, V4, V6, SECOND) == {V4: None, V6: None, SECOND: routes[SECOND]}
    world.becomes({SECOND: routes[SECOND]})


@pytest.mark.parametrize("prefix", [V4, V6], ids=str)
def test_change(world: World, prefix: Prefix) -> None:
    """A route that is announced anew replaces the old one, to more attributes and to fewer."""
    for attributes in (PLAIN, FULL, THREE, PLAIN):
        route = Route(prefix, attributes)
        assert ask(world, Announce(route)) == {}
        assert read(world, prefix) == {prefix: route}
        world.becomes({prefix: route})


@pytest.mark.parametrize("prefix", DRAINED_SOFTLY, ids=str)
def test_soft_drain(world: World, prefix: Prefix) -> None:
    """What drains softly replaces the route, is read back as itself, and goes; both have the data centre's mark."""
    wanted = WantedRoutes(SITE, HERE)
    usual, soft = wanted.of(prefix), wanted.soft(prefix)
    assert usual is not None
    assert soft is not None
    assert (soft.attributes.local_preference, len(soft.attributes.as_path)) == (0, 7)
    assert HERE.mark in usual.attributes.communities
    assert HERE.mark in soft.attributes.communities
    for route in (usual, soft, usual, soft):
        assert ask(world, Announce(route)) == {}
        assert read(world, prefix) == {prefix: route}
        world.becomes({prefix: as_ebgp_peer(route)})
    assert ask(world, Withdraw(prefix)) == {}
    world.becomes({})


def as_ebgp_peer(route: Route) -> Route:
    return replace(route, attributes=replace(route.attributes, local_preference=None))


def test_mixed(world: World) -> None:
    """Both families, several attributes and withdrawals go in one call."""
    assert ask(world, Announce(Route(SECOND, ONE))) == {}
    wanted = {V4: Route(V4, FULL), V6: Route(V6, ONE), WIDE: Route(WIDE, ONE)}
    assert ask(world, Withdraw(SECOND), *map(Announce, wanted.values())) == {}
    assert read(world, V4, V6, WIDE, SECOND) == {**wanted, SECOND: None}
    world.becomes(wanted)


def test_again(world: World) -> None:
    """What is so already may be asked for again: it is no failure, and changes nothing."""
    route = Route(V4, ONE)
    for _ in range(2):
        assert ask(world, Announce(route), Withdraw(V6)) == {}
        assert read(world, V4, V6) == {V4: route, V6: None}
        world.becomes({V4: route})


def test_nothing(world: World) -> None:
    """No changes are none, and what was not asked for is not read."""
    assert ask(world) == {}
    assert read(world) == {}
    assert read(world, SECOND) == {SECOND: None}


def test_foreign(world: World) -> None:
    """A route of the daemon's own stays as it is, and is not taken for one that we would send."""
    before = world.table()[FOREIGN]
    ask(world, Announce(Route(V4, ONE)), Withdraw(V6))
    assert read(world, V4).keys() == {V4}
    found = read(world, FOREIGN)[FOREIGN]
    assert found is not None
    assert found != Route(FOREIGN, ONE)
    ask(world, Withdraw(V4))
    world.becomes({})
    assert world.table()[FOREIGN] == before


def test_many(world: World) -> None:
    """Hundreds of prefixes of both families, more than a line or a command holds."""
    base = int(IPv6Address("2001:db8:1::"))
    prefixes = [parse_prefix(str(IPv6Address(base + number))) for number in range(600)]
    prefixes += [parse_prefix(f"192.0.2.{number}") for number in range(10, 250)]
    wanted = {p: Route(p, (ONE, THREE)[at % 2]) for at, p in enumerate(prefixes)}
    assert ask(world, *map(Announce, wanted.values())) == {}
    assert read(world, *prefixes) == wanted
    world.becomes(wanted)
    assert ask(world, *map(Withdraw, prefixes)) == {}
    world.becomes({})


def test_peers(world: World) -> None:
    """The neighbours are known once the daemon was read, and which are up."""
    read(world, V4)
    address, asn = world.peer
    (peer,) = [peer for peer in world.backend.peers() if peer.address == address]
    assert (peer.asn, peer.up) == (asn, True)


# --- who was sent what ---------------------------------------------------------------------------


def reach(world: World, prefix: Prefix) -> Reach:
    """Read who was sent a prefix."""
    sent = world.run(world.backend.read([prefix])).sent
    return Reaches(world.backend.peers()).of(sent.get(prefix))


def announced(world: World, *prefixes: Prefix) -> list[bool | None]:
    return [reach(world, prefix).announced for prefix in prefixes]


def test_sent(world: World) -> None:
    """A prefix is announced where a session that is up was sent it, and not once that was withdrawn."""
    peer, _ = world.peer
    ask(world, Announce(Route(V4, ONE)))
    world.soon(lambda: announced(world, V4, SECOND) == [True, False], "V4 alone")
    found = reach(world, V4)
    assert found.complete
    assert found.sent is not None
    assert found.sent[peer] is True
    ask(world, Withdraw(V4))
    world.soon(lambda: announced(world, V4, SECOND) == [False, False], "neither")
    assert not reach(world, V4).complete


def test_every_session_down(world: World) -> None:
    """Nothing is announced; all that is to be is so again when they come back, unasked."""
    wanted = {prefix: Route(prefix, ONE) for prefix in (V4, V6)}
    ask(world, *map(Announce, wanted.values()))
    world.soon(lambda: announced(world, V4, V6) == [True, True], "both")
    world.sessions(up=False)
    try:
        world.soon(lambda: announced(world, V4, V6) == [False, False], "neither")
        assert reach(world, V4).lack == NO_SESSION
        assert read(world, V4, V6) == wanted, "what they will be sent"
    finally:
        world.sessions(up=True)
    world.soon(lambda: announced(world, V4, V6) == [True, True], "both again")
    world.becomes(wanted)


def test_withdrawn_while_down(world: World) -> None:
    """Nobody has it, and nobody gets it for longer than it takes to see that."""
    ask(world, Announce(Route(V4, ONE)))
    world.sessions(up=False)
    try:
        ask(world, Withdraw(V4))
        world.soon(lambda: announced(world, V4) == [False], "not announced")
        assert reach(world, V4).hold == ""
    finally:
        world.sessions(up=True)

    def healed() -> bool:
        found = world.run(world.backend.read([V4]))
        if found.routes[V4] is not None or V4 in found.doubtful:
            ask(world, Withdraw(V4))
        return announced(world, V4) == [False] and V4 not in world.table()

    world.soon(healed, "not announced, and not at the peer")


MARKS = {prefix: Community(64699, low) for prefix, low in ((V4, 2), (V6, 3))}


async def heard(world: World) -> tuple[Hearing, dict[Prefix, set[Community]]]:
    """What the only witness tells: how much is known, and the communities of each prefix."""
    await world.backend.read([V4])
    (witness,) = world.backend.heard()
    return witness.hearing, {
        prefix: {mark for path in paths for mark in path.attributes.communities}
        for prefix, paths in witness.paths.items()
    }


async def path(world: World) -> tuple[str, str]:
    """Who told the path of a prefix, and its AS_PATH."""
    (witness,) = world.backend.heard()
    (found,) = witness.paths[V4]
    return witness.name, str(found.attributes.as_path)


@only(*HEARING)
def test_heard(world: World) -> None:
    """What the peer announces of our prefixes is heard, with its communities, and so is that it is gone.

    While the session is down nothing is known; once it is up again, all of it is.
    """
    assert isinstance(world, Live)
    marked = {prefix: {mark} for prefix, mark in MARKS.items()}
    whole = (Hearing.WHOLE, marked)
    world.announces(MARKS | {parse_prefix("198.51.100.7"): Community(64699, 9)})
    world.soon(lambda: bool(world.run(heard(world)) == whole), "both prefixes heard")
    assert world.run(path(world)) == (world.peer[0], str(world.peer[1]))
    world.sessions(up=False)
    world.soon(lambda: bool(world.run(heard(world)) == (Hearing.DOWN, {})), "nothing known")
    world.sessions(up=True)
    world.soon(lambda: bool(world.run(heard(world)) == whole), "both prefixes heard again")
    world.announces({})
    world.soon(lambda: bool(world.run(heard(world)) == (Hearing.WHOLE, {})), "both gone")


@refusing
def test_refused(world: World) -> None:
    """A change that is refused is named with the reason, and can be asked for again."""
    route = Route(V4, ONE)
    assert world.spoil()
    failures = ask(world, Announce(route))
    assert failures.keys() == {V4}
    assert failures[V4]
    assert read(world, V4)[V4] != route
    assert ask(world, Announce(route)) == {}
    world.becomes({V4: route})


@refusing
def test_refused_among_others(world: World) -> None:
    """One that is refused keeps no other from being done."""
    wanted = {prefix: Route(prefix, ONE) for prefix in (V4, SECOND, WIDE)}
    assert world.spoil()
    assert ask(world, *map(Announce, wanted.values())) == {}, "asked for again in halves"
    world.becomes(wanted)


@unreadable
def test_unreadable(world: World) -> None:
    """A reading that fails is a BackendError, never an empty table; the next one is well."""
    route = Route(V4, ONE)
    ask(world, Announce(route))
    for command in range(3):
        assert world.spoil(after=command)
        with pytest.raises(BackendError):
            read(world, V4)
        assert read(world, V4) == {V4: route}


def test_given_up(world: World) -> None:
    """A call that is given up anywhere leaves the next one its own answer."""
    base = int(IPv6Address("2001:db8:2::"))
    many = [parse_prefix(str(IPv6Address(base + number))) for number in range(400)]
    for turn in range(12):
        wanted = {prefix: Route(prefix, (ONE, THREE)[turn % 2]) for prefix in many}
        OURS.update(dict.fromkeys(many))

        async def give_up(wanted: Mapping[Prefix, Route] = wanted, turns: int = turn) -> None:
            applying = asyncio.ensure_future(world.backend.apply([*map(Announce, wanted.values())]))
            for _ in range(turns):
                await asyncio.sleep(0.001)
            applying.cancel()
            await asyncio.gather(applying, return_exceptions=True)

        world.run(give_up())
        found = read(world, *many)
        assert ask(world, *plan(wanted, found)) == {}
        assert read(world, *many) == wanted
    world.becomes(wanted)


def test_at_random(world: World) -> None:
    """Through whatever was wanted in between: the plan of what was read gets to what is wanted."""
    dice = random.Random(4271)
    prefixes = [V4, V6, SECOND, WIDE]
    for _ in range(25):
        wanted = {p: dice.choice([None, PLAIN, ONE, FULL]) for p in prefixes}
        desired = {p: None if a is None else Route(p, a) for p, a in wanted.items()}
        found = world.run(world.backend.read(prefixes)).routes
        assert ask(world, *plan(desired, found)) == {}
        assert read(world, *prefixes) == desired
        world.becomes({p: route for p, route in desired.items() if route is not None})
