"""What operators ask of a whole site: for one machine, a data centre, or everywhere. Merged without losing a drain. Pure.

Theory of operation. An intent of the site is for an extent: one machine, one data centre, or all of them. Each machine
keeps a copy of all that concern it, and obeys them whether it can reach the others or not; so two operators may ask for
different things at the same time, and neither knows of the other. Who is right can't be told by clocks, which differ. It is
told by what was known: each intent has the ids of those that were known where it was asked, of its own extent and of the
wider ones around it.

Of one extent, an intent overrules those that it knew, for good: what is left stands. A machine looks at what stands of the
extents that it is of, and has not ended: there a narrower one overrules the wider ones that it knew, for as long as it
holds itself, so that what is asked for an hour lifts nothing for longer. Of those that are left, which did not know of each
other, a drain holds, so no drain is lost to a restore that knew nothing of it; of drains, one that withdraws holds before
one that drains softly; then what is forced; among the same the narrowest, then the newest. A restore for a wide extent
knows nothing of drains of narrower ones: a machine that was taken out by itself stays out while its data centre is restored.

What a program asks on an operator's behalf, as a roll over machines does, is marked `own`: it overrules only what was asked so for the
same reason, and stands beside all else, whether it is known or not. So it takes back what it asked itself, and no operator's word. Where
it asks for the same as an operator, the operator's holds.
Merging is a union without what is overruled: in any order, and as often as one likes, it comes to the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from hashlib import sha256
from math import inf
from typing import TYPE_CHECKING

from policy.intent import Intent, Mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_SEEN = 64
"""How many ids an intent has at most: the newest. What an older one said stands beside it, should it come back, by the rule for those that
did not know of each other: a drain wins, and what is forced before what is not. The next order, by somebody who knows both, overrules it.
"""
MAX_STANDING = 8
"""How many of one extent stand side by side at most. More were asked by as many who knew nothing of each other."""


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
    """An intent of the site.

    Attributes:
        id: its own alone.
        extent: for whom it is.
        intent: what is asked.
        seen: the ids of those that it overrules, oldest first.
        where: the machine where it was asked, in words.
        own: it overrules only what was asked so for the same reason.
    """

    id: str
    extent: Extent
    intent: Intent
    seen: tuple[str, ...] = ()
    where: str = ""
    own: bool = False

    def __str__(self) -> str:
        """Say it as an intent is said, and for whom, and where it was asked."""
        head = f"{self.intent.mode} by {self.intent.owner}"
        whom = f" for {self.extent}" if self.extent.dc else f" {self.extent}"
        on = f" on {self.where}" if self.where else ""
        said = f"{self.intent.mode}{whom} by {self.intent.owner}{on}"
        return said + str(self.intent).removeprefix(head)


def asked(
    id: str,  # noqa: A002 - what it is
    extent: Extent,
    intent: Intent,
    known: Iterable[SiteIntent],
    where: str = "",
    *,
    own: bool = False,
) -> SiteIntent:
    """Return an intent that overrules all that is known of its extent and of those around it; or of that only what is its own.

    Args:
        id: its own alone.
        extent: for whom it is.
        intent: what is asked; of mode auto, it lifts what it overrules.
        known: what is known of one prefix where it is asked.
        where: the machine where it is asked, in words.
        own: whether it overrules only what was asked so for the same reason.
    """
    around = [each for each in known if each.extent.covers(extent)]
    if own:
        around = [each for each in around if each.own and each.intent.reason == intent.reason]
    around.sort(key=lambda each: (-each.extent.width, _age(each)))
    ids = dict.fromkeys(one for each in around for one in each.seen)
    for each in around:  # what stands is named last, which is what is kept of too many
        ids.pop(each.id, None)
        ids[each.id] = None
    return SiteIntent(id, extent, intent, tuple(ids)[-MAX_SEEN:], where, own)


def merged(*known: Iterable[SiteIntent]) -> tuple[SiteIntent, ...]:
    """Return what stands of some intents of one prefix: those that no other one of their extent overrules."""
    found = {each.id: each for some in known for each in some}
    seen = {(each.extent, one) for each in found.values() for one in each.seen}
    return tuple(one for _, one in sorted(found.items()) if (one.extent, one.id) not in seen)


def folded(standing: Sequence[SiteIntent]) -> tuple[SiteIntent, ...]:
    """Return what stands of one extent; where that is too much, one drain in place of all drains, one restore of all restores.

    What is marked `own` stays apart from what is not. The drain lasts as long as any did, the restore no longer than each. They are
    the same on each machine that has the same before it. Who knew but some of what they are of does not overrule them.
    """
    if len(standing) <= MAX_STANDING:
        return tuple(standing)
    parts = (
        ([e for e in standing if e.own is own and e.intent.restores is restores], latest)
        for own in (False, True)
        for restores, latest in ((False, max), (True, min))
    )
    return tuple(_one_of(some, latest(map(_end, some))) for some, latest in parts if some)


def _one_of(standing: Sequence[SiteIntent], end: float) -> SiteIntent:
    first = max(standing, key=_rank)
    intent = replace(first.intent, until=None if end == inf else end)
    name = sha256("\n".join(sorted(each.id for each in standing)).encode()).hexdigest()[:32]
    return replace(asked(name, first.extent, intent, standing, first.where), own=first.own)


def _end(each: SiteIntent) -> float:
    return inf if each.intent.until is None else each.intent.until


def holding(known: Iterable[SiteIntent], here: Extent, now: float) -> SiteIntent | None:
    """Return what a machine obeys of a prefix, None where nobody asked for anything that still holds.

    Args:
        known: what is known of the prefix, of any extent.
        here: the machine.
        now: seconds since the epoch.
    """
    concern = [e for e in merged(known) if e.extent.covers(here) and e.intent.in_force(now)]
    overruled = {one for each in concern for one in each.seen}
    return max((each for each in concern if each.id not in overruled), key=_rank, default=None)


def lasting(known: Iterable[SiteIntent], here: Extent, now: float) -> float | None:
    """Return until when what holds is to be held (seconds since the epoch), None for ever.

    That is its end; of a drain that another follows at its end, the end of that: so that nothing is announced between the
    two, however late somebody looks. See `holding`.
    """
    known = merged(known)
    found = holding(known, here, now)
    until = None if found is None else found.intent.until
    while found is not None and not found.intent.restores and found.intent.until is not None:
        until = found.intent.until
        found = holding(known, here, until)
        if found is not None and not found.intent.restores:
            until = found.intent.until
    return until


def _age(each: SiteIntent) -> tuple[float, str]:
    return each.intent.since, each.id


def _rank(each: SiteIntent) -> tuple[bool, bool, bool, bool, int, float, str]:
    mode, drains = each.intent.mode, not each.intent.restores
    kind = drains, mode is Mode.DRAINED, mode is Mode.FORCED
    return (*kind, not each.own, -each.extent.width, *_age(each))
