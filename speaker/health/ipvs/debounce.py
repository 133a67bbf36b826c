"""What a table lost is believed when it still lacks it a moment later, and keepalived is at rest.

keepalived ends by taking each virtual server's realservers away and then the virtual server, and
starts the other way round. A look in between sees a virtual server without realservers, which is
just what the death of the last one looks like. That state lasts for microseconds; on a busy
machine, while keepalived waits for a processor, for tens of milliseconds, and over a hundred were
seen: it is seen to be at work then.

So a loss is believed when keepalived was seen at rest after it, and the table still shows it after
that. To be at rest only now is not enough: the table was read before, and keepalived may have gone on
in between. Nor is rest before: what a virtual server lost since is another loss, and what it lost to
another keepalived, too; each begins to wait when it is seen. A virtual server that is new is full for as
long as keepalived is at rest, and empty when it ends. A machine that stood still as a whole (a guest that
was not given a processor) is no sign of anything: looks count, and not time alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from speaker.health.ipvs.table import IpvsTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from speaker.health.ipvs.table import MarkService, RealServer, VirtualServer

    Key = VirtualServer | int

SETTLE = 0.005
STUBBORN = 1.0
STUBBORN_LOOKS = 10
"""After this many seconds and looks a loss is believed although keepalived is always at work."""

K = TypeVar("K", bound="Key")
V = TypeVar("V")


@dataclass(slots=True)
class _Doubt:
    """A loss that is not believed yet.

    Attributes:
        about: what the virtual server has now, and who kept it: the loss of more is another doubt.
        since: when it was first seen.
        looks: how often it was.
        rested: whether keepalived was at rest after one of these.
    """

    about: tuple[object, object]
    since: float
    looks: int = 0
    rested: bool = False

    def is_over(self, now: float) -> bool:
        age = now - self.since
        return (self.rested and age >= SETTLE) or (age >= STUBBORN and self.looks >= STUBBORN_LOOKS)


class Debounce:
    """The last table that was believed, and what waits to be."""

    def __init__(self) -> None:
        self._believed: IpvsTable | None = None
        self._seen: IpvsTable | None = None
        self._doubts: dict[Key, _Doubt] = {}

    @property
    def pending(self) -> bool:
        """Whether something is not believed yet."""
        return bool(self._doubts)

    def take(self, table: IpvsTable, now: float, *, busy: bool, keeper: object = None) -> IpvsTable:
        """Return what to believe of a table: what it lost a moment ago is still in it.

        Args:
            table: as it was read.
            now: seconds on the steady clock.
            busy: whether keepalived is at work.
            keeper: which keepalived it is.
        """
        if table is self._seen and not self._doubts:
            return self._believed or table
        self._seen = table
        before = self._believed or IpvsTable()
        lost = chain(
            _lost(before.services, table.services, _fell),
            _lost(before.marks, table.marks, _fell_of_mark),
        )
        doubts = {key: self._doubt(key, (found, keeper), now) for key, found in lost}
        for doubt in doubts.values():
            doubt.looks += 1
        self._doubts = {key: doubt for key, doubt in doubts.items() if not doubt.is_over(now)}
        for doubt in self._doubts.values():
            doubt.rested |= not busy
        self._believed = table
        if self._doubts:
            self._believed = IpvsTable(
                self._keep(table.services, before.services),
                self._keep(table.marks, before.marks),
                table.doubt,
            )
        return self._believed

    def _doubt(self, key: Key, about: tuple[object, object], now: float) -> _Doubt:
        """Return the doubt about a virtual server that there is, if it is about the same; else a new one."""
        doubt = self._doubts.get(key)
        return doubt if doubt is not None and doubt.about == about else _Doubt(about, now)

    def _keep(self, new: Mapping[K, V], old: Mapping[K, V]) -> dict[K, V]:
        """Return the new servers, with the old realservers of those that wait, if they had any."""
        return {
            key: old[key] if key in self._doubts else found
            for key, found in new.items()
            if key not in self._doubts or key in old
        }


def _lost(
    before: Mapping[K, V], after: Mapping[K, V], fell: Callable[[V, V], bool]
) -> Iterator[tuple[Key, object]]:
    """Return the virtual servers that have fewer live realservers than before, or are new."""
    for key, found in after.items():
        last = before.get(key)
        if last is None or (last is not found and fell(last, found)):
            yield key, found


def _fell(before: tuple[RealServer, ...], after: tuple[RealServer, ...]) -> bool:
    return _live(after) < _live(before)


def _fell_of_mark(before: tuple[MarkService, ...], after: tuple[MarkService, ...]) -> bool:
    """Tell whether either family of a mark has fewer, or is new, as far as families are told."""
    old, new = _by_version(before), _by_version(after)
    if old.keys() != new.keys():
        return len(before) < len(after) or sum(new.values()) < sum(old.values())
    return any(new[version] < old[version] for version in new)


def _by_version(services: tuple[MarkService, ...]) -> Counter[int | None]:
    found: Counter[int | None] = Counter()
    for each in services:
        found[each.version] += _live(each.realservers)
    return found


def _live(realservers: tuple[RealServer, ...]) -> int:
    return sum(realserver.weight > 0 for realserver in realservers)
