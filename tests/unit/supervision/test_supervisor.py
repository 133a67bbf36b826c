"""The parts of a service: kept running, and ended whatever their clean-up does."""

from __future__ import annotations

import asyncio
import errno
import os
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from speaker.errors import SpeakerError
from speaker.supervision.cancellation import heed_cancellation
from speaker.supervision.supervisor import CALM, PARTING, Part, end, keep
from tests.support.fakes.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

UNWRITABLE = OSError(errno.EACCES, os.strerror(errno.EACCES))


class Notes:
    """What was noted of each subject, in order."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def __call__(self, subject: str, text: str) -> None:
        self.said.append((subject, text))


async def for_ever() -> None:
    await asyncio.Event().wait()


async def unclean() -> None:
    try:
        await for_ever()
    finally:
        raise UNWRITABLE


async def deaf() -> None:
    """Take a cancellation for a fault like any other, and go on, as a loop with a retry does."""
    for _ in range(2):  # asyncio's own end of the loop waits for it
        with suppress(OSError):
            await unclean()


async def slow() -> None:
    try:
        await for_ever()
    finally:
        await asyncio.sleep(3600)


@pytest.mark.parametrize("life", [for_ever, unclean, deaf, slow])
def test_ends(life: Callable[[], Awaitable[None]]) -> None:
    """A cancellation ends the keeper in time, whatever its part makes of its own."""

    async def part() -> None:
        await life()

    async def main() -> float:
        loop = asyncio.get_running_loop()
        keeper = asyncio.create_task(keep(Part("example", part), Notes()))
        await asyncio.sleep(CALM + 1)
        began = loop.time()
        keeper.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeper
        return loop.time() - began

    assert run(main()) <= PARTING


@pytest.mark.parametrize(
    ("error", "said", "shown"),
    [
        (None, "it returned", 0),
        (SpeakerError("socket: gone; make it"), "socket: gone; make it", 0),
        (UNWRITABLE, "Permission denied", 0),
        (ZeroDivisionError("a fault"), "ZeroDivisionError: a fault", 1),
    ],
    ids=["returns", "error", "system", "unforeseen"],
)
def test_started_again(
    error: Exception | None, said: str, shown: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A part that ends is an alarm, and is started again; only the unforeseen has a traceback."""
    starts = []

    async def part() -> None:
        starts.append(asyncio.get_running_loop().time())
        if len(starts) == 3:
            await for_ever()
        if error is not None:
            raise error

    notes = Notes()

    async def main() -> None:
        keeper = asyncio.create_task(keep(Part("example", part), notes))
        await asyncio.sleep(60)
        await end(keeper)

    run(main())
    alarm = ("part example", f"ended: {said}; it is started again")
    assert notes.said == [alarm, alarm, ("part example", "")]
    assert caplog.text.count("Traceback") == shown  # the second is like the first


def test_pauses() -> None:
    """A part that ends again and again is not started in a tight loop, nor given up."""
    starts = []

    async def part() -> None:
        starts.append(asyncio.get_running_loop().time())

    async def main() -> None:
        keeper = asyncio.create_task(keep(Part("example", part), Notes()))
        await asyncio.sleep(100)
        await end(keeper)

    run(main())
    pauses = [after - before for before, after in pairwise(starts)]
    assert [round(pause, 1) for pause in pauses[:5]] == [0.5, 1, 2, 4, 5]
    assert {round(pause, 1) for pause in pauses[4:]} == {5}


def test_heed_cancellation() -> None:
    """What a clean-up raises does not hide that a task is to end; a time-out inside it is no end."""
    passed = []

    async def careful() -> None:
        while True:
            try:
                async with asyncio.timeout(1):
                    await unclean()
            except OSError:
                heed_cancellation()
                passed.append(1)

    async def main() -> bool:
        task = asyncio.create_task(careful())
        await asyncio.sleep(2.5)
        task.cancel()
        await asyncio.wait({task}, timeout=1)
        return task.cancelled()

    assert run(main())
    assert passed == [1, 1]


async def grouped() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(3600))
        raise UNWRITABLE


def test_a_group(caplog: pytest.LogCaptureFixture) -> None:
    """Of what several did together, the alarm says what went wrong, and a foreseen fault has no traceback."""

    async def main() -> None:
        notes = Notes()
        task = asyncio.create_task(keep(Part("socket", grouped), notes))
        await asyncio.sleep(0.1)
        await end(task)
        assert notes.said == [("part socket", "ended: Permission denied; it is started again")]
        assert "Traceback" not in caplog.text

    run(main())
