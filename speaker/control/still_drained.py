"""What keeps machines drained after a restore that was for them, too: drains that it does not overrule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.intent import Mode
from policy.site_intent import Extent, holding
from policy.wording import named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.route import Prefix
    from policy.site_intent import SiteIntent
    from policy.site_members import Member, MemberState

NAMED, MOST = 3, 50
"""How many prefixes a line names, and how many lines there are at most."""
_DRAINS = (Mode.DRAINED, Mode.DRAINING)
_ITS_OWN = "still drained by that machine alone (--here), or by a roll; vip_mgmt explain there says by whom"


def still_drained(
    members: Sequence[Member],
    known: Mapping[Prefix, Sequence[SiteIntent]],
    states: Mapping[Prefix, Sequence[MemberState]],
    here: Extent,
    now: float,
) -> tuple[str, ...]:
    """Return what keeps which machines drained, in words.

    Args:
        members: the live machines that a restore is for.
        known: what is asked of each prefix that was restored, as this machine knows it.
        states: what the machines tell of prefixes.
        here: this machine.
        now: seconds since the epoch.
    """
    told = {
        (prefix, each.dc, each.machine)
        for prefix in known
        for each in states.get(prefix, ())
        if each.drains
    }
    drains = [
        (prefix, some)
        for prefix, some in known.items()
        if any(each.intent.mode in _DRAINS for each in some)
    ]
    of: dict[tuple[str, str], list[str]] = {}
    for member in members:
        machine, name = Extent(member.dc, member.machine), f"{member.dc}/{member.machine}"
        known_why: set[Prefix] = set()
        for prefix, some in drains:
            held = holding(some, machine, now)
            if held is not None and held.intent.mode in _DRAINS:
                known_why.add(prefix)
                of.setdefault((name, f"still {held}"), []).append(str(prefix))
        if machine == here:  # whose own drains are known
            continue
        for prefix in known:
            if prefix not in known_why and (prefix, member.dc, member.machine) in told:
                of.setdefault((name, _ITS_OWN), []).append(str(prefix))
    lines = [f"{name}: {named(prefixes, NAMED)}: {why}" for (name, why), prefixes in of.items()]
    more = len(lines) - MOST
    return (*lines[:MOST], *([f"and {more} more that stay drained"] if more > 0 else []))
