"""A time as an operator writes it -> seconds since the epoch, where clocks are changed twice a year. Pure.

A local time that does not exist, or is there twice, is refused, with what to write in its place: nobody is
there at the time to see which one was meant.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Protocol

from policy.errors import PolicyError

_FORM = re.compile(
    r"(\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d(?::\d\d)?)(Z|[+-]\d\d:\d\d)?", re.ASCII
)
_WRITE = "write such as 2026-12-01T02:00 (local time), 2026-12-01T02:00Z, 2026-12-01T02:00+01:00, or +30m"


class Zone(Protocol):
    """The local time of some place. Local times have no zone in them; `fold` tells two of one name apart (PEP 495)."""

    def seconds(self, local: datetime) -> float:
        """Return when a local time is, in seconds since the epoch."""

    def local(self, seconds: float) -> datetime:
        """Return the local time at some seconds since the epoch."""

    def name(self, seconds: float) -> str:
        """Return what local time is called then, such as CET."""


def parse_moment(text: str, zone: Zone) -> float:
    """Parse `2026-12-01T02:00`, in local time, or with an offset, into seconds since the epoch.

    Raises:
        PolicyError: it is of another form, does not exist, or is there twice.
    """
    match = _FORM.fullmatch(text)
    try:
        found = datetime.fromisoformat(text) if match else None
    except ValueError as error:
        is_offset = match is not None and _is_moment(match[1])
        why = "its offset is 24 hours or more" if is_offset else "there is no such day or minute"
        raise PolicyError(f"{text}: {why}; {_WRITE}") from error
    if match is None or found is None:
        raise PolicyError(f"{text[:80]!r}: not a time; {_WRITE}")
    if match[2] is not None:
        return found.timestamp()
    try:
        first, second = (zone.seconds(found.replace(fold=fold)) for fold in (0, 1))
    except (OverflowError, ValueError, OSError) as error:  # there is no such year here
        raise PolicyError(f"{text}: its year is not known here; {_WRITE}") from error
    return _one_of(found, first, second, zone)


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text) is not None
    except ValueError:
        return False


def _one_of(local: datetime, first: float, second: float, zone: Zone) -> float:
    if first == second:
        return first
    text = _clock(local)
    if zone.local(first).replace(fold=0) == local == zone.local(second).replace(fold=0):
        raise PolicyError(
            f"{text}: is there twice: clocks are set back then; write "
            f"{_with_offset(local, first)} ({zone.name(first)}) or "
            f"{_with_offset(local, second)} ({zone.name(second)})"
        )
    after = zone.local(max(first, second))
    raise PolicyError(
        f"{text}: does not exist: clocks are set forward over it; write another, such as {_clock(after)}"
    )


def _clock(local: datetime) -> str:
    return local.replace(tzinfo=None).isoformat(timespec="seconds" if local.second else "minutes")


def _with_offset(local: datetime, seconds: float) -> str:
    """Return a local time with the offset that makes it those seconds since the epoch."""
    wall = (local - datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001 - a local time has none
    minutes = round((wall - seconds) / 60)
    sign, ahead = "-" if minutes < 0 else "+", abs(minutes)
    return f"{_clock(local)}{sign}{ahead // 60:02}:{ahead % 60:02}"


def moment_text(seconds: float, zone: Zone) -> str:
    """Return a moment in local time with the zone's name, such as `2026-12-01T02:00 CET`."""
    return f"{_clock(zone.local(seconds))} {zone.name(seconds)}"
