"""Owns a far peer's memory: every route that a BIRD took or lost, in the order of time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from tests.support.lab.bird import Bird

TRACE: Sequence[str] = ("debug { routes };",)
"""The option that a Bird must have been given."""

_EVENT = re.compile(
    r"(?P<time>\S+ \S+) <TRACE> (?P<protocol>\w+)\.ipv[46] > (?P<verb>added|removed) "
    r"(?P<rank>\[\w+\] )?(?P<prefix>\S+)"
)


@dataclass(frozen=True, slots=True)
class Event:
    """A route that came (or changed), or went."""

    time: float
    verb: str
    prefix: str
    protocol: str


class History:
    """What a BIRD saw from a moment on, which `start` sets anew.

    Args:
        bird: the far peer.
        every: whether routes count which were neither the best before nor are it then.
    """

    def __init__(self, bird: Bird, *, every: bool = False) -> None:
        self.bird, self._every = bird, every
        self._from = 0
        self.start()

    def start(self) -> None:
        """Forget what was."""
        self._from = len(self._all())

    def events(self, *prefixes: str) -> list[Event]:
        """Return what happened since, to some prefixes or to all."""
        events = self._all()[self._from :]
        return [event for event in events if not prefixes or event.prefix in prefixes]

    def verbs(self, prefix: str) -> list[str]:
        """Return what happened to one prefix since: added, removed, …"""
        return [event.verb for event in self.events(prefix)]

    def flaps(self) -> list[str]:
        """Return the prefixes that went since."""
        return [event.prefix for event in self.events() if event.verb == "removed"]

    def _all(self) -> list[Event]:
        events = [
            Event(
                datetime.fromisoformat(match["time"]).timestamp(),
                match["verb"],
                match["prefix"],
                match["protocol"],
            )
            for match in _EVENT.finditer(self.bird.process.log())
            if match["rank"] or self._every
        ]
        assert all(a.time <= b.time for a, b in pairwise(events)), "the log is not in order"
        return events
