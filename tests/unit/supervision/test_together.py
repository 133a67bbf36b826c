"""What belongs together in a part: none goes on without another."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest

from speaker.supervision.together import together
from tests.support.fakes.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


async def for_ever(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("the other")


async def returns() -> None:
    await asyncio.sleep(1)


async def fails() -> None:
    await asyncio.sleep(1)
    raise ValueError("of a bug")


@pytest.mark.parametrize(
    ("life", "error", "said"),
    [(returns, RuntimeError, "one: it returned"), (fails, ValueError, "of a bug")],
)
def test_one_ends(
    life: Callable[[], Coroutine[None, None, None]], error: type[Exception], said: str
) -> None:
    """Where one ends, whatever became of it, the others end too, and it is told."""

    async def main() -> None:
        ended: list[str] = []
        with pytest.raises(error, match=said):
            await together({"one": life, "other": partial(for_ever, ended)})
        assert ended == ["the other"]

    run(main())


def test_all_end() -> None:
    """Where they are to end, all do."""

    async def main() -> None:
        ended: list[str] = []
        task = asyncio.create_task(together({n: partial(for_ever, ended) for n in ("one", "two")}))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        assert ended == ["the other"] * 2

    run(main())


async def ends_slowly() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.3)


def test_told_to_end_while_it_ends() -> None:
    """Where they are to end while the others are ended because one did, none goes on."""

    async def main() -> None:
        ended: list[str] = []
        runs: dict[str, Callable[[], Coroutine[None, None, None]]] = {
            "one": fails,
            "two": ends_slowly,
            "three": partial(for_ever, ended),
        }
        task = asyncio.create_task(together(runs))
        await asyncio.sleep(1.1)
        task.cancel()
        await asyncio.wait({task})
        await asyncio.sleep(1)
        assert task.cancelled()
        assert ended == ["the other"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())
