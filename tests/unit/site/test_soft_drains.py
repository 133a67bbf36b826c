"""Soft drains where the machines of a site know of one another: what they tell of themselves is who takes over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from policy.drain import LEFT
from policy.intent import Intent, Mode
from policy.site_intent import EVERYWHERE, Extent
from speaker.reconcile import status
from tests.support.fakes.machines import machines
from tests.support.fakes.site import V4
from tests.support.fakes.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.support.fakes.machines import Machine, Machines

RULE = '[drain]\nsettle = "1m"\nquiet = "5s"\ntimeout = "2m"\n'
PAIR = "par1/lb1", "lyo1/lb1"
PAR1 = Extent("par1")
LEASE = 10.0
"""For how long a machine that died is not known to be dead."""


def intent(one: Machine) -> str:
    (shown,) = status.routes(one.life.reconciler, [V4])
    return shown.intent


def said(one: Machine) -> str:
    """Return all that history has of it."""
    return "\n".join(f"{line.event}: {line.reason}" for line in one.life.store.history([V4]))


async def dies(site: Machines) -> None:
    """The other machine is killed, and its lease ends."""
    await site["lyo1/lb1"].kill()


async def is_unhealthy(site: Machines) -> None:
    """Its realservers die."""
    site["lyo1/lb1"].source.live[V4] = 0
    site["lyo1/lb1"].life.reconciler.wake()


async def is_drained(site: Machines) -> None:
    """Another operator withdraws it there."""
    await site["lyo1/lb1"].order(Mode.DRAINED, [V4], Extent("lyo1"))


@pytest.mark.parametrize("how", [dies, is_unhealthy, is_drained])
def test_who_takes_over_is_gone(tmp_path: Path, how: Callable[[Machines], Awaitable[None]]) -> None:
    """What drains is announced as its rank again at once, for that reason, and stays so: whatever ended the other one."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR, more=RULE) as site:
            par1 = site["par1/lb1"]
            await par1.order(Mode.DRAINING, [V4], PAR1)
            await site.until(lambda: intent(par1) == "draining")
            await asyncio.sleep(5.0)
            await how(site)
            took = await site.until(lambda: intent(par1) == "auto", LEASE + 10.0)
            assert took < LEASE + 5.0
            assert LEFT in said(par1)
            await asyncio.sleep(150.0)
            assert intent(par1) == "auto"
            assert str(V4) in par1.table()

    run(main())


def test_a_pair(tmp_path: Path) -> None:
    """What one machine of a pair drains alone the other one takes over, until it dies; what both drain goes at both."""

    async def main() -> None:
        async with machines(tmp_path, "par1/lb1", "par1/lb2", more=RULE) as site:
            one, other = site.all
            await one.order(Mode.DRAINING, [V4], PAR1)
            await asyncio.sleep(150.0)
            assert [str(V4) in each.table() for each in site.all] == [False, False]
            await one.order(Mode.AUTO, [V4], PAR1)
            await one.order(Mode.DRAINING, [V4], one.here)
            await asyncio.sleep(5.0)
            assert (intent(one), intent(other)) == ("draining", "auto")
            await other.kill()
            await site.until(lambda: intent(one) == "auto", LEASE + 10.0)
            assert LEFT in said(one)

    run(main())


def test_what_is_not_known_ends_nothing(tmp_path: Path) -> None:
    """While etcd is away nothing is known of who takes over, whatever became of it: the drain goes on to its end, and is not undone later."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR, more=RULE) as site:
            par1 = site["par1/lb1"]
            await par1.order(Mode.DRAINING, [V4], PAR1)
            await asyncio.sleep(5.0)
            par1.etcd.away = True
            await asyncio.sleep(60.0)
            assert intent(par1) == "draining"
            await asyncio.sleep(70.0)
            assert (intent(par1), str(V4) in par1.table()) == ("drained", False)
            par1.etcd.away = False
            await asyncio.sleep(130.0)
            assert (intent(par1), str(V4) in par1.table()) == ("drained", False)

    run(main())


def test_insisted(tmp_path: Path) -> None:
    """What is insisted on drains everywhere, although the first one that is withdrawn leaves nobody to take over."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR, more=RULE) as site:
            par1 = site["par1/lb1"]
            asked = Intent(Mode.DRAINING, "ann", par1.clock.wall(), insisted=True)
            await par1.site.order({V4: asked}, EVERYWHERE, 5.0)
            await asyncio.sleep(10.0)
            await is_drained(site)
            await asyncio.sleep(60.0)
            assert [intent(each) for each in site.all] == ["draining", "drained"]
            await asyncio.sleep(90.0)
            assert [str(V4) in each.table() for each in site.all] == [False, False]

    run(main())
