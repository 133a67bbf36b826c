"""What each session was sent since it came up, as ExaBGP tells of every UPDATE that it sends. No I/O.

ExaBGP tells where a neighbour's `api` section has `send { parsed; update; }`. It tells in order, a
session's end and its new begin between: what is told of one that we saw come up is all that its
peer has of us. Of one that was up before, only what is told from then on is known: ExaBGP's `flush
adj-rib out` makes it tell all that it holds again, and a withdrawal is sent, and told, in any case.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy.route import Prefix
    from speaker.backends.exabgp_neighbors import Ends

MAX_PREFIXES = 200_000
"""For so many prefixes of one session it is kept what it was sent: others than ours may announce too."""


@dataclass(frozen=True, slots=True)
class Update:
    """An UPDATE that a session was sent, in the text of its prefixes."""

    ends: Ends
    withdrawn: tuple[str, ...]
    announced: tuple[str, ...]


@dataclass(slots=True)
class _Session:
    """What one session was sent: `whole` where what is not in it was not sent either."""

    whole: bool
    sent: dict[str, bool] = field(default_factory=dict)


class Feed:
    """What is known of all sessions."""

    def __init__(self) -> None:
        """Know nothing: any may be up already."""
        self._sessions: dict[Ends, _Session] = {}

    def came_up(self, ends: Ends) -> None:
        """Begin with a session that was sent nothing yet."""
        self._sessions[ends] = _Session(whole=True)

    def forget(self, ends: Ends) -> None:
        """Know nothing of a session any more: it ended, or it is not told of all that it is sent."""
        self._sessions.pop(ends, None)

    def forget_all(self) -> None:
        """Know nothing any more: something that was told is lost."""
        self._sessions.clear()

    def take(self, update: Update) -> None:
        """Take over what a session was sent."""
        session = self._sessions.setdefault(update.ends, _Session(whole=False))
        _note(session, update.withdrawn, announced=False)
        _note(session, update.announced, announced=True)
        if len(session.sent) > MAX_PREFIXES:
            session.sent.clear()
            session.whole = False

    def sent(self, ends: Ends, prefix: Prefix) -> bool | None:
        """Return whether a prefix was the last that a session was sent of it; None where not known."""
        session = self._sessions.get(ends)
        if session is None:
            return None
        return session.sent.get(str(prefix), False if session.whole else None)


def _note(session: _Session, prefixes: Iterable[str], *, announced: bool) -> None:
    for prefix in prefixes:
        if announced or not session.whole:
            session.sent[prefix] = announced
        else:
            session.sent.pop(prefix, None)
