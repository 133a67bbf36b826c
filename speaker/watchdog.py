"""The cycle - observe, decide, plan, apply, read back, record - and what wakes it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from policy.assess import duties
from policy.plan import Announce, plan
from speaker import report
from speaker.backends.base import BackendError
from speaker.decider import Decider
from speaker.errors import SpeakerError
from speaker.ledger import Ledger
from speaker.pulse import Pulse
from speaker.readings import Readings
from speaker.supervisor import heed_cancellation
from speaker.trouble import Troubles
from speaker.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from policy.assess import Assessment, Duty
    from policy.decide import Decision
    from policy.intent import Intent
    from policy.plan import Change
    from policy.route import Prefix
    from speaker.backends.base import Backend
    from speaker.clock import Clock
    from speaker.health.base import HealthSource
    from speaker.settings import Config
    from speaker.store import Store

log = logging.getLogger(__name__)


class Watchdog:
    """Keeps the daemon's announcements equal to what is decided. Owns all state of that."""

    def __init__(
        self,
        config: Config,
        backend: Backend,
        source: HealthSource,
        store: Store,
        clock: Clock,
        *,
        only: Collection[Prefix] | None = None,
        troubles: Troubles | None = None,
    ) -> None:
        """Take over the configuration and what the store remembers.

        Args:
            config: the configuration.
            backend: the daemon.
            source: looks at the VIPs' health.
            store: what outlives this process.
            clock: the time.
            only: the prefixes to care for; None for all of the configuration.
            troubles: where to note what is wrong; None for its own.

        Raises:
            StoreError: intents can't be read: nothing may be announced without them.
        """
        self.backend = backend
        self.clock = clock
        self._only = only
        self.view = View()
        self._lock = asyncio.Lock()
        self._awake = asyncio.Event()
        self.ledger = Ledger(store, clock)
        self._decider = Decider(self.ledger, clock)
        self._done: tuple[Assessment | None, int] = (None, 0)
        self._readings = Readings(clock)
        self._was_read = self._unconfirmed = False
        self._unreadable: BackendError | None = None
        self.troubles = Troubles() if troubles is None else troubles
        self.pulse = Pulse(clock)
        self._take(config, source)

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
        async with self._lock:
            before, old = self.config, self.source
            try:
                driver(config)
                self._take(config, source)
            except BaseException:
                driver(before)
                raise
            self.wake_and_read()
        await old.close()

    def _take(self, config: Config, source: HealthSource) -> None:
        duties_ = {
            prefix: duty
            for prefix, duty in duties(config.topology, config.settings.dc).items()
            if self._only is None or prefix in self._only
        }
        self.ledger.take(duties_, self._only)
        self.config = config
        self.source = source
        self.duties: Mapping[Prefix, Duty] = duties_
        self.unchecked = frozenset(
            prefix
            for prefix, duty in duties_.items()
            if config.settings.health[duty.vip.name].source == "none"
        )
        self._decider.take(duties_, self.unchecked, config.settings.guard)

    # --- what wakes it ---------------------------------------------------------------------

    def wake(self) -> None:
        """Look now."""
        self._awake.set()

    def wake_and_read(self) -> None:
        """Look now, and at the daemon too."""
        self._readings.ask()
        self.wake()

    async def run(self) -> None:
        """Run cycles for ever. No fault of one stops the next."""
        self.pulse.start()
        while True:
            self._awake.clear()
            started = self.clock.steady()
            try:
                await self.cycle()
                self.pulse.completed()
                self.troubles.note("state", "")
                self.troubles.note("cycle", "")
            except SpeakerError as error:
                heed_cancellation()
                self.troubles.note("state", str(error))
            except Exception as error:
                heed_cancellation()
                # Whatever it is: the process must not die, because ExaBGP would die with it.
                text = f"{type(error).__name__}: {error}; the next one tries again"
                if self.troubles.note("cycle", text):
                    log.exception("cycle: not foreseen")
                await asyncio.sleep(self.config.settings.interval)
            self.pulse.moved()
            try:
                async with asyncio.timeout(self._rest(started)):
                    await self._awake.wait()
            except TimeoutError:
                continue

    def _rest(self, started: float) -> float:
        """Return how long nothing needs to be looked at, in seconds."""
        now = self.clock.steady()
        until = min(started + self.config.settings.interval, self._readings.at)
        if self._decider.observation.unsettled:
            return 0.01
        if self.assessment is not None and self.assessment.look_again is not None:
            until = min(until, self.assessment.look_again)
        if not self._blind and (retry := self.view.next_retry()) is not None:
            until = min(until, retry)
        return max(until - now, 0.01)

    # --- the cycle -------------------------------------------------------------------------

    async def cycle(self) -> None:
        """Observe, then act."""
        source = self.source
        observation = await source.observe()
        async with self._lock:
            if source is not self.source:
                return  # the configuration changed meanwhile, and a new cycle is due
            self._decider.observation = observation
            await self._act()

    async def look(self) -> None:
        """Observe, read and decide, but change nothing.

        Raises:
            BackendError: the daemon can't be read, which is left to the caller to say. It is
                decided without.
        """
        self._decider.observation = await self.source.observe()
        async with self._lock:
            await self._read(say=False)
            self._decider.decide(self.view.announced)
        if self._unreadable is not None:
            raise self._unreadable

    async def act(self) -> None:
        """Act on what was looked at."""
        async with self._lock:
            await self._act()

    @property
    def held_until(self) -> float | None:
        """When the guard lets something go that it holds now (steady clock)."""
        return self._decider.held_until

    @property
    def old(self) -> str:
        """Say that what is known of health is old; nothing where it is not."""
        text = self.pulse.old(self.config.settings.interval)
        return f"cycle: {text}" if text else ""

    @property
    def assessment(self) -> Assessment | None:
        """What was decided last."""
        return self._decider.assessment

    async def ask(self, intents: Mapping[Prefix, Intent]) -> None:
        """Take an operator's wishes: record them durably, act at once, and read back.

        Raises:
            StoreError: they could not be recorded; nothing was changed.
        """
        async with self._lock:
            unknown = [
                p
                for p, intent in intents.items()
                if intent.restores and self._decider.is_unknown(p)
            ]
            await self.ledger.wish(intents, unknown)
            self._decider.forgive([prefix for prefix, intent in intents.items() if intent.restores])
            await self._act(at_once=intents)
        await self.backend.until_sent(intents)
        async with self._lock:
            await self._read_back()

    async def settle(self) -> None:
        """Read the daemon back if it or a session changed since, so that what is shown is so."""
        async with self._lock:
            if self.view.unread or self._readings.asked:
                await self._read_back()

    async def _read_back(self) -> None:
        await self._read()
        if self.assessment is not None:
            await self._show_all_the_same(self.assessment)

    async def _show_all_the_same(self, assessment: Assessment) -> None:
        """Record what was read back. Where that fails it can be shown, and each cycle tries again."""
        try:
            await self.ledger.confirm(assessment, self.view)
        except SpeakerError as error:
            self.troubles.note("state", str(error))
        else:
            self._unconfirmed = False

    async def withdraw_all(self) -> None:
        """Withdraw everything of ours, without recording it: the next start decides anew."""
        async with self._lock:
            changes = plan({}, self.view.believed, self.ledger.owned)
            await self.backend.apply(changes)

    def foresee(self, intents: Mapping[Prefix, Intent]) -> dict[Prefix, Decision]:
        """Return what would be decided for some prefixes if an operator wished so. Changes nothing."""
        return self._decider.foresee(intents)

    @property
    def _blind(self) -> bool:
        """Whether the daemon was never read: nothing is done on a guess then.

        But for what an operator asks: a drain must not wait.
        """
        return bool(self.ledger.owned) and not self._was_read

    async def _act(self, *, at_once: Collection[Prefix] = ()) -> None:
        if self._readings.due:
            await self._read()
        blind = self._blind
        if blind and not at_once:
            return
        assessment = self._decider.decide(self.view.announced)
        done, version = self._done
        settled = assessment is done and self.view.version == version
        if not settled or self.view.failures or at_once:
            await self._make_it_so(assessment, at_once, only=at_once if blind else None)
        if self._unconfirmed:
            await self.ledger.confirm(assessment, self.view)
            self._unconfirmed = False

    async def _make_it_so(
        self,
        assessment: Assessment,
        at_once: Collection[Prefix],
        *,
        only: Collection[Prefix] | None,
    ) -> None:
        """Ask the daemon for what is not yet as decided."""
        self.troubles.assessed(assessment, self._decider.observation)
        changes = plan(assessment.desired, self.view.believed, self.ledger.owned)
        ready = self.view.ready(changes, self.clock.steady(), at_once=at_once)
        if only is not None:
            ready = [change for change in ready if change.prefix in only]
        if ready:
            await self._apply(ready)
        await self.ledger.remember(assessment.memory)
        self._done = (assessment, self.view.version)

    async def _apply(self, changes: list[Change]) -> None:
        before = self.view.announced
        failures = await self.backend.apply(changes)
        self.pulse.moved()
        self._readings.changed(len(changes))
        known = {prefix: failure.reason for prefix, failure in self.view.failures.items()}
        self.view.accepted(changes, failures, self.clock.steady())
        for change in changes:
            if change.prefix in failures:
                if known.get(change.prefix) != failures[change.prefix]:
                    log.error("%s: %s", change.prefix, failures[change.prefix])
            elif isinstance(change, Announce) != (change.prefix in before):
                log.warning("%s", self._line(change))

    def _line(self, change: Change) -> str:
        if change.prefix not in self.duties or self.assessment is None:
            return report.left(change.prefix)
        return report.change(
            change,
            self.assessment.decisions[change.prefix],
            self.assessment.health.get(change.prefix),
            self.duties[change.prefix].vip.health.thresholds,
        )

    # --- reading back ----------------------------------------------------------------------

    async def _read(self, *, say: bool = True) -> None:
        self._readings.begin()
        try:
            reading = await self.backend.read(self.ledger.owned)
            self.pulse.moved()
        except BackendError as error:
            self.view.unreadable()
            self._readings.failed()
            self.troubles.note("backend", str(error), say=say)
            self._unreadable = error
            return
        self._unreadable = None
        self.troubles.note("backend", reading.trouble)
        self._readings.done(self.backend.heal)
        self.view.read(reading, self.clock.steady())
        self._was_read = self._unconfirmed = True
        self.wake()
