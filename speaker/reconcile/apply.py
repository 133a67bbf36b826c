"""Asks the daemon for what is decided, and reads back: what it has, what it lacks, and when to look again.

What was asked for is believed until it is read back; only what was read is confirmed, and recorded.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING

from policy.aggregate import NO_AGGREGATES, Aggregates, stages, waits
from policy.decide import Cause
from policy.differing import differing
from policy.plan import Announce, plan
from speaker.backends.base import BackendError
from speaker.reconcile import log_lines
from speaker.reconcile.daemon_state import DaemonState
from speaker.reconcile.meter import Meter
from speaker.reconcile.read_back import ReadBackSchedule
from speaker.supervision.steps import paced

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from policy.assess import Assessment
    from policy.assignment import Assignment
    from policy.health import Observation
    from policy.plan import Change
    from policy.route import Prefix
    from speaker.backends.base import Informed
    from speaker.clock import Clock
    from speaker.reconcile.alarms import Alarms
    from speaker.reconcile.durable_state import DurableState
    from speaker.reconcile.turn import Turn
    from speaker.supervision.pulse import Pulse

log = logging.getLogger(__name__)

HOPELESS = 4.0
"""For how long, in seconds, what failed waits where nothing is expected of another try: it failed five times."""
LEFT = "left"
"""The cause where a prefix left the configuration."""


class Applier:
    """What the daemon has, as far as it is known, and what was asked of it."""

    def __init__(
        self, backend: Informed, durable: DurableState, alarms: Alarms, pulse: Pulse, clock: Clock
    ) -> None:
        """Ask for nothing yet; the daemon was not read.

        Args:
            backend: the daemon's driver, of which only what it knows is asked; all else needs a turn.
            durable: what is remembered of what was read back.
            alarms: where to note that the daemon can't be read, or what is wrong with it.
            pulse: notes each call that ended.
            clock: the time.
        """
        self.view = DaemonState()
        self.meter = Meter(clock)
        self.readings = ReadBackSchedule(clock)
        self.unreadable: BackendError | None = None
        """Why the last reading failed, where it did."""
        self.died: set[Prefix] = set()
        """What was withdrawn because of its health, and is to be said with what to do."""
        self._backend, self._durable, self._clock = backend, durable, clock
        self._alarms, self._pulse = alarms, pulse
        self._assignments: Mapping[Prefix, Assignment] = {}
        self._aggregates = NO_AGGREGATES
        self._ours: Collection[Prefix] = ()
        self._done: tuple[Assessment | None, int] = (None, 0)
        self._was_read = self._unconfirmed = self._is_untidy = False

    def take(self, assignments: Mapping[Prefix, Assignment], aggregates: Aggregates) -> None:
        """Take the duties of another configuration: nothing is done for them yet."""
        self._assignments, self._aggregates = assignments, aggregates
        self._ours = {p for p, each in assignments.items() if each.route or not each.vip.aggregate}
        self._done = None, 0

    @property
    def is_blind(self) -> bool:
        """Whether the daemon was never read: nothing is done on a guess then.

        Except for what an operator asks: a drain must not wait.
        """
        return bool(self._durable.owned) and not self._was_read

    @property
    def due(self) -> float:
        """When something is to be read, or asked for again (steady clock)."""
        retry = None if self.is_blind else self.view.next_retry()
        return self.readings.at if retry is None else min(self.readings.at, retry)

    @property
    def is_unread(self) -> bool:
        """Whether it, or a session, changed since it was read."""
        return self.view.unread or self.readings.asked

    async def apply(
        self,
        turn: Turn,
        assessment: Assessment,
        observation: Observation,
        at_once: Collection[Prefix],
    ) -> None:
        """Ask the daemon for what is not yet as decided, where anything may not be; confirm what was read.

        Args:
            turn: the permission.
            assessment: what is decided.
            observation: what that was decided by.
            at_once: what an operator asks for: it waits for nothing.
        """
        done, version = self._done
        settled = assessment is done and self.view.version == version
        if not settled or self.view.failures or at_once:
            self._alarms.assessed(assessment, observation)
            await self._apply_plan(turn, assessment, at_once)
        if self._is_untidy and not self.is_blind:
            self._is_untidy = False
            await turn.apply(())
            self._pulse.moved()
        if self._unconfirmed:
            await self.confirm(assessment)
        if self._backend.owes_end_of_rib and not self.is_blind and self._is_complete(assessment):
            await turn.end_of_rib()

    def _is_complete(self, assessment: Assessment) -> bool:
        """Whether all that is wanted was accepted, but what failed time and again: it is not waited for.

        A router keeps the route that it has of it from before until then; of what waits for the orders of the site, too.
        """
        if assessment.waiting:
            return False
        believed, failures = self.view.believed, self.view.failures
        lacking = (
            p for p, r in assessment.desired.items() if r is not None and believed.get(p) != r
        )
        return all(p in failures and failures[p].delay > HOPELESS for p in lacking)

    async def _apply_plan(
        self, turn: Turn, assessment: Assessment, at_once: Collection[Prefix]
    ) -> None:
        changes = self._plan(assessment, at_once)
        ready = self.view.ready(changes, self._clock.steady(), at_once=at_once)
        if self.is_blind:
            ready = [change for change in ready if change.prefix in at_once]
        if ready:
            await self._ask(turn, ready, assessment, at_once=bool(at_once))
        self._durable.remember(assessment.memory)
        self._done = (assessment, self.view.version)

    def _plan(self, assessment: Assessment, at_once: Collection[Prefix]) -> Sequence[Change]:
        """Return the changes to what is decided: of all, or, where nothing else changed, of what was decided otherwise."""
        done, version = self._done
        if done is None or self.view.version != version or self.view.failures or at_once:
            return plan(assessment.desired, self.view.believed, self._durable.owned)
        changed = differing(done.decisions, assessment.decisions)
        desired = {p: assessment.desired[p] for p in changed & assessment.desired.keys()}
        return plan(desired, self.view.believed)

    async def _ask(
        self, turn: Turn, changes: Sequence[Change], assessment: Assessment, *, at_once: bool
    ) -> None:
        before = self.view.announced
        failures: dict[Prefix, str] = {}
        try:
            for stage in stages(changes, self._aggregates, self._ours):
                waiting = {
                    c.prefix: why for c in stage if (why := waits(c, self._aggregates, failures))
                }
                failures |= waiting
                if ready := [change for change in stage if change.prefix not in waiting]:
                    failures |= await turn.apply(ready)
                self._pulse.moved()
            await asyncio.sleep(0)
        except BaseException:  # as where it is to end: any of them may have been made
            self.view.unsure(changes)
            raise
        accepted = Counter(
            _kind(change, assessment) for change in changes if change.prefix not in failures
        )
        self.meter.acknowledged(accepted, len(failures), at_once=at_once)
        self.readings.changed(len(changes))
        known = {prefix: failure.reason for prefix, failure in self.view.failures.items()}
        self.view.accepted(changes, failures, self._clock.steady())
        async for change in paced(changes):
            if change.prefix in failures:
                if known.get(change.prefix) != failures[change.prefix]:
                    log.error("%s: %s", change.prefix, failures[change.prefix])
            elif isinstance(change, Announce) != (change.prefix in before):
                log.warning("%s", self._line(change, assessment))
                decision = assessment.decisions.get(change.prefix)
                if decision is not None and decision.cause is Cause.HEALTH and not decision.route:
                    self.died.add(change.prefix)

    def _line(self, change: Change, assessment: Assessment) -> str:
        if change.prefix not in self._assignments:
            return log_lines.left(change.prefix)
        return log_lines.change(
            change,
            assessment.decisions[change.prefix],
            assessment.health.get(change.prefix),
            self._assignments[change.prefix].vip.health,
        )

    async def read(self, turn: Turn, *, say: bool = True) -> None:
        """Read what the daemon has. That it can't be read is an alarm, and `unreadable`.

        Args:
            turn: the permission.
            say: whether to say so in the log, too.
        """
        self.readings.begin()
        try:
            reading = await turn.read(self._durable.owned)
            self._pulse.moved()
            await asyncio.sleep(0)
        except BackendError as error:
            self.view.unreadable()
            self.readings.failed()
            self._alarms.note("backend", str(error), say=say)
            self.unreadable = error
            return
        self.unreadable = None
        self._alarms.note("backend", reading.trouble)
        self.readings.done(self._backend.read_interval)
        self.meter.read_back(self.view.believed, reading.routes, reading.doubtful)
        self.view.read(reading, self._clock.steady())
        self._is_untidy = reading.is_untidy
        announced = self.view.announced
        self._durable.assume(
            announced | self._aggregates.standing_for(announced, self._assignments)
        )
        self._was_read = self._unconfirmed = True

    async def confirm(self, assessment: Assessment) -> None:
        """Note what was read back and is as decided, once it is known what was confirmed before."""
        if not self._durable.intents.is_read:
            return
        await self._durable.confirm(assessment, self.view)
        self._unconfirmed = False


def _kind(change: Change, assessment: Assessment) -> tuple[str, str]:
    """Return what a change does, and which rule wants it."""
    decision = assessment.decisions.get(change.prefix)
    action = "announce" if isinstance(change, Announce) else "withdraw"
    return action, LEFT if decision is None else decision.cause
