"""What outlives the watchdog, as it uses it: intents, ownership, memory of health, history.

Theory of operation. What is decided with is in memory. Three things touch the state file, each
in a thread, and none while the event loop or the daemon's lock waits for it for long:

- An intent is on the disk before anything else happens, and what is to be announced is recorded
  as ours before it is.
- Intents are read again at each turn, because other programs record some too. Where that can't
  be done at once, those read last hold, and it is said.
- Where nothing could be read yet, as at a start beside a locked or damaged file, nothing is known:
  what is announced is taken for what was up, no turn is certain, and nothing is confirmed. The first
  turn that can read the file takes over all that it has.
- All else is news, which `flush` records beside the cycle. Where it fails it is kept, and tried again.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from policy.decide import Cause
from policy.differing import differing
from policy.health import Health
from speaker.api import HistoryEntry
from speaker.reconcile.confirmations import UNREAD, Confirmations
from speaker.reconcile.known_intents import KnownIntents
from speaker.reconcile.last_judgement import LastJudgement
from speaker.reconcile.notices import Listeners
from speaker.reconcile.stage_memory import StageMemory
from speaker.state.store import News, Owned, StoreError
from speaker.state.waits import BUSY, BUSY_READING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from policy.assess import Assessment, Memory
    from policy.damping import Damping
    from policy.health import Service, ServiceMemory
    from policy.route import Prefix
    from speaker.clock import Clock
    from speaker.reconcile.daemon_state import DaemonState
    from speaker.state.store import Remembered, Store


class DurableState:
    """The store's content for some prefixes."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Read all that is remembered; where that can't be done now, it is tried again at each turn."""
        self.store = store
        self._clock = clock
        self._news = News()
        self._writing = asyncio.Lock()
        self.listeners = Listeners()
        self.intents = KnownIntents(
            store, clock, self._writing, self._recall, self._expire, self.listeners
        )
        found = self.intents.load()
        self._on_disk = found.owned
        self.health: Mapping[Prefix, Mapping[Service, ServiceMemory]] = found.health
        self.damping: Mapping[Prefix, Damping] = found.damping
        self.stages = StageMemory(self.intents, lambda: self._news.drains, found.drains)
        self._prefixes: Collection[Prefix] = ()
        self._claimed: Collection[Prefix] = ()
        """Recorded as ours for a configuration that is about to be taken."""
        self._said: dict[Prefix, bool] = {}
        self.were_up: frozenset[Prefix] = frozenset()
        self._judged: LastJudgement | None = None
        self._confirmations = Confirmations()
        self._only: Collection[Prefix] | None = None
        self._recalled: Mapping[Prefix, Damping] = {}
        self.unrecorded: frozenset[Prefix] = frozenset()
        """Those that can't be announced, because they are not recorded as ours yet."""
        self._own({})

    # --- what is ours ----------------------------------------------------------------------

    def own_at_once(self, prefixes: Collection[Prefix], only: Collection[Prefix] | None) -> None:
        """Make prefixes ours, as `own` and `take` do, before anything waits.

        Where that can't be recorded, `flush` tries again.
        """
        self._only = only
        self.unrecorded = frozenset(prefixes) - self._on_disk.keys()
        if self.unrecorded and self.intents.is_read:
            with suppress(StoreError):
                self.store.own(self.unrecorded, wait=BUSY_READING)
                self.unrecorded = frozenset()
        self._own(self._ours_on_disk())
        self.take(prefixes)

    def _ours_on_disk(self) -> dict[Prefix, Owned]:
        only = self._only
        return {p: state for p, state in self._on_disk.items() if only is None or p in only}

    def assume(self, announced: Collection[Prefix]) -> None:
        """Take what is announced for what was up, where nothing is remembered that says so."""
        if not self.intents.is_read:
            self._own({prefix: Owned(up=prefix in announced) for prefix in self.owned})

    def _recall(self, found: Remembered) -> None:
        """Take over what could not be read until now. What is known by now of health stays."""
        self._on_disk = found.owned
        self.health = {**found.health, **self.health}
        self._recalled = {p: last for p, last in found.damping.items() if p not in self.damping}
        self.damping = {**found.damping, **self.damping}
        self.stages.recall(found.drains)
        self.unrecorded = frozenset(self._prefixes) - found.owned.keys()
        self._own({**dict.fromkeys(self._prefixes, Owned()), **self._ours_on_disk()})

    def _expire(self, now: float) -> None:
        self._news.expired = now

    def recalled(self) -> Mapping[Prefix, Damping]:
        """Return what was read of flapping since this was asked."""
        recalled, self._recalled = self._recalled, {}
        return recalled

    async def own(self, prefixes: Collection[Prefix]) -> None:
        """Record prefixes as ours, before any is announced.

        Raises:
            StoreError: it can't be recorded.
        """
        async with self._writing:
            new = [p for p in prefixes if p not in self.owned or p in self.unrecorded]
            if new:
                await asyncio.to_thread(self.store.own, new)
                self.unrecorded -= {*new}
            back = self._news.gone & set(prefixes)
            self._news.gone -= back
            self._news.owned.update(dict.fromkeys(back, Owned()))
            self._claimed = frozenset(prefixes)

    def disown(self, prefixes: Collection[Prefix]) -> None:
        """Forget prefixes that were recorded as ours for a configuration that was not taken."""
        self._claimed = ()
        self._news.gone.update(prefixes)

    def take(self, prefixes: Collection[Prefix]) -> None:
        """Care for prefixes that are recorded as ours. Others that are ours stay so until withdrawn."""
        self._said = {p: up for p, up in self._said.items() if p in prefixes}
        self._own({**dict.fromkeys(prefixes, Owned()), **self.owned})
        self._prefixes, self._claimed = prefixes, ()
        self.intents.care_for(prefixes)
        self.unrecorded &= frozenset(prefixes)

    def _own(self, owned: Mapping[Prefix, Owned]) -> None:
        self.owned = owned
        self._hold()

    def _hold(self) -> None:
        were_up = frozenset(
            prefix for prefix, state in self.owned.items() if self._said.get(prefix, state.up)
        )
        if were_up != self.were_up:
            self.were_up = were_up

    def judged(self, assessment: Assessment) -> None:
        """Hold what health says from now on, before it is confirmed."""
        last, said, decisions = self._judged, {}, assessment.alone
        changed = {*decisions}
        if last is not None and last.were_up is self.were_up:
            changed = differing(last.decisions, decisions)
            changed |= differing(last.health, assessment.health)
        for prefix in changed & decisions.keys():
            decision = decisions[prefix]
            if decision.cause is Cause.HEALTH:
                said[prefix] = decision.route is not None
            elif decision.cause in {Cause.OPERATOR, Cause.ADDRESS, Cause.DAMPING, Cause.SITE}:
                verdict = assessment.health.get(prefix)
                if verdict is not None and verdict.health is not Health.UNKNOWN:
                    said[prefix] = verdict.health is Health.UP
        if others := {p: up for p, up in said.items() if (p in self.were_up) != up}:
            self._said.update(others)
            up = {prefix for prefix, is_up in others.items() if is_up}
            self.were_up = self.were_up - others.keys() | (up & self.owned.keys())
        self._judged = LastJudgement(decisions, assessment.health, self.were_up)

    def restore(self, prefixes: Collection[Prefix], unknown: Iterable[Prefix]) -> None:
        """Forget that prefixes flapped, as the state file has; those unknown are held as announced."""
        flapped = self.damping.keys() & set(prefixes)
        self._news.damping.update(dict.fromkeys(flapped))
        self.damping = {p: last for p, last in self.damping.items() if p not in flapped}
        if restored := dict.fromkeys(unknown, True):
            self._said.update(restored)
            self._hold()

    # --- news ------------------------------------------------------------------------------

    def remember(self, memory: Memory) -> None:
        """Keep what rise, fall and damping need, over a restart too."""
        if memory.health is not self.health:
            changed = differing(self.health, memory.health) & memory.health.keys()
            self._news.health.update(
                (prefix, memory.health[prefix])
                for prefix in changed
                if memory.health[prefix] != self.health.get(prefix, {})
            )
            self.health = memory.health
        if memory.damping != self.damping:
            self._news.damping.update(
                (prefix, memory.damping.get(prefix))
                for prefix in self.damping.keys() | memory.damping.keys()
                if prefix in self._prefixes
                and memory.damping.get(prefix) != self.damping.get(prefix)
            )
            kept = {p: last for p, last in self.damping.items() if p not in self._prefixes}
            self.damping = {**kept, **memory.damping}

    async def confirm(self, assessment: Assessment, view: DaemonState) -> None:
        """Note what was read back and is as decided, and forget what left and is withdrawn.

        Not before the file was read, which tells what was confirmed before.
        """
        now, were_up = self._clock.wall(), self.were_up
        confirmed, notices = await self._confirmations.new(
            assessment, view, self.owned, were_up, now
        )
        for each in notices:
            self._news.history.append(HistoryEntry(now, each.prefix, each.event, each.reason))
            self.listeners.tell(each)
        gone = {
            prefix
            for prefix in (self.owned if len(self.owned) > len(self._prefixes) else ())
            if prefix not in self._prefixes
            and prefix not in self._claimed
            and view.confirmed.get(prefix, UNREAD) is None
            and view.converged
        }
        self._news.owned.update(confirmed)
        self._news.gone |= gone
        if confirmed or gone:
            owned = {**self.owned, **confirmed}
            for prefix in gone:
                del owned[prefix]
            self._own(owned)
        self._confirmations.done(assessment, view, self.owned, were_up)

    @property
    def has_news(self) -> bool:
        """Whether anything is to be recorded."""
        return bool(self._news or self.unrecorded)

    async def flush(self, wait: float = BUSY) -> None:
        """Record the news, and what could not be recorded as ours yet.

        Args:
            wait: how long another program may hold the file, in seconds.

        Raises:
            StoreError: it could not be done; they are kept.
        """
        async with self._writing:
            if self.unrecorded and self.intents.is_read:
                new = self.unrecorded
                await asyncio.to_thread(self.store.own, new, wait=wait)
                self.unrecorded -= new
            news, self._news = self._news, News()
            if news:
                try:
                    await asyncio.to_thread(self.store.record, news, wait=wait)
                except BaseException:
                    self._news = news | self._news
                    raise
