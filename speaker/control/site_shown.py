"""The site as it is shown: each prefix at each machine that is to announce it, and what is wrong with machines."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from policy.intent import is_time
from policy.site_view import Level, MachineSaid, level
from speaker.site_values import MachineState, MachineStatus, SitePrefix, SiteStatus, SiteVip
from speaker.supervision.steps import in_steps

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from policy.assignment import Assignment
    from policy.route import Prefix
    from policy.site_members import Member, MemberState
    from speaker.reconcile.known_site import KnownSite
    from speaker.reconcile.reconciler import Reconciler

MOST, MOST_VIPS = 100, 40
"""How many prefixes that need attention, and VIPs that need none, are told of where not all is asked for."""


class SiteShown:
    """The site at one moment: nothing of it changes later, so that a thread may make of it what is shown.

    Args:
        site: what is known of it.
        states: what the machines tell of each prefix, as it was looked up.
        assignments: the prefixes that vip.toml has.
        hidden: those for which an aggregate stands.
    """

    def __init__(
        self,
        site: KnownSite,
        states: Mapping[Prefix, Sequence[MemberState]],
        assignments: Mapping[Prefix, Assignment],
        hidden: Collection[Prefix] = (),
    ) -> None:
        self._assignments, self._hidden, self._states = assignments, hidden, states
        self._here, self._members = site.here, tuple(site.members())
        self._etcd = site.connected, site.trouble, site.queued
        self._of: dict[str, list[tuple[str, Member]]] = {}
        for member in self._members:
            name = f"{member.dc}/{member.machine}"
            self._of.setdefault(member.dc, []).append((name, member))

    @classmethod
    async def of(cls, reconciler: Reconciler, site: KnownSite) -> Self:
        """Return what a watchdog knows of its site now. It is looked up in steps."""
        told, assignments = site.states(), reconciler.assignments
        found = await in_steps((prefix, told.get(prefix, ())) for prefix in assignments)
        return cls(site, dict(found), assignments, reconciler.aggregates.keepers)

    def is_as(self, other: SiteShown) -> bool:
        """Tell whether another one shows the same."""
        return (
            self._assignments is other._assignments
            and (self._here, self._members, self._etcd)
            == (other._here, other._members, other._etcd)
            and self._states == other._states
        )

    def prefixes(self, wanted: Collection[Prefix] | None = None) -> Iterator[SitePrefix]:
        """Yield some prefixes, or all, in the order of the configuration."""
        for prefix, assignment in self._assignments.items():
            if wanted is None or prefix in wanted:
                yield self._prefix(prefix, assignment)

    def status(self, prefixes: Sequence[SitePrefix] = ()) -> SiteStatus:
        """Return all that is known, with some prefixes."""
        here = self._here
        connected, trouble, queued = self._etcd
        own = next((m for m in self._members if (m.dc, m.machine) == (here.dc, here.machine)), None)
        return SiteStatus(
            dc=here.dc,
            machine=here.machine,
            connected=connected,
            trouble=trouble,
            queued=queued,
            machines=tuple(_machine(each, own) for each in self._members),
            prefixes=tuple(prefixes),
        )

    def folded(self) -> SiteStatus:
        """Return all that is known: of prefixes those that need attention, as far as somebody reads them, and else VIPs."""
        fold = _Fold(self._assignments)
        for each in self.prefixes():
            fold.take(each)
        return fold.in_status(self.status())

    def _prefix(self, prefix: Prefix, assignment: Assignment) -> SitePrefix:
        told = {(each.dc, each.machine): each for each in self._states.get(prefix, ())}
        members = [each for dc in assignment.address.prefer for each in self._of.get(dc, ())]
        states = tuple(
            _state(name, member, told.get((member.dc, member.machine)), member.why_not(prefix))
            for name, member in members
        )
        said = [
            MachineSaid(
                s.machine, s.announced, s.health, s.intent, s.differs, member.why_unsent(prefix)
            )
            for s, (_, member) in zip(states, members, strict=True)
        ]
        found, why = level(said, is_hidden=prefix in self._hidden)
        return SitePrefix(
            vip=assignment.vip.name, prefix=str(prefix), level=found, why=why, states=states
        )


class _Fold:
    """What is told of many prefixes, taken one by one in the order of their VIPs."""

    def __init__(self, assignments: Mapping[Prefix, Assignment]) -> None:
        self._dcs: dict[str, dict[str, None]] = {}
        for assignment in assignments.values():
            self._dcs.setdefault(assignment.vip.name, {}).update(
                dict.fromkeys(assignment.address.prefer)
            )
        self._of: dict[Level, list[SitePrefix]] = {each: [] for each in Level}
        self._counts: Counter[Level] = Counter()
        self._vips: dict[str, list[int]] = {}

    def take(self, prefix: SitePrefix) -> None:
        """Take one. Few of those that need attention are kept: the first of each level."""
        found = prefix.level
        counted = self._vips.setdefault(prefix.vip, [0, 0])
        counted[0] += 1
        if found is Level.WELL:
            return
        counted[1] += 1
        self._counts[found] += 1
        if len(self._of[found]) < MOST:
            self._of[found].append(prefix)

    def in_status(self, status: SiteStatus) -> SiteStatus:
        """Return a status with what was taken."""
        shown = [each for found in Level for each in self._of[found]][:MOST]
        told = Counter(each.level for each in shown)
        well = [
            SiteVip(vip=vip, prefixes=taken, dcs=tuple(self._dcs.get(vip, ())))
            for vip, (taken, wrong) in self._vips.items()
            if not wrong
        ]
        return replace(
            status,
            prefixes=_together(shown),
            left={str(each): n for each in Level if (n := self._counts[each] - told[each])},
            well=tuple(well[:MOST_VIPS]),
            well_left=max(len(well) - MOST_VIPS, 0),
        )


def _together(shown: Sequence[SitePrefix]) -> tuple[SitePrefix, ...]:
    """Return prefixes with those of one VIP together, the VIP with the worst one first."""
    of: dict[str, list[SitePrefix]] = {}
    for each in shown:
        of.setdefault(each.vip, []).append(each)
    return tuple(each for some in of.values() for each in some)


def _state(name: str, member: Member, told: MemberState | None, differs: str) -> MachineState:
    """Return what is known of a prefix at a machine: of a silent one nothing, whatever it said last."""
    if not member.live or told is None:
        return MachineState(machine=name, differs=differs if member.live else "")
    return MachineState(
        machine=name,
        announced=told.announced,
        as_path=told.as_path,
        health=told.health,
        intent=told.intent,
        differs=differs,
    )


def _machine(member: Member, own: Member | None) -> MachineStatus:
    same = (
        None if own is None or not (own.config and member.config) else own.config == member.config
    )
    since = member.silent_since
    return MachineStatus(
        dc=member.dc,
        machine=member.machine,
        live=member.live,
        version=member.version,
        same_file=same if member.live else None,
        clock_off=member.clock_off if member.live else None,
        silent_since=since if since is not None and is_time(since) else None,
        differs=len(member.differs) if member.live else 0,
        why=next(iter(member.differs.values()), "") if member.live else "",
    )
