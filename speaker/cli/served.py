"""Whom a command asks: the watchdog that runs, or the state file where none does."""

from __future__ import annotations

import http
from typing import TYPE_CHECKING, TypeVar

from speaker.control.client import NotServedError, RefusedError
from speaker.control.offline import StateFile
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

    def asked(self, ask: Callable[[RunningWatchdog | StateFile], T]) -> T:
        """Return what is answered.

        Raises:
            SpeakerError: it is refused, or the watchdog that runs does not know the question.
        """
        try:
            return ask(RunningWatchdog.of(self._config))
        except NotServedError:
            self.is_served = False
            return ask(StateFile(self._config, ""))
        except RefusedError as error:
            # What it knows of and does not find, it names in words of its own.
            if error.status != http.HTTPStatus.NOT_FOUND or not str(error).endswith("Not Found"):
                raise
            raise SpeakerError(
                f"the vip_watchdog that runs is older than this vip_mgmt, and {self._lacks}; restart it"
            ) from error
