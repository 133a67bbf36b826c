"""What is wrong now, apart from single prefixes: said when it begins, changes or ends."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from policy.decide import Cause
from policy.health import Health

if TYPE_CHECKING:
    from policy.assess import Assessment
    from policy.health import Observation

log = logging.getLogger(__name__)


class Alarms:
    """The alarms of one reconciler, by their subject."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    @property
    def texts(self) -> list[str]:
        """All of them, in words."""
        return [f"{subject}: {text}" for subject, text in self._texts.items() if text]

    def note(
        self, subject: str, text: str, *, wording_moves: bool = False, say: bool = True
    ) -> bool:
        """Take over what is wrong with a subject; an empty text means that nothing is.

        Args:
            subject: a word.
            text: what is wrong.
            wording_moves: whether another text is still the same alarm.
            say: whether no one else will.

        Returns:
            Whether it was said in the log, because it is new.
        """
        before = self._texts.get(subject, "")
        self._texts[subject] = text
        if not say:
            return False
        if text and (not before or (text != before and not wording_moves)):
            log.error("%s: %s", subject, text)
            return True
        if before and not text:
            log.warning("%s: recovered", subject)
            return True
        return False

    def assessed(self, assessment: Assessment, observation: Observation) -> None:
        """Note the alarms of an assessment, and of the observation that it is of."""
        checker, presence = observation.checker, observation.presence
        dead = checker is not None and not checker.running
        self.note(
            "keepalived",
            "keepalived not running; start it, or set require_keepalived = false" if dead else "",
        )
        self.note("addresses", presence.trouble if presence else "")
        unknown = [v for v in assessment.health.values() if v.health is Health.UNKNOWN]
        text = f"{len(unknown)} prefixes unknown, held as they are: " if unknown else ""
        # Services vanish one by one: their number moves on and on.
        self.note("health", text + unknown[0].reason if unknown else "", wording_moves=True)
        held = [d for d in assessment.alone.values() if d.cause is Cause.GUARD]
        text = f"{len(held)} prefixes {held[0].reason}" if held else ""
        self.note("guard", text, wording_moves=True)
