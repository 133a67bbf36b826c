"""What came of an order to several machines: whether etcd has it, and who obeys."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from policy.site_intent import Extent
from policy.site_members import MemberOutcome, SiteOutcome
from policy.wording import count
from speaker.site.keys import intent_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from policy.route import Prefix
    from policy.site_members import Member
    from speaker.site.handing_on import HandingOn
    from speaker.site.known import Known

NOT_HEARD = "it has not said that it obeys"
NOT_READ_BACK = "it has not read back yet that it is so"
SILENT = "silent: it obeys once it is back"


class Orders:
    """Waits for what was asked to be obeyed.

    Args:
        known: what etcd has.
        handing_on: hands on what is asked.
        trouble: returns why etcd does not have it, in words.
        here: returns why this machine does not obey, nothing where it does, None where that is not known yet.
    """

    def __init__(
        self,
        known: Known,
        handing_on: HandingOn,
        trouble: Callable[[], str],
        here: Callable[[Collection[Prefix]], str | None],
        unsent: Callable[[Collection[Prefix]], str] = lambda _: "",
    ) -> None:
        self._known, self._handing_on, self._trouble = known, handing_on, trouble
        self._here, self._unsent = here, unsent

    async def outcome(
        self, prefixes: Collection[Prefix], extent: Extent, within: float
    ) -> SiteOutcome:
        """Return what came of an order that is recorded: once all obey, or after some seconds.

        Args:
            prefixes: of which something was asked.
            extent: for whom.
            within: for how long to wait, in seconds.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        queued = [prefix for prefix in prefixes if (extent, prefix) in self._handing_on.queued]
        while True:
            rang = self._known.bell.rings(max(until - loop.time(), 0.0))
            # From the last: so each is looked at once, however often it rings.
            while queued and (extent, queued[-1]) not in self._handing_on.queued:
                queued.pop()
            found = self._as_it_is(prefixes, extent, len(queued))
            if found.complete or loop.time() >= until:
                rang.close()
                return found
            await rang

    def _as_it_is(self, prefixes: Collection[Prefix], extent: Extent, queued: int) -> SiteOutcome:
        here = self._known.here
        own = (self._own(prefixes),) if extent.covers(here) else ()
        if extent == here and not queued:  # which needs nobody else
            return SiteOutcome(committed=True, revision=self._known.asked_at, members=own)
        revisions = (
            [0]
            if queued
            else [self._known.asked.get(intent_key(extent, prefix), 0) for prefix in prefixes]
        )
        committed = not queued and all(revisions)
        revision = max(revisions, default=0) if committed else 0
        others = (
            _outcome(each, prefixes, revision)
            for each in self._known.members.all()
            if extent.covers(whose := Extent(each.dc, each.machine)) and whose != here
        )
        members = tuple(sorted((*own, *others), key=lambda each: (each.dc, each.machine)))
        why = self._trouble() or f"etcd has not confirmed {count(queued, 'prefix')} yet"
        return SiteOutcome(committed, revision, members, "" if committed else why)

    def _own(self, prefixes: Collection[Prefix]) -> MemberOutcome:
        """Return whether this machine obeys, as it was read back here: whatever etcd has heard of that."""
        why = self._here(prefixes)
        why = NOT_READ_BACK if why is None else why
        here, unsent = self._known.here, "" if why else self._unsent(prefixes)
        return MemberOutcome(
            here.dc, here.machine, live=True, obeys=not why, why=why, unsent=unsent
        )


def _outcome(member: Member, prefixes: Collection[Prefix], revision: int) -> MemberOutcome:
    has_heard = revision > 0 and member.revision >= revision
    if not member.live:
        why = SILENT
    elif not has_heard:
        why = NOT_HEARD
    else:
        why = next(filter(None, map(member.why_not, prefixes)), "") if member.differs else ""
    unsent = ""
    if member.unsent and not why:
        unsent = next(filter(None, map(member.why_unsent, prefixes)), "")
    return MemberOutcome(
        member.dc, member.machine, member.live, member.live and not why, why, unsent
    )
