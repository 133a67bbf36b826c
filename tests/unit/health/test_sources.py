"""Proves which source looks at which VIP of a configuration."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from policy.health import (
    Checker,
    CheckerRule,
    HealthRule,
    Observation,
    Presence,
    Service,
    Thresholds,
)
from policy.route import Asn
from policy.topology import Address, DataCentre, Profile, Topology, Vip
from speaker.clock import SystemClock
from speaker.config.settings import HealthSettings
from speaker.health.ipvs.families import TellingReader
from speaker.health.ipvs.source import IpvsSource
from speaker.health.ipvs.table import IpvsTable, MarkService, TableError, Watched
from speaker.health.sources import LAST_LOOK, CombinedSource, sources_for
from tests.support.fakes import virtual_time
from tests.unit.health.ipvs.tables import real, table

if TYPE_CHECKING:
    from collections.abc import Collection

    from speaker.health.base import HealthSource

HTTP = Service("tcp", 80)
MARK = Service("fwmark", 8)
ONE = ip_network("192.0.2.1/32")
TWO = ip_network("192.0.2.2/32")
THREE = ip_network("192.0.2.3/32")
SEEN = table(
    {
        "tcp 192.0.2.1 80": [real("198.51.100.1"), real("198.51.100.9")],
        "tcp 192.0.2.2 80": [real("198.51.100.1")],
    },
    {8: {4: [real("198.51.100.1"), real("198.51.100.9")]}, 9: {4: [real("198.51.100.1")]}},
)


class Reader:
    def __init__(self, result: IpvsTable | TableError) -> None:
        self.result = result

    async def read(self) -> IpvsTable:
        if isinstance(self.result, TableError):
            raise self.result
        return self.result


class Counted(Reader):
    looks = 0

    async def read(self) -> IpvsTable:
        self.looks += 1
        return await super().read()


def vip(name: str, prefix: str, *required: Service) -> Vip:
    return Vip(
        name,
        (Address(ip_network(prefix), ("par1",)),),
        (Profile("near", 0),),
        HealthRule(required=dict.fromkeys(required, Thresholds())),
    )


def topology(*vips: Vip) -> Topology:
    return Topology((DataCentre("par1", Asn(64699)),), vips)


def look(source: HealthSource, *, times: int = 1) -> list[Observation]:
    async def looks() -> list[Observation]:
        seen = [await source.observe() for _ in range(times)]
        await source.close()
        return seen

    return asyncio.run(looks())


IPVS = HealthSettings("ipvs", frozenset(), {})
NONE = HealthSettings("none", frozenset(), {})


def test_ipvs() -> None:
    """A VIP of the source `ipvs` has its own marks and its own ignored realservers."""
    ignoring = HealthSettings("ipvs", frozenset({(ip_address("198.51.100.9"), None)}), {})
    source = sources_for(
        topology(vip("a", "192.0.2.1", HTTP, MARK, Service("tcp", 9)), vip("b", "192.0.2.2")),
        {"a": ignoring, "b": IPVS},
        SystemClock(),
        readers=[Reader(SEEN)],
    )
    assert look(source) == [Observation({ONE: {HTTP: 1, MARK: 1}, TWO: {HTTP: 1}})]


@pytest.mark.parametrize("required", [True, False])
def test_keepalived(required: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Whether keepalived runs is looked for where some VIP of IPVS requires it, and only there."""
    one = vip("a", "192.0.2.1", HTTP)
    one = replace(one, health=replace(one.health, checker=CheckerRule(required)))
    source = sources_for(topology(one), {"a": IPVS}, SystemClock(), readers=[Reader(SEEN)])
    [seen] = look(source)
    assert (seen.checker is not None) is required


@pytest.mark.parametrize("required", [True, False])
def test_the_address(required: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """The addresses of this machine are read where some VIP's must be here, and only there."""
    one = vip("a", "127.0.0.1", HTTP)
    one = replace(one, health=replace(one.health, require_address=required))
    source = sources_for(topology(one), {"a": NONE}, SystemClock(), readers=[])
    [seen] = look(source)
    here = Presence(frozenset({ip_network("127.0.0.1/32")}))
    assert seen == Observation({}, presence=here if required else None)


def test_a_new_configuration() -> None:
    """The sources of a new configuration go on with what those before know of IPVS, and of keepalived."""
    one = vip("a", "192.0.2.1", HTTP)
    one = replace(one, health=replace(one.health, checker=CheckerRule(required=True)))
    table_of_ipvs = Counted(SEEN)

    async def main() -> None:
        before = sources_for(topology(one), {"a": IPVS}, SystemClock(), readers=[table_of_ipvs])
        await before.observe()
        table_of_ipvs.looks = 0
        both = topology(one, vip("b", "192.0.2.2"))
        settings = {"a": IPVS, "b": IPVS}
        source = sources_for(both, settings, SystemClock(), before=before)
        seen = await source.observe()
        assert seen.live == {ONE: {HTTP: 2}, TWO: {HTTP: 1}}
        assert table_of_ipvs.looks == 1  # a first look is two
        [new], [old] = source.sources, before.sources
        assert isinstance(new, IpvsSource)
        assert isinstance(old, IpvsSource)
        assert new.keepalived is old.keepalived

    asyncio.run(main())


def test_other_marks() -> None:
    """Those of a new configuration may have other firewall marks: netlink is asked for theirs."""
    asked: list[Collection[int]] = []

    class Marks:
        async def read_marks(self, marks: Collection[int]) -> IpvsTable:
            asked.append(marks)
            return IpvsTable(
                {}, {mark: (MarkService(4, (real("198.51.100.1"),)),) for mark in marks}
            )

    untold = table({}, {8: {None: [real("198.51.100.1")]}, 9: {None: [real("198.51.100.1")]}})

    async def main() -> None:
        reader = TellingReader(Reader(untold), Marks(), {8})
        before = IpvsSource([Watched(ONE, frozenset({8}))], readers=[reader])
        assert (await before.observe()).live == {ONE: {MARK: 1}}
        source = IpvsSource([Watched(ONE, frozenset({9}))], before=before)
        assert (await source.observe()).live == {ONE: {Service("fwmark", 9): 1}}
        assert asked == [{8}, {9}]

    asyncio.run(main())


def test_none() -> None:
    """A VIP of the source `none` is in no observation, and nothing is looked at for it."""
    source = sources_for(topology(vip("a", "192.0.2.1")), {"a": NONE}, SystemClock(), readers=[])
    assert look(source) == [Observation({})]


def test_mixed() -> None:
    """VIPs of several sources are seen together; what one cannot see does not hide the others."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = (ip_address("127.0.0.1"), listener.getsockname()[1])
        places = {
            "a": IPVS,
            "b": HealthSettings("tcp", frozenset(), {HTTP: (endpoint,)}),
            "c": NONE,
        }
        vips = topology(vip("a", "192.0.2.1"), vip("b", "192.0.2.2", HTTP), vip("c", "192.0.2.3"))
        clock = SystemClock()
        both = look(sources_for(vips, places, clock, readers=[Reader(SEEN)]), times=2)
        half = look(sources_for(vips, places, clock, readers=[Reader(TableError("no ip_vs"))]))
    assert both[0] == Observation({ONE: {HTTP: 2}, TWO: {HTTP: 1}})
    assert both[1] is both[0]
    assert half == [Observation({TWO: {HTTP: 1}}, "no ip_vs")]


class Fixed:
    def __init__(self, seen: Observation) -> None:
        self.seen = seen
        self.closed = False

    async def observe(self) -> Observation:
        return self.seen

    async def close(self) -> None:
        self.closed = True


def test_together() -> None:
    """Several sources are one: everything they see, every reason, and closed together."""
    keeper = Checker(1.0)
    parts = [
        Fixed(Observation({ONE: {}}, "x")),
        Fixed(Observation({THREE: {}}, "y", keeper, unsettled=True)),
    ]
    assert look(CombinedSource(parts)) == [
        Observation({ONE: {}, THREE: {}}, "x | y", keeper, unsettled=True)
    ]
    assert all(part.closed for part in parts)


def test_doubts() -> None:
    """Where several sources can't look, each prefix has the reason of its own; a known one has none."""
    first, second = Fixed(Observation({ONE: {}}, "x")), Fixed(Observation({}, "y"))
    both = CombinedSource([first, second], prefixes={first: [ONE, TWO], second: [THREE]})
    (seen,) = look(both)
    assert [seen.doubt(prefix) for prefix in (ONE, TWO, THREE)] == ["", "x", "y"]
    assert seen.unknown == "x | y"


class Slow(Fixed):
    """A source that takes a second, and looks once at a time."""

    looking = False

    async def observe(self) -> Observation:
        assert not self.looking
        self.looking = True
        await asyncio.sleep(1.0)
        self.looking = False
        return self.seen

    async def close(self) -> None:
        assert not self.looking
        await super().close()


def test_a_slow_one() -> None:
    """Who looks for long holds up nobody: its last word holds, and its next is told of when it comes."""
    woken: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        quick, slow = Fixed(Observation({ONE: {HTTP: 2}})), Slow(Observation({TWO: {HTTP: 2}}))
        both = CombinedSource([slow, quick], lambda: woken.append(loop.time() - began))
        assert (await both.observe()).live == {ONE: {HTTP: 2}, TWO: {HTTP: 2}}
        quick.seen, slow.seen = Observation({ONE: {HTTP: 0}}), Observation({TWO: {HTTP: 0}})
        seen = await both.observe()
        assert seen.live == {ONE: {HTTP: 0}, TWO: {HTTP: 2}}
        assert await both.observe() is seen
        assert loop.time() - began < 1.1
        assert not woken
        await asyncio.sleep(1.0)
        assert woken == [pytest.approx(2.0)]
        assert (await both.observe()).live == {ONE: {HTTP: 0}, TWO: {HTTP: 0}}
        await both.observe()
        await both.close()
        assert quick.closed
        assert slow.closed

    virtual_time.run(main())


class Hanging(Fixed):
    """A source whose second look does not end."""

    looks = 0

    async def observe(self) -> Observation:
        self.looks += 1
        if self.looks > 1:
            await asyncio.Event().wait()
        return self.seen


def test_one_that_hangs() -> None:
    """A look that does not end does not hold up the next configuration: it is given up."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        hanging, other = Hanging(Observation({TWO: {}})), Fixed(Observation({ONE: {}}))
        both = CombinedSource([hanging, other])
        await both.observe()
        await both.observe()
        began = loop.time()
        await both.close()
        assert hanging.closed
        assert other.closed
        return loop.time() - began

    assert virtual_time.run(main()) == pytest.approx(LAST_LOOK)


class Faulty(Fixed):
    """A source that has a fault, for a while."""

    broken = False

    async def observe(self) -> Observation:
        if self.broken:
            raise ZeroDivisionError
        return self.seen


def test_a_fault_of_one() -> None:
    """A fault of ours in one is raised, and does not stay: each look begins anew."""

    async def main() -> None:
        faulty = Faulty(Observation({TWO: {}}))
        both = CombinedSource([faulty, Fixed(Observation({ONE: {}}))])
        await both.observe()
        faulty.broken = True
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await both.observe()
        faulty.broken = False
        assert (await both.observe()).live == {ONE: {}, TWO: {}}
        await both.close()

    virtual_time.run(main())
