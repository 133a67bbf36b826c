"""Which VIPs drain softly or return, a line for each: the stage, the connections, and until when at the latest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.drain import until_few
from policy.intent import Mode, timestamp
from policy.wording import count
from speaker.drain_status import STAYS, insisted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from speaker.api import PrefixStatus
    from speaker.drain_status import DrainStatus

NAMED = 5
"""How many VIPs are named."""


def leaving(routes: Iterable[PrefixStatus]) -> list[str]:
    """Return a text for each of the first VIPs in a stage, and one for how many more there are."""
    by_vip: dict[tuple[str, str, bool], list[DrainStatus]] = {}
    for route in routes:
        if route.drain is not None and route.drain.stage in (Mode.DRAINING, Mode.RETURNING):
            is_gone = route.wanted is False and not route.kept_back
            by_vip.setdefault((route.drain.stage, route.vip, is_gone), []).append(route.drain)
    found = [_text(*of, own) for of, own in [*by_vip.items()][:NAMED]]
    if (more := [*by_vip.values()][NAMED:]) != []:
        known = [drain.connections for own in more for drain in own]
        found.append(f"{count(len(more), 'VIP')} more: {_active(known)}")
    return found


def _text(stage: str, vip: str, is_gone: bool, drains: Sequence[DrainStatus]) -> str:  # noqa: FBT001 - a part of its key
    what = f"{stage.upper()}: {vip} ({len(drains)} prefix{'' if len(drains) == 1 else 'es'}): "
    if is_gone:
        return f"{what}not announced, whatever its stage: vip_mgmt explain {vip}"
    ends = [drain.ends for drain in drains if drain.ends is not None]
    if len(ends) < len(drains):
        return f"{what}begins once the routing daemon is seen to announce it so"
    end = timestamp(max(ends))
    if stage == Mode.RETURNING:
        return f"{what}announced softly until {end}, then as its rank"
    last = f", withdrawn at {end} at the latest"
    if drains[0].stays:
        last = f"; time limit {end}, then {STAYS}"
    if all(drain.returns for drain in drains):
        last = f"; comes back softly at {end}, when its time is over"
    active = _active([drain.connections for drain in drains])
    return f"{what}{active}; {until_few(drains[0].few)}{last}{insisted(drains)}"


def _active(known: Sequence[int | None]) -> str:
    counts = [each for each in known if each is not None]
    if len(counts) < len(known):
        return "connections not known"
    return count(sum(counts), "active connection")
