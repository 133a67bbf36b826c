"""What a table lost is believed when it still lacks it a moment later, and keepalived is at rest.

keepalived ends by taking each virtual server's realservers away and then the virtual server, and
starts the other way round. A look in between sees a virtual server without realservers, which is
just what the death of the last one looks like. That state lasts for microseconds; on a busy
machine, while keepalived waits for a processor, for tens of milliseconds, and over a hundred were
seen: it is seen to be at work then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from speaker.health.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from speaker.health.table import RealServer, VirtualServer

    Key = VirtualServer | int

SETTLE = 0.005
STUBBORN = 1.0
"""After so many seconds a loss is believed although keepalived is always at work."""

K = TypeVar("K", bound="Key")


class Settling:
    """The last table that was believed, and what waits to be."""

    def __init__(self) -> None:
        """Believe nothing yet."""
        self._believed: Table | None = None
        self._seen: Table | None = None
        self._since: dict[Key, float] = {}

    @property
    def pending(self) -> bool:
        """Whether something is not believed yet."""
        return bool(self._since)

    def take(self, table: Table, now: float, *, busy: bool) -> Table:
        """Return what to believe of a table: what it lost a moment ago is still in it.

        Args:
            table: as it was read.
            now: seconds on the steady clock.
            busy: whether keepalived is at work.
        """
        if table is self._seen and not self._since:
            return self._believed or table
        self._seen = table
        before = self._believed or Table()
        lost: set[Key] = {
            *_lost(before.services, table.services),
            *_lost(before.marks, table.marks),
        }
        since = {key: self._since.get(key, now) for key in lost}
        self._since = {
            key: when
            for key, when in since.items()
            if now - when < STUBBORN and (busy or now - when < SETTLE)
        }
        self._believed = table
        if self._since:
            self._believed = Table(
                self._keep(table.services, before.services), self._keep(table.marks, before.marks)
            )
        return self._believed

    def _keep(
        self, new: Mapping[K, tuple[RealServer, ...]], old: Mapping[K, tuple[RealServer, ...]]
    ) -> dict[K, tuple[RealServer, ...]]:
        """Return the new servers, with the old realservers of those that wait, if they had any."""
        return {
            key: old[key] if key in self._since else realservers
            for key, realservers in new.items()
            if key not in self._since or key in old
        }


def _lost(
    before: Mapping[K, tuple[RealServer, ...]], after: Mapping[K, tuple[RealServer, ...]]
) -> Iterator[K]:
    """Return the virtual servers that have fewer live realservers than before, or are new."""
    for key, realservers in after.items():
        last = before.get(key)
        if last is None or (last is not realservers and _live(realservers) < _live(last)):
            yield key


def _live(realservers: tuple[RealServer, ...]) -> int:
    return sum(realserver.weight > 0 for realserver in realservers)
