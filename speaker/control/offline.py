"""Operations where no watchdog answers: from the configuration and the state file alone."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from policy.intent import Mode
from policy.site_intent import Extent
from speaker.api import PrefixStatus, RecordedIntent, Status
from speaker.control.identity import user
from speaker.errors import SpeakerError
from speaker.site_words import HERE
from speaker.state.waits import BUSY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy.intent import Intent
    from policy.route import Prefix
    from speaker.api import Explanation, HistoryEntry, IntentRequest, PlannedChange
    from speaker.config.settings import Config
    from speaker.site_values import Ordered, SiteOrder, SiteReport
    from speaker.state.store import Store


SEE = (
    "does ExaBGP run? systemctl status exabgp-vip, journalctl -u exabgp-vip: without it nothing is "
    "announced here"
)
SEE_HANGING = (
    "its routes stay while ExaBGP runs, and what is announced is not known; see the process vip_watchdog: "
    "ps -C vip_watchdog -o pid,stat,wchan (T: it is stopped), and journalctl -u exabgp-vip"
)
"""What is so of a watchdog that is there and does not answer: ExaBGP goes on without it."""


class StateFile:
    """What the state file tells, and takes: a watchdog that runs reads it in its next cycle. It is `Operations`.

    What only a watchdog knows is refused, with the reason why none was asked.

    Args:
        config: the configuration.
        why: why no watchdog answers.
        takes_effect: when an intent that is recorded does; empty for what holds where ExaBGP
            starts the watchdog.
        wait: how long another program may hold the file where an intent is recorded, in seconds;
            None for as long as any other.
        hangs: whether a watchdog is there, and does not answer.
    """

    def __init__(
        self,
        config: Config,
        why: str,
        takes_effect: str = "",
        *,
        wait: float | None = None,
        hangs: bool = False,
    ) -> None:
        self._config = config
        self._see = SEE_HANGING if hangs else SEE
        self._wait = BUSY if wait is None else wait
        self._why = why
        self._takes_effect = takes_effect or (
            f"takes effect within {config.settings.interval:g} s where a vip_watchdog runs with its "
            "configuration, else when one starts with it: see its log"
        )

    @contextmanager
    def _store(self, *, in_memory_copy: bool = False) -> Iterator[Store]:
        from speaker.state.store import Store  # slow to import, and of no use for what is refused

        store = Store(self._config.settings.state, in_memory_copy=in_memory_copy)
        try:
            yield store
        finally:
            store.close()

    def status(self) -> Status:
        """Return what is to be announced, and which intents are in force; what is announced is unknown.

        Raises:
            StoreError: the state file can't be read.
        """
        from policy.assignment import assignments
        from policy.window import missed, planned

        settings = self._config.settings
        with self._store() as store:
            now = time.time()
            found = store.intents()
        intents = {p: i for p, i in found.of.items() if i.in_force(now)}
        waits = planned(found.windows)
        routes = tuple(
            PrefixStatus(
                vip=assignment.vip.name,
                prefix=str(prefix),
                announced=None,
                as_path=tuple(assignment.route.attributes.as_path) if assignment.route else (),
                rank=assignment.rank,
                prepends=assignment.profile.prepends if assignment.profile else None,
                equal=assignment.address.equal,
                realservers=None,
                health="unknown",
                intent=intents[prefix].mode if prefix in intents else Mode.AUTO,
                reason=str(intents[prefix]) if prefix in intents else "no vip_watchdog answers",
                wanted=None,
                as_wanted=False,
                planned=waits.get(prefix, ""),
            )
            for prefix, assignment in assignments(self._config.topology, settings.dc).items()
        )
        return Status(
            dc=settings.dc.name,
            backend=settings.backend,
            peers=(),
            trouble=(
                f"{self._why}; {self._see}" if settings.is_spawned else self._why,
                *filter(None, [missed(found.windows)]),
            ),
            routes=routes,
        )

    def history(
        self, about: Sequence[Prefix | str], since: float | None = None
    ) -> Sequence[HistoryEntry]:
        """Return what was done.

        Raises:
            StoreError: the state file can't be read.
        """
        with self._store() as store:
            return store.history(about, since=since)

    def explain(self, prefixes: Sequence[Prefix]) -> Sequence[Explanation]:
        """Refuse: only a watchdog can explain.

        Raises:
            SpeakerError: always.
        """
        self._refuse(", ".join(map(str, prefixes)) or "all")

    def plan(self) -> Sequence[PlannedChange]:
        """Refuse: only a watchdog knows the difference.

        Raises:
            SpeakerError: always.
        """
        self._refuse("plan")

    def _refuse(self, what: str) -> NoReturn:
        raise SpeakerError(
            f"{self._why}; {what}: only vip_watchdog knows; see that ExaBGP runs, and that it answers"
        )

    def apply(self, request: IntentRequest) -> Sequence[RecordedIntent]:
        """Record an operator's intent durably. A dry run does so in a copy of the file.

        Raises:
            StoreError: it could not be recorded.
        """
        intent = request.intent(user(), time.time())
        return self.record(request.prefixes, intent, dry_run=request.dry_run)

    def order(self, order: SiteOrder) -> Ordered:
        """See `SiteOperations.order`: it is recorded, and queued for the others; none of them has confirmed it.

        Raises:
            PolicyError: it is for whom nothing can be ordered.
            StoreError: it could not be recorded.
        """
        from speaker.site_values import Ordered

        here = self.here
        if here is None:
            return Ordered(self.apply(order))
        extent = self.whom(order)
        intent = order.intent(user(), time.time())
        recorded = self.record(
            order.prefixes, intent, dry_run=order.dry_run, whom=extent, own=order.own
        )
        outcomes = recorded if extent.covers(here) else ()
        why = f"{self._why or 'no vip_watchdog answers'}: only a vip_watchdog speaks to etcd"
        return Ordered(outcomes, queued_report(order, extent, here, why))

    @property
    def here(self) -> Extent | None:
        """This machine of the site; None where there is no [site]."""
        settings = self._config.settings
        return None if settings.site is None else Extent(settings.dc.name, settings.site.machine)

    def whom(self, order: SiteOrder) -> Extent:
        """Return for whom an order is.

        Raises:
            PolicyError: there is no such data centre, or no site.
        """
        return order.whom(self.here or Extent(), [dc.name for dc in self._config.topology.dcs])

    def record(
        self,
        prefixes: Sequence[Prefix],
        intent: Intent,
        *,
        dry_run: bool,
        whom: Extent | None = None,
        own: bool = False,
    ) -> Sequence[RecordedIntent]:
        """Record an intent for some prefixes, for this machine, or for whom it is. See `apply`, and `SiteOrder` for `own`."""
        here, intents = self.here, dict.fromkeys(prefixes, intent)
        with self._store(in_memory_copy=dry_run) as store:
            if here is None:
                replaced = store.set_intents(intents, wait=self._wait)
            else:
                replaced = store.ask_site(intents, whom or here, here, own=own, wait=self._wait)
        would = "would be" if dry_run else "is"
        said = f"{intent.mode} {would} recorded; {self._takes_effect}"
        return [
            RecordedIntent(
                prefix=str(prefix),
                recorded=said,
                was=str(replaced[prefix]) if prefix in replaced else "",
            )
            for prefix in prefixes
        ]


def queued_report(order: SiteOrder, extent: Extent, here: Extent, why: str) -> SiteReport | None:
    """Return that an order is recorded here, and no more; None where it is for this machine alone.

    Args:
        order: that.
        extent: for whom it is.
        here: this machine.
        why: why the others do not have it.
    """
    if order.extent in ("", HERE):
        return None
    from speaker.site_values import SiteReport

    return SiteReport(
        extent=str(extent),
        here=str(here),
        is_here=extent.covers(here),
        committed=False,
        trouble=why,
    )
