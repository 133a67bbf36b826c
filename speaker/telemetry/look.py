"""All that is shown of a watchdog at one moment: nothing of it changes later, so that a thread may read it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from speaker.reconcile.loaded_file import FileState
from speaker.reconcile.status import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from speaker.api import PrefixStatus
    from speaker.reconcile.reconciler import Reconciler


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
        self.time = reconciler.clock.wall()

    @property
    def snapshot(self) -> Snapshot:
        """What the state of each prefix is told from."""
        return self._snapshot

    def routes(self) -> Iterator[PrefixStatus]:
        """Yield the state of all prefixes, in the order of the configuration."""
        return self._snapshot.routes()

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
