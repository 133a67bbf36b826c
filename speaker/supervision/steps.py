"""Long work on the event loop, in steps: between two of them others have their turn."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from speaker.json_value import Value

T = TypeVar("T")

STEP = 500
"""How many prefixes are reported in a step: a few thousandths of a second."""


MANY = 1_000
"""Of how many prefixes it is quicker to do something at once than in a thread: some hundredths of a second."""


async def in_thread(count: int, function: Callable[..., T], *arguments: Any) -> T:
    """Return what a function makes of many prefixes in a thread; of few, at once.

    Where no thread can be started it is done at once, too. It is not for what a withdrawal waits for: while a
    configuration is loaded, threads wait long for one another.

    Args:
        count: of how many it is.
        function: shares with the event loop only what nothing changes meanwhile.
        arguments: what it is given.
    """
    if count > MANY:
        with suppress(BlockingIOError):
            return await asyncio.to_thread(function, *arguments)
    return function(*arguments)


async def in_steps(items: Iterable[T], step: int = STEP) -> list[T]:
    """Return items that take their time to be made: so many in a step."""
    items, made = iter(items), list[T]()
    while some := [*islice(items, step)]:
        made += some
        await asyncio.sleep(0)
    return made


async def paced(items: Iterable[T], step: int = STEP) -> AsyncIterator[T]:
    """Yield items that are worked on one by one: so many in a step."""
    for number, item in enumerate(items, 1):
        yield item
        if not number % step:
            await asyncio.sleep(0)


async def json_list(items: Iterable[Value], step: int = STEP) -> str:
    """Return values as a JSON list, made so many in a step."""
    texts = (json.dumps(item.to_json()) for item in items)
    return f"[{', '.join(await in_steps(texts, step))}]"
