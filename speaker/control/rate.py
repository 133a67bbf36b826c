"""How often each of some callers may ask: at once a few times, and then so often a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EACH_SECOND, AT_ONCE = 20.0, 40.0
"""For each name of a token."""


class Rates:
    """What is left to each caller. There are as many as names: those of vip.toml."""

    def __init__(self, steady: Callable[[], float]) -> None:
        self._steady = steady
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> bool:
        """Tell whether a caller may ask now, and count that."""
        now = self._steady()
        left, at = self._left.get(name, (AT_ONCE, now))
        left = min(left + max(now - at, 0.0) * EACH_SECOND, AT_ONCE)
        is_left = left >= 1
        self._left[name] = left - 1 if is_left else left, now
        return is_left
