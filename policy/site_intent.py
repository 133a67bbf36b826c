"""What operators ask of a whole site: for one machine, a data centre, or everywhere. Merged without losing a drain. Pure.

Theory of operation. An intent of the site is for an extent: one machine, one data centre, or all of them. Each machine
keeps a copy of all that concern it, and obeys them whether it can reach the others or not; so two operators may ask for
different things at the same time, and neither knows of the other. Who is right can't be told by clocks, which differ. It is
told by what was known: each intent has the ids of those that were known where it was asked, of its own extent and of the
wider ones around it, and overrules those, and no other. What no other one overrules is in force side by side: of these a
drain wins, so no drain is lost to a restore that knew nothing of it; then what is forced; among the same, the narrowest,
then the newest. A restore for a wide extent knows nothing of drains of narrower ones: a machine that was taken out by
itself stays out while its data centre is restored. Merging is a union without what is overruled: in any order, and as often
as one likes, it comes to the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from policy.intent import Intent, Mode

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_SEEN = 64
"""How many ids an intent has at most: the newest. What an older one said then stands beside it, and a drain wins."""


class Width(IntEnum):
    """How wide an extent is."""

    MACHINE = 0
    DC = 1
    SITE = 2


@dataclass(frozen=True, slots=True, order=True)
class Extent:
    """For whom an intent is: one machine (of a data centre), a data centre, or, without both, all."""

    dc: str = ""
    machine: str = ""

    @property
    def width(self) -> Width:
        """How wide it is."""
        if self.machine:
            return Width.MACHINE
        return Width.DC if self.dc else Width.SITE

    def covers(self, other: Extent) -> bool:
        """Tell whether all for whom the other one is are of this one, too."""
        return self.dc in ("", other.dc) and self.machine in ("", other.machine)

    def __str__(self) -> str:
        if self.machine:
            return f"{self.dc}/{self.machine}"
        return self.dc or "everywhere"


EVERYWHERE = Extent()


@dataclass(frozen=True, slots=True)
class SiteIntent:
    """An intent of the site. `id` is its own alone; `seen` are the ids of those that it overrules, oldest first."""

    id: str
    extent: Extent
    intent: Intent
    seen: tuple[str, ...] = ()


def asked(id: str, extent: Extent, intent: Intent, known: Iterable[SiteIntent]) -> SiteIntent:  # noqa: A002 - what it is
    """Return an intent that overrules all that is known of its extent and of those around it.

    Args:
        id: its own alone.
        extent: for whom it is.
        intent: what is asked; of mode auto, it lifts what it overrules.
        known: what is known of one prefix where it is asked.
    """
    around = [each for each in known if each.extent.covers(extent)]
    ids = dict.fromkeys(one for each in around for one in each.seen)
    ids |= dict.fromkeys(each.id for each in sorted(around, key=_age))
    return SiteIntent(id, extent, intent, tuple(ids)[-MAX_SEEN:])


def merged(*known: Iterable[SiteIntent]) -> tuple[SiteIntent, ...]:
    """Return what stands of some intents of one prefix and one extent: those that no other of them overrules."""
    found = {each.id: each for some in known for each in some}
    seen = {one for each in found.values() for one in each.seen}
    return tuple(each for key, each in sorted(found.items()) if key not in seen)


def holding(known: Iterable[SiteIntent], here: Extent, now: float) -> SiteIntent | None:
    """Return what a machine obeys of a prefix, None where nobody asked for anything that still holds.

    Args:
        known: what is known of the prefix, of any extent.
        here: the machine.
        now: seconds since the epoch.
    """
    concern = merged(each for each in known if each.extent.covers(here))
    return max((each for each in concern if each.intent.in_force(now)), key=_rank, default=None)


def _age(each: SiteIntent) -> tuple[float, str]:
    return each.intent.since, each.id


def _rank(each: SiteIntent) -> tuple[bool, bool, int, float, str]:
    intent = each.intent
    return (not intent.restores, intent.mode is Mode.FORCED, -each.extent.width, *_age(each))
