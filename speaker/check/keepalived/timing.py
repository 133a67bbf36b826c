"""How long it takes until keepalived has checked a realserver, from its configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from speaker.check.keepalived.tree import ConfStatement

_TIMED = {
    "HTTP_GET", "SSL_GET", "TCP_CHECK", "SMTP_CHECK", "DNS_CHECK", "MISC_CHECK", "PING_CHECK",
    "UDP_CHECK",
}  # fmt: skip
_DELAY = 60.0
_RETRIES = {"DNS_CHECK": 3, "MISC_CHECK": 0}
_RETRY_DELAYS = {"HTTP_GET": 3.0, "SSL_GET": 3.0}
_CONNECT = 5.0
_SECONDS = re.compile(r"\+?(?:[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})")
_COUNT = re.compile(r"[0-9]{1,9}")
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


def timings(server: ConfStatement, reals: Iterable[ConfStatement]) -> Iterator[Timing]:
    """Yield the timing of each checker of a virtual server's realservers.

    What the virtual server says holds for its realservers, and what those say for their checkers.
    One with a value that is not understood is left out: keepalived ignores such a value, or not.
    """
    for real in reals:
        for checker in real.all(*_TIMED):
            timing = _timing(checker, (checker, real, server))
            if timing is not None:
                yield timing


def _timing(checker: ConfStatement, levels: tuple[ConfStatement, ...]) -> Timing | None:
    try:
        delay = _seconds(levels, "delay_loop", _DELAY, positive=True)
        first = _seconds(levels, "warmup", delay)
        connect = _seconds(levels, "connect_timeout", _CONNECT, positive=True)
        usual = delay if checker.name == "DNS_CHECK" else _RETRY_DELAYS.get(checker.name, 1.0)
        between = _seconds(levels, "delay_before_retry", usual)
        retries = _retries(levels, _RETRIES.get(checker.name, 1))
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
    levels: tuple[ConfStatement, ...], name: str, default: float, *, positive: bool = False
) -> float:
    """Return what the innermost level says. One that must be positive, and is 0, is ignored by keepalived."""
    for level in levels:
        found = level.last(name)
        if found is not None and ((seconds := float(_argument(found, _SECONDS))) or not positive):
            return seconds
    return default


def _retries(levels: tuple[ConfStatement, ...], default: int) -> int:
    """Return how often a check is tried again. Only a checker itself may say 0."""
    checker, *outer = levels
    own = [*checker.all("retry", "nb_get_retry")]
    if own:
        return int(_argument(own[-1], _COUNT))
    for level in outer:
        found = level.last("retry")
        if found is not None and (count := int(_argument(found, _COUNT))):
            return count
    return default


def _argument(statement: ConfStatement, form: re.Pattern[str]) -> str:
    """Return the word behind a keyword.

    Raises:
        ValueError: it is not of the form.
    """
    text = statement.words[1] if len(statement.words) > 1 else ""
    if not form.fullmatch(text):
        raise ValueError(text)
    return text


def _is_alpha(levels: tuple[ConfStatement, ...]) -> bool:
    *inner, server = levels
    for level in inner:
        found = level.last("alpha")
        if found is not None:
            word = found.words[1] if len(found.words) > 1 else "yes"
            if word not in _YES | _NO:
                raise ValueError(word)
            return word in _YES
    return server.last("alpha") is not None  # of a virtual server whatever stands behind it
