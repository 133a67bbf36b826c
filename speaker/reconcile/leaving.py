"""Which VIPs drain softly or return, a line for each: the stage, the connections, and until when at the latest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.drain import few
from policy.intent import Mode, timestamp
from policy.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from speaker.api import PrefixStatus
    from speaker.drain_status import DrainStatus

NAMED = 5
"""How many VIPs are named."""


def leaving(routes: Iterable[PrefixStatus]) -> list[str]:
    """Return a text for each of the first VIPs in a stage, and one for how many more there are."""
    by_vip: dict[tuple[str, str], list[DrainStatus]] = {}
    for route in routes:
        if route.drain is not None and route.drain.stage in (Mode.DRAINING, Mode.RETURNING):
            by_vip.setdefault((route.drain.stage, route.vip), []).append(route.drain)
    found = [_text(stage, vip, own) for (stage, vip), own in [*by_vip.items()][:NAMED]]
    if (more := [*by_vip.values()][NAMED:]) != []:
        known = [drain.connections for own in more for drain in own]
        found.append(f"{count(len(more), 'VIP')} more: {_active(known)}")
    return found


def _text(stage: str, vip: str, drains: Sequence[DrainStatus]) -> str:
    what = f"{stage.upper()}: {vip} ({len(drains)} prefix{'' if len(drains) == 1 else 'es'}): "
    ends = [drain.ends for drain in drains if drain.ends is not None]
    if len(ends) < len(drains):
        return f"{what}the routing daemon was not read to have it so yet"
    end = timestamp(max(ends))
    if stage == Mode.RETURNING:
        return f"{what}announced softly until {end}, then as its rank"
    last = (
        f"until {end}, and then as it is"
        if drains[0].stays
        else f"withdrawn at {end} at the latest"
    )
    active = _active([drain.connections for drain in drains])
    return f"{what}{active}; waits for {few(drains[0].few)}, {last}"


def _active(known: Sequence[int | None]) -> str:
    counts = [each for each in known if each is not None]
    if len(counts) < len(known):
        return "connections not known"
    return count(sum(counts), "active connection")
