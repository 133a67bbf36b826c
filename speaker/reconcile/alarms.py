"""What is wrong now, apart from single prefixes: said when it begins, changes or ends."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from policy.decide import Cause
from policy.health import Health
from policy.wording import count, named
from speaker.clock import SystemClock
from speaker.reconcile.notices import Listeners, Notice

if TYPE_CHECKING:
    from policy.assess import Assessment
    from policy.health import Observation
    from speaker.clock import Clock

log = logging.getLogger(__name__)


SUBJECTS = (
    "sessions keepalived addresses health guard backend lock intents state clock cycle control read vip.toml "
    "resources events metrics textfile hooks restart drains windows api tokens beside witness last site members orders"
).split()
"""What an alarm may be about, beside the parts of the process, which are called `part NAME`."""


NAMED = 3
"""How many prefixes are named."""
_SEE_LAST = "look at its realservers and checks, and at why no other data centre announces it"
APART = "sessions"
"""The subject that states tell of by itself, with what is not announced for it: `Status.sessions`."""


class Alarms:
    """The alarms of one reconciler, by their subject."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._texts: dict[str, str] = dict.fromkeys(SUBJECTS, "")
        self._clock = clock or SystemClock()
        self.listeners = Listeners()

    @property
    def texts(self) -> list[str]:
        """All of them but those of sessions, in words."""
        return [
            f"{subject}: {text}"
            for subject, text in self._texts.items()
            if text and subject != APART
        ]

    @property
    def subjects(self) -> dict[str, bool]:
        """What alarms may be about, and whether there is one."""
        return {subject: bool(text) for subject, text in self._texts.items()}

    def note(
        self,
        subject: str,
        text: str,
        *,
        wording_moves: bool = False,
        say: bool = True,
        over: str = "recovered",
    ) -> bool:
        """Take over what is wrong with a subject; an empty text means that nothing is.

        Args:
            subject: a word.
            text: what is wrong.
            wording_moves: whether another text is still the same alarm.
            say: whether no one else will.
            over: what is said where nothing is wrong any more.

        Returns:
            Whether it was said in the log, because it is new.
        """
        text = text.removeprefix(f"{subject}: ")
        before = self._texts.get(subject, "")
        self._texts[subject] = text
        if not say:
            return False
        if text and (not before or (text != before and not wording_moves)):
            log.error("%s: %s", subject, text)
            self._tell("alarm", subject, text)
            return True
        if before and not text:
            log.warning("%s: %s", subject, over)
            self._tell("recovered", subject, before)
            return True
        return False

    def _tell(self, event: str, subject: str, reason: str) -> None:
        now = self._clock.wall()
        self.listeners.tell(Notice(time=now, event=event, subject=subject, reason=reason))

    def assessed(self, assessment: Assessment, observation: Observation) -> None:
        """Note the alarms of an assessment, and of the observation that it is of."""
        checker, presence = observation.checker, observation.presence
        dead = checker is not None and not checker.running
        self.note(
            "keepalived",
            "keepalived not running; start it, or set require_keepalived = false" if dead else "",
        )
        self.note("addresses", presence.trouble if presence else "")
        health = assessment.health
        unknown = [p for p, v in health.items() if v.health is Health.UNKNOWN and not v.settling]
        so = "as it is" if len(unknown) == 1 else "as they are"
        text = f"{count(len(unknown), 'prefix')} unknown, held {so}: " if unknown else ""
        # Services vanish one by one: their number moves on and on.
        self.note(
            "health",
            f"{text}{health[unknown[0]].reason} ({named(unknown, NAMED)})" if unknown else "",
            wording_moves=True,
        )
        held = [d for d in assessment.alone.values() if d.cause is Cause.GUARD]
        text = f"{count(len(held), 'prefix')} {held[0].reason}" if held else ""
        self.note("guard", text, wording_moves=True)
        kept = [d for d in assessment.alone.values() if d.cause is Cause.LAST]
        text = ""
        if kept:
            why = f"{count(len(kept), 'prefix')} kept announced: {kept[0].reason.removeprefix('last: ')}"
            text = f"{why} ({named([d.prefix for d in kept], NAMED)}); {_SEE_LAST}"
        self.note("last", text, wording_moves=True)
