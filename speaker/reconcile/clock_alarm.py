"""Notices that this machine's time is wrong, or was: it was set, or an operator's intent is of the future. No I/O.

Whether the time is right, no program can tell by itself. Two things can be seen. The time of day and the steady
clock go on alike, unless somebody sets the one (or the machine was asleep, in which the other stands still). And
nobody can have wanted anything after now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.intent import timestamp
from policy.wording import span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.intent import Intent
    from policy.route import Prefix
    from speaker.clock import Clock

SLACK = 5.0
"""How far the two clocks may part between two looks, and how far ahead an intent may be, in seconds: what NTP
does by and by is less."""
REMEMBERED = 900.0
"""For how long it is told that the time was set, in seconds."""
_REMEDY = "is it right now? See date, and timedatectl or chronyc tracking"


class ClockAlarm:
    """Looks at one machine's clocks.

    Args:
        clock: both of them.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._apart = clock.wall() - clock.steady()
        self._told_until = 0.0
        self._set = ""
        self._seen: Mapping[Prefix, Intent] | None = None
        self._latest: tuple[float, str] = (0.0, "")

    def look(self, intents: Mapping[Prefix, Intent]) -> str:
        """Look once, and return what is wrong in words; nothing where nothing is.

        Args:
            intents: those in force.
        """
        wall, steady = self._clock.wall(), self._clock.steady()
        step, self._apart = wall - steady - self._apart, wall - steady
        if abs(step) > SLACK:
            self._told_until = steady + REMEMBERED
            way, ends = ("forward", "earlier") if step > 0 else ("back", "later")
            self._set = (
                f"the time was set {way} by {span(abs(step))}, to {timestamp(wall)}: what an operator "
                f"wants for a time (--for) ends {ends}; {_REMEDY}"
            )
        return "; ".join(filter(None, (self._ahead(intents, wall), self._recent(steady))))

    def _recent(self, steady: float) -> str:
        return self._set if steady < self._told_until else ""

    def _ahead(self, intents: Mapping[Prefix, Intent], wall: float) -> str:
        """Return in words that an intent is of the future: the time is behind, or was ahead then."""
        if intents is not self._seen:
            self._seen = intents
            found = ((intent.since, f"{prefix}: {intent}") for prefix, intent in intents.items())
            self._latest = max(found, default=(0.0, ""))
        since, which = self._latest
        if since <= wall + SLACK:
            return ""
        return (
            f"{which}, and it is not that time yet: this machine's time is behind, or where that was asked it was ahead; "
            f"{_REMEDY}"  # not by how much: that is another text each second, and each is said
        )
