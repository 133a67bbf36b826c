"""What belongs together in a part, each in a task of its own: where one ends, whatever became of it, all do, and say so.

Nobody may go on without another that is gone: what it did is not done any more, and nothing would tell.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn

from speaker.supervision.supervisor import end_all

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping


async def together(runs: Mapping[str, Callable[[], Coroutine[Any, Any, object]]]) -> NoReturn:
    """Run all of them until one ends; then end the others, and raise what it ended with.

    Args:
        runs: what runs until it is cancelled, by name.

    Raises:
        RuntimeError: it returned.
    """
    tasks = [asyncio.create_task(run(), name=name) for name, run in runs.items()]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        raise RuntimeError(f"{done.pop().get_name()}: it returned")
    finally:
        await end_all(tasks)
