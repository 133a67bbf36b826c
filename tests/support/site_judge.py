"""Judges what was done to a whole site, and what the router saw of it: whether a drain was broken, or a VIP nowhere. Pure.

Theory of operation. Nothing here asks the site what it thinks: the operations are as they were typed and answered, with the
intents as they were recorded, and the routes as the router had them. What may be true is given to the site: a drain that an
operator began, or that a restore knew of, may or may not be in force while nobody has confirmed either. What is left can't be
excused: a machine that has confirmed a drain announces the prefix before anybody restores it; or nobody announces a prefix for
longer than `GRACE`, and all the time there was a healthy machine which no drain was for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policy.site_intent import Extent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from policy.site_intent import SiteIntent

LAG = 1.0
"""Seconds until the router has what a machine has confirmed."""
GRACE = 3.0
"""Seconds for which nobody may announce what somebody could: healthy again, or restored, a moment ago."""


@dataclass(slots=True)
class Done:
    """An operation: where it was typed, for whom; from when to when; and how it ended.

    `intent` is what was recorded, None where nothing was found of it. `confirmed`: the machines that were named as obeying it.
    """

    number: int
    at: str
    prefix: str
    drains: bool
    extent: Extent
    began: float
    ended: float = 0.0
    status: int = -1
    said: str = ""
    intent: SiteIntent | None = None
    confirmed: frozenset[str] = frozenset()

    @property
    def reason(self) -> str:
        """What tells its intent from others'."""
        return f"operation {self.number}"

    def is_for(self, machine: str) -> bool:
        """Whether it is for a machine, as `par1/lb1`, among others perhaps."""
        dc, _, name = machine.partition("/")
        return self.extent.covers(Extent(dc, name))


@dataclass(slots=True)
class Record:
    """What was done, and what the router saw. Times are seconds since the epoch.

    At the start each machine announces each prefix, and is healthy; at the end of a calm all obey all that was asked.
    """

    machines: Sequence[str]
    prefixes: Sequence[str]
    began: float
    ended: float = 0.0
    operations: list[Done] = field(default_factory=list)
    calms: list[float] = field(default_factory=list)
    health: list[tuple[float, str, str, bool]] = field(default_factory=list)
    """When the realserver behind a machine's prefix came or went."""
    routes: list[tuple[float, str, str, bool]] = field(default_factory=list)
    """When the router had a machine's prefix, or lost it."""


def faults(record: Record) -> list[str]:
    """Return what must not have been, in words; nothing where all was well."""
    return [*_lost(record), *_broken(record), *_nowhere(record)]


# --- intents that were lost ------------------------------------------------------------------


def _lost(record: Record) -> Iterator[str]:
    """Yield operations that ended well, of which nothing is known, and which nobody can have overruled."""
    for done in record.operations:
        overruled = any(
            other is not done
            and other.prefix == done.prefix
            and other.ended >= done.began
            and other.extent.covers(done.extent)
            for other in record.operations
        )
        if done.status == 0 and done.intent is None and not overruled:
            yield f"lost: {_text(done)}"


# --- drains that were broken -----------------------------------------------------------------


def _broken(record: Record) -> Iterator[str]:
    """Yield drains that a machine had confirmed, and announced nevertheless."""
    for done in record.operations:
        if not done.drains:
            continue
        for machine in sorted(done.confirmed):
            until = _restored(record, done, machine)
            for start, end in _spans(record, machine, done.prefix):
                if max(start, done.ended + LAG) < min(end, until):
                    yield (
                        f"drained, and announced by {machine} from {start - record.began:.2f} to "
                        f"{end - record.began:.2f}: {_text(done)}"
                    )


def _restored(record: Record, drain: Done, machine: str) -> float:
    """Return when somebody began to restore, at the earliest, what a drain was for."""
    restores = (
        max(each.began, drain.began)
        for each in record.operations
        if not each.drains
        and each.prefix == drain.prefix
        and each.is_for(machine)
        and each.ended >= drain.began
    )
    return min(restores, default=record.ended)


# --- prefixes that nobody announced ----------------------------------------------------------


def _nowhere(record: Record) -> Iterator[str]:
    """Yield when nobody announced what a machine could have announced."""
    for prefix in record.prefixes:
        dark = [(record.began, record.ended)]
        for machine in record.machines:
            dark = _without(dark, _spans(record, machine, prefix))
        for machine in record.machines:
            could = _without(_healthy(record, machine, prefix), _drained(record, machine, prefix))
            for start, end in _both(dark, could):
                if end - start > GRACE:
                    yield (
                        f"{prefix} nowhere from {start - record.began:.2f} to "
                        f"{end - record.began:.2f}, though {machine} was healthy and not drained"
                    )


def _drained(record: Record, machine: str, prefix: str) -> list[tuple[float, float]]:
    """Return when a drain may have been in force on a machine."""
    found = []
    for done in record.operations:
        if done.drains and done.prefix == prefix and done.is_for(machine):
            lifted = (_lifted(record, each, machine) for each in _overruling(record, done, machine))
            found.append((done.began, min(lifted, default=record.ended)))
    return found


def _overruling(record: Record, drain: Done, machine: str) -> Iterator[Done]:
    """Yield what was asked by one who knew of a drain, and is for a machine, too."""
    if drain.intent is None:
        return
    for each in record.operations:
        knew = each.intent is not None and drain.intent.id in each.intent.seen
        if knew and not each.drains and each.is_for(machine):
            yield each


def _lifted(record: Record, restore: Done, machine: str) -> float:
    """Return when a machine obeyed a restore, at the latest."""
    if machine in restore.confirmed:
        return restore.ended
    return min((calm for calm in record.calms if calm >= restore.ended), default=record.ended)


# --- spans of time ---------------------------------------------------------------------------


def _spans(record: Record, machine: str, prefix: str) -> list[tuple[float, float]]:
    """Return when the router had a machine's prefix."""
    return _while(record, record.routes, machine, prefix)


def _healthy(record: Record, machine: str, prefix: str) -> list[tuple[float, float]]:
    return _while(record, record.health, machine, prefix)


def _while(
    record: Record,
    events: Iterable[tuple[float, str, str, bool]],
    machine: str,
    prefix: str,
) -> list[tuple[float, float]]:
    """Return when something was so, of what was so at the beginning."""
    found: list[tuple[float, float]] = []
    since: float | None = record.began
    for at, whose, what, is_so in events:
        if (whose, what) != (machine, prefix):
            continue
        if is_so and since is None:
            since = at
        elif not is_so and since is not None:
            found.append((since, at))
            since = None
    return found if since is None else [*found, (since, record.ended)]


def _both(
    some: Iterable[tuple[float, float]], others: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Return when both were so."""
    pairs = ((max(a, c), min(b, d)) for a, b in some for c, d in others)
    return [(start, end) for start, end in pairs if start < end]


def _without(
    some: Sequence[tuple[float, float]], others: Iterable[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Return when the one was so, and the other was not."""
    left = [*some]
    for start, end in others:
        parts = (part for a, b in left for part in ((a, min(b, start)), (max(a, end), b)))
        left = [(a, b) for a, b in parts if a < b]
    return left


def _text(done: Done) -> str:
    what = "-d" if done.drains else "-a"
    return (
        f"{done.reason}, {what} {done.prefix} for {done.extent} typed at {done.at}, "
        f"exit status {done.status}"
    )
