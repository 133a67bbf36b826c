"""What an operator wants announced while its health is not known yet: that is no unknown health."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from policy.health import Health, Observation
from policy.intent import Intent, Mode
from policy.rule import Said
from speaker import config
from speaker.health.checks.probe import NOT_ASKED
from speaker.reconcile import status
from speaker.reconcile.restoring import FIRST_LOOK
from tests.support.fakes import virtual_time
from tests.support.fakes.site import SECOND, V4, V6, Source, running, write_config
from tests.support.fakes.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.support.fakes.site import Site

RULE = """rule = "check/shop"
[check.shop]
exec = ["/usr/bin/true"]
"""
DOWN, UP = Said(Health.DOWN, "exit status 1"), Said(Health.UP, "exit status 0")
HANGS = Said(Health.UNKNOWN, "no answer within 1 s")


@dataclass
class Checked(Source):
    """Realservers, and what a check says of one prefix; a first look may take its time."""

    said: Said = NOT_ASKED
    takes: float = 0.0
    told: list[Said] = field(default_factory=list)

    async def observe(self) -> Observation:
        await asyncio.sleep(self.takes)
        seen = await super().observe()
        self.told.append(self.said)
        return Observation(seen.live, seen.unknown, said={SECOND: {"check/shop": self.said}})


async def reload(site: Site, source: Source) -> None:
    """Have a new configuration loaded, in which the check is another one."""
    more = f'{RULE}interval = "{1000 + len(site.exabgp.commands)}ms"\n'
    loaded = config.load(write_config(site.directory, more), {})
    site.life.reconciler.wake()
    await site.reconciler.configure(loaded, source, site.life.configure)


def play(directory: Path, scene: Callable[[Site, VirtualClock], Awaitable[None]]) -> None:
    """Play a scene in which all but the dead SECOND is announced."""

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(directory, clock=clock, more=RULE) as site:
            await reload(site, Checked(site.source.live, said=DOWN))
            await asyncio.sleep(20.0)
            assert site.table() == {str(V4), str(V6)}
            site.exabgp.commands.clear()
            await scene(site, clock)

    virtual_time.run(main())


def announced(site: Site) -> bool:
    """Tell whether anything of SECOND was announced since the scene began."""
    return any("announce" in line and str(SECOND) in line for line in site.exabgp.commands)


async def by_operator(site: Site, clock: VirtualClock) -> None:
    """Ask this watchdog, as `vip_mgmt -a` does."""
    await site.reconciler.operator.apply({SECOND: Intent(Mode.AUTO, "alice", clock.wall())})


async def by_another(site: Site, clock: VirtualClock) -> None:
    """Have another process record it, as an order of the site is."""
    for mode in (Mode.DRAINED, Mode.AUTO):
        site.store.set_intents({SECOND: Intent(mode, "alice", clock.wall())})
        await site.reconciler.act()


@pytest.mark.parametrize("restore", [by_operator, by_another])
@pytest.mark.parametrize("late", [0.0, 3.0])
def test_a_check_that_was_not_asked_yet(
    tmp_path: Path, restore: Callable[[Site, VirtualClock], Awaitable[None]], late: float
) -> None:
    """What is dead is not announced right after a reload, whether the look or the check takes long, and whoever asks."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        new = Checked(site.source.live, takes=late)
        await reload(site, new)
        asyncio.get_running_loop().call_later(4.0, lambda: setattr(new, "said", DOWN))
        await restore(site, clock)
        await asyncio.sleep(30.0)
        assert {NOT_ASKED, DOWN} <= {*new.told}
        assert not announced(site)
        new.said = UP
        await asyncio.sleep(10.0)
        assert str(SECOND) in site.table()

    play(tmp_path, scene)


@pytest.mark.parametrize("restore", [by_operator, by_another])
def test_a_check_that_takes_long(
    tmp_path: Path, restore: Callable[[Site, VirtualClock], Awaitable[None]]
) -> None:
    """`-a` does not wait for long; it stays withdrawn until the check has counted, and is announced where that can't be known."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        new = Checked(site.source.live)
        await reload(site, new)
        began = clock.steady()
        await restore(site, clock)
        assert clock.steady() - began < FIRST_LOOK + 1.0
        (told,) = status.routes(site.reconciler, [SECOND])
        assert (told.announced, told.health) == (False, "unknown")
        assert "not asked yet" in told.reason
        await asyncio.sleep(60.0)
        assert not announced(site)
        new.said = HANGS
        await asyncio.sleep(5.0)
        assert str(SECOND) in site.table()

    play(tmp_path, scene)


def test_drained_again_meanwhile(tmp_path: Path) -> None:
    """What is drained while it waits is not taken for up by what was wanted before."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        new = Checked(site.source.live)
        await reload(site, new)
        await by_operator(site, clock)
        await site.reconciler.operator.apply({SECOND: Intent(Mode.DRAINED, "bob", clock.wall())})
        new.said = HANGS
        await asyncio.sleep(10.0)
        assert not announced(site)
        assert SECOND not in site.reconciler.durable.were_up

    play(tmp_path, scene)


def test_what_is_forced_waits_for_nothing(tmp_path: Path) -> None:
    """`-a --force` is at once, whatever is not known yet."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        await reload(site, Checked(site.source.live, takes=60.0))
        began = clock.steady()
        await site.reconciler.operator.apply({SECOND: Intent(Mode.FORCED, "alice", clock.wall())})
        assert clock.steady() - began < 1.0
        assert str(SECOND) in site.table()

    play(tmp_path, scene)
