"""Operations over the routing daemon itself, beside which no watchdog runs: each looks, and acts, once."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from policy.intent import Mode
from policy.window import missed
from speaker.backends.base import BackendError
from speaker.control.identity import user
from speaker.control.offline import StateFile, queued_report
from speaker.health.sources import SETTLE
from speaker.reconcile import intents, status
from speaker.reconcile.difference import difference
from speaker.reconcile.last_one import may_refuse, refuse_last
from speaker.reconcile.lock import FileLock, LockError, NoLock
from speaker.reconcile.recording import SUBJECT as STATE
from speaker.reconcile.windows import SUBJECT
from speaker.runtime.assemble import beside
from speaker.site_values import Ordered
from speaker.state.room import may_be_full
from speaker.state.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from policy.intent import Intent
    from policy.route import Prefix
    from policy.site_intent import Extent
    from speaker.api import (
        Explanation,
        HistoryEntry,
        IntentOutcome,
        IntentRequest,
        PlannedChange,
        RecordedIntent,
        Status,
    )
    from speaker.config.settings import Config
    from speaker.reconcile.reconciler import Reconciler
    from speaker.site_values import SiteOrder

PATIENCE = 5.0
"""Seconds to wait for another of our processes to release the lock, and longer for each prefix: the intent
is recorded already."""
_FULL = "{}: its file system has no room, or is read-only, so that no intent may be recorded; see df, and mount"


NO_DAEMON = "no vip_watchdog --daemon runs here"


class OneShot:
    """What the daemon shows, and takes. It is `Operations`.

    Args:
        config: the configuration.
        is_full: tells whether nothing may be written in a folder.
    """

    def __init__(self, config: Config, is_full: Callable[[Path], bool] = may_be_full) -> None:
        self._config = config
        self._is_full = is_full

    def status(self) -> Status:
        """See `Operations.status`. Where bgpd can't be read, that is in it."""
        return status.status(self._looked())

    def explain(self, prefixes: Sequence[Prefix]) -> Sequence[Explanation]:
        """See `Operations.explain`."""
        reconciler = self._looked()
        prefixes = prefixes or [*reconciler.assignments]
        found = status.explanations(reconciler, prefixes)
        here = StateFile(self._config, NO_DAEMON).here
        if here is None or len(prefixes) > status.DETAILED:
            return found
        from speaker.control.site_explained import with_site  # noqa: PLC0415 - of no use without [site]

        known = reconciler.durable.store.site_known(prefixes)
        now, unread = reconciler.clock.wall(), reconciler.first_reading.is_missing
        return [*with_site(here, now, found, prefixes, known, unread=unread)]

    def history(
        self, about: Sequence[Prefix | str], since: float | None = None
    ) -> Sequence[HistoryEntry]:
        """See `Operations.history`."""
        return StateFile(self._config, "").history(about, since)

    def plan(self) -> Sequence[PlannedChange]:
        """Return the changes that would be made now.

        Raises:
            BackendError: bgpd can't be read.
        """
        return difference(self._looked(blind=False))

    def apply(self, request: IntentRequest) -> Sequence[IntentOutcome | RecordedIntent]:
        """Apply an operator's intent to its prefixes; others are not touched, but those by which they are decided.

        Where bgpd can't be asked, the intent is recorded. A dry run does all of it, but over a bgpd
        and a state file that are only read.

        Raises:
            SpeakerError: it could not be recorded; nothing was changed.
        """
        return self._applied(request, None)

    def order(self, order: SiteOrder) -> Ordered:
        """See `SiteOperations.order`: it is obeyed here, and queued for the others; only a daemon speaks to etcd.

        Raises:
            PolicyError: it is for whom nothing can be ordered.
            SpeakerError: it could not be recorded; nothing was changed.
        """
        file = StateFile(self._config, NO_DAEMON)
        here = file.here
        if here is None:
            return Ordered(self.apply(order))
        extent = file.whom(order)
        if not extent.covers(here):
            return file.order(order)
        outcomes = self._applied(order, extent, own=order.own)
        return Ordered(
            outcomes,
            queued_report(order, extent, here, f"{NO_DAEMON}, and only that speaks to etcd"),
        )

    def _applied(
        self, request: IntentRequest, whom: Extent | None, *, own: bool = False
    ) -> Sequence[IntentOutcome | RecordedIntent]:
        """Apply an intent for this machine, or for whom it is. See `apply`."""
        prefixes, dry_run = request.prefixes, request.dry_run
        if may_refuse(self._config.settings.witness.keep_last, request):
            refuse_last(self._looked(settle=0.0), request, prefixes)
        intent = request.intent(user(), time.time())
        # A drain asks nobody how they are.
        settle = 0.0 if request.mode is Mode.DRAINED else SETTLE
        make = partial(beside, self._config, only=prefixes, dry_run=dry_run, settle=settle)
        return asyncio.run(
            operate(self._config, prefixes, intent, make, dry_run=dry_run, whom=whom, own=own)
        )

    def _looked(self, *, blind: bool = True, settle: float = SETTLE) -> Reconciler:
        folder = self._config.settings.state.parent
        try:
            folder.stat()  # a file that is not there has no intent; where none can be is not known
        except OSError as error:
            raise StoreError(
                f"state: {folder}: {error.strerror}; make it, or correct node.state: no intent can "
                "be recorded there"
            ) from error

        full = self._is_full(folder)

        async def look() -> Reconciler:
            reconciler = beside(
                self._config, dry_run=True, settle=settle
            )  # a question writes nothing
            try:
                await reconciler.observe_and_read()
            except BackendError:
                if not blind:
                    raise
            reconciler.alarms.note(SUBJECT, missed(reconciler.durable.intents.windows), say=False)
            reconciler.alarms.note(STATE, _FULL.format(folder) if full else "", say=False)
            return reconciler

        return asyncio.run(look())


async def operate(
    config: Config,
    prefixes: Sequence[Prefix],
    intent: Intent,
    make: Callable[[], Reconciler],
    *,
    dry_run: bool,
    whom: Extent | None = None,
    own: bool = False,
) -> Sequence[IntentOutcome | RecordedIntent]:
    """Do what `vip_mgmt -a` and `-d` do: record the intent, and carry it out under the lock.

    Args:
        config: the configuration.
        prefixes: those that were named.
        intent: what the operator wants of them.
        make: makes a watchdog for them, once the lock is held.
        dry_run: whether nothing is to be changed: then there is no need for a lock.
        whom: for whom it is, where that is not this machine alone.
        own: see `speaker.site_values.SiteOrder`.
    """
    file = StateFile(config, "", "takes effect with the next pass of vip_watchdog")
    said = file.record(prefixes, intent, dry_run=dry_run, whom=whom, own=own)
    longer = intents.WITHIN_EACH * len(prefixes)
    within = intents.WITHIN + longer
    lock = NoLock() if dry_run else FileLock(PATIENCE + longer, config.settings.state)
    try:
        async with asyncio.timeout(within), lock.held():
            reconciler = make()
            await reconciler.observe_and_read()
            if dry_run:
                return await intents.apply_intent(reconciler, prefixes, intent, dry_run=False)
            was = {each.prefix: each.was for each in said}
            taken = await intents.carry_out(reconciler, prefixes, intent, was)
            await reconciler.record()
            return taken
    except (BackendError, LockError) as error:
        now = str(error)
    except TimeoutError:
        now = intents.not_confirmed(within)
    return [replace(each, recorded=f"{each.recorded}; now: {now}") for each in said]
