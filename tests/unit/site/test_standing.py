"""The last one standing, at an etcd: of machines that fail in the same instant one stays, whatever is late or lost on the way."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import pytest

from speaker.reconcile import status
from tests.support.fakes.machines import machines
from tests.support.fakes.site import SECOND, V4, V6
from tests.support.fakes.virtual_time import run

if TYPE_CHECKING:
    from pathlib import Path

    from policy.route import Prefix
    from tests.support.fakes.machines import Machine, Machines

KEEP = "[policy]\nkeep_last = {}\n"
PAIR = ("par1/lb1", "lyo1/lb1")
ALL = (V4, V6, SECOND)


def says(site: Machines, name: str, prefix: Prefix = V4) -> object:
    """Return what etcd has of a prefix at a machine."""
    found = site.cluster.contents(f"/vip-speaker/state/{prefix}/{name}")
    return json.loads(next(iter(found.values())))["announced"] if found else "nothing"


def announcing(site: Machines, prefix: Prefix = V4) -> list[Machine]:
    """Return the machines whose routers have a prefix."""
    return [each for each in site.all if str(prefix) in each.table()]


def few(site: Machines, left: set[int]) -> bool:
    """Tell whether so many machines announce the first prefix."""
    return {len(announcing(site))} == left


def die(machine: Machine, *prefixes: Prefix) -> None:
    """Have all realservers of prefixes die."""
    machine.source.live.update(dict.fromkeys(prefixes, 0))
    machine.life.reconciler.wake()


async def told(site: Machines) -> None:
    """Wait until all machines have told what is so, and all have heard it."""

    def is_so(by: Machine, each: Machine, prefix: Prefix) -> bool:
        heard = {f"{m.dc}/{m.machine}": m.announced for m in by.site.states().get(prefix, ())}
        is_there = str(prefix) in each.table()
        return says(site, str(each.here), prefix) is is_there is heard.get(str(each.here))

    await site.until(
        lambda: all(
            is_so(by, each, prefix) for by in site.all for each in site.all for prefix in ALL
        )
    )


@pytest.mark.parametrize("rule", ["true", '"strict"'])
def test_two_in_the_same_instant(tmp_path: Path, rule: str) -> None:
    """Of two data centres that fail in the same instant one stays; it says why, and goes once the other one is back."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR, more=KEEP.format(rule)) as site:
            await told(site)
            for each in site.all:
                die(each, V4)
            await site.until(lambda: len(announcing(site)) == 1)
            await asyncio.sleep(20.0)
            (kept,) = announcing(site)
            (gone,) = [each for each in site.all if each is not kept]
            assert "no other machine of the site announces it" in kept.alarms
            assert "last" not in gone.alarms
            (why,) = status.explanations(kept.life.reconciler, [V4])
            assert (why.decided_by, why.health) == ("last", "down")
            gone.source.live[V4] = 2
            await site.until(lambda: announcing(site) == [gone])
            await told(site)
            assert "last" not in kept.alarms

    run(main())


def test_it_is_told_before_it_is_withdrawn(tmp_path: Path) -> None:
    """Nobody can count on what goes; it goes within a fifth of a second, and no alarm is raised."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR, more=KEEP.format("true")) as site:
            await told(site)
            one, other = site.all
            die(one, V4)
            took = await site.until(lambda: says(site, "par1/lb1") is False, 1.0)
            assert announcing(site) == [one, other]
            took += await site.until(lambda: announcing(site) == [other], 1.0)
            assert took < 0.2
            assert "last" not in one.alarms
            one.source.live[V4] = 2
            await site.until(lambda: says(site, "par1/lb1") is True)
            assert announcing(site) == [one, other]

    run(main())


def test_a_pair(tmp_path: Path) -> None:
    """Another machine of the same data centre counts, too; the very last one of all stays."""

    async def main() -> None:
        async with machines(tmp_path, more=KEEP.format("true")) as site:
            await told(site)
            for each, left in zip(site.all, ({3}, {2}, {1}, {1}), strict=True):
                die(each, *ALL)
                await site.until(partial(few, site, left))
            await asyncio.sleep(10.0)
            assert [len(announcing(site, prefix)) for prefix in ALL] == [1, 1, 1]

    run(main())


@pytest.mark.parametrize("jump", [0.0, 86400.0, -86400.0])
def test_a_data_centre_that_is_silent(tmp_path: Path, jump: float) -> None:
    """It counts as known by etcd for as long as a lease after its last word, and no longer, wherever the clock is set."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR, more=KEEP.format("true")) as site:
            await told(site)
            one, other = site.all
            await other.kill()
            await site.until(lambda: not all(m.live for m in one.site.members()), 60)
            one.clock.jump(jump)
            await asyncio.sleep(3.0)
            assert "lyo1" in one.site.leave.standing().dcs
            await site.until(lambda: "lyo1" not in one.site.leave.standing().dcs, 60)

    run(main())


@pytest.mark.parametrize(("rule", "stays"), [("true", False), ('"strict"', True), ("false", False)])
def test_etcd_is_away(tmp_path: Path, rule: str, *, stays: bool) -> None:
    """Without etcd witnesses decide, of which there is none here; it is waited for `patience` at most."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR, more=KEEP.format(rule)) as site:
            await told(site)
            one, other = site.all
            one.etcd.hangs = True
            die(one, V4)
            await asyncio.sleep(0.3)
            assert (one in announcing(site)) is (rule != "false")
            await asyncio.sleep(0.5)
            assert (one in announcing(site)) is stays
            one.etcd.hangs = False
            await site.until(lambda: announcing(site) == [other])

    run(main())


def test_without_the_rule_nothing_is_asked(tmp_path: Path) -> None:
    """`keep_last = false` withdraws at once, and asks nobody."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            await told(site)
            for each in site.all:
                die(each, V4)
            await site.until(lambda: not announcing(site), 0.2)

    run(main())


def test_etcd_refuses(tmp_path: Path) -> None:
    """An etcd that takes nothing is asked again later and later, and is waited for no longer than `patience`."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR, more=KEEP.format("true")) as site:
            await told(site)
            one, other = site.all
            site.cluster.full = True
            asked = one.etcd.asked
            die(one, V4)
            await site.until(lambda: announcing(site) == [other], 1.0)
            await asyncio.sleep(5.0)
            assert one.etcd.asked - asked < 60

    run(main())


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_late_or_lost(tmp_path: Path, seed: int) -> None:
    """While etcd answers within `patience`, each VIP is announced somewhere at every moment, and in the end only where it is alive."""
    dice = Random(seed)

    async def watched(site: Machines) -> None:
        while True:
            for prefix in ALL:
                assert announcing(site, prefix)
            await asyncio.sleep(0.002)

    async def main() -> None:
        names = (*PAIR, "par1/lb2") if seed % 2 else PAIR
        async with machines(tmp_path, *names, more=KEEP.format("true")) as site:
            await told(site)
            watching = asyncio.ensure_future(watched(site))
            for _ in range(60):
                each, prefix = dice.choice(site.all), dice.choice(ALL)
                each.source.live[prefix] = 0 if dice.random() < 0.6 else 2
                each.life.reconciler.wake()
                each.etcd.slow = dice.choice([0.0, 0.0, 0.01, 0.04])
                each.etcd.late = dice.choice([0.0, 0.0, 0.005, 0.02])
                each.etcd.lost = dice.choice([0, 0, 1])
                await asyncio.sleep(dice.choice([0.0, 0.001, 0.01, 0.1, 1.0]))
            for each in site.all:
                each.etcd.slow, each.etcd.late, each.etcd.lost = 0.0, 0.0, 0

            def is_so() -> bool:
                return all(
                    not (alive := [m for m in site.all if m.source.live[prefix]])
                    or announcing(site, prefix) == alive
                    for prefix in ALL
                )

            await site.until(is_so)
            await told(site)
            assert not watching.done(), watching.result()
            watching.cancel()

    run(main())


def test_who_has_not_taken_over_what_it_read(tmp_path: Path) -> None:
    """Who is back at etcd, and can't record yet what others ask, may go without leave: nobody counts on it until then."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR, more=KEEP.format("true")) as site:
            await told(site)
            one, other = (site[name] for name in PAIR)
            one.etcd.away = True
            await site.until(lambda: says(site, PAIR[0]) == "nothing", 60)
            with closing(
                sqlite3.connect(one.directory / "state.sqlite3", isolation_level=None)
            ) as held:
                held.execute("BEGIN EXCLUSIVE")
                one.etcd.away = False
                await site.until(lambda: "can't be recorded" in one.alarms, 60)
                await asyncio.sleep(2.0)
                for each in site.all:
                    die(each, V4)
                await asyncio.sleep(4.0)
                assert announcing(site) == [other]
                held.execute("ROLLBACK")
            one.source.live[V4] = 2
            await told(site)

    run(main())


def test_while_all_is_read_again(tmp_path: Path) -> None:
    """Who has lost its watch for a moment waits for etcd, too: others count on what it told, as its lease lives."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR, more=KEEP.format("true")) as site:
            await told(site)
            one = site[PAIR[0]]
            one.etcd.break_watches()
            await site.until(lambda: not one.site.connected)
            for each in site.all:
                die(each, V4)
            await asyncio.sleep(20.0)
            assert one.site.connected
            assert few(site, {1})

    run(main())
