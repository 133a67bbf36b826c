"""A state as rows for a person: what is not as wanted first, long sites by VIP. Values and plain text only."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from policy.intent import Mode
from policy.wording import count
from speaker.cli.connections import UNKNOWN, together
from speaker.reconcile.dead import dead
from speaker.reconcile.leaving import leaving

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from speaker.api import PrefixStatus, Status
    from speaker.cli.connections import ConnectionsShown

FOLDED_FROM = 30
"""From how many prefixes on a VIP that is as wanted has one row."""
LONGEST = 240
"""How many characters of a reason are shown."""
MOST = 40
"""How many VIPs that are as wanted have a row where they are folded."""


class Attention(IntEnum):
    """How much a row needs attention; the first comes first."""

    WRONG = 0
    UNKNOWN = 1
    INTENT = 2
    """As an operator wants it, not as health alone would have it."""
    WELL = 3


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One row. `prefix` is nothing for a VIP's own row, which stands above those of its prefixes.

    `reason` is what LIVE and INTENT do not say already; nothing where they say all.
    """

    level: Attention
    name: str
    is_vip: bool = False
    announced: str = ""
    peers: str = ""
    path: str = ""
    live: str = ""
    intent: str = ""
    reason: str = ""
    connections: tuple[str, str, str] = ("", "", "")
    """Active ones, inactive ones, new ones per second; where they are counted."""
    changed: bool = False


_STATES = {True: "yes", False: "no", None: "?"}


def level(route: PrefixStatus) -> Attention:
    """Return how much a prefix needs attention."""
    if not route.as_wanted:
        is_unknown = route.announced is None or route.wanted is None
        return Attention.UNKNOWN if is_unknown and not route.failure else Attention.WRONG
    return Attention.WELL if route.intent == Mode.AUTO and route.wanted else Attention.INTENT


def rows(
    status: Status,
    changed: Collection[str] = (),
    connections: Mapping[str, ConnectionsShown] | None = None,
    *,
    unfold: bool = False,
) -> list[StatusRow]:
    """Return the rows of a state: VIPs that need attention first, each with its prefixes.

    Args:
        status: the state.
        changed: the prefixes that are to be marked.
        connections: those of the prefixes of which they are known; None where they are not counted.
        unfold: whether each prefix has a row, however many there are.
    """
    vips: dict[str, list[PrefixStatus]] = defaultdict(list)
    for route in status.routes:
        vips[route.vip].append(route)
    is_folded = len(status.routes) > FOLDED_FROM and not unfold
    ordered = sorted(vips.items(), key=lambda each: min(map(level, each[1])))
    found: list[StatusRow] = []
    left = Counter[Attention]()
    folded = 0
    for name, routes in ordered:
        worst = min(map(level, routes))
        if not is_folded or worst < Attention.INTENT:
            found += _unfolded(name, routes, changed, connections or {})
        elif folded < MOST:
            found.append(_folded(name, routes, changed, connections or {}))
            folded += 1
        else:
            left[worst] += 1
    if left:
        more = f"and {count(left.total(), 'more VIP')}, all as wanted; --all shows every prefix"
        found.append(StatusRow(Attention.WELL, more, is_vip=True))
    return found


def _unfolded(
    name: str,
    routes: Sequence[PrefixStatus],
    changed: Collection[str],
    connections: Mapping[str, ConnectionsShown],
) -> Iterable[StatusRow]:
    yield StatusRow(min(map(level, routes)), name, is_vip=True)
    for route in sorted(routes, key=level):
        yield StatusRow(
            level(route),
            route.prefix,
            announced=_STATES[route.announced],
            peers=peers(route),
            path=path(route),
            live="-" if route.realservers is None else str(route.realservers),
            intent=route.intent,
            reason=_bounded(
                "; ".join(
                    (
                        *([] if level(route) is Attention.WELL else [route.full_reason]),
                        *map(str, route.seen),
                    )
                )
            ),
            connections=_cells([route], connections),
            changed=route.prefix in changed,
        )


def _cells(
    routes: Sequence[PrefixStatus], connections: Mapping[str, ConnectionsShown]
) -> tuple[str, str, str]:
    found = together(routes, connections)
    return UNKNOWN if found is None else found.cells()


def _folded(
    name: str,
    routes: Sequence[PrefixStatus],
    changed: Collection[str],
    connections: Mapping[str, ConnectionsShown],
) -> StatusRow:
    """Return the one row of a VIP: what its prefixes have in common, and `…` where they differ."""
    counts = [route.realservers for route in routes if route.realservers is not None]
    what = count(len(routes), "prefix") if len(routes) > 1 else routes[0].prefix
    return StatusRow(
        min(map(level, routes)),
        f"{name} ({what})",
        is_vip=True,
        announced=_common(_STATES[route.announced] for route in routes),
        peers=_common(map(peers, routes)),
        path=_common(map(path, routes)),
        live=str(min(counts)) if counts else "-",
        intent=_common(route.intent for route in routes),
        reason=_bounded(
            _common("" if level(route) is Attention.WELL else route.full_reason for route in routes)
        ),
        connections=_cells(routes, connections),
        changed=any(route.prefix in changed for route in routes),
    )


def _bounded(reason: str) -> str:
    """Return a reason as long as a table may have it: of a long rule, and of many who announce it, explain has the rest."""
    return reason if len(reason) <= LONGEST else f"{reason[: LONGEST - 1]}…"


def _common(texts: Iterable[str]) -> str:
    found = [*dict.fromkeys(texts)]
    return found[0] if len(found) == 1 else "…"


def peers(route: PrefixStatus) -> str:
    """Return to how many sessions a prefix was sent, of those that are up and have its family."""
    if route.up:
        return f"{[*route.peers.values()].count(True)}/{len(route.up)}"
    return "0/0" if route.announced is False else "?"


def path(route: PrefixStatus) -> str:
    """Return the AS_PATH as an eBGP peer sees it, an AS that stands several times once: `64699 x3`."""
    if not route.announced or not route.as_path:
        return "-"
    parts: list[tuple[int, int]] = []
    for asn in route.as_path:
        if parts and parts[-1][0] == asn:
            parts[-1] = (asn, parts[-1][1] + 1)
        else:
            parts.append((asn, 1))
    return " ".join(str(asn) if times == 1 else f"{asn} x{times}" for asn, times in parts)


def head(status: Status) -> list[tuple[Attention, str]]:
    """Return the lines above the table: what is wrong, then where this is, which sessions are down or unknown."""
    ups = sum(peer.up is True for peer in status.peers)
    daemon = f" ({status.daemon.name})" if status.daemon.name else ""
    cycle = "" if status.last_cycle is None else f"; looked {status.last_cycle:.1f}s ago"
    up = (
        f"{ups} of {count(len(status.peers), 'session')} up"
        if status.peers
        else "no session is known"
    )
    first = f"{status.dc} on {status.backend}{daemon}: {up}{cycle}"
    is_well = ups == len(status.peers) and status.peers
    how = Attention.UNKNOWN if status.starting else Attention.WRONG
    lines = [(Attention.WELL if is_well else how, first)]
    if status.starting:
        lines.append((Attention.UNKNOWN, f"STARTING: {status.starting}"))
    lines += [(Attention.WRONG, f"TROUBLE: {text}") for text in (*status.sessions, *status.trouble)]
    lines += [(Attention.WRONG, f"DOWN: {text}") for text in dead(status.routes)]
    lines += [(Attention.INTENT, text) for text in leaving(status.routes)]
    lines += [
        (Attention.UNKNOWN, f"session {peer.name} AS{peer.asn}: not known whether it is up")
        for peer in status.peers
        if peer.up is None
    ]
    return lines


def changes(before: Status, now: Status) -> dict[str, str]:
    """Return what changed of each prefix, in words: `announced yes -> no`."""
    old = {route.prefix: route for route in before.routes}
    found: dict[str, str] = {}
    for route in now.routes:
        was = old.get(route.prefix)
        if was is None:
            found[route.prefix] = "new"
        elif said := "; ".join(_differing(was, route)):
            found[route.prefix] = said
    found |= dict.fromkeys(old.keys() - {route.prefix for route in now.routes}, "no longer there")
    return found


def _differing(was: PrefixStatus, now: PrefixStatus) -> Iterable[str]:
    for what, one, other in (
        ("announced", _STATES[was.announced], _STATES[now.announced]),
        ("peers", peers(was), peers(now)),
        ("AS_PATH", path(was), path(now)),
        ("live", was.realservers, now.realservers),
        ("health", was.health, now.health),
        ("intent", was.intent, now.intent),
    ):
        if one != other:
            yield f"{what} {'-' if one is None else one} -> {'-' if other is None else other}"
