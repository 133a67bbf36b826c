"""What one session told us of our prefixes, and how much of its table that is. No I/O, no clock.

Theory of operation. ExaBGP tells each UPDATE of a neighbour whose `api` section has `receive { parsed; update; }`, in
order, the session's end and its new begin between. So of a session that we saw come up, the table is whole once it was
sent: at End-of-RIB of each family (RFC 4724), or where a peer sends none, when it has been quiet for a while. Of one that
was up before, or of which something was lost, only what is told from then on is known, and not what is absent: ROUTE-REFRESH
(RFC 2918) has the peer tell all of it again, and has no end but quiet. `show adj-rib in` is no help: it keeps the routes
of a session that is down, and would have all routes of the peer, of which there may be a million.

A peer may send whatever it likes: only our prefixes are kept, some paths of each, and no more in all than a budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Any

from policy.errors import PolicyError
from policy.route import Asn, AsPath, Attributes, Community, LargeCommunity, Origin
from policy.witness import HeardPath, Hearing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from policy.route import Prefix
    from speaker.backends.exabgp.neighbors import Ends

QUIET = 10.0
"""How long a peer that sends no End-of-RIB must send nothing until its table is taken for whole, in seconds."""
LONGEST = 600.0
"""... and how long it takes at most: a peer that has many routes is never quiet."""
MAX_PATHS = 8
"""The paths of a prefix that are kept of one session (ADD-PATH, RFC 7911)."""
MAX_ASNS = 255
"""The ASes of an AS_PATH that is kept."""
MAX_COMMUNITIES = 64
"""The communities of a path that are kept, of either kind: a mark among them tells its data centre."""
PATH_COSTS = 8
BUDGET, BUDGET_EACH = 10_000, 64
"""What all paths of a session may take, in ASes and communities, and more for each prefix of ours."""

PathKey = tuple[str, str]
"""A prefix as it is written, and its path identifier, empty without ADD-PATH."""


@dataclass(frozen=True, slots=True)
class HeardUpdate:
    """An UPDATE that a session sent us. What it announces has its next hop; `attributes` are as ExaBGP writes them."""

    ends: Ends
    withdrawn: tuple[PathKey, ...]
    announced: tuple[tuple[PathKey, str], ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HeardEnd:
    """End-of-RIB of a family (4 or 6)."""

    ends: Ends
    version: int


@dataclass(frozen=True, slots=True)
class HeardGarbled:
    """That a session sent us something that can't be read."""

    ends: Ends


Heard = HeardUpdate | HeardEnd | HeardGarbled


class HeardTable:
    """What one session told. Times are of one steady clock."""

    def __init__(self) -> None:
        self._paths: dict[str, dict[str, HeardPath]] = {}
        self._shown: Mapping[Prefix, Sequence[HeardPath]] | None = None
        self._cost = 0
        self._whole = self._is_odd = False
        self._began: float | None = None
        self._last = 0.0
        self._ended: set[int] = set()
        self.reason = "its session was up before, and it was not asked for its routes again"
        self.version = 0
        """Grows with every change."""

    # --- how much of it is known --------------------------------------------------------------

    def begin(self, now: float) -> None:
        """Take over that the session came up: it tells all from here on."""
        self._clear()
        self._learn(now)

    def asked(self, now: float) -> None:
        """Take over that the peer is asked to tell all of it again. What it told stays."""
        self._learn(now)

    def _learn(self, now: float) -> None:
        self._whole, self._is_odd, self._began, self._last = False, False, now, now
        self._ended.clear()
        self.reason = "it is still telling its routes"

    def forget(self, reason: str) -> None:
        """Know nothing any more: the session ended, or not all was told."""
        self._clear()
        self._whole, self._began = False, None
        self.reason = reason

    def give_up(self, reason: str) -> None:
        """Know nothing any more, of a peer that would tell the same if it were asked again."""
        self.forget(reason)
        self._is_odd = True

    def _clear(self) -> None:
        self._paths.clear()
        self._cost = 0
        self._changed()

    def _changed(self) -> None:
        self._shown = None
        self.version += 1

    def ends(self, version: int) -> None:
        """Take over End-of-RIB of a family."""
        self._ended.add(version)

    def hearing(self, families: Collection[int], now: float) -> Hearing:
        """Return how much of the table is known, of a session that is up.

        Args:
            families: those that the session has.
            now: the time.
        """
        if self._began is not None:
            is_quiet = now >= self._last + QUIET or now >= self._began + LONGEST
            if is_quiet or self._ended >= {*families}:
                self._whole, self._began, self.reason = True, None, ""
        if self._whole:
            return Hearing.WHOLE
        return Hearing.UNKNOWN if self._began is None else Hearing.LEARNING

    @property
    def is_lost(self) -> bool:
        """Whether asking the peer again makes it whole, and nothing else but a new session."""
        return not (self._whole or self._is_odd) and self._began is None

    # --- what is in it ------------------------------------------------------------------------

    def take(self, update: HeardUpdate, ours: Mapping[str, Prefix], now: float) -> None:
        """Take over an UPDATE.

        Args:
            update: what was told.
            ours: our prefixes, by their text.
            now: when it was told.
        """
        self._last = now
        for text, path_id in update.withdrawn:
            if text in ours:
                self._remove(text, path_id)
        kept = [each for each in update.announced if each[0][0] in ours]
        if kept:
            self._announce(kept, update.attributes, BUDGET + BUDGET_EACH * len(ours))

    def _announce(
        self, kept: Iterable[tuple[PathKey, str]], raw: Mapping[str, Any], budget: int
    ) -> None:
        try:
            attributes, originator = parse_attributes(raw)
            paths = [(key, HeardPath(attributes, ip_address(hop), originator)) for key, hop in kept]
        except (ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
            why = f": {error}"[:200] if isinstance(error, PolicyError) else ""
            self.give_up(f"it sent attributes that can't be read{why}")
            return
        for (text, path_id), path in paths:
            self._remove(text, path_id)
            of_prefix = self._paths.setdefault(text, {})
            of_prefix[path_id] = path
            self._cost += _cost(path)
            self._changed()
            if len(of_prefix) > MAX_PATHS or self._cost > budget:
                self.give_up("it sent more paths, or longer ones, than are kept")
                return

    def keep(self, ours: Collection[str]) -> None:
        """Drop what is of none of our prefixes any more."""
        for text in [text for text in self._paths if text not in ours]:
            for path_id in [*self._paths[text]]:
                self._remove(text, path_id)
        self._changed()

    def _remove(self, text: str, path_id: str) -> None:
        if (path := self._paths.get(text, {}).pop(path_id, None)) is not None:
            self._cost -= _cost(path)
            self._changed()
            if not self._paths[text]:
                del self._paths[text]

    def paths(self, ours: Mapping[str, Prefix]) -> Mapping[Prefix, Sequence[HeardPath]]:
        """Return the paths of our prefixes: the same object while none changes."""
        if self._shown is None:
            self._shown = {
                ours[text]: tuple(paths.values())
                for text, paths in self._paths.items()
                if text in ours
            }
        return self._shown


def _cost(path: HeardPath) -> int:
    attributes = path.attributes
    communities = len(attributes.communities) + len(attributes.large_communities)
    return PATH_COSTS + len(attributes.as_path) + communities


def parse_attributes(raw: Mapping[str, Any]) -> tuple[Attributes, IPv4Address | None]:
    """Parse the attributes of an UPDATE, and ORIGINATOR_ID, as either ExaBGP writes them.

    Raises:
        ValueError: one is not what it must be. So are TypeError, AttributeError, KeyError and IndexError.
    """
    originator = raw.get("originator-id")
    return Attributes(
        AsPath(tuple(_asns(raw))),
        raw.get("med"),
        Origin(raw["origin"]),
        tuple(Community(high, low) for high, low in raw.get("community", ())[:MAX_COMMUNITIES]),
        tuple(LargeCommunity(*parts) for parts in raw.get("large-community", ())[:MAX_COMMUNITIES]),
        raw.get("local-preference"),
    ), None if originator is None else IPv4Address(originator)


def _asns(raw: Mapping[str, Any]) -> list[Asn]:
    """Return the ASes of AS_PATH, in order; of a set the lowest stands for all, of a confederation none."""
    path = raw.get("as-path", ())
    if isinstance(path, Mapping):  # 5.0
        segments = [(each["element"], each["value"]) for each in path.values()]
    else:  # 4.2
        segments = [("as-sequence", path), ("as-set", raw.get("as-set", ()))]
    found: list[Asn] = []
    for kind, asns in segments:
        if kind == "as-sequence":
            found += asns
        elif kind == "as-set" and asns:
            found.append(min(asns))
    if len(found) > MAX_ASNS:
        raise ValueError(f"AS_PATH of {len(found)} ASes")
    return found
