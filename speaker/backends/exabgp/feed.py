"""What each session was sent since it came up, as ExaBGP tells of every UPDATE that it sends. No I/O.

ExaBGP tells where a neighbour's `api` section has `send { parsed; update; }`. It tells in order, a
session's end and its new begin between: what is reported of one that we saw come up is all that its
peer has of us. Of one that was up before, only what is told from then on is known: ExaBGP's `flush
adj-rib out` makes it tell all that it holds again, and a withdrawal is sent, and told, in any case.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from speaker.backends.exabgp.neighbors import Ends

MAX_PREFIXES = 200_000
"""The number of prefixes of one session for which it is kept what it was sent: others than ours may announce too."""


MAX_SESSIONS = 10_000
"""Sessions of which it is kept what they were sent: their addresses are what ExaBGP says."""


@dataclass(frozen=True, slots=True)
class SentUpdate:
    """An UPDATE that a session was sent, in the text of its prefixes."""

    ends: Ends
    withdrawn: tuple[str, ...]
    announced: tuple[str, ...]


class Sendings:
    """What one session was sent: `whole` where what it has no word of was not sent either."""

    def __init__(self) -> None:
        """Know nothing: the session may be up already."""
        self._whole = False
        self._sent: dict[str, bool] = {}

    def begin(self) -> None:
        """Take over that the session came up, or ended: its peer has nothing of us."""
        self._whole = True
        self._sent.clear()

    def forget(self) -> None:
        """Know nothing any more: not all was told."""
        self._whole = False
        self._sent.clear()

    def take(self, update: SentUpdate) -> None:
        """Take over an UPDATE. What it both withdraws and announces is announced (RFC 4271 §4.3)."""
        self._note(update.withdrawn, announced=False)
        self._note(update.announced, announced=True)
        if len(self._sent) > MAX_PREFIXES:
            self.forget()

    def _note(self, prefixes: Iterable[str], *, announced: bool) -> None:
        for prefix in prefixes:
            if announced or not self._whole:
                self._sent[prefix] = announced
            else:
                self._sent.pop(prefix, None)

    def has(self, prefix: str) -> bool | None:
        """Return whether the peer was sent a prefix, and no withdrawal after it; None where not known."""
        return self._sent.get(prefix, False if self._whole else None)


class Feed:
    """What is known of all sessions, each by the same object for as long as there is a feed."""

    def __init__(self) -> None:
        self.sessions: defaultdict[Ends, Sendings] = defaultdict(Sendings)

    def take(self, update: SentUpdate) -> None:
        """Take over what a session was sent."""
        self.session(update.ends).take(update)

    def session(self, ends: Ends) -> Sendings:
        """Return what a session was sent. Of one too many nothing is kept, and so nothing is known."""
        if len(self.sessions) >= MAX_SESSIONS and ends not in self.sessions:
            return Sendings()
        return self.sessions[ends]

    def latest(self, ends: Ends) -> None:
        """Take over that a session came up: it is the last one, in the order of `sessions`."""
        if ends in self.sessions:
            self.sessions[ends] = self.sessions.pop(ends)

    def forget_all(self) -> None:
        """Know nothing any more: something that was told is lost."""
        for session in self.sessions.values():
            session.forget()
