"""Witnesses: what routers and other data centres have, as they tell it over BGP, and whose each path is.

Theory of operation. A witness is a session that brings routes to us. What it tells is known; what it does not tell is
known only once it has told its whole table: before that, and after its session is down, nothing is. So there are three
answers to "does another data centre announce it?", and the third one, that no one is there to ask, is none of the two.
A router tells its best path alone, unless it does ADD-PATH: that it shows no path of ours, or of another data centre,
proves less than that it shows one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from policy.best_path import best
from policy.route import Attributes, Route

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from policy.route import Asn, IpAddress, Prefix
    from policy.topology import DataCentre

USUAL_PREFERENCE = 100
BOTH = frozenset({4, 6})


class Hearing(StrEnum):
    """How much of a witness's table is known.

    WHOLE: all of it. LEARNING: it is being told, and will be whole soon. UNKNOWN: not all of it, and it will not be
    before something else happens. DOWN: its session is.
    """

    WHOLE = "whole"
    LEARNING = "learning"
    UNKNOWN = "unknown"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class HeardPath:
    """A path as a witness told it. `originator` is its ORIGINATOR_ID (RFC 4456), None where it has none.

    Of a set of ASes in AS_PATH (RFC 9774) one stands for it, which is what it counts as.
    """

    attributes: Attributes
    next_hop: IpAddress | None = None
    originator: IpAddress | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Witness:
    """A session that brings routes to us, and the paths of our prefixes that it brought.

    `name` is the session's, `local_as` the AS that we are on it. `reason`: why not all is known, in words.
    `brings`: it is there to bring routes, or has brought some. `families` (4 and 6): those that its session has; of a prefix of
    another one it tells nothing.
    """

    name: str
    asn: Asn
    local_as: Asn
    hearing: Hearing
    paths: Mapping[Prefix, Sequence[HeardPath]] = field(default_factory=dict)
    reason: str = ""
    brings: bool = True
    families: frozenset[int] = BOTH

    def may_tell(self, prefix: Prefix) -> bool:
        """Tell whether what it does not show of a prefix is known not to be there, or will be soon."""
        return self.is_live and prefix.version in self.families

    @property
    def is_live(self) -> bool:
        """Whether what it does not show is known not to be there, or will be soon."""
        return self.hearing in (Hearing.WHOLE, Hearing.LEARNING)

    def best(self, prefix: Prefix) -> frozenset[int]:
        """Return which of its paths of a prefix a neutral router chooses, by their places: several where they tie."""
        paths = self.paths.get(prefix, ())
        preferences = [_preference(path) for path in paths]
        highest = max(preferences, default=0)
        routes = {
            str(place): Route(prefix, path.attributes)
            for place, path in enumerate(paths)
            if preferences[place] == highest
        }
        return frozenset(map(int, best(routes)))


def _preference(path: HeardPath) -> int:
    given = path.attributes.local_preference
    return USUAL_PREFERENCE if given is None else given


class Elsewhere(StrEnum):
    """What is known of other data centres' announcements of a prefix.

    ANNOUNCED: a witness has a path of one. NOT_SEEN: none has, and one that has the family is live. UNASKED: none such is live.
    """

    ANNOUNCED = "announced"
    NOT_SEEN = "not seen"
    UNASKED = "unasked"


@dataclass(frozen=True, slots=True)
class WitnessedPath:
    """A path of a prefix at a witness. `dc` is whose it is, empty where that can't be told."""

    witness: Witness
    path: HeardPath
    dc: str
    is_best: bool

    def __str__(self) -> str:
        best_ = ", best" if self.is_best else ""
        path = str(self.path.attributes.as_path) or "local"
        return f"seen at {self.witness.name}: {self.dc or 'unknown'} {path}{best_}"


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """All that all witnesses tell, and how a path's data centre is told.

    Attributes:
        here: the name of this data centre.
        dcs: all of them.
        witnesses: those that there are, up or not.
    """

    here: str = ""
    dcs: Sequence[DataCentre] = ()
    witnesses: Sequence[Witness] = ()

    def dc_of(self, witness: Witness, path: HeardPath) -> str:
        """Return the data centre that a path is from, empty where that is not certain.

        By the first of these that any data centre fits: its mark, the next hop, ORIGINATOR_ID, and the AS that
        originated it where no other data centre has that. Where two fit, it is not certain.
        """
        attributes = path.attributes
        origin = [*attributes.as_path][-1:] or [witness.asn]
        tests = (
            [dc for dc in self.dcs if dc.mark is not None and dc.mark in attributes.communities],
            [dc for dc in self.dcs if path.next_hop in dc.next_hops],
            [dc for dc in self.dcs if path.originator in dc.originators],
            [dc for dc in self.dcs if dc.asn == origin[0]],
        )
        found = next(filter(None, tests), [])
        return found[0].name if len(found) == 1 else ""

    def seen(self, prefix: Prefix) -> Iterator[WitnessedPath]:
        """Yield all paths of a prefix at all witnesses."""
        for witness in self.witnesses:
            yield from self.seen_at(witness, prefix)

    def seen_at(self, witness: Witness, prefix: Prefix) -> Iterator[WitnessedPath]:
        """Yield all paths of a prefix at one witness."""
        if paths := witness.paths.get(prefix):
            chosen = witness.best(prefix)
            for place, path in enumerate(paths):
                yield WitnessedPath(witness, path, self.dc_of(witness, path), place in chosen)

    def elsewhere(self, prefix: Prefix, *, besides: Collection[str] = ()) -> Elsewhere:
        """Return what is known of other data centres' announcements of a prefix.

        Of a path that may be ours nothing follows.

        Args:
            prefix: which.
            besides: data centres that do not count, either.
        """
        told = ((w, path) for w in self.witnesses for path in w.paths.get(prefix, ()))
        if any(self.dc_of(*each) not in ("", self.here, *besides) for each in told):
            return Elsewhere.ANNOUNCED
        is_asked = any(witness.may_tell(prefix) for witness in self.witnesses)
        return Elsewhere.NOT_SEEN if is_asked else Elsewhere.UNASKED


NOTHING_HEARD = Heard()
"""What is known without witnesses."""
