"""Which VIPs are dead here, in words that say what to do: withdrawn because of their health, as decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.intent import Mode
from policy.sources import CHECK, REPORT, SERVICES
from policy.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from speaker.api import PrefixStatus

NAMED = 5
"""How many VIPs are named."""
_REALSERVERS = "see its realservers, and what checks them (keepalived's log)"
_CONNECTED = "see its realservers: vip_watchdog connects to each by itself, without keepalived"
_EITHER = (
    'see its realservers, and what checks them (keepalived\'s log; with source = "tcp" vip_watchdog connects by '
    "itself)"
)
"""Where no rule names the source, so that the state does not."""
_BY_HEALTH = (Mode.AUTO, Mode.DRAINING, Mode.RETURNING)
"""Intents with which health decides whether it is announced."""


def dead(routes: Iterable[PrefixStatus]) -> list[str]:
    """Return a text for each of the first dead VIPs, and one for how many more there are.

    Args:
        routes: the state of prefixes. One that an operator wants as it is, is left out.
    """
    by_vip: dict[str, list[PrefixStatus]] = {}
    for route in routes:
        if route.health == "down" and route.wanted is False and route.intent in _BY_HEALTH:
            by_vip.setdefault(route.vip, []).append(route)
    found = [_text(vip, own) for vip, own in [*by_vip.items()][:NAMED]]
    if (more := len(by_vip) - NAMED) > 0:
        found.append(count(more, "more VIP", "down"))
    return found


def _text(vip: str, routes: list[PrefixStatus]) -> str:
    more = f" and {len(routes) - 1} more" if len(routes) > 1 else ""
    first = routes[0]
    return f"{vip} {first.prefix}{more}: {first.reason}; withdrawn here: {_advice(first)}; vip_mgmt explain {vip}"


def _advice(route: PrefixStatus) -> str:
    """Return what to look at: what those sources of its rule ask that its reason names."""
    named = [name for name in route.sources if f"{name} is " in route.reason]
    return "; ".join(dict.fromkeys(map(_to_see, named))) or _EITHER


def _to_see(source: str) -> str:
    if source.startswith(CHECK):
        return f"see the application that {source} asks"
    if source.startswith(REPORT):
        return f"vip_mgmt report shows who reported {source.removeprefix(REPORT)}"
    if source == "tcp":
        return _CONNECTED
    return _REALSERVERS if source in SERVICES else f"see {source}"
