"""The cycle - observe, decide, plan, apply, read back, record - and what wakes it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.assess import Assessment, Memory, assess, duties
from policy.decide import Cause, Decision, decide
from policy.health import Health, Observation
from policy.plan import Announce, plan
from speaker import report
from speaker.backends.base import BackendError
from speaker.errors import SpeakerError
from speaker.ledger import Ledger
from speaker.trouble import Troubles
from speaker.view import View

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from policy.assess import Duty
    from policy.intent import Intent
    from policy.plan import Change
    from policy.route import Prefix
    from speaker.backends.base import Backend
    from speaker.clock import Clock
    from speaker.health.base import HealthSource
    from speaker.settings import Config
    from speaker.store import Store

log = logging.getLogger(__name__)

# When the daemon is read back, in seconds: this long after a change, so that one reading serves
# many, and longer after many changes, which it is still sending then; and after a reading that
# failed.
QUIET = 0.5
QUIET_EACH = 0.0005
READ_AGAIN = 1.0


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that an assessment depends on but time. Where none has changed, neither has the result."""

    observation: Observation
    intents: Mapping[Prefix, Intent]
    announced: Collection[Prefix]
    was_announced: Collection[Prefix]


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
    ) -> None:
        """Take over the configuration and what the store remembers.

        Args:
            config: the configuration.
            backend: the daemon.
            source: looks at the VIPs' health.
            store: what outlives this process.
            clock: the time.
            only: the prefixes to care for; None for all of the configuration.

        Raises:
            StoreError: intents can't be read: nothing may be announced without them.
        """
        self.backend = backend
        self.clock = clock
        self._only = only
        self.view = View()
        self.assessment: Assessment | None = None
        self._lock = asyncio.Lock()
        self._awake = asyncio.Event()
        self._observation = Observation({}, "not observed yet")
        self._inputs: Inputs | None = None
        self.ledger = Ledger(store, clock)
        self._memory = Memory(health=self.ledger.health)
        self._done: tuple[Assessment | None, int] = (None, 0)
        self._read_due = float("-inf")
        self._was_read = self._unconfirmed = False
        self._unreadable: BackendError | None = None
        self.troubles = Troubles()
        self._take(config, source)

    async def configure(self, config: Config, source: HealthSource) -> None:
        """Take a new configuration. What left it is withdrawn in the next cycle.

        Raises:
            StoreError: it can't be recorded as ours, so it is not taken.
        """
        async with self._lock:
            old = self.source
            self._take(config, source)
        await old.close()
        self.wake_and_read()

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
        self._observation = Observation({}, "not observed yet")
        self._inputs = None

    # --- what wakes it ---------------------------------------------------------------------

    def wake(self) -> None:
        """Look now."""
        self._awake.set()

    def wake_and_read(self) -> None:
        """Look now, and at the daemon too."""
        self._read_due = float("-inf")
        self.wake()

    async def run(self) -> None:
        """Run cycles for ever. No fault of one stops the next."""
        while True:
            self._awake.clear()
            started = self.clock.steady()
            try:
                await self.cycle()
                self.troubles.note("state", "")
            except SpeakerError as error:
                self.troubles.note("state", str(error))
            except Exception:
                # Whatever it is: the process must not die, because ExaBGP would die with it.
                log.exception("cycle failed; the next one tries again")
                await asyncio.sleep(self.config.settings.interval)
            try:
                async with asyncio.timeout(self._rest(started)):
                    await self._awake.wait()
            except TimeoutError:
                continue

    def _rest(self, started: float) -> float:
        """Return how long nothing needs to be looked at, in seconds."""
        now = self.clock.steady()
        until = min(started + self.config.settings.interval, self._read_due)
        if self._observation.unsettled:
            return 0.01
        if self.assessment is not None and self.assessment.look_again is not None:
            until = min(until, self.assessment.look_again)
        if (retry := self.view.next_retry()) is not None:
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
            self._observation = observation
            await self._act()

    async def look(self) -> None:
        """Observe, read and decide, but change nothing.

        Raises:
            BackendError: the daemon can't be read. It is decided without.
        """
        self._observation = await self.source.observe()
        async with self._lock:
            await self._read()
            self.assessment = self._assess()
        if self._unreadable is not None:
            raise self._unreadable

    async def act(self) -> None:
        """Act on what was looked at."""
        async with self._lock:
            await self._act()

    @property
    def held_until(self) -> float | None:
        """When the guard lets something go that it holds now (steady clock)."""
        if self.assessment is None:
            return None
        held = any(d.cause is Cause.GUARD for d in self.assessment.decisions.values())
        return self.assessment.look_again if held else None

    async def ask(self, intents: Mapping[Prefix, Intent]) -> None:
        """Take an operator's wishes: record them durably, act at once, and read back.

        Raises:
            StoreError: they could not be recorded; nothing was changed.
        """
        async with self._lock:
            unknown = [
                p for p, intent in intents.items() if intent.restores and self._is_unknown(p)
            ]
            await self.ledger.wish(intents, unknown)
            await self._act(at_once=intents)

    async def settle(self) -> None:
        """Read the daemon back if it was changed since, so that what is shown is so."""
        async with self._lock:
            if self.view.unread:
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
        health = self.assessment.health if self.assessment else {}
        return {
            prefix: decide(
                self.duties[prefix].route,
                intent,
                health.get(prefix),
                was_announced=intent.restores or prefix in self.ledger.were_up,
            )
            for prefix, intent in intents.items()
        }

    def _is_unknown(self, prefix: Prefix) -> bool:
        if prefix in self.unchecked:
            return False
        verdict = self.assessment.health.get(prefix) if self.assessment else None
        known = prefix in self._observation.live
        return not known or (verdict is not None and verdict.health is Health.UNKNOWN)

    async def _act(self, *, at_once: Collection[Prefix] = ()) -> None:
        if self._read_is_due:
            await self._read()
        # Before the daemon was read for the first time, nothing is done on a guess, but for what
        # an operator asks: a drain must not wait.
        blind = bool(self.ledger.owned) and not self._was_read
        if blind and not at_once:
            return
        self.assessment = self._assess()
        done, version = self._done
        settled = self.assessment is done and self.view.version == version
        if not settled or self.view.failures or at_once:
            await self._make_it_so(self.assessment, at_once, only=at_once if blind else None)
        if at_once:
            await self._read()
        if self._unconfirmed:
            await self.ledger.confirm(self.assessment, self.view)
            self._unconfirmed = False

    async def _make_it_so(
        self,
        assessment: Assessment,
        at_once: Collection[Prefix],
        *,
        only: Collection[Prefix] | None,
    ) -> None:
        """Ask the daemon for what is not yet as decided."""
        self._report_trouble(assessment)
        changes = plan(assessment.desired, self.view.believed, self.ledger.owned)
        ready = self.view.ready(changes, self.clock.steady(), at_once=at_once)
        if only is not None:
            ready = [change for change in ready if change.prefix in only]
        if ready:
            await self._apply(ready)
        self.ledger.remember(assessment.memory)
        self._done = (assessment, self.view.version)

    @property
    def _read_is_due(self) -> bool:
        return self.clock.steady() >= self._read_due

    def _assess(self) -> Assessment:
        now = self.clock.steady()
        inputs = Inputs(
            self._observation, self.ledger.intents(), self.view.announced, self.ledger.were_up
        )
        last = self.assessment
        if last is not None and inputs == self._inputs:
            due = last.look_again
            if due is None or now < due:
                return last
        self._inputs = inputs
        assessment = assess(
            self.duties,
            inputs.observation,
            self.unchecked,
            inputs.intents,
            inputs.announced,
            inputs.was_announced,
            self.config.settings.guard,
            self._memory,
            now,
        )
        self._memory = assessment.memory
        self.ledger.judged(assessment.decisions)
        return assessment

    async def _apply(self, changes: list[Change]) -> None:
        before = self.view.announced
        failures = await self.backend.apply(changes)
        now = self.clock.steady()
        self._read_due = now + QUIET + QUIET_EACH * len(changes)
        known = {prefix: failure.reason for prefix, failure in self.view.failures.items()}
        self.view.accepted(changes, failures, now)
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

    async def _read(self) -> None:
        try:
            reading = await self.backend.read(self.ledger.owned)
        except BackendError as error:
            self.view.unreadable()
            self._read_due = self.clock.steady() + READ_AGAIN
            self.troubles.note("backend", str(error))
            self._unreadable = error
            return
        self._unreadable = None
        self.troubles.note("backend", reading.trouble)
        now = self.clock.steady()
        self._read_due = now + self.backend.heal
        self.view.read(reading, now)
        self._was_read = self._unconfirmed = True
        self.wake()

    # --- trouble ---------------------------------------------------------------------------

    def _report_trouble(self, assessment: Assessment) -> None:
        checker = self._observation.checker
        dead = checker is not None and not checker.running
        self.troubles.note(
            "keepalived",
            "keepalived not running; start it, or set require_keepalived = false" if dead else "",
        )
        unknown = [p for p, v in assessment.health.items() if v.health is Health.UNKNOWN]
        held = [p for p, d in assessment.decisions.items() if d.cause is Cause.GUARD]
        why = assessment.health[unknown[0]].reason if unknown else ""
        self.troubles.note(
            "health", f"{len(unknown)} prefixes unknown, held as they are: {why}" if unknown else ""
        )
        why = assessment.decisions[held[0]].reason if held else ""
        self.troubles.note(
            "guard", f"{len(held)} prefixes {why}" if held else "", wording_moves=True
        )
