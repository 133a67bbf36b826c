"""Numbers and lists as a person reads them: spans of time, counts, names. Text only."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from policy.intent import timestamp

if TYPE_CHECKING:
    from collections.abc import Collection

_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "m"))


def span(seconds: float) -> str:
    """Return a span of time in the units of vip.toml, two at most: `4.2s`, `45s`, `12m5s`, `2h`, `3d4h`.

    Args:
        seconds: of it; less than none is none.
    """
    seconds = max(seconds, 0.0)
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    whole = round(seconds)
    for (unit, name), below in zip(_UNITS, (*_UNITS[1:], (1.0, "s")), strict=True):
        if whole >= unit:
            count, rest = divmod(whole, int(unit))
            more = rest // int(below[0])
            return f"{count}{name}" + (f"{more}{below[1]}" if more else "")
    return f"{whole}s"


def until(when: float, now: float, wall: float) -> str:
    """Return `in 4.2s (2026-01-31T23:59:59Z)`.

    Args:
        when: the moment, on the clock that `now` is of.
        now: seconds on the steady clock, or since the epoch.
        wall: what people's clocks show now, in seconds since the epoch.
    """
    left = max(when - now, 0.0)
    return f"in {span(left)} ({timestamp(wall + left)})"


def count(number: int, thing: str, state: str = "") -> str:
    """Return `1 realserver`, `2 prefixes`, `no data centre`; with a state `1 VIP is down`, `2 VIPs are down`.

    Args:
        number: how many.
        thing: what one is called; its last word has the plural.
        state: what they are.
    """
    text = f"{number or 'no'} {thing if number < 2 else _plural(thing)}"
    return f"{text} {'is' if number < 2 else 'are'} {state}" if state else text


def named(names: Collection[object], most: int) -> str:
    """Return the first of some names, and how many more there are: `vip-1.tld, vip-2.tld and 7 more`.

    Args:
        names: those.
        most: how many are named.
    """
    text = ", ".join(map(str, islice(names, most)))
    return f"{text} and {len(names) - most} more" if len(names) > most else text


def _plural(thing: str) -> str:
    return f"{thing}es" if thing.endswith(("s", "x", "ch", "sh")) else f"{thing}s"
