"""What the machines of the site told last, by what etcd has of it. No I/O: what is read and watched is handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from policy.route import parse_prefix
from policy.site_members import Member, MemberState
from speaker.site.keys import KeyKind
from speaker.site.told import ANY, MachineTold, ObeysTold, StateTold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy.route import Prefix
    from policy.site_intent import Extent
    from speaker.site.keys import SiteKey
    from speaker.site.told import ToldValue

CLOCKS = 2
"""Of so many times that a machine told its clock, the nearest counts: what is late on its way seems to be behind."""


@dataclass(slots=True)
class _Known:
    """A machine: what it told, and since when it tells nothing (seconds since the epoch)."""

    told: MachineTold | None = None
    obeys: ObeysTold | None = None
    clocks: list[float] = field(default_factory=list)
    silent_since: float | None = None


class Members:
    """The machines, those that were there since this began."""

    def __init__(self) -> None:
        self._of: dict[Extent, _Known] = {}
        self._states: dict[Prefix, dict[Extent, MemberState]] = {}

    def begin(self, items: Mapping[SiteKey, tuple[ToldValue, int]], now: float) -> None:
        """Take over all that there is. Who was there, and is not any more, is silent.

        Args:
            items: what is stored, and at which revision.
            now: seconds since the epoch.
        """
        live = {key.extent for key in items if key.kind is KeyKind.MACHINE}
        for extent, known in self._of.items():
            if extent not in live and known.silent_since is None:
                known.silent_since = now
            if extent not in live:
                known.told = None
            known.obeys = None
        self._states = {}
        for key, (told, modified) in items.items():
            self.heard(key, told, modified, None)

    def heard(self, key: SiteKey, told: ToldValue | None, modified: int, now: float | None) -> None:
        """Take over what a machine tells, or that it does not tell it any more.

        Args:
            key: what it is about.
            told: what it tells, None for nothing.
            modified: at which revision.
            now: when that was heard (seconds since the epoch), None where it may be old.
        """
        if key.kind is KeyKind.STATE and key.prefix is not None:
            self._state(key.prefix, key.extent, told, modified)
            return
        known = self._of.setdefault(key.extent, _Known())
        if key.kind is KeyKind.OBEYS:
            # What names more than etcd had when it was stored is of another etcd, from before this one was restored.
            is_so = isinstance(told, ObeysTold) and told.revision <= modified
            known.obeys = told if isinstance(told, ObeysTold) and is_so else None
        elif isinstance(told, MachineTold):
            known.told, known.silent_since = told, None
            if now is not None:
                known.clocks = [*known.clocks, told.wall - now][-CLOCKS:]
        elif key.kind is KeyKind.MACHINE:
            known.told, known.clocks = None, []
            known.silent_since = known.silent_since if now is None else now

    def _state(self, prefix: Prefix, extent: Extent, told: ToldValue | None, modified: int) -> None:
        of = self._states.setdefault(prefix, {})
        of.pop(extent, None)
        if isinstance(told, StateTold):
            of[extent] = MemberState(
                extent.dc,
                extent.machine,
                told.announced,
                told.as_path,
                told.health,
                told.intent,
                modified,
            )
        if not of:
            del self._states[prefix]

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


def _member(extent: Extent, known: _Known) -> Member:
    found = Member(extent.dc, extent.machine, known.told is not None)
    if known.told is not None:
        clock = min(known.clocks, key=abs, default=None)
        found = replace(
            found, version=known.told.version, config=known.told.config, clock_off=clock
        )
    elif known.silent_since is not None:
        found = replace(found, silent_since=known.silent_since)
    if known.obeys is not None:
        differs = {
            None if name == ANY else parse_prefix(name): why
            for name, why in known.obeys.differs.items()
        }
        found = replace(found, revision=known.obeys.revision, differs=differs)
    return found
