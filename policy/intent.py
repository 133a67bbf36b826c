"""What an operator asked for an address: drained, forced, or a stage on the way; who, why, until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from policy.errors import PolicyError

MAX_TEXT = 200


class Mode(StrEnum):
    """What an operator asked for. `auto` leaves it to the watchdog.

    While it is `draining` or `returning`, it is announced so that every other data centre is preferred: see
    `policy.drain`.
    """

    AUTO = "auto"
    DRAINED = "drained"
    FORCED = "forced"
    DRAINING = "draining"
    RETURNING = "returning"


LAST = 253402300799.0
"""The last second that has a date of four digits, since the epoch."""


def is_time(seconds: float) -> bool:
    """Tell whether a number can be a time, in seconds since the epoch."""
    return 0 <= seconds <= LAST


def timestamp(seconds: float) -> str:
    """Return seconds since the epoch as `2026-01-31T23:59:59Z`."""
    if not is_time(seconds):
        return f"{seconds:g}"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Intent:
    """An operator's intent. `since` and `until` are seconds since the epoch; None is for ever.

    `forced`: what drains softly was forced, and is announced until it is withdrawn, whatever its health.
    `insisted`: it drains on, whatever becomes of the data centre that takes over.

    Raises:
        PolicyError: a text that is too long or not printable: it goes to terminals and logs. Or insisted on what is no soft drain.
    """

    mode: Mode
    owner: str
    since: float
    reason: str = ""
    until: float | None = None
    forced: bool = False
    insisted: bool = False

    def __post_init__(self) -> None:
        for what, text in (("owner", self.owner), ("reason", self.reason)):
            if len(text) > MAX_TEXT or not text.isprintable():
                raise PolicyError(
                    f"{what}: {text[:MAX_TEXT]!r}: too long, or not printable; write at most {MAX_TEXT} printable characters"
                )
        if self.insisted and self.mode is not Mode.DRAINING:
            raise PolicyError(f"force: {self.mode}: only a soft drain can be insisted on")

    @property
    def restores(self) -> bool:
        """Whether the operator wants the address announced, if its health allows."""
        return self.mode not in (Mode.DRAINED, Mode.DRAINING)

    @property
    def is_soft(self) -> bool:
        """Whether it is announced with the drain profile where it is announced."""
        return self.mode in (Mode.DRAINING, Mode.RETURNING)

    def in_force(self, now: float) -> bool:
        """Tell whether it has not expired at `now` (seconds since the epoch)."""
        return self.until is None or now < self.until

    def __str__(self) -> str:
        return _text(self)


@lru_cache(maxsize=1024)
def _text(intent: Intent) -> str:
    """Return an intent in words. The same one is reported for thousands of prefixes."""
    text = f"{intent.mode} by {intent.owner} at {timestamp(intent.since)}"
    if intent.until is not None:
        text += f" until {timestamp(intent.until)}"
    if intent.insisted:
        text += ", with --force"
    return f"{text}: {intent.reason}" if intent.reason else text
