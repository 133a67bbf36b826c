"""Who was sent a prefix, of the sessions as they are now: whether it is announced, and who lacks it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from policy.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from policy.route import Override, Route
    from speaker.api import PrefixStatus
    from speaker.backends.base import Peer, SentTo

NO_SESSION = "no session is up"
NONE_FOR_IT = "no session is up that is to get it"
TOLD = 5
"""How many sessions are named with their reasons."""
UNTOLD = "down; is the router up, does it know this neighbor? See the routing daemon's log"


class ShownReach(TypedDict):
    """Those fields of `PrefixStatus`."""

    announced: bool | None
    peers: dict[str, bool | None]
    up: tuple[str, ...]
    lack: str


def may_be_sent(sent: SentTo) -> bool:
    """Tell whether a session was sent a prefix, or may have been, and no withdrawal after it."""
    return any(value is not False for value in sent.values())


@dataclass(frozen=True, slots=True)
class Reach:
    """Who was sent a prefix. `sent` has the sessions that have its family, None where nothing is known.

    `up` are those of them that are up, and `in_doubt` those of which that is not known: none of those
    that are not to get it, which are `kept_from`.
    """

    sent: dict[str, bool | None] | None
    up: tuple[str, ...] = ()
    in_doubt: tuple[str, ...] = ()
    kept_from: tuple[str, ...] = ()

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
        """Whether every session that is up was sent it, and one is; and none that is not to get it."""
        return self.sent is not None and bool(self.up) and not self.lack

    def shown(self, *, wanted: bool) -> ShownReach:
        """Return what `status` shows of it."""
        return {
            "announced": self.announced,
            "peers": self.sent or {},
            "up": self.up,
            "lack": self.lack if wanted else self.hold,
        }

    @property
    def lack(self) -> str:
        """Who lacks it that should have it, in words; nothing where none does, or nothing is known."""
        if self.sent is None:
            return ""
        leaks = [name for name in self.kept_from if self.sent[name]]
        unsure = [name for name in self.kept_from if self.sent[name] is None]
        if not self.up and not self.in_doubt and not leaks and not unsure:
            return NONE_FOR_IT if self.kept_from else NO_SESSION
        lacking = [name for name in self.up if self.sent[name] is False]
        unknown = [name for name in self.up if self.sent[name] is None]
        return "; ".join(
            f"{text} {', '.join(names)}"
            for text, names in (
                ("not sent to", lacking),
                ("not known whether it was sent to", unknown),
                ("not known whether this session is up:", self.in_doubt),
                ("not to be sent to, and sent to", leaks),
                ("not known whether a withdrawal was sent to", unsure),
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
        peers = [*peers]
        self._up = {peer.name: peer.up for peer in peers}
        self._named = {peer.name: peer.address for peer in peers}
        self._known: dict[tuple[int, int], tuple[object, Reach]] = {}
        self._foreseen: dict[tuple[tuple[str, ...], bool, int], tuple[object, Reach]] = {}

    def of(self, sent: SentTo | None, wanted: Route | None = None) -> Reach:
        """Return who was sent a prefix. Those with the same mapping share the answer.

        Args:
            sent: what was read.
            wanted: what is to be announced of it, which may not be for all.
        """
        if sent is None:
            return Reach(None)
        overrides = () if wanted is None else wanted.overrides
        # The mappings are kept, so that no others have their ids meanwhile.
        key = id(sent), id(overrides)
        _, reach = self._known.get(key, (None, None))
        if reach is None:
            reach = self._over_sessions(sent, overrides)
            self._known[key] = ((sent, overrides), reach)
        return reach

    def _over_sessions(self, sent: SentTo, overrides: Sequence[Override]) -> Reach:
        nothing = {str(address) for address, what in overrides if what is None}
        states = {name: self._up.get(name) for name in sent}
        kept = [name for name in sent if self._named.get(name) in nothing] if nothing else []
        return Reach(
            {name: states[name] and value for name, value in sent.items()},
            tuple(name for name, up in states.items() if up and name not in kept),
            tuple(name for name, up in states.items() if up is None and name not in kept),
            tuple(kept),
        )

    def once(self, sent: SentTo | None, wanted: Route | None) -> Reach:
        """Return who would have been sent a prefix, once this was announced; None for withdrawn."""
        if sent is None:
            return Reach(None)
        overrides = () if wanted is None else wanted.overrides
        key = tuple(sent), wanted is not None, id(overrides)
        if key not in self._foreseen:
            nothing = {str(address) for address, what in overrides if what is None}
            values = {
                name: wanted is not None
                and self._named.get(name) not in nothing
                and self._up.get(name)
                for name in sent
            }
            self._foreseen[key] = overrides, self._over_sessions(values, overrides)
        return self._foreseen[key][1]


def down(peers: Sequence[Peer]) -> str:
    """Return which sessions are down, in words."""
    names = [peer.name for peer in peers if peer.up is False]
    if not names:
        return ""
    return NO_SESSION if len(names) == len(peers) else f"down: {', '.join(names)}"


def reasons(peers: Sequence[Peer]) -> list[str]:
    """Return of each session that is down why, and what to do, in words: of the first few."""
    away = [peer for peer in peers if peer.up is False]
    more = [count(len(away) - TOLD, "more session", "down")] if len(away) > TOLD else []
    return [
        *(f"session {peer.name} AS{peer.asn}: {peer.reason or UNTOLD}" for peer in away[:TOLD]),
        *more,
    ]


def alarm(peers: Sequence[Peer]) -> str | None:
    """Return what is wrong with the sessions, whatever is announced to them, in words; nothing where all are up.

    None where of no session it is known, as while bgpd does not answer: what was wrong may still be.
    """
    if found := down(peers):
        return "; ".join([found, *reasons(peers)])
    return None if peers and all(peer.up is None for peer in peers) else ""


def sessions(peers: Sequence[Peer], shown: Iterable[PrefixStatus]) -> list[str]:
    """Return what is wrong with the sessions, in words.

    Args:
        peers: the neighbours.
        shown: the state of prefixes.
    """
    found = down(peers)
    if found == NO_SESSION:
        return [f"sessions: {found}, so nothing is announced", *reasons(peers)]
    nowhere = Counter(
        ("IPv6" if ":" in route.prefix else "IPv4", bool(route.peers))
        for route in shown
        if route.lack == NO_SESSION
    )
    return [
        *([f"sessions: {found}"] if found else []),
        *(
            f"sessions: none that has {family} is up, so {count(number, 'prefix', 'not announced')}"
            if is_there
            else f"sessions: no neighbor has {family}, so {count(number, 'prefix', 'not announced')}"
            for (family, is_there), number in sorted(nowhere.items())
        ),
        *reasons(peers),
    ]
