"""Whom a command asks: the watchdog that runs, or the state file where none does."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from policy.errors import PolicyError
from speaker.cli.commands import UsageError
from speaker.control.client import NotServedError, RefusedError
from speaker.control.offline_planner import StateFilePlanner
from speaker.control.running import RunningWatchdog
from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from speaker.config.settings import Config

T = TypeVar("T")

_CANT_BE = HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND
"""With which a watchdog refuses what is of a wrong form, or what is not there."""


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
            UsageError: what was asked for can't be, whoever found that: this command, or the watchdog that runs.
            SpeakerError: it can't be done, or the watchdog that runs does not know the question.
        """
        try:
            return ask(RunningWatchdog.of(self._config))
        except NotServedError:
            self.is_served = False
        except RefusedError as error:
            if error.is_not_known:
                raise SpeakerError(too_old(self._lacks)) from error
            if error.status in _CANT_BE:
                raise UsageError(str(error)) from error
            raise
        try:
            return ask(StateFilePlanner(self._config, ""))
        except PolicyError as error:
            raise UsageError(str(error)) from error


def too_old(lacks: str) -> str:
    """Say that the watchdog that runs is older than the command, and what it can't do."""
    return f"the vip_watchdog that runs is older than this vip_mgmt, and {lacks}; restart it"
