"""vip_mgmt -d --soft, after its first stage: shows the connections fall, and says what was cut.

On a terminal a bar for each VIP is drawn in place; elsewhere a line is printed for each change, and now and then.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from policy.drain import cut
from policy.intent import Mode
from policy.wording import count, span
from speaker.cli.connections import rate, together
from speaker.cli.messages import tell_operator
from speaker.drain_status import STAYS, DrainStatus
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus
from speaker.printable import printable
from speaker.terminal import height, show, width

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from policy.route import Prefix
    from policy.topology import Topology
    from speaker.api import Operations, PrefixStatus
    from speaker.cli.connections import ConnectionsShown

    Connections = Mapping[str, ConnectionsShown]

EVERY, TOLD_EVERY = 1.0, 30.0
"""How often to ask, and where there is no terminal, how often to say what is left, in seconds."""
BAR = 20
RATED = 10
"""Over how many looks it is said how quickly connections go."""
_UNKNOWN = "unknown"
"""The intent where intents can't be read."""
_GOES_ON = "the drain goes on: vip_mgmt status shows it, vip_mgmt -a undoes it"
GRACE = 60.0
"""How much longer than `timeout` a drain is waited for, in seconds: it begins when the daemon has it, and ends with the peers."""
NAMED = 30
"""How many characters of a VIP's name stand before its bar."""


@dataclass
class VipBar:
    """The connections of a VIP that drains, as they were seen."""

    name: str
    most: int = 0
    seen: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=RATED))

    def take(self, drains: Sequence[DrainStatus], now: float, new: float | None = None) -> str:
        """Take what is so at a time, and return it as a line.

        Args:
            drains: the stages of its prefixes.
            now: seconds since the epoch.
            new: how many connections are made per second, None where that is not known.
        """
        actives = [each.connections for each in drains]
        known = [count for count in actives if count is not None]
        ends = min((each.ends for each in drains if each.ends is not None), default=None)
        left = "" if ends is None else f", {span(ends - now)} left"
        if len(known) < len(actives):
            return f"{self._name} [{'?' * BAR}] connections are not known{left}"
        active = sum(known)
        self.most = max(self.most, active)
        self.seen.append((now, active))
        full = round(BAR * active / self.most) if self.most else 0
        inactive = sum(each.inactive or 0 for each in drains)
        bar = "#" * max(full, active > 0) + "." * (BAR - max(full, active > 0))
        made = "" if new is None else f", {rate(new)} new/s"
        return (
            f"{self._name} [{bar}] {active} active, {inactive} inactive{self._rate()}{made}{left}"
        )

    @property
    def _name(self) -> str:
        return f"{self.name[:NAMED]:{min(len(self.name), NAMED)}}"

    def _rate(self) -> str:
        (began, first), (now, last) = self.seen[0], self.seen[-1]
        return f", {(last - first) / (now - began):+.1f}/s" if now > began else ""


class DrainWatch:
    """What is left of some soft drains.

    Args:
        prefixes: those that were asked for.
    """

    def __init__(self, prefixes: Collection[str]) -> None:
        self._left = dict.fromkeys(prefixes)
        self._bars: dict[str, VipBar] = {}
        self.said: list[str] = []
        """What became of those that ended since this was asked."""
        self.is_well = True

    @property
    def is_over(self) -> bool:
        """Whether none is left."""
        return not self._left

    def take(
        self, routes: Sequence[PrefixStatus], now: float, made: Connections | None = None
    ) -> list[str]:
        """Take a state at a time in seconds since the epoch; return the lines of those that still drain.

        Args:
            routes: the state.
            now: that time.
            made: the connections of each prefix of which they are known here.
        """
        self.said = []
        drains: dict[str, list[DrainStatus]] = {}
        of: dict[str, list[PrefixStatus]] = {}
        for route in routes:
            if route.prefix in self._left:
                if (drain := _goes_on(route, now)) is None:
                    self._ended(route)
                else:
                    drains.setdefault(route.vip, []).append(drain)
                    of.setdefault(route.vip, []).append(route)
        self._forget(self._left.keys() - {route.prefix for route in routes})
        lines = []
        for vip, each in drains.items():
            shown = together(of[vip], made or {})
            bar = self._bars.setdefault(vip, VipBar(vip))
            lines.append(bar.take(each, now, None if shown is None else shown.rate))
        return lines

    def look(
        self, operations: Operations, now: float, made: Connections | None = None
    ) -> list[str]:
        """Ask for the state, and take it; where there is no answer, say why. See `take`."""
        try:
            return self.take(operations.status().routes, now, made)
        except SpeakerError as error:
            self.said = []
            return [f"not known at the moment: {error}"]

    def _forget(self, prefixes: Collection[str]) -> None:
        """Wait no longer for prefixes of which nothing is known any more."""
        for prefix in sorted(prefixes):
            del self._left[prefix]
            self.said.append(f"{prefix}: is no longer in the vip.toml that is loaded")
            self.is_well = False

    def _ended(self, route: PrefixStatus) -> None:
        del self._left[route.prefix]
        text, is_well = _outcome(route)
        self.said.append(text)
        self.is_well = self.is_well and is_well


def _goes_on(route: PrefixStatus, now: float) -> DrainStatus | None:
    """Return the stage of a prefix that is waited for, None where it is over.

    What was withdrawn is waited for until its peers have lost it. Where no watchdog answers, the intent
    alone is known, or not even that: the drain may go on, and nothing is known of it.
    """
    drain = route.drain
    if drain is None:
        is_open = route.intent in (Mode.DRAINING, _UNKNOWN) or (
            route.intent == Mode.DRAINED and route.announced is None
        )
        return DrainStatus(stage=route.intent) if is_open else None
    if route.intent == Mode.DRAINING:
        is_at_its_end = drain.stays and drain.ends is not None and now >= drain.ends
        return None if is_at_its_end else drain
    return drain if route.intent == Mode.DRAINED and not route.as_wanted else None


def _outcome(route: PrefixStatus) -> tuple[str, bool]:
    """Return what became of a drain, and whether that is what was asked for."""
    drain, prefix = route.drain, route.prefix
    if route.intent == Mode.DRAINED:
        said = "" if drain is None else f"; {cut(drain.left)}"
        return f"Deleting route to {prefix}{said}", route.announced is False
    if route.intent == Mode.DRAINING and drain is not None:
        count = "how many are connected is not known"
        if drain.connections is not None:
            count = f"{drain.connections} are connected"
        return f"{prefix}: the time limit is over: {STAYS}; {count}", False
    return (
        f"{prefix}: the drain was ended before its end: {route.reason}; vip_mgmt history says why",
        False,
    )


def patience(topology: Topology, prefixes: Collection[Prefix]) -> float:
    """Return for how long the soft drains of some prefixes may take, in seconds."""
    asked = {*prefixes}
    return GRACE + max((vip.drain.timeout for vip, a in topology if a.prefix in asked), default=0.0)


def follow(
    operations: Operations,
    prefixes: Collection[str],
    within: float = inf,
    wait: Callable[[float], None] = time.sleep,
    wall: Callable[[], float] = time.time,
    connections: Callable[[], Connections] = dict,
) -> ExitStatus:
    """Show soft drains until they are over, and say what was cut.

    Args:
        operations: who is asked.
        prefixes: those that drain.
        within: for how long at most, in seconds. A drain that cuts nothing may last for ever.
        wait: lets some seconds pass.
        wall: seconds since the epoch.
        connections: counts the connections of each prefix of which they are known here.
    """
    watch, screen, end = DrainWatch(prefixes), Screen(), None
    try:
        while True:
            now = wall()
            end = now + within if end is None else end
            lines = watch.look(operations, now, connections())
            if watch.said:
                screen.clear()
                for text in watch.said:
                    tell_operator(text)
            if watch.is_over:
                return ExitStatus.DONE if watch.is_well else ExitStatus.NOT_AS_WANTED
            if now >= end:
                screen.clear()
                tell_operator(f"not over after {span(within)}, and not waited for any longer:")
                for text in (*lines, _GOES_ON):
                    tell_operator(text)
                return ExitStatus.NOT_AS_WANTED
            screen.draw(lines, now)
            wait(EVERY)
    except KeyboardInterrupt:
        screen.clear()
        tell_operator(_GOES_ON)
        return ExitStatus.NOT_AS_WANTED


class Screen:
    """Lines that are drawn in place on the terminal that answers go to."""

    def __init__(self) -> None:
        self._is_terminal = width() is not None
        self._drawn = 0
        self._told = 0.0

    def draw(self, lines: Sequence[str], now: float) -> None:
        """Draw lines over the last ones: as many as the terminal takes. Where there is none, say them now and then."""
        if self._is_terminal:
            self._draw(lines)
        elif now - self._told >= TOLD_EVERY:
            self._told = now
            for text in lines:
                tell_operator(text, tag=False)

    def _draw(self, lines: Sequence[str]) -> None:
        columns, most = width() or 80, max(height() - 2, 1)
        if len(lines) > most:
            lines = [*lines[: most - 1], f"… and {count(len(lines) - most + 1, 'more VIP')}"]
        cleared = "\x1b[J" if len(lines) < self._drawn else ""
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        text = "\n".join(f"{printable(line)[: columns - 1]}\x1b[K" for line in lines)
        show(f"{up}{cleared}{text}")
        self._drawn = len(lines)

    def clear(self) -> None:
        """Remove what is drawn, for what is to stay there."""
        if self._drawn:
            show(f"\x1b[{self._drawn}A\x1b[J\x1b[A")
            self._drawn = 0
