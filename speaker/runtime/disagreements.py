"""Where bgpd has something else than a shadow decides: said once each, counted, and summed up."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.wording import count as counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from policy.route import Prefix
    from speaker.clock import Clock

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One prefix of which bgpd has something else than what is decided, and since when (steady clock)."""

    found: str
    wanted: str
    since: float

    def __str__(self) -> str:
        return f"bgpd {self.found}; vip_watchdog {self.wanted}"


class Disagreements:
    """Those that are, said when one begins, changes or ends; and a count of those that were.

    Args:
        clock: the time.
        reason: why it is decided so, in words.
    """

    def __init__(self, clock: Clock, reason: Callable[[Prefix], str]) -> None:
        self._clock = clock
        self._reason = reason
        self.open: dict[Prefix, Disagreement] = {}
        self._were = 0
        self._of: set[Prefix] = set()
        self._longest = 0.0

    def note(self, now: Mapping[Prefix, tuple[str, str]]) -> None:
        """Take over what bgpd has and what is wanted of each prefix where the two differ."""
        clock = self._clock.steady()
        for prefix in [prefix for prefix in self.open if prefix not in now]:
            seconds = self._end(prefix, clock)
            log.warning("%s: bgpd and vip_watchdog agree again, after %.0f s", prefix, seconds)
        for prefix, (found, wanted) in now.items():
            before = self.open.get(prefix)
            if before is not None and (before.found, before.wanted) == (found, wanted):
                continue
            since = clock if before is None else before.since
            self._were += before is None
            self._of.add(prefix)
            self.open[prefix] = Disagreement(found, wanted, since)
            why = self._reason(prefix)
            log.error("%s: disagreement: %s%s", prefix, self.open[prefix], f": {why}" * bool(why))

    def _end(self, prefix: Prefix, now: float) -> float:
        seconds = now - self.open.pop(prefix).since
        self._longest = max(self._longest, seconds)
        return seconds

    def sum_up(self, count: int) -> None:
        """Say how it stands, and how it was.

        Args:
            count: of the prefixes that are looked at.
        """
        now = self._clock.steady()
        longest = max([self._longest, *(now - each.since for each in self.open.values())])
        log.warning(
            "%s, bgpd and vip_watchdog disagree on %d; since the start: %s on %s, the longest for %.0f s",
            counted(count, "prefix"),
            len(self.open),
            counted(self._were, "disagreement"),
            counted(len(self._of), "prefix"),
            longest,
        )
        for prefix, each in self.open.items():
            log.warning("%s: disagrees for %.0f s: %s", prefix, now - each.since, each)
