"""Soft drains as they are answered with: each stage's end, and the connections that it waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.drain import Then, cut
from policy.intent import Mode, timestamp
from speaker.drain_status import STAYS, DrainStatus, insisted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.drain import DrainRule
    from policy.intent import Intent
    from policy.route import Prefix
    from speaker.reconcile.drains import StagesNow


class DrainsShown:
    """The stages of all prefixes, as they are in a moment; each is put together when it is asked for.

    Args:
        stages: what is known of them.
        intents: the operators' intents that are in force.
        now: seconds on the steady clock.
        wall: seconds since the epoch.
    """

    def __init__(
        self, stages: StagesNow, intents: Mapping[Prefix, Intent], now: float, wall: float
    ) -> None:
        self._stages, self._intents = stages, intents
        self._now, self._wall = now, wall

    def of(self, prefix: Prefix) -> DrainStatus | None:
        """Return the stage of a prefix that is in one, or was withdrawn at the end of one; None for others."""
        stages, intent = self._stages, self._intents.get(prefix)
        if intent is None:
            return None
        rule, progress = stages.rule(prefix), stages.of(prefix, intent)
        if rule is None or (progress is None and not intent.is_soft):
            return None
        count = stages.connections(prefix)
        began = None if progress is None else progress.began + self._wall - self._now
        ends = None if began is None else _end(rule, intent.mode, began)
        returns = _ends_first(intent, ends)
        return DrainStatus(
            stage=intent.mode,
            began=began,
            ends=intent.until if returns else ends,
            stays=rule.then is Then.STAY,
            returns=returns,
            few=rule.connections,
            connections=None if count is None else count.active,
            inactive=None if count is None else count.inactive,
            left=None if progress is None else progress.left,
            unknown=stages.counted.unknown if count is None else "",
            force=intent.insisted,
        )


def in_words(drain: DrainStatus | None) -> list[str]:
    """Return what a stage waits for, and until when, or what it cut; nothing for none."""
    return [] if drain is None else [_in_words(drain)]


def _in_words(drain: DrainStatus) -> str:
    if drain.stage == Mode.DRAINED:
        return cut(drain.left)
    if drain.began is None or drain.ends is None:
        return "it begins once the routing daemon is seen to announce it so"
    end = f"until {timestamp(drain.ends)}"
    if drain.stage == Mode.RETURNING:
        return end
    found = "connections not known" if drain.connections is None else f"{drain.connections} active"
    if drain.stays and not drain.returns:
        end = f"time limit {timestamp(drain.ends)}, then {STAYS}"
    return f"{found}, {end}{insisted([drain])}"


def _end(rule: DrainRule, stage: Mode, began: float) -> float | None:
    """Return when a stage that began is over at the latest, None where that is not so."""
    lasts = {Mode.DRAINING: rule.timeout, Mode.RETURNING: rule.back}.get(stage)
    return None if lasts is None else began + lasts


def _ends_first(intent: Intent, ends: float | None) -> bool:
    """Tell whether what drains comes back, because its intent is over, before it would be withdrawn."""
    return (
        intent.mode is Mode.DRAINING
        and ends is not None
        and intent.until is not None
        and intent.until <= ends
    )
