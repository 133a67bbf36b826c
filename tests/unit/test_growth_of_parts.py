"""The work of the parts grows with what they are given: daemons' answers, tables of IPVS, addresses."""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Any

import pytest

from policy.asking import OtherVips, askers
from policy.assignment import assignments
from policy.health import HealthRule, Service
from policy.intent import Intent, Mode
from policy.lint import outside
from policy.peers import PeerPolicy, PeerRule, Peers, RuledNeighbor
from policy.plan import Announce, Drift, Withdraw
from policy.report import AppReport, ReportState
from policy.route import Asn, Route, parse_prefix
from policy.rule import Term
from policy.sources import VIP
from policy.topology import Address, DataCentre, Profile, Topology, Vip
from policy.wanted import WantedRoutes
from policy.window import Window, planned
from speaker.backends.quagga.driver import QuaggaBackend
from speaker.backends.quagga.neighbors import Neighbors
from speaker.backends.quagga.outbound_plan import plan as outbound_plan
from speaker.backends.quagga.running_config import parse_running
from speaker.backends.quagga.summary import SessionState, SummarySession
from speaker.backends.quagga.wanted_outbounds import WantedOutbounds
from speaker.check.keepalived.servers import conf_of
from speaker.health.addresses import AddressSource, HostAddresses
from speaker.health.ipvs.debounce import Debounce
from speaker.health.ipvs.proc_text import Parser
from speaker.health.ipvs.table import Counting, IpvsTable, RealServer, VirtualServer, Watched
from speaker.state.reports import Given
from speaker.state.store import Store
from speaker.supervision.steps import MANY
from tests.contract.quagga_worlds import SETTINGS, no_pause
from tests.contract.worlds import ASN, PROFILES
from tests.support.fakes import virtual_time
from tests.support.fakes.bgpd import Bgpd
from tests.support.lab.growth import Work, assert_linear, counting
from tests.unit.check.keepalived.files import tree
from tests.unit.health.ipvs.tables import render

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from policy.plan import Change
    from policy.route import Prefix
    from speaker.units import IpAddress

FIRST = IPv4Address("198.18.0.0")

pytestmark = pytest.mark.slow  # it measures


def hosts(count: int) -> list[Prefix]:
    return [parse_prefix(f"{FIRST + number}/32") for number in range(count)]


def wide(count: int) -> list[Prefix]:
    return [parse_prefix(f"{FIRST + 4 * number}/30") for number in range(count)]


PREFIXES = pytest.mark.parametrize("prefixes", [hosts, wide])


def topology(prefixes: list[Prefix]) -> Topology:
    vips = tuple(
        Vip(f"vip-{number}.example", (Address(prefix, ("par1",)),), (Profile("near", 0),))
        for number, prefix in enumerate(prefixes)
    )
    return Topology((DataCentre("par1", ASN),), vips)


def table(count: int, live: int = 2) -> IpvsTable:
    real = tuple(RealServer(ip_address(f"192.0.2.{n}"), 80, int(n <= live)) for n in (1, 2))
    return IpvsTable(
        {VirtualServer("tcp", FIRST + 4 * number, 80): real for number in range(count)}
    )


# --- bgpd ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["quagga-0.99.22.4", "quagga-1.2.4", "frr-8.4.4"])
def test_of_bgpd(dialect: Any) -> None:
    """All is announced, read back and withdrawn. What is parsed and judged of thousands is so beside the event loop."""

    async def main(count: int) -> Work:
        bgpd = Bgpd(dialect)
        backend = QuaggaBackend(bgpd, pause=no_pause)
        backend.configure(ASN, SETTINGS, PROFILES)
        attributes = PROFILES[0].attributes(ASN)
        prefixes = hosts(count)
        announced: list[Change] = [Announce(Route(prefix, attributes)) for prefix in prefixes]
        withdrawn: list[Change] = [Withdraw(prefix) for prefix in prefixes]
        with counting() as work:
            for changes in (announced, withdrawn):
                assert not await backend.apply(changes)
                reading = await backend.read(prefixes)
                assert any(reading.routes.values()) == (changes is announced)
        return work

    assert_linear(lambda count: virtual_time.run(main(count)))
    own: Work = virtual_time.run(main(2 * MANY))
    assert own.own_longest <= 30 * 2 * MANY


@pytest.mark.parametrize("line", ["", " neighbor {} route-map SITE out"])
def test_of_neighbors_of_bgpd(line: str) -> None:
    """As many neighbours as prefixes, of which none has what it is to have: each prefix is judged, and looked at before it goes out."""

    def measure(count: int) -> Work:
        plain = topology(hosts(count))
        peers = [FIRST + 2**16 + number for number in range(count)]
        policy = PeerPolicy(excepted=frozenset({plain.vips[0].name}))
        rule = PeerRule(tuple(RuledNeighbor(peer) for peer in peers), policy, "transit")
        known = replace(plain, peers=Peers((rule,)))
        routes = WantedRoutes(known, known.dcs[0])
        lines = [f" neighbor {peer} remote-as 64500" for peer in peers]
        lines += [line.format(peer) for peer in peers] if line else []
        running = parse_running(["router bgp 64699", *lines, "exit"])
        sessions = [SummarySession(str(peer), Asn(64500), {4: SessionState("0")}) for peer in peers]
        seen = [Route(prefix, PROFILES[0].attributes(ASN)) for prefix in hosts(count)]
        with counting() as work:
            neighbors = Neighbors(WantedOutbounds(ASN, routes), running, sessions, ())
            drifts = [neighbors.judged(each) for each in seen]
            unsafe = [each for each in seen if neighbors.unsafe(each.prefix)]
            [*outbound_plan(neighbors).batches(ASN, 100)]
        assert len(unsafe) == 1
        assert sum(isinstance(each, Drift) for each in drifts) == (count if line else 1)
        return work

    assert_linear(measure, size=50)


def test_of_reports(tmp_path: Path) -> None:
    """Each application's report takes as much work, however many others there are, and whatever operators drain."""

    def work(count: int) -> Work:
        said = AppReport(ReportState.UP, "app", 1_700_000_000.0, 30.0)
        with closing(Store(tmp_path / str(count))) as store:
            drained = Intent(Mode.DRAINED, "alice", said.at)
            store.set_intents(dict.fromkeys(hosts(count), drained))
            given = [(f"shop-{number}", Given(said)) for number in range(count)]
            store.report(given)
            with counting() as found:
                store.report(given)
        return found

    assert_linear(work)


def test_of_windows() -> None:
    """As many windows as prefixes, each of one; and one of all."""

    def measure(count: int) -> Work:
        windows = [
            Window(number, frozenset({prefix}), Mode.DRAINED, "alice", 1.0, 2.0)
            for number, prefix in enumerate(hosts(count), 1)
        ]
        windows.append(replace(windows[0], prefixes=frozenset(hosts(count)), number=count + 1))
        with counting() as work:
            found = planned(tuple(windows))
        assert found[hosts(1)[0]].count("window") == 2
        return work

    assert_linear(measure)


# --- health --------------------------------------------------------------------------------------


@PREFIXES
def test_of_a_table(prefixes: Callable[[int], list[Prefix]]) -> None:
    """IPVS's table is parsed, believed and counted, at first, without its realservers, and again."""

    def measure(count: int) -> Work:
        looks = [render(table(count, live)) for live in (2, 0, 2)]
        parser, settling = Parser(), Debounce()
        with counting() as work:
            counted = Counting(map(Watched, prefixes(count)))
            for now, text in enumerate(looks):
                counted.count(settling.take(parser.parse(text), float(now), busy=True))
        return work

    assert_linear(measure)


@PREFIXES
def test_of_addresses(prefixes: Callable[[int], list[Prefix]]) -> None:
    """It is looked which of them are here."""

    async def look(source: AddressSource) -> Work:
        with counting() as work:
            presence = (await source.observe()).presence
        await source.close()
        assert presence is not None
        assert presence.here
        return work

    def measure(count: int) -> Work:
        here: frozenset[IpAddress] = frozenset(FIRST + 4 * number for number in range(count))

        async def dump() -> HostAddresses:
            return HostAddresses(here)

        return asyncio.run(look(AddressSource(prefixes(count), dump=dump)))

    assert_linear(measure)


# --- check ---------------------------------------------------------------------------------------


@PREFIXES
def test_of_names(prefixes: Callable[[int], list[Prefix]]) -> None:
    """What DNS has is compared: nothing that vip.toml has, and all of it under one name."""

    def measure(count: int) -> Work:
        known = topology(prefixes(count))
        addresses = [FIRST + 4 * number for number in range(count)]
        elsewhere = [IPv4Address("203.0.113.0") + number for number in range(count)]
        with counting() as work:
            for found in (addresses, elsewhere):
                outside.names(known, {known.vips[0].name: {4: found}})
        return work

    assert_linear(measure)


@PREFIXES
def test_of_services(prefixes: Callable[[int], list[Prefix]]) -> None:
    """What IPVS has is compared: all that vip.toml has, and as much that it has not."""

    def measure(count: int) -> Work:
        known = topology(prefixes(count))
        found = [(FIRST + 2 * number, Service("tcp", 80)) for number in range(2 * count)]
        with counting() as work:
            outside.services(known, {vip.name for vip in known.vips}, found, {})
        return work

    assert_linear(measure)


# --- keepalived's configuration ------------------------------------------------------------------


def checkers(count: int) -> str:
    return server("192.0.2.1 80", "TCP_CHECK\n" * count)


def realservers(count: int) -> str:
    real = "real_server 198.51.100.1 80 {\nTCP_CHECK\n}\n"
    return server("192.0.2.1 80", "", more=real * count)


def servers_of_a_group(count: int) -> str:
    lines = "192.0.2.1 80\nfwmark 7\n" * count
    return f"virtual_server_group G {{\n{lines}}}\n" + server("group G", "") * count


def server(name: str, checks: str, more: str = "") -> str:
    return f"virtual_server {name} {{\nreal_server 198.51.100.1 80 {{\n{checks}}}\n{more}}}\n"


@pytest.mark.parametrize("text", [checkers, realservers, servers_of_a_group])
def test_of_keepalived(text: Callable[[int], str]) -> None:
    """What holds is looked for in a block and in those around it; a group is read once for all its virtual servers."""

    def measure(count: int) -> Work:
        read = tree(text(count))
        with counting() as work:
            assert conf_of(read).servers
        return work

    assert_linear(measure)


# --- rules ---------------------------------------------------------------------------------------


def test_of_rules_that_ask_for_vips() -> None:
    """A VIP of many addresses asks for another one of as many, in each cycle."""

    def measure(count: int) -> Work:
        first, *more = (
            Vip(
                name,
                tuple(Address(prefix, ("par1",)) for prefix in prefixes),
                (Profile("near", 0),),
                HealthRule(rule=rule),
            )
            for name, prefixes, rule in (
                ("web.example", hosts(2 * count)[:count], Term(f"{VIP}dns.example")),
                ("dns.example", hosts(2 * count)[count:], None),
            )
        )
        dc = DataCentre("par1", ASN)
        duties = assignments(Topology((dc,), (first, *more)), dc)
        with counting() as work:
            others = OtherVips(duties, {}, {})
            assert len([others.said(prefix) for prefix in askers(duties)]) == count
        return work

    assert_linear(measure)
