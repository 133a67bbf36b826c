"""vip_mgmt check --nagios: the state in one line with its numbers, for Nagios, Icinga and what reads their plugins."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from policy.intent import Mode
from policy.wording import count, named
from speaker.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.api import PrefixStatus, Status

NAMED = 3
"""How many prefixes, or alarms, the line names."""
LENGTH = 1000
"""Characters of the line before its numbers; Nagios cuts a line of more than 4 KiB."""


class PluginStatus(IntEnum):
    """The exit status of a plugin."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


class Verdict(NamedTuple):
    """What monitoring is told: the exit status, and the line."""

    level: PluginStatus
    line: str


def verdict(status: Status) -> Verdict:
    """Return what monitoring receives for a state.

    CRITICAL: a prefix that should be announced is not, or one that should not be still is; or no session
    is up. WARNING: an alarm, a session that is down, or what is not known. A drain is no fault.
    """
    routes = status.routes
    wrong = [route for route in routes if _is_wrong(route)]
    doubtful = [route for route in routes if not route.as_wanted and not _is_wrong(route)]
    down = [peer.name for peer in status.peers if peer.up is False]
    is_alone = bool(status.peers) and len(down) == len(status.peers)
    alarms = [*status.sessions, *status.trouble]
    told = _routes_text(wrong, "not as decided") + alarms[:NAMED]
    told += _routes_text(doubtful, "not known") if not wrong else []
    level = PluginStatus.OK
    if doubtful or alarms or down:
        level = PluginStatus.WARNING
    if wrong or is_alone:
        level = PluginStatus.CRITICAL
    return _verdict(level, "; ".join(told) or _all_is_well(status), status)


def unanswered(why: str) -> Verdict:
    """Return what monitoring is told where there is no answer, or no configuration to ask by."""
    return Verdict(PluginStatus.UNKNOWN, _line(PluginStatus.UNKNOWN, why))


def silent(why: str) -> Verdict:
    """Return what monitoring is told where no watchdog runs that should."""
    return Verdict(PluginStatus.CRITICAL, _line(PluginStatus.CRITICAL, why))


def _is_wrong(route: PrefixStatus) -> bool:
    """Tell whether the peers have what they should not, or lack what they should have."""
    return route.wanted is not None and (
        (route.announced is not None and route.announced is not route.wanted)
        or (not route.as_wanted and bool(route.lack or route.failure))
    )


def _routes_text(routes: Sequence[PrefixStatus], what: str) -> list[str]:
    if not routes:
        return []
    names = named([f"{route.vip} {route.prefix}" for route in routes], NAMED)
    return [f"{count(len(routes), 'prefix')} {what}: {names}"]


def _all_is_well(status: Status) -> str:
    announced = sum(route.announced is True for route in status.routes)
    return f"{status.dc}: {announced} of {count(len(status.routes), 'prefix')} announced, all as decided"


def _verdict(level: PluginStatus, text: str, status: Status) -> Verdict:
    routes, peers = status.routes, status.peers
    numbers = {
        "prefixes": len(routes),
        "announced": sum(route.announced is True for route in routes),
        "wanted": sum(route.wanted is True for route in routes),
        "not_as_wanted": sum(not route.as_wanted for route in routes),
        "drained": sum(route.intent == Mode.DRAINED for route in routes),
        "forced": sum(route.intent == Mode.FORCED for route in routes),
        "peers": len(peers),
        "peers_up": sum(peer.up is True for peer in peers),
    }
    data = " ".join(f"{name}={number};;;0" for name, number in numbers.items())
    age = "" if status.last_cycle is None else f" last_cycle={status.last_cycle:.3f}s;;;0"
    return Verdict(level, f"{_line(level, text)} | {data}{age}")


def _line(level: PluginStatus, text: str) -> str:
    text = printable(text).replace("|", "/")  # what follows one is numbers
    if len(text) > LENGTH:
        text = f"{text[:LENGTH]}…"
    return f"VIP {level.name} - {text}"
