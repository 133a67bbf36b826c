"""How long an operator waits for a daemon that does not answer, and what is said then."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from policy.errors import PolicyError
from policy.intent import Intent, Mode
from speaker import config
from speaker.api import IntentOutcome, RecordedIntent
from speaker.control.outcomes import outcomes_from_json
from speaker.reconcile import intents
from speaker.reconcile.operator import Operator
from tests.support.fakes import virtual_time
from tests.support.fakes.runs import FIRST, Runs
from tests.support.fakes.site import SECOND, V4, V6, Source, running, write_config
from tests.support.fakes.virtual_time import VirtualClock

if TYPE_CHECKING:
    from pathlib import Path

SLACK = 0.1


@pytest.mark.parametrize("mode", [Mode.DRAINED, Mode.AUTO])
@pytest.mark.parametrize("before", [0.0, 2.0])
def test_exabgp_stands_still(tmp_path: Path, mode: Mode, before: float) -> None:
    """Who asks is told in time that it is recorded, and no more; it is carried out when ExaBGP goes on."""

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(tmp_path, clock=clock) as site:
            await asyncio.sleep(20.0)
            if mode is Mode.AUTO:
                await site.reconciler.operator.apply(
                    {V4: Intent(Mode.DRAINED, "alice", clock.wall())}
                )
            was = str(V4) in site.table()
            site.exabgp.stall(60.0)
            await asyncio.sleep(before)  # a reading may be under way
            began = clock.steady()
            intent = Intent(mode, "alice", clock.wall())
            answer = await intents.apply_intent(site.reconciler, [V4], intent, dry_run=False)
            assert clock.steady() - began <= intents.WITHIN + intents.WITHIN_EACH + SLACK
            (told,) = outcomes_from_json([each.to_json() for each in answer], [V4])
            assert isinstance(told, RecordedIntent)
            assert f"{mode} is recorded; not confirmed within 7 s" in told.recorded
            assert "what the peers have is unknown" in told.recorded
            assert (str(V4) in site.table()) is was
            assert site.store.intents().of.get(V4) == (intent if mode is Mode.DRAINED else None)
            await asyncio.sleep(120.0)
            assert (str(V4) in site.table()) is not was
            assert {str(V6), str(SECOND)} <= site.table()

    virtual_time.run(main())


@pytest.mark.parametrize("kind", ["read", "write"])
def test_bgpd_stands_still(tmp_path: Path, kind: str) -> None:
    """Without a daemon it is the same: recorded, said in time, and the lock is free after it."""

    async def main() -> None:
        held = asyncio.Event()

        async def gate(who: str, what: str) -> None:
            if (who, what) == ("vip_mgmt", kind):
                await held.wait()

        runs = Runs(tmp_path, gate)
        assert await runs.run_pass()
        began = runs.clock.steady()
        intent = Intent(Mode.DRAINED, "alice", runs.clock.wall())
        answer = await runs.operate_alone(FIRST, intent)
        assert runs.clock.steady() - began <= intents.WITHIN + intents.WITHIN_EACH + SLACK
        (told,) = answer
        assert isinstance(told, RecordedIntent)
        assert "now: not confirmed within 7 s" in told.recorded
        assert FIRST in runs.bgpd.networks
        assert await runs.run_pass()
        assert FIRST not in runs.bgpd.networks
        await runs.end()

    virtual_time.run(main())


@pytest.mark.parametrize("hangs_up", [False, True])
def test_a_fault_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, hangs_up: bool
) -> None:
    """Why a recorded intent was not carried out is told to who asks, or logged where they hung up."""

    async def main() -> None:
        acting, go_on = asyncio.Event(), asyncio.Event()

        async def act(_: object) -> None:
            acting.set()
            await go_on.wait()
            raise PolicyError("faulty")

        async def nothing(_: object = None) -> None: ...

        clock = VirtualClock(asyncio.get_running_loop())
        async with running(tmp_path, clock=clock) as site:
            site.reconciler.operator = Operator(
                site.reconciler.durable.intents,
                site.reconciler._restoring,
                act,
                nothing,
                nothing,
            )
            intent = Intent(Mode.DRAINED, "alice", clock.wall())
            asking = asyncio.create_task(
                intents.apply_intent(site.reconciler, [V4], intent, dry_run=False)
            )
            await acting.wait()
            if hangs_up:
                asking.cancel()
                await asyncio.wait({asking})
            go_on.set()
            with pytest.raises(asyncio.CancelledError if hangs_up else PolicyError):
                await asking
            await asyncio.sleep(1.0)
            assert site.store.intents().of[V4] == intent

    virtual_time.run(main())
    assert caplog.text.count("faulty") == int(hangs_up)


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_leaves_the_configuration_meanwhile(tmp_path: Path, *, dry_run: bool) -> None:
    """Of a prefix that leaves vip.toml while it is asked for nothing is told, and the others are told of."""

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(tmp_path, clock=clock) as site:
            await asyncio.sleep(20.0)
            path = write_config(tmp_path)
            path.write_text(path.read_text().replace(str(SECOND.network_address), "192.0.2.9"))
            loaded = config.load(path, {})
            site.exabgp.stall(2.0)
            site.reconciler.wake_and_read()
            intent = Intent(Mode.DRAINED, "alice", clock.wall())
            answer = asyncio.create_task(
                intents.apply_intent(site.reconciler, [V4, SECOND], intent, dry_run=dry_run)
            )
            await asyncio.sleep(0.5)
            source = Source(site.source.live)
            await site.reconciler.configure(loaded, source, site.life.configure)
            told = [each.prefix for each in await answer if isinstance(each, IntentOutcome)]
            assert told == [str(V4)]

    virtual_time.run(main())
