"""The tables and texts that vip_mgmt prints, of what was answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from policy.intent import timestamp
from speaker.reconcile.dead import dead
from speaker.reconcile.leaving import leaving
from speaker.terminal import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from speaker.api import (
        HistoryEntry,
        PeerStatus,
        PlannedChange,
        PrefixStatus,
        Status,
    )
    from speaker.cli.connections import ConnectionsShown

_STATES = {True: "yes", False: "no", None: "?"}
_SESSIONS = {True: "up", False: "DOWN", None: "?"}


def status_table(answer: Status) -> str:
    """Return `vip_mgmt status`."""
    peers = ", ".join(f"{peer.name} AS{peer.asn} {_SESSIONS[peer.up]}" for peer in answer.peers)
    daemon = f" ({answer.daemon.name})" if answer.daemon.name else ""
    head = [f"{answer.dc} on {answer.backend}{daemon}; peers: {peers or 'none known'}"]
    head += [f"STARTING: {answer.starting}"] if answer.starting else []
    head += [f"TROUBLE: {trouble}" for trouble in (*answer.sessions, *answer.trouble)]
    head += [f"DOWN: {text}" for text in dead(answer.routes)]
    head += leaving(answer.routes)
    head += [f"witness {each}" for each in answer.witnesses if not each.is_whole]
    rows = [_COLUMNS]
    rows += [
        (
            route.vip,
            route.prefix,
            _STATES[route.announced],
            _peers(route),
            " ".join(map(str, route.as_path)) if route.announced else "-",
            _rank(route),
            "-" if route.realservers is None else str(route.realservers),
            route.health,
            route.intent,
            # That no session is up is said above, once for all.
            "; ".join(
                (
                    route.reason if _peers(route) == _NO_SESSION else route.full_reason,
                    *map(str, route.seen),
                )
            ),
        )
        for route in answer.routes
    ]
    return "\n".join([*head, table(rows)])


def _rank(route: PrefixStatus) -> str:
    if route.rank is None:
        return "-"
    return "equal" if route.equal else str(route.rank)


_COLUMNS = (
    "VIP",
    "PREFIX",
    "ANNOUNCED",
    "PEERS",
    "AS_PATH",
    "RANK",
    "LIVE",
    "HEALTH",
    "INTENT",
    "REASON",
)
_NO_SESSION = "0/0 up"


def _peers(route: PrefixStatus) -> str:
    """Return to how many sessions a prefix was sent, of those that are up and have its family."""
    up, sent = len(route.up), [*route.peers.values()]
    if up:
        return f"{sent.count(True)}/{up}"
    return _NO_SESSION if route.announced is False else "?"


_JSON_KEYS = ("dc", "backend", "daemon", "configuration", "last_cycle")
_JSON_PEER_KEYS = ("address", "asn", "up")
_JSON_ROUTE_KEYS = (
    "vip",
    "prefix",
    "announced",
    "peers",
    "as_path",
    "rank",
    "equal",
    "prepends",
    "realservers",
    "health",
    "intent",
    "reason",
    "connections",
)


def status_json(answer: Status, connections: Mapping[str, ConnectionsShown] | None = None) -> str:
    """Return `vip_mgmt status --json`: the keys that scripts rely on, and no others.

    Args:
        answer: the state.
        connections: those of the prefixes of which they are known.
    """
    whole = answer.to_json()
    shown = {key: whole[key] for key in _JSON_KEYS}
    shown["trouble"] = [*answer.sessions, *answer.trouble]
    shown["peers"] = [_peer_json(peer) for peer in answer.peers]
    known = connections or {}
    shown["routes"] = [_route_json(route, known.get(route.prefix)) for route in answer.routes]
    if answer.witnesses:
        shown["witnesses"] = [each.to_json() for each in answer.witnesses]
    return json.dumps(shown, indent=2)


def _peer_json(peer: PeerStatus) -> dict[str, object]:
    """Only where two sessions go to one address are they told apart by another name."""
    whole = peer.to_json()
    named = () if peer.name == peer.address else ("name",)
    return {key: whole[key] for key in (*named, *_JSON_PEER_KEYS)}


def _route_json(route: PrefixStatus, connections: ConnectionsShown | None) -> dict[str, object]:
    counted = None if connections is None else connections.to_json()
    whole = route.to_json() | {"reason": route.full_reason, "connections": counted}
    more = [key for key in ("gets", "sources", "planned", "drain", "seen") if whole[key]]
    return {key: whole[key] for key in (*_JSON_ROUTE_KEYS, *more)}


def history_table(answer: Sequence[HistoryEntry]) -> str:
    """Return `vip_mgmt history`."""
    if not answer:
        return "no history"
    return table([(timestamp(e.time), e.prefix, history_text(e)) for e in answer])


def history_text(entry: HistoryEntry) -> str:
    """Return an entry's event and reason, and neither the event nor the time twice."""
    event, reason = entry.event, entry.reason
    if reason.startswith(f"{event} by "):
        return str(reason.replace(f" at {timestamp(entry.time)}", "", 1))
    return f"{event}: {reason}"


def plan_table(changes: Sequence[PlannedChange]) -> str:
    """Return `vip_mgmt plan`."""
    if not changes:
        return "no changes: the daemon has what was decided"
    return table([(c.action, c.route or c.prefix, f"({c.reason})") for c in changes])
