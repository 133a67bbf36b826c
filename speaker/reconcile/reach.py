"""Who was sent a prefix, of the sessions as they are now: whether it is announced, and who lacks it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from speaker.api import PrefixStatus
    from speaker.backends.base import Peer, SentTo

NO_SESSION = "no session is up"


@dataclass(frozen=True, slots=True)
class Reach:
    """Who was sent a prefix. `sent` has the sessions that have its family, None where nothing is known.

    `up` are those of them that are up, and `in_doubt` those of which that is not known.
    """

    sent: dict[str, bool | None] | None
    up: tuple[str, ...] = ()
    in_doubt: tuple[str, ...] = ()

    @property
    def announced(self) -> bool | None:
        """Whether a session that is up was sent it; None where that is not known."""
        if self.sent is None:
            return None
        values = self.sent.values()
        if any(values):
            return True
        return None if None in values else False

    @property
    def complete(self) -> bool:
        """Whether every session that is up was sent it, and one is."""
        return self.sent is not None and bool(self.up) and not self.lack

    @property
    def lack(self) -> str:
        """Who lacks it that should have it, in words; nothing where none does, or nothing is known."""
        if self.sent is None:
            return ""
        if not self.up and not self.in_doubt:
            return NO_SESSION
        lacking = [name for name in self.up if self.sent[name] is False]
        unknown = [name for name in self.up if self.sent[name] is None]
        return "; ".join(
            f"{text} {', '.join(names)}"
            for text, names in (
                ("not sent to", lacking),
                ("not known whether it was sent to", unknown),
                ("not known whether this session is up:", self.in_doubt),
            )
            if names
        )

    @property
    def hold(self) -> str:
        """Who has it that should not, in words."""
        sent = self.sent or {}
        having = [name for name, value in sent.items() if value]
        unknown = [name for name, value in sent.items() if value is None]
        return "; ".join(
            f"{text} {', '.join(names)}"
            for text, names in (
                ("still sent to", having),
                ("not known whether a withdrawal was sent to", unknown),
            )
            if names
        )


class Reaches:
    """What a reading says of who was sent what, over the sessions as they are now.

    Args:
        peers: the neighbours, and which are up.
    """

    def __init__(self, peers: Iterable[Peer]) -> None:
        self._up = {peer.name: peer.up for peer in peers}
        self._known: dict[int, tuple[SentTo, Reach]] = {}
        self._foreseen: dict[tuple[tuple[str, ...], bool], Reach] = {}

    def of(self, sent: SentTo | None) -> Reach:
        """Return who was sent a prefix. Those with the same mapping share the answer."""
        if sent is None:
            return Reach(None)
        # The mapping is kept, so that no other has its id meanwhile.
        _, reach = self._known.get(id(sent), (None, None))
        if reach is None:
            reach = self._over_sessions(sent)
            self._known[id(sent)] = (sent, reach)
        return reach

    def _over_sessions(self, sent: SentTo) -> Reach:
        states = {name: self._up.get(name) for name in sent}
        return Reach(
            {name: states[name] and value for name, value in sent.items()},
            tuple(name for name, up in states.items() if up),
            tuple(name for name, up in states.items() if up is None),
        )

    def once(self, sent: SentTo | None, *, announced: bool) -> Reach:
        """Return who would have been sent a prefix, once it was announced or withdrawn."""
        if sent is None:
            return Reach(None)
        names = tuple(sent)
        if (names, announced) not in self._foreseen:
            values = {name: announced and self._up.get(name) for name in names}
            self._foreseen[names, announced] = self._over_sessions(values)
        return self._foreseen[names, announced]


def down(peers: Sequence[Peer]) -> str:
    """Return which sessions are down, in words."""
    names = [peer.name for peer in peers if peer.up is False]
    if not names:
        return ""
    return NO_SESSION if len(names) == len(peers) else f"down: {', '.join(names)}"


def sessions(peers: Sequence[Peer], shown: Iterable[PrefixStatus]) -> list[str]:
    """Return what is wrong with the sessions, in words.

    Args:
        peers: the neighbours.
        shown: the state of prefixes.
    """
    found = down(peers)
    if found == NO_SESSION:
        return [f"sessions: {found}, so nothing is announced"]
    nowhere = Counter(
        ("IPv6" if ":" in route.prefix else "IPv4", bool(route.peers))
        for route in shown
        if route.lack == NO_SESSION
    )
    return [
        *([f"sessions: {found}"] if found else []),
        *(
            f"sessions: none that has {family} is up, so {count} prefixes are not announced"
            if is_there
            else f"sessions: no neighbor has {family}, so {count} prefixes are not announced"
            for (family, is_there), count in sorted(nowhere.items())
        ),
    ]
