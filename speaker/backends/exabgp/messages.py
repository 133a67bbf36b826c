"""What ExaBGP tells by itself, a message in JSON to a line: those that we heed. No I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from speaker.backends.exabgp.feed import SentUpdate
from speaker.backends.exabgp.heard import Heard, HeardEnd, HeardGarbled, HeardUpdate, PathKey
from speaker.backends.exabgp.neighbors import Ends


@dataclass(frozen=True, slots=True)
class PeerState:
    """A session came up, or went down."""

    ends: Ends
    up: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Shutdown:
    """ExaBGP is going down."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A line that means nothing to us."""

    line: str


@dataclass(frozen=True, slots=True)
class Garbled:
    """A line that can't be read: what it told is lost, and all that is told until the conversation is in step."""

    line: str


Message = PeerState | SentUpdate | Heard | Shutdown | Ignored | Garbled
Report = PeerState | SentUpdate | Heard | Garbled
"""What is told of sessions."""


def parse_message(line: str) -> Message:
    """Parse a JSON line of 4.x or 5.x: the events that we heed, and all others as ignored.

    A line of any other form may have been one that we heed. One that we heed says nothing twice:
    else a peer's text in it could say it again, because 4.2 does not escape all of them.
    """
    twice = False

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        found = dict(pairs)
        twice = twice or len(found) < len(pairs)
        return found

    try:
        # 4.2 leaves raw control characters in the reason of a session's end.
        event = _event(json.loads(line, strict=False, object_pairs_hook=unique))
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return Garbled(line)
    if event is None:
        return Ignored(line)
    if twice and isinstance(event, HeardUpdate | HeardEnd):
        return HeardGarbled(event.ends)
    return Garbled(line) if twice else event


def _event(message: Any) -> Message | None:
    match message:
        case {"type": "notification", "notification": "shutdown"}:
            return Shutdown()
        case {
            "type": "state",
            "neighbor": {
                "address": {"local": str(local), "peer": str(peer)},
                "state": "up" | "down" as state,
                **rest,
            },
        }:
            ends = Ends.parse(peer, local)
            return PeerState(ends, state == "up", str(rest.get("reason", "")))
        case {
            "type": "update",
            "neighbor": {
                "address": {"local": str(local), "peer": str(peer)},
                "direction": "send",
                "message": {"update": update},
            },
        }:
            return _parse_update(Ends.parse(peer, local), update)
        case {
            "type": "update",
            "neighbor": {
                "address": {"local": str(local), "peer": str(peer)},
                "direction": "receive",
                "message": received,
            },
        }:
            return _parse_received(peer, local, received)
    return None


_FAMILIES = ("ipv4 unicast", "ipv6 unicast")
_VERSIONS = {"ipv4": 4, "ipv6": 6}


def _parse_received(peer: str, local: str, received: Any) -> Message | None:
    """Parse what a session sent us. A peer that writes what can't be read says nothing of others."""
    try:
        ends = Ends.parse(peer, local)
    except ValueError:
        return None
    try:
        return _heard(ends, received)
    except (ValueError, TypeError, AttributeError, KeyError):
        return HeardGarbled(ends)


def _heard(ends: Ends, received: Any) -> Heard | None:
    match received:
        case {"eor": {"afi": "ipv4" | "ipv6" as family, "safi": "unicast"}}:
            return HeardEnd(ends, _VERSIONS[family])
        case {"update": update}:
            withdrawn, announced = update.get("withdraw", {}), update.get("announce", {})
            return HeardUpdate(
                ends,
                tuple(_path(each) for family in _FAMILIES for each in withdrawn.get(family, ())),
                tuple(
                    (_path(each), hop)
                    for family in _FAMILIES
                    for hop, routes in announced.get(family, {}).items()
                    for each in routes
                ),
                update.get("attribute", {}),
            )
    return None


def _path(route: dict[str, Any]) -> PathKey:
    return _nlri(route), str(route.get("path-information", ""))


def _parse_update(ends: Ends, update: dict[str, Any]) -> SentUpdate:
    """Parse what a session was sent: `withdraw` has lists by family, `announce` lists by next hop in it."""
    withdrawn, announced = update.get("withdraw", {}), update.get("announce", {})
    return SentUpdate(
        ends,
        tuple(_nlri(each) for family in _FAMILIES for each in withdrawn.get(family, ())),
        tuple(
            _nlri(each)
            for family in _FAMILIES
            for routes in announced.get(family, {}).values()
            for each in routes
        ),
    )


def _nlri(route: dict[str, Any]) -> str:
    """Return a prefix in the text that Python gives it, which has IPv4 inside IPv6 otherwise."""
    text = route["nlri"]
    return str(ip_network(text)) if "." in text and ":" in text else str(text)
