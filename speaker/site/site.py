"""What a watchdog knows of its site, and asks of it: the face of this package. Nothing here waits for etcd but orders do."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from policy.site_intent import Extent
from speaker.site.base import EtcdError
from speaker.site.handing_on import HandingOn
from speaker.site.keys import KeyKind, SiteKey
from speaker.site.known import Known
from speaker.site.link import Link
from speaker.site.obeying import Obeying
from speaker.site.orders import Orders
from speaker.site.own_machine import OwnMachine
from speaker.site.own_words import OwnWords
from speaker.site.presence import OwnPresence
from speaker.site.remembering import Remembering
from speaker.site.standing import AskedLeave
from speaker.state.store import StoreError
from speaker.supervision.together import together

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from policy.intent import Intent
    from policy.route import Prefix
    from policy.site_intent import SiteIntent
    from policy.site_members import Member, MemberState, SiteOutcome
    from speaker.config.settings_site import SiteSettings
    from speaker.reconcile.reconciler import Reconciler
    from speaker.site.base import Etcd

RIVALLED = 60.0
"""For how long it is said that another machine has this one's name, in seconds."""
UNRECORDED = 1.0
"""When to try again what could not be recorded, in seconds."""
SETTLE = 60.0
"""How often it is looked whether what was asked has ended, at least, in seconds."""


class WholeSite:
    """The site of one reconciler. Where vip.toml has no `[site]`, there is none: `reconciler.site` is None.

    Attributes:
        here: this machine.
        etcd: the cluster; it may be away.
        prefix: what keys begin with.
        leave: asks the others for leave to withdraw for bad health.
    """

    def __init__(self, reconciler: Reconciler, settings: SiteSettings, etcd: Etcd) -> None:
        """Know nothing yet: `run` connects."""
        self.here = Extent(reconciler.config.settings.dc.name, settings.machine)
        self.etcd, self.prefix, self.settings = etcd, settings.prefix, settings
        self._reconciler = reconciler
        self._machine = OwnMachine(reconciler)
        self._known = Known(self.here, settings.prefix, self._machine.process)
        self._obeying = Obeying(reconciler, self.here, self._tell)
        self._words = OwnWords(self._known, self._obeying, self._tell, lambda: self._link.connected)
        self._handing_on = HandingOn(etcd, lambda: reconciler.durable.store, self._known)
        self._presence = OwnPresence(
            etcd, self._known, settings.ttl, self._told, self._obeyed, self._words.states
        )
        self._link = Link(
            etcd,
            self._known,
            self._take,
            self._obeying,
            self._handing_on,
            self._presence,
            reconciler.clock,
        )
        self._remembering = Remembering(
            self._known,
            lambda: reconciler.durable.store,
            lambda: self.connected,
            reconciler.clock,
            lambda text: self._link.note("machines", text),
        )
        self._orders = Orders(
            self._known,
            self._handing_on,
            lambda: self.trouble,
            self._obeying.why_not,
            self._obeying.unsent,
        )
        self.leave = AskedLeave(
            self, self._words, reconciler.wake, reconciler.clock, settings.patience, settings.ttl
        )

    # --- what is known -----------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether what is known is what etcd has now, as far as a watch tells."""
        return self._link.connected

    @property
    def trouble(self) -> str:
        """What is wrong with etcd, in words; nothing where all is well."""
        return self._link.trouble

    @property
    def faults(self) -> Sequence[str]:
        """The keys of etcd that make no sense, and why: they are left out, and left as they are."""
        return [*self._known.faults.values()]

    @property
    def unreadable(self) -> Sequence[str]:
        """What of this machine's copy could not be read, in words."""
        return self._reconciler.durable.store.site_faults

    @property
    def queued(self) -> int:
        """How many rows of the copy etcd is not known to have."""
        return len(self._handing_on.queued)

    @property
    def lease(self) -> int:
        """This machine's lease, 0 where it has none."""
        return self._presence.lease

    @property
    def config(self) -> str:
        """What tells this machine's vip.toml from others', as far as it is of the whole site."""
        return self._machine.config

    @property
    def is_rivalled(self) -> bool:
        """Whether another live process has this machine's name: it told so just now."""
        return self._reconciler.clock.steady() - self._known.rivalled < RIVALLED

    def members(self) -> Sequence[Member]:
        """Return the machines of the site, this one among them, by data centre and name."""
        return self._known.members.all()

    def states(self) -> Mapping[Prefix, Sequence[MemberState]]:
        """Return what the live machines tell of each prefix, this one among them as etcd has it: always what is known then."""
        return self._known.members.states

    async def changed(self, within: float) -> None:
        """Wait until any of it changes, or for some seconds."""
        await self._known.bell.rings(within)

    # --- what is asked -----------------------------------------------------------------------

    async def record(
        self, intents: Mapping[Prefix, Intent], extent: Extent, *, own: bool = False
    ) -> Mapping[Prefix, Intent]:
        """Record an operator's order durably, and have it obeyed here and handed on. Return what it replaced here.

        Args:
            intents: what is asked of each prefix.
            extent: for whom.
            own: whether it overrules only what was asked so for the same reason: see `policy.site_intent`.

        Raises:
            StoreError: it could not be recorded; nothing was changed.
        """
        store = self._reconciler.durable.store

        def write(up: Collection[Prefix]) -> Mapping[Prefix, Intent]:
            return store.ask_site(intents, extent, self.here, up=up, own=own)

        replaced = await self._reconciler.operator.record_by(intents, write)
        if extent.covers(
            self.here
        ):  # before etcd has it: nobody may take this machine for one that obeys it already
            self._obeying.pend(intents)
        if extent != self.here:
            self._handing_on.add({(extent, prefix) for prefix in intents})
        return replaced

    async def outcome(
        self, prefixes: Collection[Prefix], extent: Extent, within: float
    ) -> SiteOutcome:
        """Return what came of an order that was recorded: once each live machine obeys, or after some seconds."""
        return await self._orders.outcome(prefixes, extent, within)

    async def order(
        self, intents: Mapping[Prefix, Intent], extent: Extent, within: float
    ) -> SiteOutcome:
        """Do both: see `record` and `outcome`. etcd that is away is no error."""
        await self.record(intents, extent)
        return await self.outcome(intents, extent, within)

    # --- what runs ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Know, obey and tell, until cancelled."""
        forget = self._reconciler.durable.listeners.add(self._obeying.happened)
        try:
            await together(
                {
                    "site: link": self._link.run,
                    "site: obeying": self._obeying.obey,
                    "site: looking": self._obeying.look,
                    "site: settling": self._settle,
                    "site: leave": self.leave.run,
                    "site: remembering": self._remembering.run,
                }
            )
        finally:
            forget()

    async def depart(self, within: float) -> None:
        """Have etcd forget this machine: it is called otherwise from now on. Where that can't be done, its lease ends by itself."""
        if self.lease:
            with suppress(EtcdError):
                await self.etcd.revoke(self.lease, within=within)

    async def _take(
        self, rows: Mapping[tuple[Extent, Prefix], Collection[SiteIntent]], *, whole: bool
    ) -> Collection[Prefix]:
        reconciler = self._reconciler
        store, now = reconciler.durable.store, reconciler.clock.wall()
        changed = await reconciler.durable.intents.record_by(
            lambda: store.take_site(rows, self.here, now, whole=whole)
        )
        if whole:
            reconciler.wake()  # what waited for that waits no more
        return changed

    async def _settle(self) -> None:
        """Have obeyed what holds once another has ended, for ever."""
        reconciler = self._reconciler
        store = reconciler.durable.store
        while True:
            now, wait = reconciler.clock.wall(), SETTLE
            try:
                following = await reconciler.durable.intents.record_by(
                    lambda: store.settle_site(self.here, now)  # noqa: B023 - it is called at once
                )
            except StoreError as error:
                self._link.note("settling", f"what follows an order that ended: {error}")
                wait = UNRECORDED
            else:
                self._link.note("settling", "")
                reconciler.wake()
                if following is not None:
                    wait = min(max(following - now, 0.0), SETTLE)
            await asyncio.sleep(wait)

    def _tell(self) -> None:
        self._presence.bell.ring()
        self._presence.states_bell.ring()

    def _told(self) -> Mapping[SiteKey, bytes]:
        key = SiteKey(KeyKind.MACHINE, self.here)
        stored = self._known.own.get(key)
        return {key: self._machine.told(None if stored is None else stored.text)}

    def _obeyed(self) -> Mapping[SiteKey, bytes] | None:
        obeys = self._obeying.obeys() if self.connected else None
        return None if obeys is None else {SiteKey(KeyKind.OBEYS, self.here): obeys.text()}
