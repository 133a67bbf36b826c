"""Chooses whose answer vip_mgmt takes: the watchdog that runs, or what answers where none does."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from speaker.control.client import NotServedError, OutcomeUnknownError
from speaker.control.running import RunningWatchdog
from speaker.terminal import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policy.route import Prefix
    from speaker.api import (
        Explanation,
        HistoryEntry,
        IntentOutcome,
        IntentRequest,
        Operations,
        PlannedChange,
        RecordedIntent,
        Status,
    )
    from speaker.config.settings import Config
    from speaker.control.early import EarlyRequest
    from speaker.site_values import Ordered, SiteOperations, SiteOrder

T = TypeVar("T")

LAST = 1.0
"""How long to wait for a state file that is held, in seconds, where a watchdog was waited for already."""
UNTIL_SERVED = 1.5
"""How long to try a socket that no process serves, in seconds: a watchdog makes it again within one."""


def _state_file(
    config: Config,
    why: str,
    takes_effect: str = "",
    wait: float | None = None,
    *,
    hangs: bool = False,
) -> SiteOperations:
    # slow to import, and of no use where a watchdog answers
    from speaker.control.offline import StateFile

    return StateFile(config, why, takes_effect, wait=wait, hangs=hangs)


def _one_shot(config: Config, why: str) -> SiteOperations:
    from speaker.runtime.one_shot import OneShot  # for bgpd only

    del why  # it is the rule beside bgpd that no watchdog runs
    return OneShot(config)


class FirstAnswer:
    """The watchdog that runs, or what answers where none does, or one that hangs. It is `SiteOperations`.

    Args:
        config: the configuration.
        tell: takes what the operator should know besides the answer.
        early: what is to be applied, where a watchdog was asked for it already.
        told: the state that a watchdog told already, or that it did not answer.
    """

    def __init__(
        self,
        config: Config,
        tell: Callable[[str], None],
        early: EarlyRequest | None = None,
        told: Status | OutcomeUnknownError | None = None,
    ) -> None:
        self._config = config
        self._tell = tell
        self._early = early
        self._told = told
        self._should_run = config.settings.is_spawned
        patience = UNTIL_SERVED if self._should_run else 0.0
        self._running = RunningWatchdog.of(config, patience=patience)

    def status(self) -> Status:
        """See `Operations.status`."""
        if self._told is not None and not isinstance(self._told, OutcomeUnknownError):
            return self._told
        return self._either(lambda asked: asked.status())

    def explain(self, prefixes: Sequence[Prefix]) -> Sequence[Explanation]:
        """See `Operations.explain`."""
        return self._either(lambda asked: asked.explain(prefixes))

    def history(
        self, about: Sequence[Prefix | str], since: float | None = None
    ) -> Sequence[HistoryEntry]:
        """See `Operations.history`."""
        return self._either(lambda asked: asked.history(about, since))

    def plan(self) -> Sequence[PlannedChange]:
        """See `Operations.plan`."""
        return self._either(lambda asked: asked.plan())

    def _either(self, ask: Callable[[Operations], T]) -> T:
        with waiting("waiting for an answer"):
            return self._asked(ask)

    def _asked(self, ask: Callable[[Operations], T]) -> T:
        try:
            if isinstance(self._told, OutcomeUnknownError):
                raise self._told
            return ask(self._running)
        except NotServedError as error:
            return ask(self._without(str(error)))
        except OutcomeUnknownError:
            control = self._config.settings.control
            why = f"control: {control}: vip_watchdog runs, but does not answer"
        if self._should_run:
            return ask(_state_file(self._config, why, hangs=True))
        return ask(self._without(why))

    def _without(self, why: str) -> SiteOperations:
        """Return what answers where no watchdog does."""
        return (_state_file if self._should_run else _one_shot)(self._config, why)

    def apply(self, request: IntentRequest) -> Sequence[IntentOutcome | RecordedIntent]:
        """See `Operations.apply`.

        Where a watchdog hangs, or ended halfway, perhaps before it recorded the intent, that is
        done here.
        """
        return self._carried_out(
            request,
            lambda: self._running.apply(request, self._early),
            lambda asked: asked.apply(request),
        )

    def order(self, order: SiteOrder) -> Ordered:
        """See `SiteOperations.order`, and `apply`."""
        return self._carried_out(
            order,
            lambda: self._running.order(order, self._early),
            lambda asked: asked.order(order),
        )

    def _carried_out(
        self, request: IntentRequest, first: Callable[[], T], instead: Callable[[SiteOperations], T]
    ) -> T:
        """Have a request carried out by the watchdog that runs, or by what answers in its place."""
        try:
            return first()
        except NotServedError as error:
            why = str(error)
            if self._should_run:
                self._tell(why)
        except OutcomeUnknownError as error:
            if request.dry_run:
                raise
            self._tell(str(error))
            when = (
                "takes effect in the next cycle of vip_watchdog, or when one starts; until then, what "
                "the peers have is unknown"
            )
            return instead(_state_file(self._config, str(error), when, LAST))
        return instead(self._without(why))
