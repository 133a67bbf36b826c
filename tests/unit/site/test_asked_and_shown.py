"""What answers operators, over the real site of a watchdog: an order and what became of it, and the table of all machines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from policy.intent import Mode
from policy.site_view import Level
from speaker.control.orders import OrderHandling
from speaker.control.site_shown import SiteShown
from speaker.site_values import SiteOrder
from tests.support.fakes.machines import machines
from tests.support.fakes.site import INSIDE, PEER, V4, V6
from tests.support.fakes.virtual_time import run

if TYPE_CHECKING:
    from pathlib import Path

    from speaker.site_values import Ordered, SitePrefix
    from tests.support.fakes.machines import Machine


async def order(one: Machine, mode: Mode, extent: str, within: float = 5.0) -> Ordered:
    asked = SiteOrder(mode=mode, prefixes=(V4,), reason="works", extent=extent, within=within)
    return await OrderHandling(one.life.reconciler).apply(asked, (V4,), "ann")


async def shown(one: Machine) -> SitePrefix:
    found = await SiteShown.of(one.life.reconciler, one.site)
    (prefix,) = found.prefixes([V4])
    return prefix


def test_an_order(tmp_path: Path) -> None:
    """Each machine is named with what it confirmed, and the table shows by whom and why; a silent one, and what is queued, too."""

    async def main() -> None:
        async with machines(tmp_path) as site:
            one, other = site["par1/lb1"], site["lyo1/lb2"]
            done = await order(other, Mode.DRAINED, "dc:par1")
            assert done.site is not None
            assert not done.outcomes
            assert [(each.machine, each.obeys) for each in done.site.machines] == [
                ("par1/lb1", True),
                ("par1/lb2", True),
            ]
            assert (done.site.committed, done.site.is_here, done.site.silent) == (True, False, ())
            await asyncio.sleep(2)
            seen = await shown(other)
            assert seen.level is Level.ASIDE
            assert seen.why.startswith("par1/lb1, par1/lb2: drained by ann at 20")
            assert seen.why.endswith(": works")
            await site["par1/lb2"].kill()
            await site.until(lambda: not all(m.live for m in one.site.members()), 30)
            back = await order(one, Mode.AUTO, "dc:par1")
            assert back.site is not None
            assert [each.machine for each in back.site.machines] == ["par1/lb1"]
            assert back.site.silent[0].startswith("par1/lb2: silent since 20")
            one.etcd.away = True
            await site.until(lambda: one.site.trouble, 30)
            queued = await order(one, Mode.DRAINED, "site", within=1.0)
            assert queued.site is not None
            assert not queued.site.committed
            assert "no member could be reached" in queued.site.trouble
            assert str(V4) not in one.table()
            assert str(V6) in one.table()
            assert str(V4) in other.table()
            one.etcd.away = False
            await site.until(lambda: str(V4) not in other.table())

    run(main())


def test_no_session_is_up(tmp_path: Path) -> None:
    """A machine that obeys and can send it to nobody says so: that is not confirmed as announced, softly or not. A drain is."""

    async def main() -> None:
        async with machines(tmp_path) as site:
            one, mate = site["par1/lb1"], site["par1/lb2"]
            for peer in (PEER, INSIDE):
                mate.exabgp.down(peer)
            for mode, unsent in (
                (Mode.DRAINED, ""),
                (Mode.AUTO, "no session is up"),
                (Mode.DRAINING, "no session is up"),
                (Mode.DRAINED, ""),
                (Mode.FORCED, "no session is up"),
            ):
                for asked in (one, mate):  # which reads its own word, or hears the other's
                    done = await order(asked, mode, "dc:par1")
                    assert done.site is not None
                    assert [(m.machine, m.obeys, m.unsent) for m in done.site.machines] == [
                        ("par1/lb1", True, ""),
                        ("par1/lb2", True, unsent),
                    ], (mode, asked.here)
            await order(one, Mode.AUTO, "dc:par1")
            await asyncio.sleep(2)
            seen = await shown(one)
            assert (seen.level, seen.why) == (Level.WRONG, "par1/lb2: no session is up")
            for peer in (PEER, INSIDE):
                mate.exabgp.up(peer, sent_after=0)
            await site.until(lambda: str(V4) in mate.table())
            await asyncio.sleep(5)
            done = await order(one, Mode.AUTO, "dc:par1")
            assert done.site is not None
            assert not any(each.unsent for each in done.site.machines)

    run(main())


def test_softly(tmp_path: Path) -> None:
    """A soft drain of a data centre is the own one of each of its machines: each announces it softly, and says so, before it is confirmed."""

    async def main() -> None:
        async with machines(tmp_path, "par1/lb1", "par1/lb2", "lyo1/lb1") as site:
            before = {each.here: each.exabgp.table("203.0.113.11")[str(V4)] for each in site.all}
            done = await order(site["lyo1/lb1"], Mode.DRAINING, "dc:par1")
            assert done.site is not None
            assert [each.obeys for each in done.site.machines] == [True, True]
            for each in site.all:
                softly = each.exabgp.table("203.0.113.11")[str(V4)] != before[each.here]
                assert softly is (each.here.dc == "par1")
            await asyncio.sleep(2)
            seen = await shown(site["lyo1/lb1"])
            assert seen.why.startswith("par1/lb1, par1/lb2: draining by ann at 20")

    run(main())


def test_one_machine(tmp_path: Path) -> None:
    """Another machine can be meant alone: it drains softly and confirms; what it was asked by itself is not lifted from elsewhere."""

    async def main() -> None:
        async with machines(tmp_path, "par1/lb1", "par1/lb2", "lyo1/lb1") as site:
            one, mate, far = site["par1/lb1"], site["par1/lb2"], site["lyo1/lb1"]
            before = one.exabgp.table("203.0.113.11")[str(V4)]
            done = await order(far, Mode.DRAINING, "machine:par1/lb1")
            assert done.site is not None
            assert [(each.machine, each.obeys) for each in done.site.machines] == [
                ("par1/lb1", True)
            ]
            assert one.exabgp.table("203.0.113.11")[str(V4)] != before
            assert mate.exabgp.table("203.0.113.11")[str(V4)] == before
            await order(far, Mode.AUTO, "machine:par1/lb1")
            assert one.exabgp.table("203.0.113.11")[str(V4)] == before
            await order(one, Mode.DRAINED, "here")
            back = await order(far, Mode.AUTO, "machine:par1/lb1")
            assert back.site is not None
            assert str(V4) not in one.table()

    run(main())
