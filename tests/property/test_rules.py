"""What holds of a whole topology: who takes over, what is in the paths, and that nothing ties."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from policy.assess import Memory, assess
from policy.assignment import assignments
from policy.best_path import announcements, best, choices, neighbouring_as
from policy.guard import GuardRule
from policy.health import Observation
from policy.intent import Mode
from policy.plan import Announce
from policy.route import MAX_PREPENDS, Asn, Route
from speaker.backends.exabgp.api_text import as_ebgp, parse_listing
from speaker.backends.exabgp.lines import render
from speaker.backends.exabgp.neighbors import ConfiguredNeighbors
from speaker.backends.quagga.driver import QuaggaBackend
from speaker.config.settings import NextHop, QuaggaSettings
from tests.support.fakes.bgpd import Bgpd
from tests.support.fakes.bgpd import Dialect as BgpdDialect
from tests.support.fakes.exabgp import DIALECTS, Daemon, Dialect
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from policy.route import Prefix
    from policy.topology import DataCentre, Profile, Topology

BGPDS: tuple[BgpdDialect, ...] = ("quagga-0.99.22.4", "quagga-1.2.4", "frr-8.4.4")


@given(made.topologies(), st.lists(st.sampled_from(made.DC_NAMES), max_size=12))
def test_failures_and_recoveries(topology: Topology, flips: list[str]) -> None:
    """Rule 6, in every order of failures and recoveries.

    When the best fails, the next in the preference takes over and no other address moves; when it
    recovers, what moves is what it comes before the one that had it.
    """
    living = {dc.name for dc in topology.dcs}
    before = choices(topology, living)
    for name in flips:
        if name not in {dc.name for dc in topology.dcs}:
            continue
        living ^= {name}
        after = choices(topology, living)
        for _, address in topology:
            had, has = before[address.prefix], after[address.prefix]
            assert len(has) == min(1, len(living))
            if name in had:
                behind = address.prefer[address.prefer.index(name) + 1 :]
                assert has == {*[each for each in behind if each in living][:1]}
            elif name in has:
                assert all(map(address.prefer[address.prefer.index(name) :].count, had))
            else:
                assert has == had
        before = after


@given(made.topologies())
def test_paths(topology: Topology) -> None:
    """Paths grow strictly with the rank, are within bounds, and are of the DC's own AS throughout.

    The first AS in the path is the neighbour's, so that `enforce-first-as` lets it in; no AS that
    is prepended is anybody else's, so that no peer drops it as a loop of its own.
    """
    for vip, address in topology:
        routes = announcements(topology, vip, address)
        lengths = [len(routes[name].attributes.as_path) for name in address.prefer]
        assert lengths == sorted(set(lengths))
        assert lengths[0] >= 1
        assert lengths[-1] <= MAX_PREPENDS + 1
        for dc in topology.dcs:
            assert routes[dc.name].prefix == address.prefix
            assert neighbouring_as(routes[dc.name].attributes) == dc.asn
            assert {*routes[dc.name].attributes.as_path} == {dc.asn}


@st.composite
def announced(draw: st.DrawFn, topology: Topology, dc: DataCentre) -> dict[Prefix, Route | None]:
    """What a data centre announces of each prefix, with intents, counts and a past of its own."""
    own = assignments(topology, dc)
    some = st.frozensets(st.sampled_from(topology.prefixes)) if own else st.just(frozenset())
    live = {prefix: found for prefix in own if (found := draw(made.counts())) is not None}
    result = assess(
        own,
        Observation(live),
        draw(some),
        {prefix: draw(made.intents()) for prefix in draw(some)},
        draw(some),
        draw(some),
        GuardRule(),
        Memory(),
        1000.0,
    )
    return {**result.desired}


@given(made.topologies(), st.data())
def test_operators_make_no_tie(topology: Topology, data: st.DataObject) -> None:
    """Whatever is drained, forced, down or unknown in whichever DCs: nothing ties.

    The first in the preference of those that announce as always is chosen, else the first of those that drain
    softly; one that drained it never is.
    """
    found = {dc.name: data.draw(announced(topology, dc)) for dc in topology.dcs}
    duties = {dc.name: assignments(topology, dc) for dc in topology.dcs}
    for _, address in topology:
        prefix = address.prefix
        routes = {n: route for n, each in found.items() if (route := each[prefix])}
        usual = [n for n in address.prefer if n in routes and routes[n] == duties[n][prefix].route]
        soft = [n for n in address.prefer if n in routes and routes[n] == duties[n][prefix].soft]
        assert best(routes) == {*[*usual, *soft][:1]}


@given(made.topologies(), st.data())
def test_drained_is_not_announced(topology: Topology, data: st.DataObject) -> None:
    """A DC that drained an address never attracts it, and one that forced it announces it."""
    for dc in topology.dcs:
        own = assignments(topology, dc)
        intents = {p: data.draw(made.intents((Mode.DRAINED, Mode.FORCED))) for p in own}
        desired = assess(
            own, Observation({}), (), intents, own, own, GuardRule(0.0, 60.0), Memory(), 0.0
        ).desired
        for prefix, intent in intents.items():
            expected = None if intent.mode is Mode.DRAINED else own[prefix].route
            assert desired[prefix] == expected


@st.composite
def own_routes(draw: st.DrawFn) -> tuple[Asn, tuple[Profile, ...], list[Route]]:
    """Routes of a data centre with profiles of several kinds."""
    asn = draw(st.sampled_from(made.ASNS))
    profiles = draw(made.ranks(3))
    prefixes = draw(st.lists(made.PREFIXES, unique=True, min_size=1, max_size=6))
    attributes = [profile.attributes(asn) for profile in profiles]
    return asn, profiles, [Route(p, draw(st.sampled_from(attributes))) for p in prefixes]


@given(own_routes(), st.sampled_from(DIALECTS), st.sampled_from(BGPDS))
def test_both_backends(
    own: tuple[Asn, tuple[Profile, ...], list[Route]], exabgp: Dialect, bgpd: BgpdDialect
) -> None:
    """Rule 7: the same Route, as lines to ExaBGP and as bgpd's configuration, is read back as itself."""
    asn, profiles, routes = own
    neighbor = replace(made.ebgp(made.PEERS[0]), local_as=asn)
    hops = NextHop(made.V4_HOP, made.V6_HOP)
    daemon = Daemon([neighbor], exabgp)
    for line in render(map(Announce, routes), ConfiguredNeighbors([neighbor]), hops):
        assert daemon.answer(line.text) == ["done"]
    rib = parse_listing(tuple(daemon.answer("show adj-rib out extensive")[:-1])).ribs.get(
        neighbor.ends, {}
    )
    for route in routes:
        hop = hops.ipv4 if route.prefix.version == 4 else hops.ipv6
        held = rib[route.prefix]
        assert as_ebgp(held, neighbor, hop, asn) == route.attributes
    prefixes = [route.prefix for route in routes]
    assert asyncio.run(through_bgpd(Bgpd(bgpd, int(asn)), asn, profiles, routes)) == {
        route.prefix: route for route in routes
    }, prefixes


async def through_bgpd(
    bgpd: Bgpd, asn: Asn, profiles: tuple[Profile, ...], routes: list[Route]
) -> dict[Prefix, object]:
    """Announce by bgpd's words, and return what is read in them."""
    backend = QuaggaBackend(bgpd, pause=asyncio.sleep)
    settings = QuaggaSettings(Path("/usr/bin/vtysh"), "VIP-{profile}")
    backend.configure(asn, settings, profiles)
    assert not await backend.apply([*map(Announce, routes)])
    return {**(await backend.read([route.prefix for route in routes])).routes}
