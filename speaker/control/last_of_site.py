"""What an operator's drain of several machines would leave announced nowhere: it is asked for explicitly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.keep_last import KeepLast
from policy.last import LastOne
from policy.site_intent import EVERYWHERE, Extent
from policy.witness import Elsewhere
from speaker.reconcile.last_one import held_from_draining
from speaker.supervision.steps import in_steps

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from policy.route import Prefix
    from policy.site_members import MemberState
    from speaker.reconcile.known_site import KnownSite
    from speaker.reconcile.reconciler import Reconciler


class LastOfSite:
    """The rule, what the machines of the site tell, and what witnesses tell.

    Args:
        site: what is known of it.
        extent: for whom the drain is.
        last: the rule, and what witnesses tell.
        announced: what this machine announces.
    """

    def __init__(
        self, site: KnownSite, extent: Extent, last: LastOne, announced: Collection[Prefix]
    ) -> None:
        self._extent, self._last, self._announced = extent, last, announced
        self._here, self._connected = site.here, site.connected
        self._states: Mapping[Prefix, Sequence[MemberState]] = site.states()
        self._silent = any(
            not each.live and not extent.covers(Extent(each.dc, each.machine))
            for each in site.members()
        )

    def why(self, prefix: Prefix) -> str:
        """Return why a drain of a prefix would leave it nowhere, in words; nothing where it would not, or that is not known."""
        inside, outside = self._told(prefix)
        if True in outside or not self._is_announced(prefix, inside):
            return ""
        if self._extent == EVERYWHERE:
            return "last: no machine of the site would announce it any more (keep_last)"
        seen = self._last.heard.elsewhere(prefix)
        if seen is Elsewhere.ANNOUNCED:
            return ""
        if self._connected and not self._silent and None not in outside:
            return f"last: no machine of the site outside {self._extent} announces it (keep_last)"
        return self._last.why(prefix) if self._extent.covers(self._here) else ""

    def _told(self, prefix: Prefix) -> tuple[list[bool | None], list[bool | None]]:
        """Return what the machines for which the drain is tell, and what the others do."""
        inside: list[bool | None] = []
        outside: list[bool | None] = []
        for each in self._states.get(prefix, ()):
            is_inside = self._extent.covers(Extent(each.dc, each.machine))
            (inside if is_inside else outside).append(each.announced)
        return inside, outside

    def _is_announced(self, prefix: Prefix, inside: Sequence[bool | None]) -> bool:
        """Tell whether a machine for which the drain is announces it, as far as is known."""
        return True in inside or (self._extent.covers(self._here) and prefix in self._announced)


async def held_here(reconciler: Reconciler, prefixes: Collection[Prefix]) -> Mapping[Prefix, str]:
    """Return which prefixes a report must not drain on this machine, with why: by the other machines where they are known, too.

    Args:
        reconciler: knows what is announced here, what witnesses tell, and the site where there is one.
        prefixes: what the report would drain.
    """
    site = reconciler.site
    rule = reconciler.config.settings.witness.keep_last
    if site is None or rule is KeepLast.NEVER:
        return await held_from_draining(reconciler, prefixes)
    last = LastOne(rule, reconciler.witnesses.heard())
    of_site = LastOfSite(site, site.here, last, reconciler.view.announced)
    found = await in_steps((prefix, of_site.why(prefix)) for prefix in prefixes)
    return {prefix: why for prefix, why in found if why}
