"""The cycle: observe, decide, plan, apply, read back, record. `loop` runs it for ever."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from policy.plan import plan
from speaker.reconcile.alarms import Alarms
from speaker.reconcile.apply import Applier
from speaker.reconcile.decider import Decider
from speaker.reconcile.drains import SoftDrains
from speaker.reconcile.durable_state import DurableState
from speaker.reconcile.loaded_file import VIP_TOML, LoadedFile
from speaker.reconcile.lock import NoLock
from speaker.reconcile.operator import Operator
from speaker.reconcile.recording import Recorder
from speaker.reconcile.restoring import Restoring
from speaker.reconcile.scope import scope
from speaker.reconcile.taking_over import WatchedTakeovers
from speaker.reconcile.turn import Exclusive
from speaker.reconcile.turns import Turns
from speaker.reconcile.witnesses import Witnesses
from speaker.state.waits import BUSY
from speaker.supervision.cancellation import heed_cancellation
from speaker.supervision.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from policy.assess import Assessment
    from policy.decide import Decision
    from policy.health import Observation
    from policy.intent import Intent
    from policy.route import Prefix
    from speaker.backends.base import Backend, Informed
    from speaker.clock import Clock
    from speaker.config.settings import Config
    from speaker.health.base import HealthSource
    from speaker.reconcile.counting import Counter
    from speaker.reconcile.known_site import KnownSite
    from speaker.reconcile.leave import Leave
    from speaker.reconcile.lock import Lock
    from speaker.reconcile.reports import ReportsSeen
    from speaker.reconcile.scope import Scope
    from speaker.reconcile.turn import Turn
    from speaker.state.store import Store

log = logging.getLogger(__name__)


class Reconciler:
    """Keeps the daemon's announcements equal to what is decided. Owns all state of that.

    Whatever decides or writes needs a `Turn`, which only the lock gives: see `speaker.reconcile.lock`.
    """

    def __init__(
        self,
        config: Config,
        backend: Backend,
        source: HealthSource,
        store: Store,
        clock: Clock,
        *,
        only: Collection[Prefix] | None = None,
        alarms: Alarms | None = None,
        lock: Lock | None = None,
        counter: Callable[[Config], Counter] | None = None,
    ) -> None:
        """Take over the configuration and what the store remembers. It waits: not for the event loop.

        Args:
            config: the configuration.
            backend: the daemon.
            source: looks at the VIPs' health.
            store: what outlives this process.
            clock: the time.
            only: the prefixes to care for; None for all of the configuration.
            alarms: where to note what is wrong; None for its own.
            lock: keeps other runs from the daemon; None where there are none, or it is held already.
            counter: makes what counts the connections of VIPs; None where nothing does.
        """
        self.backend: Informed = backend
        self.clock = clock
        self._only = only
        self.awake = asyncio.Event()
        """Set while a cycle is due at once."""
        self.durable = DurableState(store, clock)
        exclusive = Exclusive(backend, lock or NoLock(), self.durable)
        self.alarms = Alarms() if alarms is None else alarms
        self.witnesses = Witnesses(backend, self.alarms, clock)
        self._decider = Decider(self.durable, clock, self.witnesses.heard)
        self.recorder = Recorder(self.durable, self.alarms, clock, self.wake)
        takeovers = WatchedTakeovers(self.witnesses.heard, lambda: self.site)
        self.drains = SoftDrains(self.durable, self.alarms, clock, counter, takeovers)
        self.pulse = Pulse(clock)
        self._applier = Applier(backend, self.durable, self.alarms, self.pulse, clock)
        self.view, self.meter = self._applier.view, self._applier.meter
        self.first_reading = self._decider.first_reading
        told = self.durable, self.alarms, self.recorder, self._applier, self.first_reading
        self._turns = Turns(exclusive, *told)
        self._restoring = Restoring(self._decider, self.durable, self.wake)
        self.operator = Operator(
            self.durable.intents,
            self._restoring,
            lambda at_once: self._turns.act(partial(self._act, at_once=at_once)),
            lambda: self._turns.act(self._read_back),
            backend.until_sent,
        )
        self.site: KnownSite | None = None
        """The other machines, where `[site]` has them know of one another. It is set by who makes it."""
        self.file, first = LoadedFile(None, clock), scope(config, only)
        self.durable.own_at_once(first.assignments, None if only is None else first.assignments)
        self._take(first, source)

    async def configure(
        self, config: Config, source: HealthSource, driver: Callable[[Config], None]
    ) -> None:
        """Take a new configuration, wholly or not at all. What left it is withdrawn in the next cycle.

        Args:
            config: the configuration.
            source: looks at its VIPs' health.
            driver: gives the backend its part of a configuration: between two of its calls, so
                that no route of one goes out with the next hop or the AS of the other.

        Raises:
            StoreError: it can't be recorded as ours, so it is not taken.
        """
        new = await asyncio.to_thread(scope, config, self._only, self._scope)
        strange = [prefix for prefix in new.assignments if prefix not in self.durable.owned]
        await self.durable.own(new.assignments)
        async with self._turns.pause():
            before, old = self.config, self.source
            try:
                driver(config)
            except BaseException:
                driver(before)
                self.durable.disown(strange)
                raise
            self._take(new, source)
            # where it is driven alike, a withdrawal would have to wait for the reading
            (self.wake if new.driven_alike else self.wake_and_read)()
        try:
            await old.close()
        except Exception:  # the new configuration is applied all the same
            heed_cancellation()
            log.exception("health: the sources before could not be closed")

    def _take(self, new: Scope, source: HealthSource) -> None:
        self._applier.take(new.assignments, new.aggregates)
        self.durable.take(new.assignments)
        self.drains.take(new)
        self.witnesses.take(new)
        self._scope, self.config, self.source = new, new.config, source
        self.file.loaded(new.config.file)
        self.alarms.note(VIP_TOML, "")
        self.durable.store.keep = new.config.settings.history
        self.assignments, self.aggregates = new.assignments, new.aggregates
        self.unchecked = new.unchecked
        self._decider.take(new, self.view.announced)

    def take_died(self) -> frozenset[Prefix]:
        """Return what was withdrawn because of its health since this was asked last."""
        died = frozenset(self._applier.died)
        self._applier.died.clear()
        return died

    # --- what wakes it ---------------------------------------------------------------------

    def wake(self) -> None:
        """Look now."""
        self.meter.woken()
        self.awake.set()

    def wake_and_read(self) -> None:
        """Look now, and at the daemon too."""
        self._applier.readings.ask()
        self.wake()

    def rest(self, started: float) -> float:
        """Return how long nothing needs to be looked at, in seconds."""
        if self._decider.observation.unsettled:
            return 0.01
        dues = (self._applier.due, self._decider.due, self.drains.due)
        next_cycle = started + self.config.settings.interval
        return max(min(next_cycle, *dues) - self.clock.steady(), 0.01)

    async def record(self, wait: float = BUSY) -> bool:
        """Record what is to be remembered. Return whether that could be done; else it is kept.

        Args:
            wait: how long another program may hold the state file, in seconds.
        """
        return await self.recorder.record(wait)

    # --- the cycle -------------------------------------------------------------------------

    async def cycle(self) -> bool:
        """Observe, then act. Return whether it was our turn."""
        source = self.source
        observation = await source.observe()
        await self.drains.look(self.assessment, self.view)
        return await self._turns.act(partial(self._cycle, source, observation))

    async def _cycle(self, source: HealthSource, observation: Observation, turn: Turn) -> None:
        if source is not self.source:
            return  # the configuration changed meanwhile, and a new cycle is due
        if not turn.alone:  # the process that had the lock may have acted on a later look
            observation = await source.observe()
        self._observed(observation)
        await self._act(turn)

    def _observed(self, observation: Observation) -> None:
        self._decider.observed(observation)

    async def observe_and_read(self) -> None:
        """Observe, read and decide, but change nothing.

        Raises:
            BackendError: the daemon can't be read, which is left to the caller to say. It is
                decided without.
        """
        self._observed(await self.source.observe())
        async with self._turns.begun() as turn:
            await self._read(turn, say=False)
            self._decider.decide(turn, self.view.announced)
        if self._applier.unreadable is not None:
            raise self._applier.unreadable

    async def act(self) -> None:
        """Act on what was looked at."""
        await self._turns.act(self._act)

    @property
    def held_until(self) -> float | None:
        """When the guard lets something go that it holds now (steady clock)."""
        return self._decider.held_until

    @property
    def reports(self) -> ReportsSeen:
        """What applications reported, as it is decided by."""
        return self._decider.reports

    @property
    def assessment(self) -> Assessment | None:
        """What was decided last."""
        return self._decider.assessment

    async def read_back_if_changed(self) -> None:
        """Read the daemon back if it or a session changed since, so that what is shown is so."""
        if self._applier.is_unread:
            await self._turns.act(self._settle)

    async def _settle(self, turn: Turn) -> None:
        if self._applier.is_unread:  # another one may have read it meanwhile
            await self._read_back(turn)

    async def _read_back(self, turn: Turn) -> None:
        await self._read(turn)
        if self.assessment is not None:
            await self._applier.confirm(self.assessment)

    async def _read(self, turn: Turn, *, say: bool = True) -> None:
        await self._applier.read(turn, say=say)
        if self._applier.unreadable is None:
            self.wake()

    async def withdraw_all(self) -> None:
        """Withdraw all our prefixes, without recording it: the next start decides by itself."""
        async with self._turns.begun() as turn:
            await turn.apply(plan({}, self.view.believed, self.durable.owned))

    def ask_leave(self, leave: Leave | None) -> None:
        """From now on ask for leave to withdraw for bad health, or do not."""
        self._decider.leave = leave
        self.wake()

    async def preview(self, intents: Mapping[Prefix, Intent]) -> dict[Prefix, Decision]:
        """Return what would be decided for some prefixes with another intent. Changes nothing."""
        return await self._decider.preview(intents)

    async def _act(self, turn: Turn, *, at_once: Collection[Prefix] = ()) -> None:
        self._restoring.heed()
        if self._applier.readings.due:
            await self._read(turn)
        if self._applier.is_blind and not at_once:
            return
        assessment = self._decider.decide(turn, self.view.announced)
        self._restoring.judged.ring()
        await self._applier.apply(turn, assessment, self._decider.observation, at_once)
