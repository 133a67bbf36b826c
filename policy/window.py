"""A drain that is planned: when it begins, what it asks for then, and when it was missed. Pure: time is handed in.

Theory of operation. A window waits until `at`. It begins at the first look at which the clock says `at` or later,
and not more than `late` later, nor after its own end. At a look that comes after that it was missed, and never begins: work
that a night was planned for is not begun in the morning. Begun and missed both end the window, so that it is one of the
two, once, whatever the clock does between the looks. All times are seconds since the epoch: what a local time means was
settled when it was planned.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.intent import Intent, Mode, is_time, timestamp
from policy.wording import named

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from policy.route import Prefix

LATE = 600.0
"""How much later than planned it may begin, in seconds, unless it says otherwise."""
PLANNABLE = (Mode.DRAINED, Mode.DRAINING)
_NAMED = 3


class Moment(StrEnum):
    """What a window is at some time."""

    WAITING = "waiting"
    DUE = "due"
    OVER = "over"
    """It is too late to begin it."""


@dataclass(frozen=True, slots=True)
class Window:
    """A drain of some prefixes that begins at a time. Times in seconds since the epoch, spans in seconds.

    Attributes:
        number: what it is called; 0 while it is not recorded.
        prefixes: those that it drains.
        mode: drained, or draining for a soft drain.
        owner: who planned it.
        made: when that was.
        at: when it begins.
        reason: why.
        seconds: for how long it drains, counted from `at`; None until somebody restores.
        late: how much later it may begin.
        missed: since when it is known that it was missed, None where it was not.

    Raises:
        PolicyError: a value that makes no sense, such as a reason that no intent can have.
    """

    number: int
    prefixes: frozenset[Prefix]
    mode: Mode
    owner: str
    made: float
    at: float
    reason: str = ""
    seconds: float | None = None
    late: float = LATE
    missed: float | None = None

    def __post_init__(self) -> None:
        Intent(self.mode, self.owner, self.made, self.reason)
        if self.mode not in PLANNABLE:
            raise PolicyError(f"mode: {self.mode}: only a drain can be planned")
        times = {"made": self.made, "at": self.at, "for": self.until, "missed": self.missed}
        for what, time in times.items():
            if time is not None and not is_time(time):
                raise PolicyError(f"{what}: {time:g}: not a time that has a date")
        if not self.late >= 0 or (self.seconds is not None and not self.seconds > 0):
            raise PolicyError("late, for: must not be negative; for must be more than 0")
        if not self.prefixes:
            raise PolicyError("prefixes: none is meant")

    @property
    def until(self) -> float | None:
        """When the drain ends by itself: a late begin makes it shorter, and never ends it later."""
        return None if self.seconds is None else self.at + self.seconds

    @property
    def last(self) -> float:
        """The last moment at which it may begin. Its own end is none."""
        return self.at + self.late

    def moment(self, now: float) -> Moment:
        """Return what it is at a time."""
        if now < self.at:
            return Moment.WAITING
        is_over = now > self.last or (self.until is not None and now >= self.until)
        return Moment.OVER if is_over else Moment.DUE

    def intent(self, now: float) -> Intent:
        """Return what it asks for, beginning now."""
        return Intent(self.mode, self.owner, now, self.reason, self.until)

    def begins(self, current: Intent | None, now: float) -> Intent | None:
        """Return the intent that a prefix gets, None where the one that it has stays.

        Somebody's drain that lasts as long is not shortened, and does not change hands; where it is a soft one, and
        the window's is not, it is withdrawn now.

        Args:
            current: its intent, if it has any.
            now: seconds since the epoch.
        """
        if current is not None and current.in_force(now) and not current.restores:
            end = self.until
            if current.until is None or (end is not None and current.until >= end):
                if self.mode is Mode.DRAINED and current.mode is Mode.DRAINING:
                    return replace(
                        current, mode=Mode.DRAINED, since=now, forced=False, insisted=False
                    )
                return None
        return self.intent(now)

    def overlaps(self, other: Window) -> bool:
        """Tell whether another one, not missed either, is to drain one of its prefixes at a time when it does."""
        if self.missed is not None or other.missed is not None:
            return False
        meet = self.at < (other.until or inf) and other.at < (self.until or inf)
        return meet and not self.prefixes.isdisjoint(other.prefixes)

    def __str__(self) -> str:
        text = f"{self.mode} from {timestamp(self.at)}"
        if self.until is not None:
            text += f" until {timestamp(self.until)}"
        text += f" by {self.owner} (window {self.number})"
        return f"{text}: {self.reason}" if self.reason else text

    @property
    def named(self) -> str:
        """Its prefixes in words, the first few by name."""
        names = sorted(map(str, self.prefixes))
        return named(names, _NAMED)


@dataclass(frozen=True, slots=True)
class WindowsNow:
    """What some windows are at a time: those that begin, those that were missed, and when to look again at the latest."""

    due: tuple[Window, ...]
    over: tuple[Window, ...]
    following: float | None

    def __bool__(self) -> bool:
        return bool(self.due or self.over)


def look(windows: Iterable[Window], now: float) -> WindowsNow:
    """Look at windows at a time (seconds since the epoch). Those known to be missed wait for nothing."""
    open_ = sorted((w for w in windows if w.missed is None), key=lambda w: (w.at, w.number))
    moments = [(window, window.moment(now)) for window in open_]
    return WindowsNow(
        tuple(window for window, moment in moments if moment is Moment.DUE),
        tuple(window for window, moment in moments if moment is Moment.OVER),
        next((window.at for window, moment in moments if moment is Moment.WAITING), None),
    )


@lru_cache(maxsize=2)
def planned(windows: tuple[Window, ...]) -> Mapping[Prefix, str]:
    """Return what waits for each prefix, in words, the first few by name. Most prefixes have few windows, or those of many others."""
    found: dict[Prefix, list[int]] = defaultdict(list)
    for index, window in enumerate(windows):
        if window.missed is None:
            for prefix in window.prefixes:
                found[prefix].append(index)
    texts: dict[tuple[int, ...], str] = {}
    said = {}
    for prefix, indexes in found.items():
        key = tuple(indexes)
        if key not in texts:
            first = [str(windows[index]) for index in key[:_NAMED]]
            more = [f"{len(key) - _NAMED} more"] if len(key) > _NAMED else []
            texts[key] = " | ".join([*first, *more])
        said[prefix] = texts[key]
    return said


def missed(windows: Collection[Window]) -> str:
    """Say which windows were missed, in words; nothing where none was."""
    return " | ".join(
        f"window {w.number} of {w.owner} was missed: {w.named} was to be {w.mode} from "
        f"{timestamp(w.at)}, and nothing ran between then and {timestamp(w.last)}; drain now, or "
        f"plan another; vip_mgmt cancel {w.number} removes this line"
        for w in windows
        if w.missed is not None
    )
