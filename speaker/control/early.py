"""A request that was sent before it was known what all it is about: see `speaker.control.as_loaded`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from speaker.control import client
from speaker.control.identity import sudo_user

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NOT_DONE = frozenset({400, 404, 409})
"""Refused at once: another configuration is loaded, or this makes no sense, or is not known to an older watchdog."""


class EarlyRequest:
    """What was asked early: a request that was sent, or why it is not known whether it was."""

    def __init__(self, asked: client.SentRequest | client.OutcomeUnknownError) -> None:
        self._asked = asked
        self._may_be_done: bool | None = None

    @classmethod
    def send(cls, control: Path, body: Mapping[str, object]) -> Self | None:
        """Ask the watchdog that serves a socket; None where it can't be asked."""
        try:
            asked = client.send(control, "POST", "/intents/as-loaded", body, sudo_user=sudo_user())
        except client.OutcomeUnknownError as error:
            return cls(error)
        except (client.NotServedError, client.RefusedError):
            return None
        return cls(asked)

    def answer(self, within: float) -> Any | None:
        """Return the answer, None where nothing was done and it is to be asked again.

        Args:
            within: how long all of it may take, in seconds.

        Raises:
            RefusedError: the watchdog could not do it.
            OutcomeUnknownError: no answer came, so it may have been done.
        """
        if isinstance(self._asked, client.OutcomeUnknownError):
            raise self._asked
        try:
            return self._asked.answer(within)
        except client.RefusedError as error:
            if error.status in _NOT_DONE:
                return None
            raise

    def may_be_done(self, within: float) -> bool:
        """Return whether it was done, or may have been; asked again, the same. See `answer`."""
        if self._may_be_done is None:
            try:
                self._may_be_done = self.answer(within) is not None
            except client.RefusedError:
                self._may_be_done = False
            except client.OutcomeUnknownError:
                self._may_be_done = True
        return self._may_be_done
