"""What a watchdog knows of its site, and asks of it: the face of this package. Nothing here waits for etcd but `order`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speaker.site.values import SiteOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.intent import Intent
    from policy.route import Prefix
    from policy.site_intent import Extent
    from speaker.site.base import Etcd
    from speaker.site.values import Member, MemberState


class WholeSite:
    """The site of one reconciler. Where vip.toml has no `[site]`, there is none: `reconciler.site` is None.

    Attributes:
        here: this machine.
        etcd: the cluster; it may be away.
        prefix: what keys begin with.
        standing_down: the prefixes of which etcd has `announced: false` before they are withdrawn. Kept by who asks for
            that; what this machine tells of itself has them so until they are removed here.
    """

    def __init__(self, here: Extent, etcd: Etcd, prefix: str) -> None:
        self.here, self.etcd, self.prefix = here, etcd, prefix
        self.standing_down: set[Prefix] = set()

    @property
    def connected(self) -> bool:
        """Whether what is known is what etcd has now, as far as a watch tells."""
        return False

    @property
    def trouble(self) -> str:
        """What is wrong with etcd, in words; nothing where all is well."""
        return ""

    @property
    def queued(self) -> int:
        """How many rows of the copy etcd is not known to have."""
        return 0

    @property
    def lease(self) -> int:
        """This machine's lease, 0 where it has none."""
        return 0

    def members(self) -> Sequence[Member]:
        """Return the machines of the site, this one among them, by data centre and name."""
        return ()

    def states(self) -> Mapping[Prefix, Sequence[MemberState]]:
        """Return what the live machines tell of each prefix, this one among them as etcd has it. What is returned may change later."""
        return {}

    def stood_down(self, prefix: Prefix, modified: int) -> None:
        """Note that this machine's own state in etcd was made `announced: false` by a transaction, at a revision."""

    async def order(
        self, intents: Mapping[Prefix, Intent], extent: Extent, within: float
    ) -> SiteOutcome:
        """Record an operator's order durably, obey it here if it is for this machine, hand it on, and wait until the others obey.

        Args:
            intents: what is asked of each prefix.
            extent: for whom.
            within: for how long to wait for etcd and for the others, in seconds.

        Returns:
            What came of it: etcd that is away is no error.

        Raises:
            StoreError: it could not be recorded; nothing was changed.
        """
        del intents, extent, within
        return SiteOutcome(committed=False, revision=0, members=(), why="not connected yet")
