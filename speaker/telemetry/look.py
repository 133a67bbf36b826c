"""All that is shown of a watchdog at one moment: nothing of it changes later, so that a thread may read it."""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import TYPE_CHECKING

from speaker.reconcile.loaded_file import FileState
from speaker.reconcile.seen import witnesses
from speaker.reconcile.status import DETAILED, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from speaker.api import PrefixStatus, Sentence
    from speaker.control.site_shown import SiteShown
    from speaker.reconcile.known_site import KnownSite
    from speaker.reconcile.reconciler import Reconciler


TIMED, AGES = 1.0, 15.0
"""For how long sentences are shown while a timer runs, in seconds, and else: those with the age of something."""


class SiteLook:
    """What there is to be seen of the site, where there is one."""

    def __init__(self, site: KnownSite) -> None:
        """Take it."""
        self.connected, self.queued = site.connected, site.queued
        members = site.members()
        self.members = {
            "live": sum(each.live for each in members),
            "differs": sum(each.live and bool(each.differs) for each in members),
            "silent": sum(not each.live for each in members),
        }


def _is_as(one: SiteShown | None, other: SiteShown | None) -> bool:
    return one is other if one is None or other is None else one.is_as(other)


class Look:
    """What there is to be seen of a reconciler."""

    def __init__(self, reconciler: Reconciler) -> None:
        """Take it, in a time that hardly depends on the number of prefixes. On the event loop."""
        self._snapshot = Snapshot(reconciler)
        self._assessment = reconciler.assessment
        self._assignments = reconciler.assignments
        self.counts = reconciler.meter.counts()
        self.subjects = reconciler.alarms.subjects
        self.file = reconciler.file.verdict
        self.config = reconciler.config
        self.peers = tuple(reconciler.backend.peers())
        self.daemon = reconciler.backend.daemon()
        self.version = reconciler.view.version
        self.intents = reconciler.durable.intents.in_force()
        self.alarms, self._heard = tuple(reconciler.alarms.texts), reconciler.witnesses.heard()
        self.witnesses = witnesses(self._heard)
        self.site = None if reconciler.site is None else SiteLook(reconciler.site)
        self.machines: SiteShown | None = None
        """What each machine of the site has of each prefix, where that is looked up, too."""

    @property
    def snapshot(self) -> Snapshot:
        """What the state of each prefix is told from."""
        return self._snapshot

    def routes(self) -> Iterator[PrefixStatus]:
        """Yield the state of all prefixes, in the order of the configuration."""
        return self._snapshot.routes()

    def sentences(self, routes: Sequence[PrefixStatus]) -> Mapping[str, Sequence[Sentence]]:
        """Return why each prefix is as it is; of none where there are too many for anybody to read.

        Args:
            routes: the state of all prefixes, as `routes` yields it.
        """
        if len(routes) > DETAILED:
            return {}
        shown = zip(self._assignments, routes, strict=True)
        return {route.prefix: self._snapshot.sentences(prefix, route) for prefix, route in shown}

    @property
    def wall(self) -> float:
        """When it was, in seconds since the epoch."""
        return self._snapshot.wall

    @property
    def keeps(self) -> float:
        """For how long what it shows stays true where nothing changes, in seconds: sentences have running times."""
        if len(self._assignments) > DETAILED:
            return inf
        is_timed = self._assessment is not None and self._assessment.look_again is not None
        return TIMED if is_timed else AGES

    def preferences(self) -> Mapping[str, tuple[tuple[str, ...], bool]]:
        """Return for each prefix the data centres that announce it, best first, and whether all are equal."""
        return {
            str(prefix): (assignment.address.prefer, assignment.address.equal)
            for prefix, assignment in self._assignments.items()
        }

    def is_as(self, other: Look) -> bool:
        """Tell whether another look shows the same, but for numbers and times."""
        return (
            self._assessment is other._assessment
            and self._assignments is other._assignments
            and self.version == other.version
            and self._heard is other._heard
            and self.intents is other.intents
            and _is_as(self.machines, other.machines)
            and (self.peers, self.daemon, self.subjects, self.file, self.alarms)
            == (other.peers, other.daemon, other.subjects, other.file, other.alarms)
        )

    def causes(self) -> Mapping[str, int]:
        """Return for how many prefixes which rule has decided."""
        decisions = self._assessment.decisions if self._assessment else {}
        return Counter(
            str(decision.cause)
            for prefix, decision in decisions.items()
            if prefix in self._assignments
        )

    @property
    def digest(self) -> str:
        """What tells the content of vip.toml from any other, as far as it is loaded; "" for no file."""
        return self.config.file.digest if self.config.file else ""

    @property
    def file_states(self) -> Mapping[str, bool]:
        """Of what may be so of the file on the disk, what is."""
        return {str(state): state is self.file.state for state in FileState}
