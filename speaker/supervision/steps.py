"""Long work on the event loop, in steps: between two of them others have their turn."""

from __future__ import annotations

import asyncio
import json
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")

STEP = 500
"""How many prefixes are told of in a step: a few thousandths of a second."""


async def in_steps(items: Iterable[T]) -> list[T]:
    """Return items that take their time to be made."""
    items, made = iter(items), list[T]()
    while step := [*islice(items, STEP)]:
        made += step
        await asyncio.sleep(0)
    return made


async def json_list(items: Iterable[Mapping[str, Any]]) -> str:
    """Return objects as a JSON list."""
    return f"[{', '.join(await in_steps(map(json.dumps, items)))}]"
