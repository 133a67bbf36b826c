"""Whether the orders of the whole site were ever read from etcd, and how long what is not announced yet waits for that.

The state file knows. `policy.first_reading` decides. A run that never reads etcd does not wait: nothing would come.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from policy.first_reading import Unread
from policy.site_intent import Extent
from policy.wording import count, named

if TYPE_CHECKING:
    from collections.abc import Collection

    from policy.route import Prefix
    from speaker.clock import Clock
    from speaker.config.settings import Settings
    from speaker.reconcile.known_intents import KnownIntents

log = logging.getLogger(__name__)

SUBJECT = "orders"
"""The subject of its alarm."""
PASSING = 3.0
"""For how long it is no alarm that they were not read yet, in seconds: reading takes a moment."""
NAMED = 3
"""How many prefixes are named."""
_UNKNOWN = "the orders of the whole site are unknown: they were never read from etcd"
_SO = (
    "what is well is announced, though the site may have drained it; compare with vip_mgmt status --site "
    "on another machine, and drain here what it drains: vip_mgmt -d --here"
)


class FirstReading:
    """The first reading of etcd.

    Args:
        intents: what the state file has.
        clock: the time.
    """

    def __init__(self, intents: KnownIntents, clock: Clock) -> None:
        self._intents, self._clock = intents, clock
        self._here: Extent | None = None
        self._within = 0.0
        self._since: float | None = None
        self._asked: tuple[object, frozenset[Prefix]] = None, frozenset()
        self._waiting: Collection[Prefix] = ()
        self.stays = False
        """Whether this run stays, and reads etcd."""

    def take(self, settings: Settings) -> None:
        """Take a configuration. Where it is the first one with `[site]`, what waits does so from now on."""
        site, was = settings.site, self._here
        self._here = None if site is None else Extent(settings.dc.name, site.machine)
        self._within = 0.0 if site is None else site.start_wait
        if was is None:
            self._since = self._clock.steady()

    def begin(self) -> None:
        """Stay from now on: what waits does so from the first time on that this is called."""
        if not self.stays:
            self.stays, self._since = True, self._clock.steady()

    @property
    def is_missing(self) -> bool:
        """Whether they were never read, where there is a site."""
        known = self._intents
        return self._here is not None and known.is_read and known.unread is not None

    def unread(self) -> Unread | None:
        """Return that they were never read, as it is decided by; None where nothing waits for them."""
        if not (self.is_missing and self.stays) or self._since is None:
            return None
        return Unread(self._since + self._within, self._within, self._asked_here())

    def _asked_here(self) -> frozenset[Prefix]:
        """Return the prefixes of which something was asked here, for this machine."""
        here, found = self._here, self._intents.unread or frozenset()
        if self._asked[0] != (found, here):
            asked = {prefix for prefix, extent in found if here and extent.covers(here)}
            self._asked = (found, here), frozenset(asked)
        return self._asked[1]

    def waits(self, waiting: Collection[Prefix]) -> None:
        """Note what waits, and say so where that is new."""
        if waiting and not self._waiting:
            log.warning("%s: %s", SUBJECT, self._waits_for(waiting, self._within))
        self._waiting = waiting

    @property
    def starting(self) -> str:
        """What waits, in words; nothing where none does."""
        if not self._waiting or self._since is None:
            return ""
        left = max(self._since + self._within - self._clock.steady(), 0.0)
        return self._waits_for(self._waiting, left)

    def _waits_for(self, waiting: Collection[Prefix], seconds: float) -> str:
        verb = "waits" if len(waiting) == 1 else "wait"
        return (
            f"{count(len(waiting), 'prefix')} {verb} for the orders of the whole site, which were never read from etcd, "
            f"for another {seconds:.0f} s at most ({named(sorted(waiting, key=str), NAMED)})"
        )

    @property
    def trouble(self) -> str:
        """What is wrong, in words; empty where nothing is, or it may pass."""
        if not self.is_missing or self._since is None:
            return ""
        if not self.stays:
            return f"{_UNKNOWN}, which a pass does not do; {_SO}"
        lasted = self._clock.steady() - self._since
        if lasted < PASSING:
            return ""
        if lasted < self._within:
            return (
                f"{_UNKNOWN}; what is not announced yet waits for them, {self._within:g}s from the start at most; "
                "vip_mgmt -a --here announces a VIP now"
            )
        return f"{_UNKNOWN}; {_SO}"
