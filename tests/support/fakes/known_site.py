"""The other machines of a site, as a test sets them. It is `KnownSite`; what is recorded goes to the state file of one watchdog."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policy.site_intent import Extent
from policy.site_members import MemberOutcome, SiteOutcome

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from policy.intent import Intent
    from policy.route import Prefix
    from policy.site_members import Member, MemberState
    from speaker.reconcile.reconciler import Reconciler

HERE = Extent("par1", "lb1")


@dataclass
class FakeKnownSite:
    """What is known of the site, and what was asked of it."""

    reconciler: Reconciler
    here: Extent = HERE
    connected: bool = True
    trouble: str = ""
    queued: int = 0
    machines: list[Member] = field(default_factory=list)
    told: dict[Prefix, list[MemberState]] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)
    """Machines that do not obey, by name, and why."""
    unsent: dict[str, str] = field(default_factory=dict)
    """Machines that obey and can send to nobody what they announce, by name, and why."""
    asked: list[tuple[tuple[Prefix, ...], Extent, float]] = field(default_factory=list)

    def members(self) -> Sequence[Member]:
        """See `KnownSite.members`."""
        return self.machines

    def states(self) -> Mapping[Prefix, Sequence[MemberState]]:
        """See `KnownSite.states`."""
        return self.told

    async def record(
        self, intents: Mapping[Prefix, Intent], extent: Extent, *, own: bool = False
    ) -> Mapping[Prefix, Intent]:
        """See `KnownSite.record`."""
        store = self.reconciler.durable.store

        def write(up: Collection[Prefix]) -> Mapping[Prefix, Intent]:
            return store.ask_site(intents, extent, self.here, up=up, own=own)

        return await self.reconciler.operator.record_by(intents, write)

    async def outcome(
        self, prefixes: Collection[Prefix], extent: Extent, within: float
    ) -> SiteOutcome:
        """See `KnownSite.outcome`."""
        self.asked.append((tuple(prefixes), extent, within))
        members = tuple(
            MemberOutcome(
                each.dc,
                each.machine,
                each.live,
                each.live and each.machine not in self.lacking,
                self.lacking.get(each.machine, ""),
                self.unsent.get(each.machine, ""),
            )
            for each in self.machines
            if extent.covers(Extent(each.dc, each.machine))
        )
        return SiteOutcome(self.connected, 7 if self.connected else 0, members, self.trouble)
