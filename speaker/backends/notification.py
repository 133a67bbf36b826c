"""Why a BGP session ended, in words that say what to do: NOTIFICATION messages (RFC 4271 section 4.5, RFC 4486). No I/O."""

from __future__ import annotations

import re

_NOTIFICATION = re.compile(r"notification (sent|received) \(([0-9]{1,3}),([0-9]{1,3})\)")
_AS = "compare local-as and peer-as with what the router has"
_LOG = "see the routing daemon's log"
_ROUTER = "ask who runs the router"
_MEANINGS = {
    (1, None): ("message header error", _LOG),
    (2, 2): ("bad peer AS", _AS),
    (2, 3): ("bad BGP identifier", "no two routers may have the same router-id"),
    (2, 6): ("unacceptable hold time", "compare hold-time with the router's"),
    (2, None): ("OPEN message error", "compare the neighbor's settings with the router's"),
    (3, None): ("UPDATE message error", _LOG),
    (4, None): ("hold timer expired", "the other end was silent: is the link well?"),
    (5, None): ("finite state machine error", _LOG),
    (6, 1): ("too many prefixes", "raise the maximum that the router takes from us"),
    (6, 2): ("administrative shutdown", _ROUTER),
    (6, 3): ("neighbor de-configured", _ROUTER),
    (6, 4): ("administrative reset", "it comes up again by itself"),
    (6, 5): ("connection rejected", "has the router this neighbor, with this address?"),
    (6, 6): ("configuration change", "it comes up again by itself"),
    (6, 7): ("connection collision", "it comes up again by itself"),
    (6, 8): ("out of resources", _ROUTER),
    (6, 10): ("BFD down", "is the link well?"),
    (6, None): ("cease", _ROUTER),
}
"""By code and subcode, None for any other subcode: the error's name, and what to do."""
_BROKEN = "the connection breaks; is the router up, and reachable?"


def remedy_for(text: str) -> str:
    """Return what to do about the end of a session that a daemon tells in words of its own.

    Args:
        text: such as `Notification received (OPEN Message Error/Bad Peer AS)`.
    """
    told = text.lower()
    remedies = (remedy for name, remedy in _MEANINGS.values() if name.lower() in told)
    return next(remedies, "is the router up, and does it know this neighbor?")


def is_notification(reason: str) -> bool:
    """Tell whether a reason names a NOTIFICATION."""
    return _NOTIFICATION.search(reason) is not None


def explained(reason: str) -> str:
    """Return a reason that ExaBGP gave for the end of a session, with what it means.

    Args:
        reason: such as `notification received (2,2)`.
    """
    found = _NOTIFICATION.search(reason)
    if found is None:
        return _BROKEN if reason == "closing connection" else reason[:200]
    code, subcode = int(found[2]), int(found[3])
    name, remedy = _MEANINGS.get((code, subcode)) or _MEANINGS.get((code, None)) or ("", _LOG)
    told = f"NOTIFICATION {code}/{subcode} {found[1]}"
    return f"{name} ({told}); {remedy}" if name else f"{told}; {remedy}"
