"""Who takes over what drains softly, as witnesses and the site's machines tell: remembered for as long as a stage lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.taking_over import UNTOLD, ToldByMachines, WatchedTakeover, told_by_machines, watched
from speaker.supervision.steps import paced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from policy.drain import TakenOver
    from policy.intent import Intent
    from policy.route import Prefix
    from policy.witness import Heard
    from speaker.reconcile.known_site import KnownSite


class WatchedTakeovers:
    """Those of all prefixes that are in a stage.

    Args:
        heard: gives what witnesses tell.
        site: gives the other machines, None where they do not know of one another.
    """

    def __init__(
        self, heard: Callable[[], Heard], site: Callable[[], KnownSite | None] = lambda: None
    ) -> None:
        self._heard, self._site = heard, site
        self._of: dict[tuple[Prefix, float], WatchedTakeover] = {}

    async def look(self, intents: Mapping[Prefix, Intent], now: float) -> dict[Prefix, TakenOver]:
        """Return what is known of who takes over each prefix. They are looked at in steps.

        Args:
            intents: those that are in a stage; what was remembered of others is forgotten.
            now: seconds on the steady clock.
        """
        heard, told = self._heard(), self._told()
        found: dict[Prefix, TakenOver] = {}
        of: dict[tuple[Prefix, float], WatchedTakeover] = {}
        async for prefix, intent in paced(intents.items()):
            stage = prefix, intent.since
            before = self._of.get(stage, WatchedTakeover())
            found[prefix], of[stage] = watched(before, heard, prefix, now, told(prefix))
        self._of = of
        return found

    def _told(self) -> Callable[[Prefix], ToldByMachines]:
        """Return what gives what the other machines of the site tell of a prefix."""
        site = self._site()
        if site is None or not site.connected:
            return lambda _: UNTOLD
        states, here = site.states(), site.here
        silent = frozenset(f"{each.dc}/{each.machine}" for each in site.members() if not each.live)
        return lambda prefix: told_by_machines(states.get(prefix, ()), here, silent)
