"""What a shortage, or two reloads at once, must not do to what is remembered, and to withdrawals."""

from __future__ import annotations

import asyncio
import errno
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from policy.assess import Assessment, Memory
from policy.plan import Drift
from policy.route import parse_prefix
from speaker.clock import SystemClock
from speaker.errors import SpeakerError
from speaker.health.ipvs.netlink import NetlinkReader
from speaker.reconcile.daemon_state import DaemonState
from speaker.reconcile.durable_state import DurableState
from speaker.state.store import News, Store
from tests.support.fakes.site import V4, running

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STAYS, LEAVES = parse_prefix("192.0.2.1/32"), parse_prefix("192.0.2.2/32")


class NoThreads(ThreadPoolExecutor):
    """No thread can be started: the limit of processes is reached."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        del fn, args, kwargs
        future: Future[Any] = Future()
        future.set_exception(BlockingIOError(errno.EAGAIN, "no thread"))
        return future


def test_recording_without_a_thread(tmp_path: Path) -> None:
    """News that can't be recorded for want of a thread is kept, and is an alarm; nothing ends."""

    async def main() -> None:
        async with running(tmp_path) as site:
            site.reconciler.durable.disown([V4])  # which is news
            asyncio.get_running_loop().set_default_executor(NoThreads())
            assert not await site.reconciler.record()
            assert any("no thread" in text for text in site.reconciler.alarms.texts)
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
            assert await site.reconciler.record()
            assert not any("no thread" in text for text in site.reconciler.alarms.texts)

    asyncio.run(main())


def test_a_look_without_a_thread() -> None:
    """IPVS that can't be read for want of a thread is unknown: an error of the reader, as all others."""

    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(NoThreads())
        with pytest.raises(SpeakerError, match="IPVS: not read: no thread"):
            await NetlinkReader().read()

    asyncio.run(main())


@pytest.mark.parametrize("is_taken", [True, False])
def test_a_prefix_that_leaves_and_comes_back(tmp_path: Path, *, is_taken: bool) -> None:
    """What a second reload brings back stays recorded as ours, although a turn saw it withdrawn meanwhile."""

    async def main() -> None:
        store = Store(tmp_path / "state.sqlite3")
        durable = DurableState(store, SystemClock())
        durable.own_at_once([STAYS, LEAVES], None)
        durable.take([STAYS])  # the first reload
        await durable.own([STAYS, LEAVES])  # the second one, which waits for a turn then
        view = DaemonState()
        view.confirmed = {STAYS: Drift("not read"), LEAVES: None}
        view.converged = True
        await durable.confirm(Assessment({}, {}, {}, Memory(), None), view)
        if is_taken:
            durable.take([STAYS, LEAVES])
        else:
            durable.disown([LEAVES])
        await durable.flush()
        assert (LEAVES in store.load().owned) is is_taken
        store.record(News())
        store.close()

    asyncio.run(main())
