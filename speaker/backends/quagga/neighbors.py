"""What bgpd's neighbours have of what [peer] and [peer_group] say they are to have. No I/O."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from policy.plan import Drift
from policy.route import Route
from speaker.backends.quagga.outbound import AS_IT_IS, Outbound, is_ours, read_back

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    from policy.route import Prefix
    from speaker.backends.base import SentTo
    from speaker.backends.quagga.neighbor_lines import Side
    from speaker.backends.quagga.running_config import Running
    from speaker.backends.quagga.summary import SummarySession
    from speaker.backends.quagga.wanted_outbounds import WantedOutbounds

_FOREIGN = "has the site's own route-map {} out, which is never replaced"
_INSTEAD = (
    "remove it, with a prefix-list or a filter-list out in its place, or remove the rule for this "
    "neighbor from vip.toml"
)


class NeighborObstacle(NamedTuple):
    """Why a neighbour can't be given what it is to have, and what to do."""

    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.found}: {self.remedy}"


_NEEDS_POLICY = NeighborObstacle(
    "is sent nothing by FRR without a policy (RFC 8212), and vip-speaker's route-map alone would let "
    "all of bgpd's routes out",
    "no bgp ebgp-requires-policy, or a prefix-list out at it",
)


@dataclass(frozen=True, slots=True)
class SideSeen:
    """A neighbour in a family: what it is to have, and what it has.

    Attributes:
        side: the neighbour and the family.
        name: the route-map out that its line names, empty for none.
        want: what it is to have.
        have: what it has, None where that is not known.
        obstacle: why it can't be given what it is to have.
    """

    side: Side
    name: str
    want: Outbound
    have: Outbound | None
    obstacle: NeighborObstacle | None = None

    @property
    def is_right(self) -> bool:
        """Whether it has just what it is to have."""
        return not is_ours(self.name) if self.want.is_idle else self.have == self.want

    def differs(self, prefix: Prefix) -> bool:
        """Tell whether a prefix is sent to it otherwise than it is to be."""
        if self.side[1] != prefix.version:
            return False
        return self.have is None or self.have.effect(prefix) != self.want.effect(prefix)

    def may_get_otherwise(self, prefix: Prefix) -> bool:
        """Tell whether it would get a prefix that is for it alone to be kept back, or changed, in another form."""
        if self.side[1] != prefix.version or self.want.effect(prefix) == AS_IT_IS:
            return False
        if self.have is None:
            return True
        return self.have.effect(prefix) not in (None, self.want.effect(prefix))

    def __str__(self) -> str:
        if self.obstacle:
            what = str(self.obstacle)
        elif self.name and self.have is None:
            what = f"has route-map {self.name} out, which somebody changed or removed"
        else:
            what = f"has {f'route-map {self.name}' if self.name else 'no route-map'} out, which is not what it is to have"
        return f"neighbor {self.side[0]} {what}"


class Neighbors:
    """The neighbours of one look at bgpd.

    Args:
        wanted: what they are to have.
        running: running-config.
        sessions: all of them.
        paths: the prefixes of which bgpd has a path of its own.
    """

    def __init__(
        self,
        wanted: WantedOutbounds,
        running: Running,
        sessions: Sequence[SummarySession],
        paths: Container[Prefix],
    ) -> None:
        self._wanted, self.running = wanted, running
        self._sessions, self._paths = sessions, paths
        self._asns = {session.address: session.asn for session in sessions}
        self._known: dict[str, Outbound | None] = {}
        self._texts: dict[tuple[int, ...], str] = {}

    def found(self, name: str) -> Outbound | None:
        """Return what one of our route-maps does, None where it is missing, or is not as we make one."""
        if name not in self._known:
            self._known[name] = read_back(self.running, name)
        return self._known[name]

    @cached_property
    def all(self) -> Sequence[SideSeen]:
        """Every neighbour that has a rule, or one of our route-maps, in each family that it has."""
        if self._wanted.is_observed:
            return ()
        lines = self.running.neighbors.maps
        families = [(s.address, version) for s in self._sessions for version in s.states]
        ruled = self._wanted.sides
        sides = dict.fromkeys(side for side in families if side in ruled)
        sides |= dict.fromkeys(side for side, name in lines.items() if is_ours(name))
        return [self._side(side) for side in sides]

    @cached_property
    def wrong(self) -> Sequence[SideSeen]:
        """Those that have not just what they are to have."""
        return [side for side in self.all if not side.is_right]

    def _side(self, side: Side) -> SideSeen:
        name = self.running.neighbors.maps.get(side, "")
        want = self._wanted.sides.get(side, Outbound(side[1]))
        if is_ours(name):
            have = self.found(name)
            if have is not None and have.version != side[1]:
                have = None
            return SideSeen(side, name, self._retained(want, have), have)
        obstacle = None if want.is_idle else self._obstacle(side, name)
        return SideSeen(side, name, want, None if obstacle else Outbound(side[1]), obstacle)

    def _retained(self, want: Outbound, have: Outbound | None) -> Outbound:
        """Return what a neighbour is to have, with what must be kept from it until bgpd has no path of it."""
        if have is None:
            return want
        there = self.running.networks
        left = {
            prefix
            for prefix in have.kept - want.kept
            if (prefix in there or prefix in self._paths) and prefix not in self._wanted.prefixes
        }
        return replace(want, kept=want.kept | left) if left else want

    def _obstacle(self, side: Side, name: str) -> NeighborObstacle | None:
        """Return why a neighbour can't be given one of our route-maps."""
        running = self.running
        if theirs := name or running.neighbors.inherited(side):
            return NeighborObstacle(_FOREIGN.format(theirs), _INSTEAD)
        is_external = self._asns.get(side[0]) != self._wanted.asn
        if (
            running.frr
            and is_external
            and running.neighbors.needs_policy
            and not running.neighbors.is_filtered(side)
        ):
            return _NEEDS_POLICY
        return None

    def judged(self, seen: Route | Drift | None) -> Route | Drift | None:
        """Return what is announced of a prefix with what single neighbours get of it.

        Args:
            seen: what bgpd announces to all, as far as its neighbours let it.
        """
        if not isinstance(seen, Route):
            return seen
        otherwise = self._told(lambda side: side.differs(seen.prefix))
        return Drift(otherwise) if otherwise else self._wanted.of(seen)

    @cached_property
    def _alike(self) -> Sequence[Sequence[SideSeen]]:
        """Those that have not what they are to have, by what they have and are to have: of few kinds, mostly."""
        found: dict[object, list[SideSeen]] = defaultdict(list)
        for side in self.wrong:
            found[side.want, side.have].append(side)
        return [*found.values()]

    def _told(self, concerned: Callable[[SideSeen], bool]) -> str:
        """Return in words all of which something is so that depends on what they have and are to have alone."""
        kinds = tuple(number for number, alike in enumerate(self._alike) if concerned(alike[0]))
        if (text := self._texts.get(kinds)) is None:
            sides = {id(side) for number in kinds for side in self._alike[number]}
            text = "; ".join(str(side) for side in self.wrong if id(side) in sides)
            self._texts[kinds] = text
        return text

    def observed(self, seen: Route | Drift | None, sent: SentTo) -> Route | Drift | None:
        """Return the same where something else sees to it: a drift where one was sent what is not for it."""
        if not self._wanted.is_observed or not isinstance(seen, Route):
            return seen
        names = [str(who) for who, what in seen.overrides if what is None]
        leaks = [name for name in names if sent.get(name)]
        return Drift(f"not to be sent to, and sent to {', '.join(leaks)}") if leaks else seen

    def unsafe(self, prefix: Prefix) -> str:
        """Return why a prefix must not be announced: who would get what is not for it; or nothing."""
        if self._is_for_nobody(prefix):
            return "[peer] and [peer_group] in vip.toml keep it from every neighbor of bgpd"
        return self._told(lambda side: side.may_get_otherwise(prefix))

    def _is_for_nobody(self, prefix: Prefix) -> bool:
        wanted = self._all_wanted[prefix.version]
        return bool(wanted) and all(want and prefix in want.kept for want in wanted)

    @cached_property
    def _all_wanted(self) -> Mapping[int, Sequence[Outbound | None]]:
        """What all neighbours that have a family are to have in it, each once."""
        wanted = self._wanted.sides
        return {
            version: [
                *dict.fromkeys(
                    wanted.get((session.address, version))
                    for session in self._sessions
                    if version in session.states
                )
            ]
            for version in (4, 6)
        }

    @property
    def obstacles(self) -> Mapping[str, NeighborObstacle]:
        """The neighbours that can't be given what they are to have, and why."""
        return {side.side[0]: side.obstacle for side in self.wrong if side.obstacle is not None}

    @property
    def trouble(self) -> str:
        """Return which neighbours can't be given what they are to have, or are not there, in words."""
        obstacles = [f"neighbor {name} {why}" for name, why in self.obstacles.items()]
        return "; ".join([*obstacles, *self._wanted.missing(self._sessions)])
