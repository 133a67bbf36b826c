"""What a watchdog says of its site: alarms, metrics, what it tells of itself; another [site], and none."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from policy.intent import Mode
from policy.site_intent import Extent
from speaker import config
from speaker.runtime.site import run_site
from speaker.telemetry.look import Look
from speaker.telemetry.metrics import SITE_CONNECTED, SITE_MEMBERS, SITE_QUEUED, of_look
from tests.support.fakes.etcd import Cluster
from tests.support.fakes.machines import PREFIX, Machine, machine, machines
from tests.support.fakes.site import SECOND, V4, running, write_config
from tests.support.fakes.virtual_time import run

if TYPE_CHECKING:
    from policy.route import Prefix
    from speaker.site.base import Etcd

PAIR = "par1/lb1", "lyo1/lb1"
SOURCE = Path(__file__).parents[3]


async def reload(one: Machine, more: str) -> None:
    """Have it take another vip.toml."""
    loaded = config.load(write_config(one.directory, more), {"VIP_DC": one.here.dc})
    await one.life.reconciler.configure(loaded, one.source, one.life.configure)


def samples(one: Machine) -> dict[str, object]:
    wanted = {SITE_CONNECTED, SITE_QUEUED, SITE_MEMBERS}
    return {
        metric.name: [*values]
        for metric, values in of_look(Look(one.life.reconciler))
        if metric in wanted
    }


def test_a_clock_that_is_right(tmp_path: Path) -> None:
    """Who was cut off from etcd, however long, and tells of itself again, tells its clock as it is then."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one, other = (site[name] for name in PAIR)
            for seconds in range(5, 60, 6):
                await asyncio.sleep(31.0)
                other.etcd.away = True
                await asyncio.sleep(seconds)
                other.etcd.away = False
                for _ in range(80):
                    await asyncio.sleep(0.5)
                    (seen,) = [m for m in one.site.members() if m.dc == other.here.dc]
                    assert abs(seen.clock_off or 0.0) < 1.0, seconds
                assert seen.live
                assert seen.clock_off is not None

    run(main())


def test_metrics(tmp_path: Path) -> None:
    """Metrics say whether etcd is there, what is queued, and how many machines live, differ and are silent."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one, other = (site[name] for name in PAIR)
            assert samples(one) == {
                "vip_site_connected": [((), True)],
                "vip_site_queued": [((), 0)],
                "vip_site_members": [(("live",), 2), (("differs",), 0), (("silent",), 0)],
            }
            other.exabgp.daemon.refuses = True
            await one.order(Mode.DRAINED, [V4], within=2.0)
            assert samples(one)["vip_site_members"] == [
                (("live",), 2),
                (("differs",), 1),
                (("silent",), 0),
            ]
            one.etcd.away = True
            await other.kill()
            await asyncio.sleep(30)
            await one.order(Mode.DRAINED, [SECOND], within=0.1)
            found = samples(one)
            assert found["vip_site_connected"] == [((), False)]
            assert found["vip_site_queued"] == [((), 1)]
            one.etcd.away = False
            await site.until(lambda: samples(one)["vip_site_queued"] == [((), 0)])
            members = [(("live",), 1), (("differs",), 0), (("silent",), 1)]
            await site.until(lambda: samples(one)["vip_site_members"] == members)

    run(main())


def test_without_a_site(tmp_path: Path) -> None:
    """A machine without [site] has none: nothing is connected, told or shown."""

    async def main() -> None:
        def connect(_: object) -> Etcd:
            raise AssertionError

        async with running(tmp_path) as site:
            part = asyncio.create_task(run_site(site.reconciler, connect))
            await asyncio.sleep(10)
            assert not part.done()
            part.cancel()
            assert site.reconciler.site is None
            shown = {metric for metric, _ in of_look(Look(site.reconciler))}
            assert not shown & {SITE_CONNECTED, SITE_QUEUED, SITE_MEMBERS}

    run(main())


def test_nothing_is_imported() -> None:
    """A watchdog that stays imports neither a client of etcd nor what keeps in touch with it without [site]."""
    program = "import sys, speaker.runtime.service, speaker.runtime.exabgp_process, speaker.cli.operate; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=SOURCE
    )
    loaded = done.stdout.split()
    assert "speaker.runtime.site" in loaded
    assert not [name for name in loaded if f"{name}.".startswith("speaker.site.")]


def test_states(tmp_path: Path) -> None:
    """A machine tells what it read back: with which AS_PATH, which health, which intent by whom and why; what it does not know is null."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one, other = (site[name] for name in PAIR)

            def told(prefix: Prefix = V4) -> list[tuple[bool | None, str, str, str]]:
                return [
                    (s.announced, s.as_path, s.health, s.intent)
                    for s in other.site.states().get(prefix, ())
                    if s.dc == "par1"
                ]

            await site.until(told)
            ((announced, as_path, health, intent),) = told()
            assert (announced, health, intent) == (True, "up", "auto")
            assert set(as_path.split()) == {"64699"}
            await one.order(Mode.DRAINED, [V4], one.here)
            (intent_here,) = one.life.store.site_known([V4])[V4]
            said = str(intent_here.intent)
            assert said.startswith("drained by ann at 20")
            assert said.endswith(": works")
            await site.until(lambda: told() == [(False, "", "up", said)])
            one.source.live[SECOND] = 0
            await site.until(lambda: told(SECOND) == [(False, "", "down", "auto")])
            one.exabgp.stall(20)
            one.life.reconciler.wake_and_read()
            await site.until(lambda: told(SECOND) == [(None, "", "down", "auto")])
            await site.until(lambda: told(SECOND) == [(False, "", "down", "auto")])
            states = [s.modified for s in other.site.states()[V4]]
            assert all(states)

    run(main())


def test_a_prefix_that_left(tmp_path: Path) -> None:
    """The state of a prefix that left vip.toml is removed; all that is told has the lease."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one = site["par1/lb1"]
            await site.until(lambda: len(site.cluster.contents(f"{PREFIX}state/")) == 6)
            path = write_config(one.directory, one.more)
            text = path.read_text().replace('[vip."vip-2.tld"]\naddresses = ["192.0.2.2"]\n', "")
            path.write_text(text)
            loaded = config.load(path, {"VIP_DC": "par1"})
            await one.life.reconciler.configure(loaded, one.source, one.life.configure)
            await site.until(lambda: len(site.cluster.contents(f"{PREFIX}state/")) == 5)
            assert f"{PREFIX}state/{SECOND}/par1/lb1" not in site.cluster.contents()
            assert "another vip.toml" not in site["lyo1/lb1"].alarms
            await site.until(
                lambda: "par1/lb1 has another vip.toml" in site["lyo1/lb1"].alarms, 120
            )
            await site.until(lambda: "lyo1/lb1 has another vip.toml" in one.alarms, 120)

    run(main())


def test_another_name(tmp_path: Path) -> None:
    """A reload with another name of this machine takes effect at once, and the old name is gone from etcd."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one, other = (site[name] for name in PAIR)
            await reload(one, one.more.replace('"lb1"', '"lb9"'))
            await site.until(lambda: f"{PREFIX}machine/par1/lb9" in site.cluster.contents())
            assert f"{PREFIX}machine/par1/lb1" not in site.cluster.contents()
            await site.until(
                lambda: (
                    [m.machine for m in other.site.members() if m.live and m.dc == "par1"]
                    == ["lb9"]
                )
            )
            one.here = Extent("par1", "lb9")
            assert (await other.order(Mode.DRAINED, [V4])).complete

    run(main())


def test_no_site_any_more(tmp_path: Path) -> None:
    """Where [site] is removed, this machine leaves; what is in force stays. Where it comes back, it is a member again."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one, other = (site[name] for name in PAIR)
            assert (await other.order(Mode.DRAINED, [V4])).complete
            table = one.table()
            await reload(one, "")
            await site.until(lambda: one.life.reconciler.site is None)
            await site.until(lambda: f"{PREFIX}machine/par1/lb1" not in site.cluster.contents())
            assert (await other.order(Mode.AUTO, [V4])).complete
            await asyncio.sleep(60)
            assert one.table() == table
            assert not one.alarms
            await reload(one, one.more)
            await site.until(lambda: str(V4) in one.table())

    run(main())


def test_woken_at_once(tmp_path: Path) -> None:
    """What is asked elsewhere is obeyed at once, not at the next cycle: in each of a hundred orders, in the loop's own time."""

    async def main() -> None:
        more = '[health]\ninterval = "60s"\n'
        async with machines(tmp_path, *PAIR, more=more) as site:
            one, other = (site[name] for name in PAIR)
            for number in range(100):
                mode = Mode.AUTO if number % 2 else Mode.DRAINED
                asking = asyncio.create_task(one.order(mode, [V4]))
                took = await site.until(lambda: (str(V4) in other.table()) == (mode is Mode.AUTO))  # noqa: B023 - called at once
                assert took < 0.05
                assert (await asking).complete

    run(main())


def test_started_while_etcd_is_away(tmp_path: Path) -> None:
    """A machine that starts without etcd announces and drains by its copy, and takes orders."""

    async def main() -> None:
        cluster = Cluster()
        async with machine(tmp_path, cluster, "par1/lb1") as one:
            await asyncio.sleep(2)
            assert (await one.order(Mode.DRAINED, [V4])).complete
        cluster.end_leases()

        async with machine(tmp_path, cluster, "par1/lb1", away=True) as one:
            await asyncio.sleep(30)
            assert str(V4) not in one.table()
            done = await one.order(Mode.DRAINED, [SECOND], within=1.0)
            assert not done.committed
            assert str(SECOND) not in one.table()
            one.etcd.away = False
            await asyncio.sleep(10)
            assert one.site.queued == 0
            assert not one.alarms

    run(main())


def test_an_order_for_this_machine(tmp_path: Path) -> None:
    """An order for this machine alone needs no etcd, and is confirmed once it was read back here."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one = site["par1/lb1"]
            one.etcd.away = True
            await asyncio.sleep(10)
            done = await one.order(Mode.DRAINED, [V4], one.here)
            assert done.complete, done
            assert str(V4) not in one.table()
            one.exabgp.daemon.refuses = True
            done = await one.order(Mode.DRAINED, [SECOND], one.here, 20.0)
            assert [(each.obeys, "not done" in each.why) for each in done.members] == [
                (False, True)
            ]

    run(main())


@pytest.mark.nightly  # it waits twelve seconds for the file
def test_a_state_file_that_is_held(tmp_path: Path) -> None:
    """While another program holds the state file, what others ask is not obeyed, and not said to be; then it is."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one, other = (site[name] for name in PAIR)
            await asyncio.sleep(70)  # what waits for a settled time has looked
            with closing(
                sqlite3.connect(other.directory / "state.sqlite3", isolation_level=None)
            ) as held:
                held.execute("BEGIN EXCLUSIVE")
                done = await one.order(Mode.DRAINED, [V4], within=1.0)
                assert done.committed
                assert [(m.dc, m.obeys) for m in done.members] == [("lyo1", False), ("par1", True)]
                held.execute("ROLLBACK")
            await site.until(lambda: str(V4) not in other.table())
            assert (await one.order(Mode.DRAINED, [V4])).complete

    run(main())
