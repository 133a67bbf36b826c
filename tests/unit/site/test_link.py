"""The machines of a site at an etcd: an order reaches all, whatever happens to etcd, and each says what is so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.intent import Intent, Mode
from policy.site_intent import Extent
from tests.support.fakes.machines import machines
from tests.support.fakes.site import SECOND, V4, V6
from tests.support.fakes.virtual_time import run

if TYPE_CHECKING:
    from pathlib import Path

PAR1 = Extent("par1")
ALL = {str(V4), str(V6), str(SECOND)}


def test_one_word_for_all(tmp_path: Path) -> None:
    """A drain for everywhere is obeyed by each machine, confirmed by each, and within a fifth of a second."""

    async def main() -> None:
        async with machines(tmp_path) as site:
            one = site["par1/lb1"]
            assert all(each.table() == ALL for each in site.all)
            done = await one.order(Mode.DRAINED, [V4])
            assert done.complete, done
            assert len(done.members) == 4
            assert all(each.table() == ALL - {str(V4)} for each in site.all)
            done = await site["lyo1/lb2"].order(Mode.AUTO, [V4])
            assert done.complete, done
            assert all(each.table() == ALL for each in site.all)

    run(main())


def test_one_data_centre(tmp_path: Path) -> None:
    """A drain for one data centre is asked from another one, and obeyed by its machines alone."""

    async def main() -> None:
        async with machines(tmp_path) as site:
            done = await site["lyo1/lb1"].order(Mode.DRAINED, [V4, V6], PAR1)
            assert done.complete, done
            assert [(each.dc, each.machine) for each in done.members] == [
                ("par1", "lb1"),
                ("par1", "lb2"),
            ]
            for each in site.all:
                assert each.table() == ({str(SECOND)} if each.here.dc == "par1" else ALL)

    run(main())


def test_one_machine(tmp_path: Path) -> None:
    """A drain for one machine of another data centre is obeyed by that one; one for this machine never leaves it."""

    async def main() -> None:
        async with machines(tmp_path) as site:
            one, other = site["par1/lb1"], site["lyo1/lb2"]
            done = await one.order(Mode.DRAINED, [V4], other.here)
            assert done.complete, done
            assert [m for m in site.all if m.table() != ALL] == [other]
            before = {*site.cluster.contents("/vip-speaker/intent/")}
            here = Intent(Mode.DRAINED, "ann", one.clock.wall())
            await one.site.record({V6: here}, one.here)
            await site.until(lambda: one.table() == ALL - {str(V6)})
            assert {*site.cluster.contents("/vip-speaker/intent/")} == before

    run(main())
