"""HealthSource: what the watchdog asks of every source of health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from policy.health import Observation


class HealthSource(Protocol):
    """Something that can be looked at for live realservers."""

    async def observe(self) -> Observation:
        """Look once.

        A world that cannot be read raises nothing: its prefixes are missing from `live`, and
        `unknown` says why. While nothing changes a source may return the same object again.
        """
        ...

    async def close(self) -> None:
        """Release what the source holds. It is not asked again."""
        ...
