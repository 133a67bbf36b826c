"""Soft drains that are under way: their connections are counted, their stages looked at, and what follows is recorded.

The end of a stage is recorded before anything is done about it, as an operator's word is. Where that can't be done
the stage goes on, which cuts nothing. Beside the cycles nothing is looked at: where no drain is under way, none of
this costs anything. A state file that does not answer holds no cycle up: what is dead is withdrawn meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from policy.connections import Counted
from policy.decide import Cause
from policy.drain import USUAL_RULE, StageStep, at_time, next_intent, step
from policy.intent import Mode
from policy.witness import NOTHING_HEARD
from policy.wording import named
from speaker.errors import SpeakerError
from speaker.reconcile.counting import EVERY, BackgroundCount
from speaker.reconcile.known_intents import PATIENCE
from speaker.reconcile.reach import may_be_sent
from speaker.reconcile.taking_over import WatchedTakeovers
from speaker.state.stages import StageEnd
from speaker.supervision.steps import paced

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from policy.assess import Assessment
    from policy.assignment import Assignment
    from policy.connections import ConnectionCount
    from policy.drain import DrainRule, Progress
    from policy.intent import Intent
    from policy.route import Prefix
    from speaker.clock import Clock
    from speaker.config.settings import Config
    from speaker.reconcile.alarms import Alarms
    from speaker.reconcile.counting import Counter
    from speaker.reconcile.daemon_state import DaemonState
    from speaker.reconcile.durable_state import DurableState
    from speaker.reconcile.scope import Scope

log = logging.getLogger(__name__)

ALARM = "drains"


class _Recording(NamedTuple):
    """Stages whose ends are being recorded, and what does it."""

    ended: Mapping[Prefix, StageEnd]
    task: asyncio.Task[Collection[Prefix]]


class StagesNow(NamedTuple):
    """The stages of all prefixes at one moment: nothing of it changes later."""

    assignments: Mapping[Prefix, Assignment]
    progress: Mapping[Prefix, Progress]
    counted: Counted

    def rule(self, prefix: Prefix) -> DrainRule | None:
        """Return how a prefix drains, None where it is not in the configuration."""
        duty = self.assignments.get(prefix)
        return None if duty is None else duty.vip.drain

    def of(self, prefix: Prefix, intent: Intent) -> Progress | None:
        """Return what is remembered of an intent's stage."""
        found = self.progress.get(prefix)
        return found if found is not None and found.is_of(intent) else None

    def connections(self, prefix: Prefix) -> ConnectionCount | None:
        """Return a prefix's connections as counted last, None where they are not known."""
        return self.counted.of.get(prefix)


class SoftDrains:
    """The stages of all prefixes.

    Args:
        durable: what outlives the process.
        alarms: where to note what can't be recorded.
        clock: the time.
        counter: makes what counts the VIPs of a configuration, when something drains; None where nothing can.
        takeovers: tells of who takes over; None where nobody does.
    """

    def __init__(
        self,
        durable: DurableState,
        alarms: Alarms,
        clock: Clock,
        counter: Callable[[Config], Counter] | None = None,
        takeovers: WatchedTakeovers | None = None,
    ) -> None:
        self._durable, self._alarms, self._clock = durable, alarms, clock
        self._assignments: Mapping[Prefix, Assignment] = {}
        self._make = counter
        self._takeovers = takeovers or WatchedTakeovers(lambda: NOTHING_HEARD)
        self._counting = BackgroundCount(None)
        self._steps: dict[Prefix, StageStep] = {}
        self._recording: _Recording | None = None
        self.counted = Counted(0.0)
        """What was counted last: nothing, while nothing drains."""
        self.looked_at: float | None = None
        self._last: Mapping[Prefix, Intent] | None = None
        durable.intents.heed(self._at)

    def take(self, scope: Scope) -> None:
        """Take the duties of another configuration."""
        self._assignments = scope.assignments
        self._counting = BackgroundCount(
            None if self._make is None else partial(self._make, scope.config)
        )

    @property
    def due(self) -> float:
        """When to look again (steady clock): never, while nothing drains."""
        if not self._steps or self.looked_at is None:
            return inf
        dues = [each.due for each in self._steps.values() if each.due is not None]
        return min([self.looked_at + EVERY, *dues])

    @property
    def now(self) -> StagesNow:
        """The stages as they are now."""
        return StagesNow(self._assignments, self._durable.stages.of, self.counted)

    def _at(self, prefix: Prefix, intent: Intent, now: float) -> Intent | None:
        """Return what is in force of an intent at a time (seconds since the epoch)."""
        duty = self._assignments.get(prefix)
        rule = USUAL_RULE if duty is None else duty.vip.drain
        return at_time(intent, self._durable.stages.of.get(prefix), rule, now)

    async def look(
        self, assessment: Assessment | None, view: DaemonState, *, wait: bool = False
    ) -> None:
        """Look at each stage, and record what follows.

        Args:
            assessment: what was decided last.
            view: what the daemon was read to have.
            wait: whether to wait for a count, and for what is recorded, as who looks but once must; else it is
                for the next look.
        """
        intents = self._soft()
        self._forget()
        if not intents:
            self._steps, self.counted = {}, Counted(0.0)
            await self._record(intents, wait=wait)
            return
        now = self.looked_at = self._clock.steady()
        if any(intent.mode is Mode.DRAINING for intent in intents.values()):
            self._counting.begin(now)
            if wait:
                await self._counting.ended()
        self.counted = self._counting.last(now)
        steps: dict[Prefix, StageStep] = {}
        assignments, taken_over = self._assignments, await self._takeovers.look(intents, now)
        async for prefix, intent in paced(intents.items()):
            steps[prefix] = step(
                assignments[prefix].vip.drain,
                intent,
                self._durable.stages.of.get(prefix),
                self.counted.of.get(prefix),
                now,
                in_effect=_in_effect(prefix, intent, assessment, view),
                takeover=taken_over[prefix],
            )
        self._steps = steps
        self._durable.stages.note(
            {
                p: found.progress
                for p, found in self._steps.items()
                if found.follows is None and found.progress is not None
            }
        )
        await self._record(intents, wait=wait)

    def _forget(self) -> None:
        """Forget stages whose intent is another one by now: what is over by its end alone may return softly."""
        in_force, recorded = self._durable.intents.in_force(), self._durable.intents.recorded
        if in_force is self._last:
            return
        self._last = in_force
        old = [
            prefix
            for prefix, progress in self._durable.stages.of.items()
            if prefix in self._assignments
            and not any(
                (intent := of.get(prefix)) is not None and progress.is_of(intent)
                for of in (in_force, recorded)
            )
        ]
        self._durable.stages.note(dict.fromkeys(old))

    def _soft(self) -> dict[Prefix, Intent]:
        in_force = self._durable.intents.in_force()
        return {p: i for p, i in in_force.items() if i.is_soft and p in self._assignments}

    async def _record(self, intents: Mapping[Prefix, Intent], *, wait: bool) -> None:
        """Record the stages that ended. An intent that is another one by now is left alone."""
        patience = 0.0
        if self._recording is None:
            new = self._ended(intents)
            if not new:
                self._alarms.note(ALARM, "")
                return
            task = asyncio.create_task(self._durable.stages.advance(new))
            self._recording, patience = _Recording(new, task), PATIENCE
        ended, task = self._recording
        await asyncio.wait({task}, timeout=None if wait else patience)
        if not task.done():
            self._alarms.note(ALARM, _goes_on(ended, "it takes long; is its disk well?"))
            return
        self._recording = None
        try:
            done = task.result()
        except (SpeakerError, BlockingIOError) as error:  # the latter: no thread to do it in
            self._alarms.note(ALARM, _goes_on(ended, str(error)))
            return
        self._alarms.note(ALARM, "")
        async for prefix in paced(done):
            entry = ended[prefix].entry(prefix, 0.0)
            log.warning("%s: %s: %s", prefix, entry.event, ended[prefix].why)
            self._steps.pop(prefix, None)

    def _ended(self, intents: Mapping[Prefix, Intent]) -> dict[Prefix, StageEnd]:
        return {
            prefix: StageEnd(
                intents[prefix],
                next_intent(intents[prefix], found.follows),
                found.progress,
                found.why,
            )
            for prefix, found in self._steps.items()
            if found.follows is not None
        }


_NAMED = 3
"""How many prefixes an alarm names."""
_NEVER = (Cause.AGGREGATE, Cause.PREFERENCE)
"""Who decides that a prefix is not announced by itself here, whatever its health."""


def _goes_on(ended: Mapping[Prefix, StageEnd], why: str) -> str:
    """Say which stages go on, although they ended, and why."""
    names = named(sorted(map(str, ended)), _NAMED)
    return f"{names}: goes on as it is, softly announced: what follows can't be recorded: {why}"


def _in_effect(
    prefix: Prefix, intent: Intent, assessment: Assessment | None, view: DaemonState
) -> bool:
    """Tell whether the daemon was read to have what a stage asks for.

    What drains and is not announced, for its health or because the daemon has none of it and takes none, has nothing to
    wait for; what returns has to be announced, where it ever is by itself here, to a session at least: else it would
    have come back softly to nobody, and to all at once later.
    """
    decision = None if assessment is None else assessment.decisions.get(prefix)
    if decision is None or assessment is None or not view.proven(prefix):
        return False
    wanted = decision.route
    is_decided = assessment.memory.cases[prefix].facts.intent == intent
    if intent.mode is Mode.RETURNING:
        if wanted is None and decision.cause not in _NEVER:
            return False
        sent = view.sent.get(prefix)
        if wanted is not None and sent is not None and not may_be_sent(sent):
            return False
    has = view.confirmed[prefix]
    is_refused = intent.mode is Mode.DRAINING and has is None and prefix in view.failures
    return is_decided and (has == wanted or is_refused)
