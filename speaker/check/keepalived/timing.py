"""How long it takes until keepalived has checked a realserver, from its configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speaker.check.keepalived.tree import ConfStatement

_TIMED = {
    "HTTP_GET", "SSL_GET", "TCP_CHECK", "SMTP_CHECK", "DNS_CHECK", "MISC_CHECK", "PING_CHECK",
    "UDP_CHECK",
}  # fmt: skip
_DELAY = 60.0
_RETRIES = {"DNS_CHECK": 3, "MISC_CHECK": 0}
_RETRY_DELAYS = {"HTTP_GET": 3.0, "SSL_GET": 3.0}
_CONNECT = 5.0
_YES, _NO = {"on", "true", "yes"}, {"off", "false", "no"}


@dataclass(frozen=True, slots=True, order=True)
class Timing:
    """When a realserver is first checked after keepalived's start, at the latest. In seconds.

    Attributes:
        dead: until one that is dead has failed, without the time that the checks themselves take.
        alive: until one that is alive has passed, in seconds.
        safe: until one that does not even answer has failed.
        alpha: whether it is taken for dead until then.
        why: the settings that it follows from.
    """

    dead: float
    alive: float
    safe: float
    alpha: bool
    why: str


def timings(server: ConfStatement) -> Iterator[Timing]:
    """Yield the timing of each checker of a virtual server's realservers.

    What the virtual server says holds for its realservers, and what those say for their checkers.
    One with a value that is not understood is left out: keepalived ignores such a value, or not.
    """
    for real in server.all("real_server"):
        for checker in real.all(*_TIMED):
            timing = _timing(checker, (checker, real, server))
            if timing is not None:
                yield timing


def _timing(checker: ConfStatement, levels: tuple[ConfStatement, ...]) -> Timing | None:
    try:
        delay = _seconds(levels, "delay_loop", _DELAY)
        first = _seconds(levels, "warmup", delay)
        connect = _seconds(levels, "connect_timeout", _CONNECT)
        usual = delay if checker.name == "DNS_CHECK" else _RETRY_DELAYS.get(checker.name, 1.0)
        between = _seconds(levels, "delay_before_retry", usual)
        retries = int(_seconds(levels, "retry", _RETRIES.get(checker.name, 1), also="nb_get_retry"))
        alpha = _is_alpha(levels)
    except ValueError:
        return None
    urls = sum(1 for _ in checker.all("url")) if not any(checker.all("fast_recovery")) else 1
    takes = 0.0 if checker.name == "MISC_CHECK" else connect
    dead = first + retries * between
    what = f"warmup {first:g}s" if first != delay else f"delay_loop {delay:g}s"
    again = f", {retries} x delay_before_retry {between:g}s" if retries else ""
    return Timing(
        dead, first + max(urls - 1, 0) * delay, dead + (retries + 1) * takes, alpha, what + again
    )


def _seconds(
    levels: tuple[ConfStatement, ...], name: str, default: float, *, also: str | None = None
) -> float:
    for level in levels:
        found = level.last(name) or (level.last(also) if also else None)
        if found is not None:
            text = found.words[1] if len(found.words) > 1 else ""
            if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,9})?", text):
                raise ValueError(text)
            return float(text)
    return default


def _is_alpha(levels: tuple[ConfStatement, ...]) -> bool:
    for level in levels:
        found = level.last("alpha")
        if found is not None:
            word = found.words[1] if len(found.words) > 1 else "yes"
            if word not in _YES | _NO:
                raise ValueError(word)
            return word in _YES
    return False
