"""Which of ExaBGP's sessions are up, by what it tells of them and by what it shows. No I/O, no clock.

It tells of a session only if the neighbour has `neighbor-changes`, and shows all of them when it is
asked. What it tells while it is being asked is newer than what it shows. Of a session that it can't even
try, since its local address is not on this machine, it does not say why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from speaker.backends.exabgp.feed import MAX_SESSIONS
from speaker.backends.notification import explained, is_notification

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from speaker.backends.exabgp.neighbors import ConfiguredNeighbor, ConfiguredNeighbors, Ends
    from speaker.units import IpAddress

# How long a session is up is shown in whole seconds.
SLACK = 2.0
AWAY = (
    "its local-address {} is not on this machine; add it (ip address), or correct exabgp.conf and "
    "systemctl restart exabgp-vip"
)


class Sessions:
    """The sessions, as far as they are known. All times are of one steady clock.

    Args:
        is_here: tells whether an address is on this machine, None where that can't be told.
    """

    def __init__(self, is_here: Callable[[IpAddress], bool | None] = lambda _: None) -> None:
        self._is_here = is_here
        self.began = 0.0
        """Since when it is known which sessions come up."""
        self._up: dict[Ends, bool] = {}
        self._told: dict[Ends, bool] = {}
        self._since: dict[Ends, float] = {}
        self._reasons: dict[Ends, str] = {}

    def is_told(self, ends: Ends, now: float, *, up: bool, reason: str = "") -> bool | None:
        """Take what ExaBGP tells of a session, and return what was known before.

        Args:
            ends: its ends.
            now: when it was told.
            up: whether it is up.
            reason: why it is down. It is told again at each attempt; a NOTIFICATION says more than what follows it.
        """
        before = self._up.get(ends)
        if len(self._told) >= MAX_SESSIONS and ends not in self._told:
            return before  # it is shown when ExaBGP is asked next
        self._up[ends] = self._told[ends] = up
        if up:
            self._since[ends] = now
            self._reasons.pop(ends, None)
        elif reason and (is_notification(reason) or ends not in self._reasons):
            self._reasons[ends] = explained(reason)
        return before

    def forget(self) -> None:
        """Know of none any more: what was reported of one is lost."""
        self._up.clear()
        self._told.clear()

    def ask(self) -> None:
        """Note that ExaBGP is asked: what it tells from now on counts."""
        self._told.clear()

    def shown(self, sessions: Mapping[Ends, float | None], now: float) -> list[Ends]:
        """Take what ExaBGP showed, and return the sessions that came up and were not reported.

        Args:
            sessions: for how long each is up, in seconds, None where it is not.
            now: when it was shown.
        """
        self._up = {**{ends: up_for is not None for ends, up_for in sessions.items()}, **self._told}
        self._since = {ends: since for ends, since in self._since.items() if ends in self._up}
        self._reasons = {
            ends: why for ends, why in self._reasons.items() if self._up.get(ends) is False
        }
        missed = []
        for ends, up_for in sessions.items():
            if up_for is not None and now - up_for > self._since.get(ends, self.began) + SLACK:
                self._since[ends] = now - up_for
                missed.append(ends)
        return missed

    def reason(self, ends: Ends) -> str:
        """Return why a session is down, in words; nothing where that was not told."""
        return self._reasons.get(ends, "")

    def reasons(self, neighbors: ConfiguredNeighbors) -> Mapping[ConfiguredNeighbor, str]:
        """Return of each neighbour whose session is down why that is, where it was told, or is seen."""
        told = ((neighbors.of(ends), why) for ends, why in self._reasons.items())
        found = {neighbor: why for neighbor, why in told if neighbor is not None}
        for neighbor, up in self.of(neighbors).items():
            local = neighbor.local_address
            if not up and local is not None and self._is_here(local) is False:
                found[neighbor] = AWAY.format(local)
        return found

    def of(self, neighbors: ConfiguredNeighbors) -> Mapping[ConfiguredNeighbor, bool]:
        """Return of each neighbour whether its session is up, where that is known."""
        found: dict[ConfiguredNeighbor, bool] = {}
        for ends, up in self._up.items():
            if (neighbor := neighbors.of(ends)) is not None:
                found[neighbor] = up or found.get(neighbor, False)
        return found
