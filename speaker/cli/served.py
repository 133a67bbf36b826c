"""Whom a command asks: the watchdog that runs, or the state file where none does."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from speaker.control.client import NotServedError, RefusedError
from speaker.control.offline_planner import StateFilePlanner
from speaker.control.running import RunningWatchdog
from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from speaker.config.settings import Config

T = TypeVar("T")


class WatchdogOrFile:
    """The watchdog that runs, or the state file where none does.

    Args:
        config: says where they are.
        lacks: what an older watchdog can't do, in words.
    """

    def __init__(self, config: Config, lacks: str) -> None:
        self._config, self._lacks = config, lacks
        self.is_served = True

    def asked(self, ask: Callable[[RunningWatchdog | StateFilePlanner], T]) -> T:
        """Return what is answered.

        Raises:
            SpeakerError: it is refused, or the watchdog that runs does not know the question.
        """
        try:
            return ask(RunningWatchdog.of(self._config))
        except NotServedError:
            self.is_served = False
            return ask(StateFilePlanner(self._config, ""))
        except RefusedError as error:
            if not error.is_not_known:
                raise
            raise SpeakerError(too_old(self._lacks)) from error


def too_old(lacks: str) -> str:
    """Say that the watchdog that runs is older than the command, and what it can't do."""
    return f"the vip_watchdog that runs is older than this vip_mgmt, and {lacks}; restart it"
