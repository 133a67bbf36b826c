"""Probe: one check of one target, and its answers counted until they are believed. Values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from policy.health import Health
from policy.rule import Said
from speaker.config.settings_checks import ADDRESS, REALSERVER
from speaker.units import endpoint_text

if TYPE_CHECKING:
    from speaker.config.settings_checks import CheckSettings
    from speaker.units import Endpoint, IpAddress

NOT_ASKED = Said(Health.UNKNOWN, "not asked yet", settling=True)


@dataclass(frozen=True, slots=True)
class Probe:
    """A check, and whom it asks: a VIP's address, a realserver, or what it names itself (None)."""

    check: CheckSettings
    target: IpAddress | Endpoint | None = None

    def filled(self, text: str) -> str:
        """Return a text with the target in it where it is meant."""
        if isinstance(self.target, tuple):
            return text.replace(REALSERVER, endpoint_text(self.target))
        if self.target is None:
            return text
        return text.replace(ADDRESS, str(self.target))

    def in_url(self, text: str) -> str:
        """Return a URL with the target in it, an IPv6 address in brackets."""
        if isinstance(self.target, tuple) or self.target is None or self.target.version == 4:
            return self.filled(text)
        return text.replace(ADDRESS, f"[{self.target}]")

    def __str__(self) -> str:
        if self.target is None:
            return self.check.name
        where = endpoint_text(self.target) if isinstance(self.target, tuple) else str(self.target)
        return f"{self.check.name} {where}"


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What one question came to. `expires` is when the certificate that was shown does (seconds since the epoch)."""

    health: Health
    reason: str
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """Answers, counted: what the target is taken for since when (steady clock), and why.

    `known` is what it was last known to be, up or down. `run` counts the answers one after the other that say `towards`.
    """

    said: Said = NOT_ASKED
    known: Health | None = None
    run: int = 0
    towards: Health | None = None

    @property
    def is_open(self) -> bool:
        """Whether the next answers may tell what is not known yet. What was unknown just now may stay so for long."""
        return self.known is None and (self.said is NOT_ASKED or self.run > 0)

    def after(self, answer: ProbeAnswer, check: CheckSettings, now: float) -> Tally:
        """Return the tally with one more answer.

        What is unknown is so at once, and counts for nothing: it neither breaks a run nor lengthens it.
        """
        found = answer.health
        if found is Health.UNKNOWN:
            return replace(self, said=self._said(found, answer, now))
        if found is self.known:
            return Tally(self._said(found, answer, now), found)
        run = self.run + 1 if found is self.towards else 1
        needed = check.rise if found is Health.UP else check.fall
        if run >= needed:
            return Tally(self._said(found, answer, now), found)
        told = replace(answer, reason=f"{answer.reason}, {run} of {needed} answers")
        held = self.known or Health.UNKNOWN
        said = replace(self._said(held, told, now), settling=self.known is None)
        return Tally(self.said if said == self.said else said, self.known, run, found)

    def _said(self, health: Health, answer: ProbeAnswer, now: float) -> Said:
        """Return what is said now: the same object while it is the same."""
        is_new = health is not self.said.health or self.said.since is None
        since = now if is_new else self.said.since
        expires = answer.expires or self.said.expires
        new = Said(health, answer.reason, since, expires)
        return self.said if new == self.said else new
