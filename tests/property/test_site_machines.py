"""Whatever etcd, machines and operators do in whatever order: no order is lost, all come to obey the same, and each word is true."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

import pytest

from policy.intent import Intent, Mode
from policy.site_intent import EVERYWHERE, Extent, holding
from speaker.site.keys import parse_key
from speaker.state.site_text import parse_site_text
from tests.support.fakes.machines import NAMES, PREFIX, Machine, Machines, machines
from tests.support.fakes.site import SECOND, V4, V6
from tests.support.fakes.virtual_time import run
from tests.support.profiles import NIGHTLY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from policy.route import Prefix
    from policy.site_intent import SiteIntent
    from tests.support.fakes.etcd import Client

PREFIXES = (V4, V6, SECOND)
STEPS = 30
SEEDS = range(200 if NIGHTLY else 8)


class Play:
    """A schedule at a site, by chance."""

    def __init__(self, site: Machines, chance: Random) -> None:
        self._site, self._chance = site, chance
        self._copy = site.cluster.copy()
        self.asked: dict[str, tuple[Extent, Prefix]] = {}
        """Each order that was recorded, by its id."""

    async def step(self) -> None:
        """Do one thing."""
        chance = self._chance
        one = chance.choice(self._site.all)
        what = chance.randrange(14)
        if what < 4:
            await self._order(one)
        elif what < 8:
            self._trouble(one.etcd)
        elif what < 12:
            self._trouble_all()
        elif what == 12:
            one.clock.jump(chance.choice([-60.0, 60.0]))
        else:
            one.source.live[chance.choice(PREFIXES)] = chance.choice([0, 2])
        await asyncio.sleep(chance.choice([0.0, 0.01, 0.3, 3.0, 12.0]))

    def _trouble(self, client: Client) -> None:
        """Have something else be wrong, or right again, between a machine and etcd."""
        match self._chance.randrange(4):
            case 0:
                client.away = not client.away
            case 1:
                client.hangs = not client.hangs
            case 2:
                client.deaf = not client.deaf
            case _:
                client.lost = self._chance.randrange(4)
                client.slow = self._chance.choice([0.0, 0.1, 2.0])

    def _trouble_all(self) -> None:
        """Have something happen to etcd."""
        cluster = self._site.cluster
        match self._chance.randrange(4):
            case 0:
                cluster.compact()
                self._chance.choice(self._site.all).etcd.break_watches()
            case 1:
                cluster.end_leases()
            case 2:
                self._restore()
            case _:
                cluster.full = not cluster.full

    def _restore(self) -> None:
        cluster = self._site.cluster
        if self._chance.random() < 0.5:
            self._copy = cluster.copy()
        else:
            cluster.restore(self._copy, new_identity=self._chance.random() < 0.5)

    async def _order(self, one: Machine) -> None:
        chance = self._chance
        extent = chance.choice(
            [EVERYWHERE, Extent("par1"), Extent("lyo1"), chance.choice(self._site.all).here]
        )
        mode = chance.choice([Mode.DRAINED, Mode.DRAINED, Mode.AUTO])
        prefixes = chance.sample(PREFIXES, chance.randrange(1, 4))
        known = one.life.store.site_known
        before = {each.id for some in known(prefixes).values() for each in some}
        intent = Intent(mode, "ann", one.clock.wall())
        await one.site.record(dict.fromkeys(prefixes, intent), extent)
        for prefix, some in known(prefixes).items():
            new = [
                e
                for e in some
                if e.id not in before and e.extent == extent and e.where == str(one.here)
            ]
            if extent != one.here:
                self.asked.update({each.id: (extent, prefix) for each in new})

    async def heal(self) -> None:
        """Have all be well again, and wait until nothing is queued."""
        self._site.cluster.full = False
        for each in self._site.all:
            client = each.etcd
            client.away = client.hangs = client.deaf = False
            client.slow, client.lost = 0.0, 0
            each.source.live = dict.fromkeys(PREFIXES, 2)
        await asyncio.sleep(60)
        await self._site.until(
            lambda: all(m.site.connected and not m.site.queued for m in self._site.all)
        )
        await asyncio.sleep(20)

    def stored(self) -> Mapping[Prefix, list[SiteIntent]]:
        """Return what etcd has, by prefix."""
        found: dict[Prefix, list[SiteIntent]] = {}
        for item in self._site.cluster.stored(f"{PREFIX}intent/"):
            key = parse_key(item.key.removeprefix(PREFIX))
            assert key is not None
            assert key.prefix is not None
            found.setdefault(key.prefix, []).extend(parse_site_text(item.value, key.extent))
        return found


@pytest.mark.parametrize("seed", SEEDS)
def test_schedules(tmp_path: Path, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """After any schedule, each order stands in etcd or is overruled there, and each machine does what holds."""
    caplog.set_level("CRITICAL")

    async def main() -> None:
        async with machines(tmp_path, *NAMES) as site:
            play = Play(site, Random(seed))
            for _ in range(STEPS):
                await play.step()
            await play.heal()
            stored = play.stored()
            known = {each.id for some in stored.values() for each in some}
            known |= {one for some in stored.values() for each in some for one in each.seen}
            assert play.asked.keys() <= known
            for each in site.all:
                own = each.life.store.site_known(PREFIXES)
                for prefix in PREFIXES:
                    every = [*stored.get(prefix, []), *own.get(prefix, [])]
                    holds = holding(every, each.here, each.clock.wall())
                    is_drained = holds is not None and holds.intent.mode is Mode.DRAINED
                    assert (str(prefix) in each.table()) != is_drained, (each.here, prefix, holds)
            assert site.audited

    run(main())
