"""An operator's intent, for this machine or several of the site: applied, and answered with what became of it.

Without `[site]` there is this machine alone. With it, an intent is an order of the site, recorded here durably before anything else
happens, whoever it is for. The answer says what this machine's own prefixes came to, where it is one of those meant; and of each
machine whether it has confirmed, as far as `within` allows. What is not confirmed is never said to be done.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from policy.errors import PolicyError
from policy.intent import Mode, timestamp
from policy.last import LastOne
from policy.site_intent import Extent
from speaker.control.last_of_site import LastOfSite
from speaker.control.still_drained import still_drained
from speaker.reconcile.intents import apply_intent
from speaker.reconcile.last_one import may_refuse, refuse, refuse_last
from speaker.site_values import MachineReport, Ordered, SiteReport
from speaker.site_words import HERE, TIMEOUT
from speaker.supervision.steps import in_steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.intent import Intent
    from policy.route import Prefix
    from policy.site_members import Member, SiteOutcome
    from speaker.api import IntentOutcome, RecordedIntent
    from speaker.reconcile.known_site import KnownSite
    from speaker.reconcile.reconciler import Reconciler
    from speaker.site_values import SiteOrder

log = logging.getLogger(__name__)

NO_SITE = (
    "extent: the vip_watchdog that runs knows of no other machines: it has loaded no [site]; nothing was changed: load it "
    "(vip_mgmt reload), or see its log; --here is for this machine alone"
)


class OrderHandling:
    """Applies orders, over one watchdog.

    Args:
        reconciler: the watchdog.
    """

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler

    async def apply(self, order: SiteOrder, prefixes: Sequence[Prefix], owner: str) -> Ordered:
        """Apply an order for some prefixes.

        Args:
            order: what is asked, and for whom.
            prefixes: those, all of which are known.
            owner: who asks.

        Raises:
            PolicyError: it is for whom nothing can be ordered.
            LastOneError: it would leave a prefix nowhere; nothing was changed.
            StoreError: it could not be recorded; nothing was changed.
        """
        reconciler, site = self._reconciler, self._reconciler.site
        intent = order.intent(owner, reconciler.clock.wall())
        if site is None:
            if order.extent not in ("", HERE):
                raise PolicyError(NO_SITE)
            refuse_last(reconciler, order, prefixes)
            found = await apply_intent(reconciler, prefixes, intent, dry_run=order.dry_run)
            return Ordered(found)
        topology, settings = reconciler.config.topology, reconciler.config.settings
        extent = order.whom(site.here, [dc.name for dc in topology.dcs])
        last = LastOne(settings.witness.keep_last, reconciler.witnesses.heard())
        if may_refuse(last.rule, order):
            of_site = LastOfSite(site, extent, last, reconciler.view.announced)
            refuse(await in_steps((prefix, of_site.why(prefix)) for prefix in prefixes))
        is_here = extent.covers(site.here)
        if order.dry_run:
            found = (
                await apply_intent(reconciler, prefixes, intent, dry_run=True) if is_here else []
            )
            return Ordered(found, _would(site, extent, _of(site, extent)))
        found = await self._recorded(
            site, dict.fromkeys(prefixes, intent), intent, extent, own=order.own
        )
        if order.extent in ("", HERE):
            return Ordered(found)
        within = order.within or (TIMEOUT if settings.site is None else settings.site.timeout)
        outcome = await site.outcome(prefixes, extent, within)
        members = _of(site, extent)
        still = await self._still(site, members, prefixes) if intent.restores else ()
        if intent.mode is Mode.DRAINED:  # which needs no session
            outcome = replace(
                outcome, members=tuple(replace(each, unsent="") for each in outcome.members)
            )
        return Ordered(found, _report(site, extent, outcome, members, still, within))

    async def _recorded(
        self,
        site: KnownSite,
        intents: Mapping[Prefix, Intent],
        intent: Intent,
        extent: Extent,
        *,
        own: bool,
    ) -> Sequence[IntentOutcome | RecordedIntent]:
        """Record it durably; return what became of it here, where it is for this machine. See `apply`."""
        if extent.covers(site.here):
            return await apply_intent(
                self._reconciler,
                [*intents],
                intent,
                dry_run=False,
                record=lambda wanted: site.record(wanted, extent, own=own),
            )
        recording = asyncio.ensure_future(site.record(intents, extent, own=own))
        try:  # a caller that hangs up must not leave it half done
            await asyncio.shield(recording)
        finally:
            recording.add_done_callback(_say_what_failed)
        return ()

    async def _still(
        self, site: KnownSite, members: Sequence[Member], prefixes: Sequence[Prefix]
    ) -> tuple[str, ...]:
        """Return what keeps machines drained that a restore was for. It takes its time: in a thread."""
        live, told = [each for each in members if each.live], site.states()
        states = dict(await in_steps((prefix, told.get(prefix, ())) for prefix in prefixes))
        now = self._reconciler.clock.wall()
        known = self._reconciler.durable.store.site_known

        def found() -> tuple[str, ...]:
            return still_drained(live, known(prefixes), states, site.here, now)

        return await asyncio.to_thread(found)


def _of(site: KnownSite, extent: Extent) -> Sequence[Member]:
    return [each for each in site.members() if extent.covers(Extent(each.dc, each.machine))]


def _would(site: KnownSite, extent: Extent, members: Sequence[Member]) -> SiteReport:
    """Return for whom an order would be: this machine, where it is, whatever etcd has heard of it."""
    meant = {Extent(each.dc, each.machine) for each in members if each.live}
    meant |= {site.here} if extent.covers(site.here) else set()
    return SiteReport(
        extent=str(extent),
        here=_name(site.here),
        is_here=extent.covers(site.here),
        committed=False,
        machines=tuple(MachineReport(machine=str(each), obeys=False) for each in sorted(meant)),
        silent=_silent(members, site.here),
    )


def _report(
    site: KnownSite,
    extent: Extent,
    outcome: SiteOutcome,
    members: Sequence[Member],
    still: tuple[str, ...],
    within: float,
) -> SiteReport:
    """Return what became of an order at all machines."""
    return SiteReport(
        extent=str(extent),
        here=_name(site.here),
        is_here=extent.covers(site.here),
        committed=outcome.committed,
        trouble=outcome.why,
        machines=tuple(
            MachineReport(
                machine=f"{each.dc}/{each.machine}",
                obeys=each.obeys,
                why=each.why,
                unsent=each.unsent,
            )
            for each in outcome.members
            if each.live
        ),
        silent=_silent(members, site.here),
        still=still,
        within=within,
    )


def _silent(members: Sequence[Member], here: Extent) -> tuple[str, ...]:
    """Return of which machines nothing is heard, in words: never of this one, which etcd may not have heard."""
    return tuple(
        f"{each.dc}/{each.machine}: silent"
        + (f" since {timestamp(each.silent_since)}" if each.silent_since is not None else "")
        for each in members
        if not each.live and Extent(each.dc, each.machine) != here
    )


def _name(machine: Extent) -> str:
    return f"{machine.dc}/{machine.machine}"


def _say_what_failed(recording: asyncio.Future[Any]) -> None:
    """Log why an order was not recorded: a caller who hung up is not told."""
    if not recording.cancelled() and (error := recording.exception()) is not None:
        log.error("site: an order was not recorded: %s", error)
