"""A request that was sent before it was known what all it is about: see `speaker.control.as_loaded`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from speaker.control import client
from speaker.control.identity import sudo_user

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from speaker.errors import SpeakerError

_NOT_DONE = frozenset({400, 404, 409})
"""Refused at once: another configuration is loaded, or this makes no sense, or is not known to an older watchdog."""
UNTIL_TOLD = 9.0
"""How long to wait for what became of a request, in seconds, where it can't be said what it was about."""


class EarlyRequest:
    """What was asked early: a request that was sent, or why it is not known whether it was."""

    def __init__(self, asked: client.SentRequest | client.OutcomeUnknownError) -> None:
        self._asked = asked
        self._answer: tuple[Any | None, SpeakerError | None] | None = None

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
        """Return the answer, None where nothing was done and it is to be asked again. Asked again, the same.

        Args:
            within: how long all of it may take, in seconds.

        Raises:
            RefusedError: the watchdog could not do it.
            OutcomeUnknownError: no answer came, so it may have been done.
        """
        if self._answer is None:
            self._answer = self._received(within)
        answer, error = self._answer
        if error is not None:
            raise error
        return answer

    def _received(self, within: float) -> tuple[Any | None, SpeakerError | None]:
        if isinstance(self._asked, client.OutcomeUnknownError):
            return None, self._asked
        try:
            return self._asked.answer(within), None
        except client.RefusedError as error:
            return None, None if error.status in _NOT_DONE else error
        except client.OutcomeUnknownError as error:
            return None, error

    def may_be_done(self, within: float = UNTIL_TOLD) -> bool:
        """Return whether it was done, or may have been. See `answer`."""
        try:
            return self.answer(within) is not None
        except client.RefusedError:
            return False
        except client.OutcomeUnknownError:
            return True
