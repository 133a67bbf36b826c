"""What an `except Exception` around an `await` owes to the caller that ends its task."""

from __future__ import annotations

import asyncio


def heed_cancellation() -> None:
    """Raise where this task is to end, because what was caught may be a clean-up's on the way out.

    A cancellation is an exception: whatever a `finally` or an `__aexit__` raises takes its place.

    Raises:
        asyncio.CancelledError: this task is to end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
