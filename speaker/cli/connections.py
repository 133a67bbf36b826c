"""The connections that IPVS on this machine balances of each VIP, as `status --watch` and `--json` show them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping
    from typing import Any

    from policy.connections import Counted
    from speaker.api import PrefixStatus
    from speaker.config.settings import Config

_SUFFIXES = ((1e9, "G"), (1e6, "M"), (1e4, "k"))
"""From 10,000 on numbers are shown in thousands, and so on: a column has six places."""
_DIVISORS = {"k": 1e3, "M": 1e6, "G": 1e9}


@dataclass(frozen=True, slots=True)
class ConnectionsShown:
    """The connections of a prefix, or of a VIP. `rate`: new ones per second, `made`: in all; None where not known."""

    active: int
    inactive: int
    rate: float | None = None
    made: int | None = None

    def to_json(self) -> dict[str, int | None]:
        """Return what `status --json` has."""
        return {"active": self.active, "inactive": self.inactive, "made": self.made}

    def cells(self) -> tuple[str, str, str]:
        """Return the three columns."""
        return (
            short(self.active),
            short(self.inactive),
            "-" if self.rate is None else rate(self.rate),
        )


SPAN = 4.0
"""Over how many seconds new connections are counted, as soon as it was looked for so long: the kernel adds them up every two."""
UNKNOWN = ("-", "-", "-")
"""The three columns where nothing is known."""


class ConnectionsSeen:
    """What was counted last, and since the time before.

    Args:
        count: counts.
    """

    def __init__(self, count: Callable[[], Coroutine[Any, Any, Counted]]) -> None:
        self._count = count
        self._earlier: deque[Counted] = deque()
        self.shown: Mapping[str, ConnectionsShown] = {}
        """Those of each prefix of which they are known, as they were at the last look."""
        self.unknown = ""
        """Why the connections of some are not known, or of all."""

    def look(self) -> Mapping[str, ConnectionsShown]:
        """Count, and return the connections of each prefix of which they are known."""
        import asyncio  # noqa: PLC0415 - slow, and of no use where nothing is counted

        now = asyncio.run(self._count())
        self.unknown = now.unknown
        earlier = self._earlier
        while len(earlier) > 1 and now.when - earlier[1].when >= SPAN:
            earlier.popleft()
        before = earlier[0] if earlier else None
        earlier.append(now)
        self.shown = {
            str(prefix): ConnectionsShown(
                each.active,
                each.inactive,
                None if before is None else now.new_per_second(prefix, before),
                each.made,
            )
            for prefix, each in now.of.items()
        }
        return self.shown


def seen_of(config: Config) -> ConnectionsSeen:
    """Return what counts the connections of a configuration's VIPs on this machine."""
    from speaker.health.sources import connection_counter  # noqa: PLC0415 - slow

    return ConnectionsSeen(connection_counter(config.topology, config.settings.health).count)


def together(
    routes: Iterable[PrefixStatus], shown: Mapping[str, ConnectionsShown]
) -> ConnectionsShown | None:
    """Return the connections of several prefixes together; None where those of one are not known."""
    found = [shown.get(route.prefix) for route in routes]
    known = [each for each in found if each is not None]
    if not known or len(known) < len(found):
        return None
    rates = [each.rate for each in known if each.rate is not None]
    return ConnectionsShown(
        sum(each.active for each in known),
        sum(each.inactive for each in known),
        sum(rates) if len(rates) == len(known) else None,
    )


def short(number: float) -> str:
    """Return a number in six places at most: `9999`, `12.3k`, `4.5M`."""
    for least, suffix in _SUFFIXES:
        if number >= least:
            scaled = number / _DIVISORS[suffix]
            return f"{scaled:.1f}{suffix}" if scaled < 100 else f"{scaled:.0f}{suffix}"
    return f"{number:.0f}"


def rate(number: float) -> str:
    """Return how many there are in a second: `0`, `0.3`, `12`, `12.3k`."""
    return f"{number:.1f}" if 0 < number < 10 else short(number)
