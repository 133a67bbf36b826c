"""What takes long of many is done beside the event loop, or in steps."""

from __future__ import annotations

import asyncio
import errno
import threading
from typing import TYPE_CHECKING, Any

import pytest

from speaker.supervision.steps import MANY, STEP, in_thread, paced
from speaker.supervision.threads import Threads

if TYPE_CHECKING:
    from concurrent.futures import Future


class _Short(Threads):
    """The process may have no more threads."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        del fn, args, kwargs
        raise BlockingIOError(errno.EAGAIN, "no thread can be started")


@pytest.mark.parametrize(
    ("count", "threads", "is_other"),
    [(MANY, Threads, False), (MANY + 1, Threads, True), (MANY + 1, _Short, False)],
)
def test_in_thread(count: int, threads: type[Threads], *, is_other: bool) -> None:
    """Of few, and where no thread can be started, it is done at once: a withdrawal may wait for it."""

    async def main() -> int:
        asyncio.get_running_loop().set_default_executor(threads())
        return await in_thread(count, threading.get_ident)

    assert (asyncio.run(main()) != threading.get_ident()) is is_other


def test_what_fails_in_thread() -> None:
    """What the function raises is raised, from wherever it ran."""

    def fail(number: int) -> None:
        raise ValueError(number)

    async def main(count: int) -> None:
        await in_thread(count, fail, count)

    for count in (1, MANY + 1):
        with pytest.raises(ValueError, match=str(count)):
            asyncio.run(main(count))


def test_paced() -> None:
    """Others have their turn while many are worked on one by one."""

    async def main() -> list[int]:
        seen: list[int] = []
        turns: list[int] = []
        asyncio.get_running_loop().call_soon(lambda: turns.append(len(seen)))
        async for each in paced(range(2 * STEP)):
            seen += [each]
        assert seen == [*range(2 * STEP)]
        return turns

    assert asyncio.run(main()) == [STEP]
