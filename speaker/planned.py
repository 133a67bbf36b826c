"""What a watchdog is asked about planned drains, and what it answers: values, with their JSON. See `speaker.api`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol, Self

from pydantic import ConfigDict, Field, Strict

from policy.errors import PolicyError
from policy.intent import timestamp
from policy.window import LATE, Moment, Window
from speaker.api import MAX_SECONDS, Count, IntentRequest, Text, Time
from speaker.json_value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Span = Annotated[float, Strict(), Field(ge=0, le=MAX_SECONDS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRequest(IntentRequest):
    """A drain that is to begin at a time, and not more than `late` seconds later."""

    at: Time
    late: Span = LATE

    def window(self, owner: str, now: float) -> Window:
        """Return the window that it comes to, without its number.

        Args:
            owner: who asks.
            now: seconds since the epoch.

        Raises:
            PolicyError: no drain, not a time at which one can begin, or one that is insisted on.
        """
        if self.force:
            raise PolicyError(
                "force: a planned drain can't be insisted on; drain with --force when it is time"
            )
        if self.at > now + MAX_SECONDS:
            raise PolicyError(f"--at: {timestamp(self.at)}: is more than ten years ahead")
        window = Window(
            0,
            frozenset(self.prefixes),
            self.mode,
            owner,
            now,
            self.at,
            self.reason,
            self.seconds,
            self.late,
        )
        if window.moment(now) is Moment.OVER:
            raise PolicyError(
                f"--at: {timestamp(self.at)}: is over; drain without --at, or plan later"
            )
        return window


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation(Value):
    """Which window is to be cancelled."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    number: Annotated[int, Strict(), Field(gt=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowStatus(Value):
    """A window: see `policy.window.Window`. Times in seconds since the epoch, spans in seconds.

    `overlaps`: the numbers of others that are to drain one of its prefixes at the same time.
    """

    number: Count
    prefixes: tuple[Text, ...]
    mode: Text
    owner: Text
    made: Time
    at: Time
    reason: Text
    seconds: Time | None
    late: Time
    missed: Time | None
    overlaps: tuple[Count, ...] = ()

    @classmethod
    def of(cls, window: Window, planned: Iterable[Window] = ()) -> Self:
        """Return what is known of a window, among all that are planned."""
        others = (other for other in planned if other.number != window.number)
        return cls(
            number=window.number,
            prefixes=tuple(sorted(map(str, window.prefixes))),
            mode=window.mode,
            owner=window.owner,
            made=window.made,
            at=window.at,
            reason=window.reason,
            seconds=window.seconds,
            late=window.late,
            missed=window.missed,
            overlaps=tuple(other.number for other in others if window.overlaps(other)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedNow(WindowStatus):
    """A window that was planned just now.

    `nowhere`: which of its prefixes nobody else is known to announce now, and why of the first, in words; told where `keep_last` is set.
    """

    nowhere: Text = ""


class Planner(Protocol):
    """What can be asked about planned drains. All of it raises SpeakerError where there is no answer."""

    def schedule(self, request: WindowRequest) -> PlannedNow:
        """Plan a drain, durably."""

    def windows(self) -> Sequence[WindowStatus]:
        """Return what is planned, and what was missed, in the order of their numbers."""

    def cancel(self, cancellation: Cancellation) -> WindowStatus:
        """Have a window not begin; return it. One that was missed is no longer shown."""


def not_planned(number: int) -> str:
    """Say that there is no such window."""
    return (
        f"window {number}: not planned, or not any more: vip_mgmt schedule has what is, vip_mgmt history "
        "what was; a drain that has begun ends by vip_mgmt -a"
    )
