"""The parts of a service: each in a task of its own; one that ends is an alarm, and is started again.

Theory of operation: a cancellation is an exception, so whatever a clean-up raises takes its place, and an
`except Exception` around it then ends the news that a task is to end. No one can promise that of all code
that runs in a part. So a supervisor never awaits its part: it waits for the part's task, which returns
whatever became of that, and a cancellation of the supervisor itself can't be hidden by the part. A part
that does not end in time is left behind.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from speaker.errors import SpeakerError
from speaker.printable import cause_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

log = logging.getLogger(__name__)

FIRST_PAUSE, LAST_PAUSE = 0.5, 5.0
"""How long a part that ended stays so, in seconds: at first, and where it ends again and again."""
CALM = 5.0
"""A part that runs for this many seconds has recovered."""
PARTING = 0.5
"""How long a part's clean-up may take, in seconds. ExaBGP 5 kills what has not ended after 2."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that runs until it is cancelled, under the name that an alarm has."""

    name: str
    run: Callable[[], Coroutine[Any, Any, object]]


async def keep(part: Part, note: Callable[[str, str], object]) -> None:
    """Run a part for ever: where it ends, say so, and start it again.

    Args:
        part: what to run.
        note: takes a subject and what is wrong with it; nothing where all is well.
    """
    pause = FIRST_PAUSE
    subject = f"part {part.name}"
    last = ""
    while True:
        task = asyncio.create_task(part.run(), name=part.name)
        try:
            await asyncio.wait({task}, timeout=CALM)
            if not task.done():
                pause = FIRST_PAUSE
                note(subject, "")
                await asyncio.wait({task})
        finally:
            await end(task)
        if (reason := _reason(task)) != last:
            _show(task)
            last = reason
        note(subject, f"ended: {reason}; it is started again")
        await asyncio.sleep(pause)
        pause = min(2 * pause, LAST_PAUSE)


async def end(task: asyncio.Task[Any], within: float = PARTING) -> None:
    """Cancel a task and wait for its end, not for long. Say what its clean-up raised.

    Args:
        task: what is to end, or has.
        within: for how long to wait, in seconds.
    """
    await end_all([task], within)


async def end_all(tasks: Iterable[asyncio.Task[Any]], within: float = PARTING) -> None:
    """Do so with several, all at once: who is cancelled while it waits for them leaves none that goes on.

    Args:
        tasks: what is to end, or has.
        within: for how long to wait, in seconds, for all of them.
    """
    ending = [task for task in tasks if not task.done()]
    for task in ending:
        task.cancel()
    if ending:
        await asyncio.wait(ending, timeout=within)
    for task in ending:
        if not task.done():
            log.error("%s: does not end within %g s; left behind", task.get_name(), within)
        elif not task.cancelled():
            log.error("%s: while stopping it: %s", task.get_name(), _reason(task))
            _show(task)


def _reason(task: asyncio.Task[Any]) -> str:
    """Return why a task ended."""
    if task.cancelled():
        return "cancelled"
    error = task.exception()
    if error is None:
        return "it returned"
    return cause_of(error)


def _is_foreseen(error: BaseException | None) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_foreseen, error.exceptions))
    return error is None or isinstance(error, SpeakerError | OSError)


def _show(task: asyncio.Task[Any]) -> None:
    """Show a traceback of an unexpected error."""
    if not task.cancelled() and not _is_foreseen(error := task.exception()):
        log.error("%s: unexpected error", task.get_name(), exc_info=error)
