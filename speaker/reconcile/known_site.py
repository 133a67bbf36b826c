"""What a watchdog knows of the other machines of its site, and asks of them: as who carries that out hands it in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from policy.intent import Intent
    from policy.route import Prefix
    from policy.site_intent import Extent
    from policy.site_members import Member, MemberState, SiteOutcome


class KnownSite(Protocol):
    """The site. `speaker.site.site.WholeSite` is one."""

    @property
    def here(self) -> Extent:
        """This machine."""

    @property
    def connected(self) -> bool:
        """Whether what is known is what etcd has now, as far as a watch tells."""

    @property
    def trouble(self) -> str:
        """What is wrong with etcd, in words; nothing where all is well."""

    @property
    def queued(self) -> int:
        """How many rows of the copy etcd is not known to have."""

    def members(self) -> Sequence[Member]:
        """Return the machines of the site, this one among them."""

    def states(self) -> Mapping[Prefix, Sequence[MemberState]]:
        """Return what the live machines tell of each prefix, this one among them."""

    async def record(
        self, intents: Mapping[Prefix, Intent], extent: Extent, *, own: bool = False
    ) -> Mapping[Prefix, Intent]:
        """Record an order durably, and have it obeyed here, where it is for this machine, and handed on. Return what it replaced here.

        Args:
            intents: what is asked of each prefix.
            extent: for whom.
            own: whether it overrules only what was asked so for the same reason: see `policy.site_intent`.

        Raises:
            StoreError: it could not be recorded; nothing was changed.
        """

    async def outcome(
        self, prefixes: Collection[Prefix], extent: Extent, within: float
    ) -> SiteOutcome:
        """Return what came of an order that was recorded: once each live machine obeys, or after some seconds."""
