"""A machine whose state file is new, or was lost: what it announces before it has read the orders of the site, and what it says."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from policy.explain.line import About
from policy.intent import Intent, Mode
from policy.site_intent import EVERYWHERE, Extent
from speaker import config
from speaker.config.settings_site import SiteSettings
from speaker.control.site_explained import known_intents, with_site
from speaker.reconcile.status import Snapshot, status
from tests.support.fakes.etcd import Cluster
from tests.support.fakes.machines import machine, machines
from tests.support.fakes.site import PEER, SECOND, V4, V6, Life, running
from tests.support.fakes.virtual_time import VirtualClock, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from policy.route import Prefix
    from tests.support.fakes.exabgp import Daemon
    from tests.support.fakes.machines import Machine, Machines

PAIR = "par1/lb1", "lyo1/lb1"
ALL = {str(V4), str(V6), str(SECOND)}
WITHOUT = ALL - {str(V4)}
WITHIN = 30.0
"""`[site] start_wait`, unless set."""


@asynccontextmanager
async def one_that_lost_its_file(
    directory: Path, site: Machines, *, away: bool
) -> AsyncIterator[Machine]:
    """Drain a VIP everywhere; then start one machine anew, with a new disk."""
    assert (await site["lyo1/lb1"].order(Mode.DRAINED, [V4])).complete
    one = site["par1/lb1"]
    await one.kill()
    lose_file(one.directory)
    async with machine(directory, site.cluster, "par1/lb1", away=away, looked=False) as back:
        yield back


def lose_file(directory: Path) -> None:
    """Remove a machine's state file."""
    for each in directory.glob("state.sqlite3*"):
        each.unlink()


async def announced(one: Machine, within: float) -> list[set[str]]:
    """Return what a machine's router has, one after the other, for some seconds."""
    loop = asyncio.get_running_loop()
    end, seen = loop.time() + within, [one.table()]
    while loop.time() < end:
        await asyncio.sleep(0.01)
        if one.table() != seen[-1]:
            seen.append(one.table())
    return seen


def starting(one: Machine) -> str:
    """Return what it says of its start."""
    return status(one.life.reconciler).starting


def causes(one: Machine) -> set[str | None]:
    """Return by what its prefixes are decided."""
    assessment = one.life.reconciler.assessment
    assert assessment is not None
    return {str(each.cause) for each in assessment.decisions.values()}


async def sentences(one: Machine, prefix: Prefix) -> dict[str, str]:
    """Return what explains a prefix."""
    reconciler = one.life.reconciler
    known = await known_intents(reconciler, [prefix])
    told = Snapshot(reconciler).explanations([prefix], {})
    unread = reconciler.first_reading.is_missing
    (found,) = with_site(one.here, one.clock.wall(), told, [prefix], known, unread=unread)
    return {each.about: each.text for each in found.sentences}


def test_what_is_drained_is_never_announced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With etcd there, what the site drained is not announced for a moment, and all else is once etcd was read, without an alarm."""

    async def main() -> None:
        async with (
            machines(tmp_path, *PAIR) as site,
            one_that_lost_its_file(tmp_path, site, away=False) as back,
        ):
            back.etcd.slow = 0.5
            caplog.clear()
            assert await announced(back, 5.0) == [set(), WITHOUT]
            assert not starting(back)

    run(main())
    assert not [each for each in caplog.messages if each.startswith("orders: the orders")]


def test_etcd_is_away_for_a_while(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While etcd is away nothing new is announced, which is said in each place; as soon as it was read, what is not drained is."""

    async def main() -> None:
        async with (
            machines(tmp_path, *PAIR) as site,
            one_that_lost_its_file(tmp_path, site, away=True) as back,
        ):
            assert await announced(back, 10.0) == [set()]
            assert causes(back) == {"site"}
            assert starting(back) == (
                "3 prefixes wait for the orders of the whole site, which were never read from etcd, for another 20 s at most "
                "(192.0.2.1/32, 192.0.2.2/32, 2001:db8::1/128)"
            )
            assert "orders: the orders of the whole site are unknown" in back.alarms
            assert "waits for them, 30s from the start at most" in back.alarms
            assert back.life.reconciler.alarms.subjects["orders"]
            told = await sentences(back, V4)
            assert told[About.DECISION].startswith(
                "withdraw, by site: what the site has drained is not known yet; waits for the orders"
            )
            assert told[About.CHANGE].endswith("; now by vip_mgmt -a --here vip-1.tld")
            assert told[About.SITE].startswith("what is ordered is unknown: this machine never")
            back.etcd.away = False
            seen = await announced(back, 10.0)
            assert all(str(V4) not in each for each in seen)
            assert seen[-1] == WITHOUT
            assert "orders" not in back.alarms
            assert not starting(back)
            assert "is unknown" not in (await sentences(back, V4))[About.SITE]

    run(main())
    said = [each.getMessage() for each in caplog.records]
    assert sum(each.startswith("orders: 3 prefixes wait") for each in said) == 1


def test_etcd_stays_away(tmp_path: Path) -> None:
    """After `start_wait` what is well is announced, with an alarm until etcd was read; what it drained is withdrawn then."""

    async def main() -> None:
        async with (
            machines(tmp_path, *PAIR) as site,
            one_that_lost_its_file(tmp_path, site, away=True) as back,
        ):
            assert await announced(back, WITHIN - 1.0) == [set()]
            assert await announced(back, 3.0) == [set(), ALL]
            assert not starting(back)
            await asyncio.sleep(3600)
            assert back.table() == ALL
            assert "are unknown: they were never read from etcd; what is well is announced" in (
                back.alarms
            )
            back.etcd.away = False
            await site.until(lambda: back.table() == WITHOUT)
            await site.until(lambda: "orders" not in back.alarms)

    run(main())


@pytest.mark.parametrize(
    ("keys", "within"), [('start_wait = "2s"', 2.0), ('start_wait = "0s"', 0.0)]
)
def test_how_long_it_waits(tmp_path: Path, keys: str, within: float) -> None:
    """`start_wait` says how long it waits; 0 announces at once, with the alarm."""

    async def main() -> None:
        cluster = Cluster()
        async with lone(tmp_path, cluster, keys) as one:
            if within:
                assert await announced(one, within - 0.5) == [set()]
            assert (await announced(one, 2.0))[-1] == ALL
            await asyncio.sleep(5)
            assert "what is well is announced" in one.alarms

    run(main())


@asynccontextmanager
async def lone(
    directory: Path,
    cluster: Cluster,
    keys: str = "",
    other: Callable[[Daemon], None] = lambda _: None,
) -> AsyncIterator[Machine]:
    """Run a machine that is new, and has no etcd."""
    async with machine(
        directory, cluster, "par1/lb1", away=True, looked=False, keys=keys, other=other
    ) as one:
        yield one


def manual(daemon: Daemon) -> None:
    """Have the first neighbour's End-of-RIB left to a process."""
    session = daemon.sessions[PEER]
    session.neighbor = replace(session.neighbor, manual_eor=True)


def test_a_file_that_was_read_is_enough(tmp_path: Path) -> None:
    """Who has read the orders once goes by its copy ever after: it waits for nothing, also where nothing was ever ordered."""

    async def main() -> None:
        async with machines(tmp_path, *PAIR) as site:
            await site["par1/lb1"].kill()
            async with machine(tmp_path, site.cluster, "par1/lb1", away=True, looked=False) as back:
                assert (await announced(back, 2.0))[-1] == ALL
                await asyncio.sleep(60)
                assert "orders" not in back.alarms

    run(main())


@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.FORCED])
@pytest.mark.parametrize("extent", [Extent("par1", "lb1"), Extent("par1"), EVERYWHERE])
def test_an_operator_knows(tmp_path: Path, mode: Mode, extent: Extent) -> None:
    """What an operator restores or forces here does not wait, nor after a restart of the watchdog; all else does."""

    async def main() -> None:
        cluster = Cluster()
        async with lone(tmp_path, cluster) as one:
            await asyncio.sleep(2)
            assert one.table() == set()
            intent = Intent(mode, "ann", one.clock.wall())
            await one.site.record({V4: intent}, extent)
            await asyncio.sleep(2)
            assert one.table() == {str(V4)}
        async with lone(tmp_path, cluster) as one:
            await asyncio.sleep(5)
            assert one.table() == {str(V4)}

    run(main())


def test_an_order_for_others_is_none_for_this_machine(tmp_path: Path) -> None:
    """What is ordered here for another data centre says nothing of this machine."""

    async def main() -> None:
        async with lone(tmp_path, Cluster()) as one:
            await asyncio.sleep(2)
            await one.site.record({V4: Intent(Mode.AUTO, "ann", 0.0)}, Extent("lyo1"))
            await asyncio.sleep(2)
            assert one.table() == set()

    run(main())


def test_what_is_announced_stays(tmp_path: Path) -> None:
    """A watchdog that finds announced what it knows nothing of, as ExaBGP kept it, withdraws none of it; what dies and comes back waits."""

    async def main() -> None:
        async with machines(tmp_path, "par1/lb1") as site:
            one = site["par1/lb1"]
            one.source.live[SECOND] = 0
            await site.until(lambda: one.table() == ALL - {str(SECOND)})
            assert one.linked is not None
            one.linked.cancel()
            await asyncio.gather(one.linked, return_exceptions=True)
            await one.life.kill()
            lose_file(one.directory)
            loaded = config.load(one.directory / "vip.toml", {"VIP_DC": "par1"})
            state = loaded.settings.state
            one.life = Life(one.exabgp, loaded, one.source, one.clock, state)
            one.source.live[SECOND] = 2
            one.life.listen()
            one.life.watch()
            one.etcd = site.cluster.client()
            one.etcd.away = True
            one.link()
            assert await announced(one, WITHIN - 2.0) == [ALL - {str(SECOND)}]
            assert (await announced(one, 5.0))[-1] == ALL

    run(main())


def test_end_of_rib_waits(tmp_path: Path) -> None:
    """A router that keeps what it had from before (graceful restart) is not told to forget it while that waits."""

    async def main() -> None:
        async with lone(tmp_path, Cluster(), other=manual) as one:
            ends = one.exabgp.daemon.sessions[PEER].ends
            await asyncio.sleep(WITHIN - 2.0)
            assert not ends
            await asyncio.sleep(10.0)
            assert {str(p) for _, sent in ends for p in sent} == ALL

    run(main())


def test_a_pass_waits_for_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A run that does not stay never reads etcd: it announces what is well at once; `status` has the alarm, which is not said in each pass."""

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        more = '[site]\netcd = ["http://127.0.0.1:2379"]\nmachine = "lb1"\n'
        async with running(tmp_path, more=more, clock=clock, cycles=False) as site:
            assert site.table() == ALL
            (trouble,) = [e for e in status(site.reconciler).trouble if e.startswith("orders: ")]
            assert "never read from etcd, which a pass does not do; what is well is" in trouble

    run(main())
    assert not [each for each in caplog.messages if each.startswith("orders")]


def test_a_reload(tmp_path: Path) -> None:
    """Where `[site]` comes with a reload, all that is announced stays; what is not waits from then on, and by no later reload for longer."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with running(tmp_path, clock=VirtualClock(loop)) as site:
            site.source.live[SECOND] = 0
            await asyncio.sleep(60)
            reconciler, before = site.reconciler, site.reconciler.config
            etcd = SiteSettings(("http://127.0.0.1:2379",), "lb1")
            shared = replace(before, settings=replace(before.settings, site=etcd))
            await reconciler.configure(shared, site.source, site.life.configure)
            site.source.live[SECOND] = 2
            await asyncio.sleep(20)
            assert site.table() == ALL - {str(SECOND)}
            await reconciler.configure(shared, site.source, site.life.configure)
            await asyncio.sleep(15)
            assert site.table() == ALL
            assert reconciler.alarms.subjects["orders"]
            await reconciler.configure(before, site.source, site.life.configure)
            await asyncio.sleep(2)
            assert not reconciler.alarms.subjects["orders"]

    run(main())
