"""The part of the state file that is about the whole site. Without `[site]` none of it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from speaker.state import site
from speaker.state.base_store import BaseStore
from speaker.state.database import transaction
from speaker.state.site_members import note_members, read_members
from speaker.state.site_rows import SiteMoment, clean_rows, new_id, read_copy
from speaker.state.waits import BUSY, BUSY_READING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from policy.intent import Intent
    from policy.route import Prefix
    from policy.site_intent import Extent, SiteIntent


class SiteStore(BaseStore):
    """What the state file does for the site. See `Store`, and `speaker.state.site`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._settled_as: Extent | None = None
        self.site_faults: tuple[str, ...] = ()
        """What of the site's intents could not be read when it was needed last, in words."""

    def ask_site(
        self,
        intents: Mapping[Prefix, Intent],
        extent: Extent,
        here: Extent,
        *,
        new_id: Callable[[], str] = new_id,
        up: Iterable[Prefix] = (),
        own: bool = False,
        wait: float = BUSY,
    ) -> Mapping[Prefix, Intent]:
        """Record what an operator asks for here, for whichever extent, all or none, in history too.

        It overrules what is known here of that extent and of those around it. Where the extent is not this machine alone, it is
        to be handed on: see `site_dirty`. Where it concerns this machine, what holds then is an intent as `set_intents`
        records it, in the same transaction: that is another one where what stands of a narrower extent is a drain.

        Args:
            intents: what the operator asks for.
            extent: for whom.
            here: this machine.
            new_id: gives an intent its id.
            up: our prefixes that are taken to be up from now on, if it concerns this machine.
            own: whether it overrules only what was asked so for the same reason: see `policy.site_intent`.
            wait: how long another program may hold the file, in seconds.

        Returns:
            The intents that were in force here until now, and are not any more.
        """
        now = max((intent.since for intent in intents.values()), default=0.0)
        moment = SiteMoment(here, now, new_id)
        with self._connections.writing(wait) as db:
            done = site.ask_site(db, self._reader.now, intents, extent, moment, up, own=own)
            self._tell(db, done.history)
        self._noted(done.faults)
        return done.replaced

    def take_site(
        self,
        found: Mapping[tuple[Extent, Prefix], Collection[SiteIntent]],
        here: Extent,
        now: float,
        *,
        whole: bool = False,
        new_id: Callable[[], str] = new_id,
        wait: float = BUSY,
    ) -> Collection[Prefix]:
        """Take over what etcd has: merge it with what is known here, and carry over what holds. See `ask_site`.

        What is known here and etcd lacks is to be handed on: see `site_dirty`.

        Args:
            found: what stands, by key, as etcd has it; of machines, this one alone.
            here: this machine.
            now: seconds since the epoch.
            whole: it is all that etcd has: what is not there, it lacks.
            new_id: gives an intent its id.
            wait: how long another program may hold the file, in seconds.

        Returns:
            The prefixes whose intent on this machine is another since.
        """
        moment = SiteMoment(here, now, new_id)
        with self._connections.writing(wait) as db:
            done = site.take_site(db, self._reader.now, found, moment, whole=whole)
            self._tell(db, done.history)
        self._noted(done.faults)
        return done.changed

    def settle_site(
        self,
        here: Extent,
        now: float,
        *,
        new_id: Callable[[], str] = new_id,
        wait: float = BUSY,
    ) -> float | None:
        """Carry over what holds since another intent has ended. Return when the next one ends (seconds since the epoch).

        The first time as a machine of this name all is looked at: what held elsewhere may not hold here, and the reverse.
        """
        moment, whole = SiteMoment(here, now, new_id), self._settled_as != here
        with self._connections.writing(wait) as db:
            done, following = site.settle_site(db, self._reader.now, moment, whole=whole)
            self._tell(db, done.history)
        self._settled_as = here
        self._noted(done.faults)
        return following

    def site_dirty(
        self, *, wait: float = BUSY_READING
    ) -> Mapping[tuple[Extent, Prefix], tuple[SiteIntent, ...]]:
        """Return what is to be handed on: what stands, by key, where etcd is not known to have all of it."""
        with self._connections.reading(wait) as db, transaction(db, "DEFERRED"):
            copy = read_copy(db, None, "WHERE dirty")
        return {(extent, prefix): kept.standing for extent, prefix, kept in copy.rows()}

    def site_clean(
        self,
        rows: Mapping[tuple[Extent, Prefix], Collection[SiteIntent]],
        *,
        wait: float = BUSY,
    ) -> None:
        """Note that etcd has what was handed on, as far as it is still the same here."""
        with self._connections.writing(wait) as db:
            clean_rows(db, rows)

    def site_known(
        self, prefixes: Iterable[Prefix] | None = None, *, wait: float = BUSY_READING
    ) -> Mapping[Prefix, tuple[SiteIntent, ...]]:
        """Return what stands for some prefixes, or for all of which anything does, of any extent."""
        with self._connections.reading(wait) as db, transaction(db, "DEFERRED"):
            copy = read_copy(db, prefixes)
        return {prefix: tuple(copy.known(prefix)) for prefix in copy.of}

    def site_members(self, *, wait: float = BUSY_READING) -> Mapping[Extent, float]:
        """Return the machines of the site that are remembered, and when each was seen last (seconds since the epoch)."""
        with self._connections.reading(wait) as db, transaction(db, "DEFERRED"):
            return read_members(db)

    def site_seen(self, seen: Mapping[Extent, float], before: float, *, wait: float = BUSY) -> None:
        """Remember when machines of the site were seen last, and forget those that were not since `before`."""
        with self._connections.writing(wait) as db:
            note_members(db, seen, before)

    def _noted(self, faults: Iterable[str]) -> None:
        self.site_faults = tuple(faults)
        self._intents_version = None
