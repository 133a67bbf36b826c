"""What is wrong now, apart from single prefixes: said when it begins, changes or ends."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)


class Troubles:
    """The troubles of one watchdog, by their subject."""

    def __init__(self) -> None:
        """Begin without any."""
        self._texts: dict[str, str] = {}

    @property
    def texts(self) -> list[str]:
        """All of them, in words."""
        return [f"{subject}: {text}" for subject, text in self._texts.items() if text]

    def note(self, subject: str, text: str, *, wording_moves: bool = False) -> None:
        """Take over what is wrong with a subject; an empty text means that nothing is.

        Args:
            subject: a word.
            text: what is wrong.
            wording_moves: whether another text is still the same trouble.
        """
        before = self._texts.get(subject, "")
        if text and (not before or (text != before and not wording_moves)):
            log.error("%s: %s", subject, text)
        elif before and not text:
            log.warning("%s: all right again", subject)
        self._texts[subject] = text
