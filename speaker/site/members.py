"""What the machines of the site told last, by what etcd has of it. No I/O: what is read and watched is handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from policy.route import parse_prefix
from policy.site_members import CLOCK_OFF, Member, MemberState
from speaker.site.keys import KeyKind
from speaker.site.told import ANY, MachineTold, ObeysTold, StateTold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy.route import Prefix
    from policy.site_intent import Extent
    from speaker.site.keys import SiteKey
    from speaker.site.told import ToldValue

CLOCKS = 2
"""So many times a machine has to tell its clock before it is known; of the last ones, the nearest counts."""


class BothClocks(NamedTuple):
    """When something was heard: by this machine's time of day (seconds since the epoch), and its steady clock."""

    wall: float
    steady: float


class _Reading(NamedTuple):
    """A clock that a machine told, and when that was heard."""

    told: float
    heard: BothClocks

    @property
    def ahead(self) -> float:
        """How many seconds it is ahead of this machine's, if it was heard when it was told."""
        return self.told - self.heard.wall

    def follows(self, before: _Reading) -> bool:
        """Tell whether as much time passed between the two there as here. Else one of them was late: it is not of now."""
        passed = self.heard.steady - before.heard.steady
        return abs(self.told - before.told - passed) <= CLOCK_OFF / 2


@dataclass(slots=True)
class _Known:
    """A machine: what it told, and since when it tells nothing (seconds since the epoch, and on the steady clock)."""

    told: MachineTold | None = None
    revision: int = 0
    differs: Mapping[Prefix | None, str] = field(default_factory=dict)
    unsent: Mapping[Prefix | None, str] = field(default_factory=dict)
    clocks: tuple[_Reading, ...] = ()
    silent_since: float | None = None
    silent_at: float | None = None

    def take_clock(self, told: float, heard: BothClocks) -> None:
        """Take over what it told of its clock, just now or, where it or etcd was away, a while ago.

        What is late on its way seems to be behind. That two readings are as far apart there as here shows that neither
        was late, or both by the same: of one alone nothing is known.
        """
        reading = _Reading(told, heard)
        before = self.clocks[-1:]
        follows = all(reading.follows(each) for each in before)
        self.clocks = (*self.clocks, reading)[-CLOCKS:] if follows else (reading,)

    @property
    def clock_off(self) -> float | None:
        """How many seconds its clock is ahead, None where that is not known."""
        if len(self.clocks) < CLOCKS:
            return None
        return min((each.ahead for each in self.clocks), key=abs)

    def take_obeys(self, told: ToldValue | None, modified: int) -> None:
        """Take over what it obeys, which was stored at a revision; or that it does not tell.

        What names more than etcd had when it was stored is of another etcd, from before this one was restored.
        """
        if not isinstance(told, ObeysTold) or told.revision > modified:
            self.revision, self.differs, self.unsent = 0, {}, {}
            return
        self.revision = told.revision
        self.differs, self.unsent = _by_prefix(told.differs), _by_prefix(told.unsent)


def _by_prefix(told: Mapping[str, str]) -> Mapping[Prefix | None, str]:
    return {None if name == ANY else parse_prefix(name): why for name, why in told.items()}


class Members:
    """The machines, those that were there since this began."""

    def __init__(self) -> None:
        self._of: dict[Extent, _Known] = {}
        self._states: dict[Prefix, dict[Extent, MemberState]] = {}

    def begin(
        self,
        machines: Mapping[SiteKey, tuple[ToldValue, int]],
        states: dict[Prefix, dict[Extent, MemberState]],
        now: BothClocks,
    ) -> None:
        """Take over all that there is. Who was there, and is not any more, is silent.

        Args:
            machines: what they tell of themselves, and at which revision. See `machines_of`.
            states: what they tell of prefixes. See `states_of`.
            now: when.
        """
        live = {key.extent for key in machines if key.kind is KeyKind.MACHINE}
        for extent, known in self._of.items():
            if extent not in live:
                if known.silent_since is None:
                    known.silent_since, known.silent_at = now
                known.told, known.clocks = None, ()
            known.take_obeys(None, 0)
        self._states = states
        for key, (told, modified) in machines.items():
            self.heard(key, told, modified, None)

    def heard(
        self, key: SiteKey, told: ToldValue | None, modified: int, now: BothClocks | None
    ) -> None:
        """Take over what a machine tells, or that it does not tell it any more.

        Args:
            key: what it is about.
            told: what it tells, None for nothing.
            modified: at which revision.
            now: when that was heard, None where it may be old.
        """
        if key.kind is KeyKind.STATE and key.prefix is not None:
            self._state(key.prefix, key.extent, told, modified)
            return
        known = self._of.setdefault(key.extent, _Known())
        if key.kind is KeyKind.OBEYS:
            known.take_obeys(told, modified)
        elif isinstance(told, MachineTold):
            known.told, known.silent_since, known.silent_at = told, None, None
            if now is not None:
                known.take_clock(told.wall, now)
        elif key.kind is KeyKind.MACHINE:
            known.told, known.clocks = None, ()
            if now is not None:
                known.silent_since, known.silent_at = now

    def _state(self, prefix: Prefix, extent: Extent, told: ToldValue | None, modified: int) -> None:
        of = self._states.setdefault(prefix, {})
        of.pop(extent, None)
        if isinstance(told, StateTold):
            of[extent] = _state(extent, told, modified)
        if not of:
            del self._states[prefix]

    def live(self) -> frozenset[Extent]:
        """Return those that hold their leases."""
        return frozenset(extent for extent, known in self._of.items() if known.told is not None)

    def seen(self, now: float) -> dict[Extent, float]:
        """Return when each was known to live last (seconds since the epoch): the live ones now."""
        found = {}
        for extent, known in self._of.items():
            at = known.silent_since if known.told is None else now
            if at is not None:
                found[extent] = at
        return found

    def remember(self, seen: Mapping[Extent, float], here: Extent, now: BothClocks) -> None:
        """Know of machines that were seen before this began: who is not live is silent since then."""
        for extent, at in seen.items():
            if extent != here:
                known = self._of.setdefault(extent, _Known())
                if known.told is None and (known.silent_since is None or known.silent_since > at):
                    known.silent_since = at
                    known.silent_at = now.steady - max(now.wall - at, 0.0)

    def forget(self, before: float) -> None:
        """Know nothing any more of machines that are silent since before a time."""
        for extent, known in [*self._of.items()]:
            if known.told is None and (known.silent_since or before) < before:
                del self._of[extent]

    def is_live(self, extent: Extent) -> bool:
        """Tell whether a machine holds its lease."""
        known = self._of.get(extent)
        return known is not None and known.told is not None

    def all(self) -> list[Member]:
        """Return all, by data centre and name."""
        return [_member(extent, known) for extent, known in sorted(self._of.items())]

    @property
    def states(self) -> States:
        """What the live ones tell of each prefix: as it is when it is asked for."""
        return States(self._states, self)


class States(Mapping["Prefix", "Sequence[MemberState]"]):
    """What live machines tell, by prefix. Each is looked up as it is asked for."""

    def __init__(self, of: Mapping[Prefix, Mapping[Extent, MemberState]], members: Members) -> None:
        self._of, self._members = of, members

    def __getitem__(self, prefix: Prefix) -> Sequence[MemberState]:
        found = self._of[prefix]
        return tuple(found[extent] for extent in sorted(found) if self._members.is_live(extent))

    def __iter__(self) -> Iterator[Prefix]:
        return iter(self._of)

    def __len__(self) -> int:
        return len(self._of)


def machines_of(
    told: Mapping[SiteKey, tuple[ToldValue | None, int]],
) -> dict[SiteKey, tuple[ToldValue, int]]:
    """Return what machines tell of themselves, of all that they tell."""
    return {
        key: (each, modified)
        for key, (each, modified) in told.items()
        if key.kind is not KeyKind.STATE and each is not None
    }


def states_of(
    told: Mapping[SiteKey, tuple[ToldValue | None, int]],
) -> dict[Prefix, dict[Extent, MemberState]]:
    """Return what machines tell of prefixes, of all that they tell."""
    found: dict[Prefix, dict[Extent, MemberState]] = {}
    for key, (each, modified) in told.items():
        if key.prefix is not None and isinstance(each, StateTold):
            found.setdefault(key.prefix, {})[key.extent] = _state(key.extent, each, modified)
    return found


def _state(extent: Extent, told: StateTold, modified: int) -> MemberState:
    return MemberState(
        extent.dc,
        extent.machine,
        told.announced,
        told.as_path,
        told.health,
        told.intent,
        modified,
    )


def _member(extent: Extent, known: _Known) -> Member:
    return Member(
        extent.dc,
        extent.machine,
        live=known.told is not None,
        version="" if known.told is None else known.told.version,
        config="" if known.told is None else known.told.config,
        clock_off=known.clock_off,
        revision=known.revision,
        differs=known.differs,
        unsent=known.unsent,
        silent_since=known.silent_since,
        silent_at=known.silent_at,
    )
