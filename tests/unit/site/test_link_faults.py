"""What etcd may do to a site: nothing that is in force changes, no drain is lost, and each machine says only what is so."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from policy.intent import Intent, Mode
from policy.site_intent import EVERYWHERE, Extent
from speaker.site.remembering import EVERY, FORGOTTEN
from tests.support.fakes.machines import PREFIX, machine, machines
from tests.support.fakes.site import SECOND, V4, V6
from tests.support.fakes.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.fakes.etcd import Client

PAIR = "par1/lb1", "lyo1/lb1"
ALL = {str(V4), str(V6), str(SECOND)}
WITHOUT = ALL - {str(V4)}


def _away(client: Client) -> None:
    client.away = True


def _hangs(client: Client) -> None:
    client.hangs = True


def _refused(client: Client) -> None:
    client.refused = "etcdserver: permission denied"


def _very_slow(client: Client) -> None:
    client.slow = 100.0
    client.deaf = True


def _well(client: Client) -> None:
    client.away = client.hangs = client.deaf = False
    client.slow, client.refused = 0.0, ""


@pytest.mark.parametrize("fault", [_away, _hangs, _refused, _very_slow])
def test_no_etcd(tmp_path: Path, fault: Callable[[Client], None]) -> None:
    """Without etcd all stays as it is; a drain is obeyed here, and queued; it reaches the others once etcd is back."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one, other = (site[name] for name in PAIR)
            assert (await other.order(Mode.DRAINED, [V6])).complete
            for each in site.all:
                fault(each.etcd)
            await asyncio.sleep(30)
            assert all(each.table() == ALL - {str(V6)} for each in site.all)
            assert all(
                "what is in force stays, and -a and -d work" in each.alarms for each in site.all
            )
            done = await one.order(Mode.DRAINED, [V4], within=3.0)
            assert not done.committed
            assert done.why
            assert one.site.queued == 1
            assert one.table() == WITHOUT - {str(V6)}
            assert other.table() == ALL - {str(V6)}
            for each in site.all:
                _well(each.etcd)
            await site.until(lambda: other.table() == WITHOUT - {str(V6)}, 40)
            await site.until(lambda: not one.site.queued and not one.alarms and not other.alarms)

    run(main())


def test_two_operators_apart(tmp_path: Path) -> None:
    """Two who can't reach each other drain and restore: both keep on, and merged the drain wins on each side."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one, other = (site[name] for name in PAIR)
            one.etcd.away = True
            await asyncio.sleep(1)
            await one.order(Mode.DRAINED, [V4], within=1.0)
            await asyncio.sleep(5)
            assert (await other.order(Mode.AUTO, [V4], within=60.0)).committed
            one.etcd.away = False
            await site.until(lambda: other.table() == WITHOUT)
            assert one.table() == WITHOUT
            assert (await other.order(Mode.AUTO, [V4])).complete
            assert one.table() == other.table() == ALL

    run(main())


def test_a_silent_machine(tmp_path: Path) -> None:
    """A machine that dies is silent once its lease is over: no order waits for it; it obeys when it is back."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one = site["par1/lb1"]
            await site["lyo1/lb1"].kill()
            done = await one.order(Mode.DRAINED, [V4], within=2.0)
            assert done.committed
            assert [m.why for m in done.members if not m.obeys] == ["it has not said that it obeys"]
            await site.until(lambda: "lyo1/lb1 is silent" in one.alarms, 20)
            done = await one.order(Mode.DRAINED, [V6], within=2.0)
            assert done.complete
            assert [(m.live, m.obeys, m.why) for m in done.members if m.dc == "lyo1"] == [
                (False, False, "silent: it obeys once it is back")
            ]
            async with machine(tmp_path, site.cluster, "lyo1/lb1") as back:
                await site.until(lambda: back.table() == {str(SECOND)})
                await site.until(lambda: not one.alarms)

    run(main())


@pytest.mark.parametrize("lost", [1, 2, 5])
def test_lost_answers(tmp_path: Path, lost: int) -> None:
    """Where etcd did it, and the answer was lost, it is found to be done: once, and obeyed."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one = site["par1/lb1"]
            one.etcd.lost = lost
            done = await one.order(Mode.DRAINED, [V4])
            assert done.complete, done
            assert len(site.cluster.contents(f"{PREFIX}intent/")) == 1

    run(main())


def test_slow(tmp_path: Path) -> None:
    """An etcd that takes half a second for each answer takes its time, and that is all."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            for each in site.all:
                each.etcd.slow = each.etcd.late = 0.5
            assert (await site["par1/lb1"].order(Mode.DRAINED, [V4], within=10.0)).complete
            assert not any(each.alarms for each in site.all)

    run(main())


@pytest.mark.parametrize("is_deaf", [False, True], ids=["away", "deaf"])
def test_compacted_while_away(tmp_path: Path, *, is_deaf: bool) -> None:
    """What happened while a machine heard nothing, and is not kept any more, is read."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one, other = (site[name] for name in PAIR)
            other.etcd.away, other.etcd.deaf = not is_deaf, is_deaf
            await asyncio.sleep(1)
            await one.order(Mode.DRAINED, [V4], within=1.0)
            await one.order(Mode.DRAINED, [V6], within=1.0)
            site.cluster.compact()
            other.etcd.away = other.etcd.deaf = False
            other.etcd.break_watches()
            await site.until(lambda: other.table() == {str(SECOND)})
            await site.until(lambda: not one.alarms and not other.alarms)

    run(main())


def test_a_lease_that_is_lost(tmp_path: Path) -> None:
    """Leases that end though the machines live are granted again, and all is told again."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            await site.until(lambda: len(site.cluster.contents(f"{PREFIX}state/")) == 6)
            before = {*site.cluster.contents()}
            site.cluster.end_leases()
            assert not [key for key in site.cluster.contents() if "/machine/" in key]
            await site.until(lambda: {*site.cluster.contents()} == before, 20)
            leases = {each.lease for each in site.cluster.stored()}
            assert leases == {each.site.lease for each in site.all}
            assert (await site["par1/lb1"].order(Mode.DRAINED, [V4])).complete

    run(main())


@pytest.mark.parametrize("new_identity", [True, False])
def test_restored_from_an_old_copy(tmp_path: Path, *, new_identity: bool) -> None:
    """What an old copy lacks is handed on again; nothing that is drained is announced meanwhile."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one, other = (site[name] for name in PAIR)
            old = site.cluster.copy()
            assert (await one.order(Mode.DRAINED, [V4])).complete
            assert (await other.order(Mode.DRAINED, [V6], Extent("par1"))).complete
            tables = [each.table() for each in site.all]
            site.cluster.restore(old, new_identity=new_identity)
            for _ in range(400):
                await asyncio.sleep(0.1)
                assert [each.table() for each in site.all] == tables
            assert len(site.cluster.contents(f"{PREFIX}intent/")) == 2
            assert (await other.order(Mode.AUTO, [V4])).complete
            assert (await other.order(Mode.AUTO, [V6], Extent("par1"))).complete
            assert one.table() == other.table() == ALL

    run(main())


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """Where etcd takes nothing, what it has is known all the same, and an order is queued."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one, other = (site[name] for name in PAIR)
            site.cluster.full = True
            done = await one.order(Mode.DRAINED, [V4], within=2.0)
            assert not done.committed
            assert "exceeded" in done.why
            assert one.table() == WITHOUT
            assert one.site.connected
            await site.until(lambda: "exceeded" in one.alarms, 20)
            site.cluster.full = False
            await site.until(lambda: other.table() == WITHOUT)

    run(main())


def test_a_clock_that_is_off(tmp_path: Path) -> None:
    """A machine whose clock is a minute ahead is named by the others, and names them; orders work."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one, other = (site[name] for name in PAIR)
            other.clock.jump(60)
            await site.until(
                lambda: "the clock of lyo1/lb1 is ahead by more than 5 s" in one.alarms, 120
            )
            await site.until(lambda: "the clock of par1/lb1 is behind" in other.alarms, 120)
            assert (await other.order(Mode.DRAINED, [V4])).complete
            assert (await one.order(Mode.AUTO, [V4])).complete
            assert (await one.order(Mode.DRAINED, [V4])).complete
            other.clock.jump(-60)
            await site.until(lambda: "clock of" not in one.alarms + other.alarms, 120)

    run(main())


def test_a_daemon_that_does_not_answer(tmp_path: Path) -> None:
    """A machine whose routing daemon does not answer obeys nothing, and says why; once it answers, it does."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one, other = (site[name] for name in PAIR)
            other.exabgp.stall(30.0)
            done = await one.order(Mode.DRAINED, [V4], within=20.0)
            assert done.committed
            (why,) = [m.why for m in done.members if not m.obeys]
            assert "not known" in why or "has not said" in why or "not done" in why, why
            assert str(V4) in other.table()
            await site.until(lambda: other.table() == WITHOUT, 120)
            assert (await one.order(Mode.DRAINED, [V4], within=60.0)).complete

    run(main())


def test_a_daemon_that_refuses(tmp_path: Path) -> None:
    """A machine whose daemon refuses the withdrawal is named with why."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one, other = (site[name] for name in PAIR)
            other.exabgp.daemon.refuses = True
            done = await one.order(Mode.DRAINED, [V4], within=5.0)
            (why,) = [m.why for m in done.members if not m.obeys]
            assert "not done" in why, why
            other.exabgp.daemon.refuses = False
            assert (await one.order(Mode.DRAINED, [V4], within=60.0)).complete

    run(main())


@pytest.mark.parametrize(
    "value", [b"", b"{}", b'{"v":2,"intents":[]}', b"\xff\x00", b'{"v":1,"intents":[{}]}']
)
def test_a_key_that_makes_no_sense(tmp_path: Path, value: bytes) -> None:
    """It is named, left as it is, and hinders nothing else."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one, other = (site[name] for name in PAIR)
            key = f"{PREFIX}intent/site/{V6}"
            site.cluster.put(key, value)
            site.cluster.put(f"{PREFIX}machine/par1", b"x")
            site.cluster.put(f"{PREFIX}another/program", b"x")
            await site.until(lambda: "2 keys of etcd can't be read" in one.alarms)
            assert (await one.order(Mode.DRAINED, [V4])).complete
            done = await one.order(Mode.DRAINED, [V6], within=2.0)
            assert not done.committed
            assert one.table() == {str(SECOND)}
            assert site.cluster.contents(key)[key] == value
            site.cluster.put(key, None)
            site.cluster.put(f"{PREFIX}machine/par1", None)
            await site.until(lambda: other.table() == {str(SECOND)})
            await site.until(lambda: not one.alarms and not other.alarms)

    run(main())


def test_keys_that_are_removed(tmp_path: Path) -> None:
    """Who removes all keys lifts no drain: each machine hands on what it knows."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one = site["par1/lb1"]
            assert (await one.order(Mode.DRAINED, [V4])).complete
            for key in site.cluster.contents():
                site.cluster.put(key, None)
            await site.until(lambda: len(site.cluster.contents(f"{PREFIX}intent/")) == 1)
            await site.until(lambda: all(m.live for m in one.site.members()))
            assert all(each.table() == WITHOUT for each in site.all)

    run(main())


@pytest.mark.parametrize("jump", [0.0, -86400.0])
def test_two_of_one_name(tmp_path: Path, jump: float) -> None:
    """Two machines that are called alike are told so, and no longer than they are, wherever the clock is set."""

    async def main() -> None:
        async with machines(tmp_path, "par1/lb1") as site:
            second = tmp_path / "second"
            second.mkdir()
            async with machine(second, site.cluster, "par1/lb1") as other:
                await site.until(
                    lambda: "another machine is called par1/lb1" in site["par1/lb1"].alarms
                )
                await site.until(lambda: "another machine is called par1/lb1" in other.alarms)
            site["par1/lb1"].clock.jump(jump)
            await site.until(lambda: "is called" not in site["par1/lb1"].alarms, 120)

    run(main())


def test_a_drain_that_ends(tmp_path: Path) -> None:
    """A drain for some time ends on each machine at its time, etcd or not; a wider one holds again then."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one, other = (site[name] for name in PAIR)
            now = one.clock.wall()
            await one.site.order(
                {V4: Intent(Mode.DRAINED, "ann", now, until=now + 100)}, EVERYWHERE, 5.0
            )
            assert one.table() == other.table() == WITHOUT
            other.etcd.away = True
            await asyncio.sleep(90)
            assert one.table() == other.table() == WITHOUT
            await site.until(lambda: one.table() == other.table() == ALL, 20)

    run(main())


@pytest.mark.parametrize("away", [12.0, 25.0, 28.0, 40.0, 75.0])
def test_no_clock_is_off_after_a_partition(tmp_path: Path, away: float) -> None:
    """What a machine told of its clock before it could be stored says nothing of its clock now."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one, other = (site[name] for name in PAIR)
            await asyncio.sleep(65)
            other.etcd.away = True
            await asyncio.sleep(away)
            other.etcd.away = False
            for _ in range(700):
                await asyncio.sleep(0.1)
                assert "clock" not in one.alarms + other.alarms
            assert [abs(m.clock_off or 0.0) < 1.0 for m in one.site.members()] == [True] * 2
            assert all(m.clock_off is not None for m in one.site.members())

    run(main())


def test_a_silent_machine_after_a_restart(tmp_path: Path) -> None:
    """A machine that died is named after this one was restarted, too, with since when; and is forgotten after a week."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            one = site["par1/lb1"]
            await site["lyo1/lb1"].kill()
            await asyncio.sleep(30)
            await one.kill()
            async with machine(tmp_path, site.cluster, "par1/lb1", away=True) as back:
                await asyncio.sleep(5)  # who lives is not known yet
                early = back.alarms.splitlines()
                back.etcd.away = False
                await site.until(lambda: "lyo1/lb1 is silent" in back.alarms, 20)
                (silent,) = [m for m in back.site.members() if not m.live]
                assert silent.silent_since is not None
                assert 15.0 < back.clock.wall() - silent.silent_since < 40.0
                done = await back.order(Mode.DRAINED, [V4], within=2.0)
                assert [(m.machine, m.dc) for m in done.members if not m.live] == [("lb1", "lyo1")]
                assert not any("lyo1/lb1 is silent" in line for line in early)
                back.clock.jump(FORGOTTEN)
                await site.until(lambda: all(m.live for m in back.site.members()), EVERY + 10)
                assert back.life.store.site_members() == {}

    run(main())


def test_a_silent_machine_is_no_alarm_for_ever(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After a day it is not waited for any more, which is said as such: it has not recovered. One that comes back has."""

    async def main() -> list[str]:
        async with machines(tmp_path, *PAIR) as site:
            one = site["par1/lb1"]
            await site["lyo1/lb1"].kill()
            await site.until(lambda: "lyo1/lb1 is silent" in one.alarms, 30)
            one.clock.jump(86400.0)
            await site.until(lambda: "lyo1/lb1 is silent" not in one.alarms, 10)
            return [each.message for each in caplog.records if "members: " in each.message]

    said = run(main())
    assert said[-1] == "members: no alarm any more; silent for a day: lyo1/lb1"
    assert not any("recovered" in line for line in said)
