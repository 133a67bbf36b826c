"""What is decided from what was observed: again only where something changed, or time says so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING

from policy.aggregate import aggregate
from policy.assess import Assessment, Memory, assess
from policy.cases import preview
from policy.decide import Cause, Decision, decide, elsewhere
from policy.health import Health, Observation
from policy.keep_last import KeepLast
from policy.last import NOT_KEPT, NOT_SHARED, LastOne
from policy.witness import NOTHING_HEARD
from speaker.reconcile.first_reading import FirstReading
from speaker.reconcile.reports import RECORDING, ReportsSeen
from speaker.reconcile.scope import NOT_OBSERVED, kept
from speaker.supervision.steps import in_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from policy.assignment import Assignment
    from policy.first_reading import Unread
    from policy.intent import Intent
    from policy.route import Prefix
    from policy.witness import Heard
    from speaker.clock import Clock
    from speaker.reconcile.durable_state import DurableState
    from speaker.reconcile.leave import Leave
    from speaker.reconcile.scope import Scope
    from speaker.reconcile.turn import Turn


@dataclass(frozen=True, slots=True)
class DeciderInputs:
    """All that an assessment depends on but time. Where none has changed, neither has the result."""

    observation: Observation
    intents: Mapping[Prefix, Intent]
    announced: Collection[Prefix]
    was_announced: Collection[Prefix]
    last_one: LastOne = NOT_KEPT
    unread: Unread | None = None


class Decider:
    """Decides for some prefixes, and keeps what must be remembered between two decisions.

    Args:
        durable: what is remembered from earlier.
        clock: the time.
        heard: gives what witnesses tell.

    Attributes:
        leave: asks for leave to withdraw for bad health; None where the site shares no etcd. It is set by who makes it.
        is_late: the first look takes so long that what it would say is unknown.
    """

    def __init__(
        self,
        durable: DurableState,
        clock: Clock,
        heard: Callable[[], Heard] = lambda: NOTHING_HEARD,
    ) -> None:
        self._durable, self._heard = durable, heard
        self._clock = clock
        self._memory = Memory(health=durable.health, damping=durable.damping)
        self._inputs: DeciderInputs | None = None
        self.assessment: Assessment | None = None
        self.observation = Observation({}, NOT_OBSERVED)
        self._is_observed = self._is_judged = self.is_late = False
        self.reports = ReportsSeen(clock)
        self.first_reading = FirstReading(durable.intents, clock)
        self.leave: Leave | None = None

    def take(self, scope: Scope, announced: Collection[Prefix] = ()) -> None:
        """Take a configuration, under which only that is known which is observed as before.

        Args:
            scope: what it gives to do.
            announced: the prefixes that are announced now.
        """
        self._assignments = scope.assignments
        self._unchecked = scope.unchecked
        self._aggregates = scope.aggregates
        self._guard = scope.config.settings.guard
        self.first_reading.take(scope.config.settings)
        self._keep_last = scope.config.settings.witness.keep_last
        self.observation = kept(self.observation, scope.observed_alike, announced)
        self.reports.take(scope)
        self._inputs = None
        self._is_observed = self._is_judged = self.is_late = False
        self._alike = scope.observed_alike

    def observed(self, observation: Observation) -> None:
        """Take what was observed under the present configuration."""
        self.observation, self._is_observed = observation, True

    def decide(self, turn: Turn, announced: Collection[Prefix]) -> Assessment:
        """Decide for every prefix. The same object while neither inputs nor time change anything.

        Args:
            turn: ours, which has the operators' intents.
            announced: the prefixes that are announced now.
        """
        now = self._clock.steady()
        self._is_judged = self._is_observed
        durable = self._durable
        if recalled := durable.recalled():
            self._memory = replace(self._memory, damping={**recalled, **self._memory.damping})
        hindered = durable.intents.hindered if turn.certain else {"the state file can't be read"}
        observed = self.reports.told(self.observation, durable.intents.reports, hindered)
        if not durable.store.fault:  # who is silent from now on is not hindered by it
            durable.intents.hindered.discard(RECORDING)
        last_one = self._last_one()
        inputs = DeciderInputs(
            observed,
            turn.intents,
            announced,
            durable.were_up,
            last_one,
            self.first_reading.unread(),
        )
        last = self.assessment
        if last is not None and inputs == self._inputs and not recalled:
            due = last.look_again
            if due is None or now < due:
                return last
        self.assessment = assess(
            self._assignments,
            inputs.observation,
            self._unchecked,
            inputs.intents,
            inputs.announced,
            inputs.was_announced,
            self._guard,
            self._memory,
            now,
            inputs.last_one,
            inputs.unread,
        )
        self._inputs = inputs
        self.first_reading.waits(self.assessment.waiting)
        self._memory = self.assessment.memory
        durable.judged(self.assessment)
        if self.leave is not None:
            asks = self._keep_last is not KeepLast.NEVER
            self.leave.decided(self.assessment.alone if asks else {})
        return self.assessment

    def _last_one(self) -> LastOne:
        """Return whether the last announcement is kept: without that rule, what is heard or told decides nothing."""
        if self._keep_last is KeepLast.NEVER:
            return NOT_KEPT
        standing = NOT_SHARED if self.leave is None else self.leave.standing()
        return LastOne(self._keep_last, self._heard(), standing)

    @property
    def due(self) -> float:
        """When time alone may change a decision (steady clock)."""
        last = self.assessment
        judged = inf if last is None or last.look_again is None else last.look_again
        return min(judged, self.reports.due)

    @property
    def held_until(self) -> float | None:
        """When the guard lets something go that it holds now (steady clock)."""
        if self.assessment is None:
            return None
        held = any(d.cause is Cause.GUARD for d in self.assessment.alone.values())
        return self.assessment.look_again if held else None

    def is_unknown(self, prefix: Prefix) -> bool:
        """Tell whether the health of a prefix is checked, and can't be known now."""
        return self._is_not_known(prefix) and not self._is_open(prefix)

    def is_pending(self, prefix: Prefix) -> bool:
        """Tell whether the health of a prefix is checked, and not known yet: it will be, before long."""
        return self._is_not_known(prefix) and self._is_open(prefix)

    def _is_open(self, prefix: Prefix) -> bool:
        """Tell whether nothing was looked at under this configuration yet, or a check not often enough."""
        if not self._is_judged:
            return not self.is_late
        verdict = self.assessment.health.get(prefix) if self.assessment else None
        return verdict is not None and verdict.settling

    def _is_not_known(self, prefix: Prefix) -> bool:
        if prefix in self._unchecked:
            return False
        verdict = self.assessment.health.get(prefix) if self.assessment else None
        duty = self._assignments.get(prefix)
        if duty is not None and duty.vip.health.rule is not None:
            is_of_before = not self._is_judged and prefix not in self._alike
            return is_of_before or verdict is None or verdict.health is Health.UNKNOWN
        known = prefix in self.observation.live
        return not known or (verdict is not None and verdict.health is Health.UNKNOWN)

    async def preview(self, intents: Mapping[Prefix, Intent]) -> dict[Prefix, Decision]:
        """Return what would be decided for some prefixes with another intent, in steps. Changes nothing."""
        now, assessment = self._clock.steady(), self.assessment
        assignments, aggregates = self._assignments, self._aggregates
        in_force = {**self._durable.intents.in_force(), **intents}
        cases = assessment.memory.cases if assessment else {}
        found = dict(
            await in_steps(
                (
                    prefix,
                    preview(cases[prefix], intent, now)
                    if prefix in cases
                    else _unjudged(assignments[prefix], intent),
                )
                for prefix, intent in intents.items()
            )
        )
        if assessment is None or not aggregates:
            return found
        alone = {**assessment.alone, **found}
        if not alone.keys() >= assignments.keys():
            return found  # under another configuration, nothing is decided yet
        told = aggregate(aggregates, assignments, alone, in_force).decisions
        return {prefix: told.get(prefix, decision) for prefix, decision in found.items()}

    def forgive(self, prefixes: Collection[Prefix]) -> None:
        """Forget that some prefixes flapped, as the store has."""
        damping = {p: last for p, last in self._memory.damping.items() if p not in prefixes}
        if damping != self._memory.damping:
            self._memory = replace(self._memory, damping=damping)
            self._inputs = None


def _unjudged(assignment: Assignment, intent: Intent) -> Decision:
    """Decide for a prefix of which nothing was judged yet."""
    if (route := assignment.announced(intent)) is None:
        return elsewhere(assignment.address)
    return decide(route, intent, None, was_announced=True)
