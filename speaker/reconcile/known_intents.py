"""What operators want, as the state file has it: read again at each turn, because other programs record some too.

A reading that can't be done at once changes nothing: the intents read last hold. Where none was ever
read, none is known, which is not the same as that there is none: `is_read` says so.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from policy.differing import differing
from policy.drain import resolved
from policy.intent import Mode
from speaker.reconcile.intent_span import NEVER, IntentSpan
from speaker.reconcile.notices import of_intents
from speaker.state.store import Intents, Remembered, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from policy.intent import Intent
    from policy.report import AppReport
    from policy.route import Prefix
    from policy.site_intent import Extent
    from policy.window import Window
    from speaker.clock import Clock
    from speaker.reconcile.notices import Listeners
    from speaker.state.store import StageEnd, Store

T = TypeVar("T")
PATIENCE = 0.25
"""How long a turn waits for the intents, in seconds: not for a locked file, but for a slow disk."""
_UNKNOWN = (
    "operators' intents are unknown: what is dead is withdrawn, and nothing is announced until they "
    "can be read"
)
PASSING = 1.0
"""For how long the intents may be unreadable before it is said, in seconds: others write, too."""


class KnownIntents:
    """Operators' intents for some prefixes."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        writing: asyncio.Lock,
        recall: Callable[[Remembered], None],
        expired: Callable[[float], None],
        listeners: Listeners,
    ) -> None:
        """Know what `start` gives.

        Args:
            store: the state file.
            clock: the time.
            writing: held while anything is written to the file.
            recall: takes over all of the file, when it can be read for the first time.
            expired: is told until when intents have ended by themselves (seconds since the epoch).
            listeners: are told which came into force, and which ended.
        """
        self._store, self._clock, self._writing = store, clock, writing
        self._recall = recall
        self._expired = expired
        self._listeners = listeners
        self._unread: tuple[float, str] | None = None
        self.is_read = True
        """Whether the file was ever read: else no intent is known, and that there is none neither."""
        self.hindered: set[str] = set()
        """What keeps applications from reporting now, in words: their silence says nothing then."""
        self._found = Intents()
        self._faults: tuple[str, ...] = ()
        self._in_force: dict[Prefix, Intent] = {}
        self._ended: Mapping[Prefix, Intent] = {}
        self._told = self._looked_for_ended = NEVER
        self._at: Callable[[Prefix, Intent, float], Intent | None] = _until_its_end
        self._prefixes: Collection[Prefix] = ()
        self._restored: set[Prefix] = set()
        self._reading: asyncio.Future[Intents | Remembered] | None = None
        self._recorded = self._read_of = 0

    def load(self) -> Remembered:
        """Read all of the file; where that can't be done now, nothing is known. It waits."""
        try:
            found = self._store.load()
        except StoreError as error:
            self.is_read = False
            self._unread = self._clock.steady() - PASSING, str(error)
            found = Remembered()
        self._found, self._faults = found.intents, found.faults
        return found

    def heed(self, at: Callable[[Prefix, Intent, float], Intent | None]) -> None:
        """Have something tell what is in force of a prefix's intent at a time, which may be more than its end says."""
        self._at = at

    def care_for(self, prefixes: Collection[Prefix]) -> None:
        """Know the intents for these prefixes from now on."""
        self._prefixes = prefixes

    @property
    def recorded(self) -> Mapping[Prefix, Intent]:
        """Those that are on file as last read, also what is over by its end."""
        return self._found.of

    @property
    def windows(self) -> tuple[Window, ...]:
        """What is planned, and what was missed, as last read."""
        return self._found.windows

    @property
    def reports(self) -> Mapping[str, AppReport]:
        """What applications reported last, expired or not, as last read. The same object while it is the same."""
        return self._found.reports

    @property
    def unread(self) -> frozenset[tuple[Prefix, Extent]] | None:
        """See `Intents.unread`, as last read."""
        return self._found.unread

    def in_force(self) -> Mapping[Prefix, Intent]:
        """Return those that are in force, as last read. The same object while they are the same."""
        now = self._clock.wall()
        if self._told.holds(self._found, self._prefixes, now):
            return self._in_force
        intents = {
            prefix: found
            for prefix, intent in self._found.of.items()
            if prefix in self._prefixes and (found := self._at(prefix, intent, now)) is not None
        }
        if intents != self._in_force:
            if self._listeners:
                for event in of_intents(self._in_force, intents, now):
                    self._listeners.tell(event)
            self._in_force = intents
        self._told = IntentSpan.at(self._found, self._prefixes, now, intents.values())
        return self._in_force

    async def refresh(self) -> bool:
        """Read the intents. Return whether that could be done; else those read last hold."""
        while True:
            recorded = self._recorded
            try:
                found = await self._read()
            except StoreError as error:
                since = self._clock.steady() if self._unread is None else self._unread[0]
                self._unread = since, str(error)
                return False
            if recorded == self._recorded:  # else one was recorded meanwhile, which it may lack
                break
        self._unread, self._read_of = None, recorded
        if isinstance(found, Remembered):
            self.is_read = True
            self._faults = found.faults
            self._recall(found)
            self._found = found.intents
        elif found is not self._found:
            before = self._found.of
            self._restored |= {
                prefix
                for prefix in differing(before, found.of)
                if before.get(prefix) != (intent := found.of.get(prefix))
                and (intent is None or intent.restores)
            }
            self._found = found
        now = self._clock.wall()
        if not self._looked_for_ended.holds(self._found, (), now):
            ended = {p: intent for p, intent in self._found.of.items() if not intent.in_force(now)}
            if ended.items() - self._ended.items():
                self._expired(now)
            self._ended = ended
            self._looked_for_ended = IntentSpan.at(self._found, (), now)
        return True

    async def _read(self) -> Intents | Remembered:
        """Read the intents, or all where nothing was read yet, and not from before this was called.

        A reading that hangs is waited for.
        """
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=PATIENCE)
            if not self._reading.done():
                raise StoreError("state: its disk does not answer; see the kernel's log")
        read = self._store.intents if self.is_read else self._store.load
        self._reading = asyncio.ensure_future(asyncio.to_thread(read, wait=0.0))
        self._reading.add_done_callback(_forget)
        await asyncio.wait({self._reading}, timeout=PATIENCE)
        if not self._reading.done():
            raise StoreError("state: its disk does not answer; see the kernel's log")
        reading, self._reading = self._reading, None
        try:
            return reading.result()
        except BlockingIOError as error:
            # no thread: what was read last holds, and withdrawals go on
            raise StoreError(f"state: not read: {error.strerror}") from error

    @property
    def trouble(self) -> str:
        """What is wrong with what was read, in words; empty where nothing is."""
        texts = [*self._found.faults, *self._faults]
        if self._unread is not None and self._clock.steady() - self._unread[0] >= PASSING:
            holds = "the intents last read stay in force" if self.is_read else _UNKNOWN
            texts.insert(0, f"{self._unread[1]}; {holds}")
        return " | ".join(texts)

    def restored(self) -> Collection[Prefix]:
        """Return what operators wanted announced since this was asked, by any process."""
        restored, self._restored = self._restored, set()
        return restored & set(self._prefixes)

    def wanted(self, prefixes: Iterable[Prefix]) -> None:
        """Note that an operator wants prefixes announced, which was recorded before all was read."""
        self._restored |= {*prefixes}

    async def record(
        self, intents: Mapping[Prefix, Intent], unknown: Iterable[Prefix]
    ) -> Mapping[Prefix, Intent]:
        """Record an operator's intents, all or none. Return those that were in force until now.

        Args:
            intents: the intents.
            unknown: prefixes that are to be announced although their health is unknown.

        Raises:
            StoreError: it could not be done; nothing was changed.
        """
        async with self._writing:
            intents = {p: i for p, i in intents.items() if not self._returns_already(p, i)}
            if not intents:
                return {}
            replaced = await asyncio.to_thread(self._store.set_intents, intents, [*unknown])
            self._recorded += 1
            intents = {p: resolved(intent, replaced.get(p)) for p, intent in intents.items()}
            of = {p: intent for p, intent in self._found.of.items() if p not in intents}
            of |= {p: intent for p, intent in intents.items() if intent.mode != "auto"}
            self._found = replace(self._found, of=of)
            self._restored |= {p for p, intent in intents.items() if intent.restores}
            self._restored -= {p for p, intent in intents.items() if not intent.restores}
            return replaced

    async def record_by(self, write: Callable[[], T]) -> T:
        """Have something else record intents: the next turn reads them. Return what it returns. It may wait.

        Raises:
            StoreError: it could not be done.
        """
        async with self._writing:
            done = await asyncio.to_thread(write)
            self._recorded += 1
            return done

    @property
    def written(self) -> int:
        """How often this process recorded some."""
        return self._recorded

    @property
    def read_up_to(self) -> int:
        """How often it had, when they were read last."""
        return self._read_of

    def _returns_already(self, prefix: Prefix, asked: Intent) -> bool:
        """Tell whether a prefix returns by itself, at the end of a soft drain, which nothing is recorded of."""
        if asked.mode is not Mode.RETURNING:
            return False
        now = self.in_force().get(prefix)
        return now is not None and now.mode is asked.mode and now != self._found.of.get(prefix)

    async def advance(self, ended: Mapping[Prefix, StageEnd]) -> Collection[Prefix]:
        """Record the ends of stages, and what follows. Return those whose intent was still what they are of.

        Raises:
            StoreError: it could not be done; nothing was changed.
        """
        async with self._writing:
            now = self._clock.wall()
            done = await asyncio.to_thread(self._store.advance, ended, now)
            self._recorded += 1
            of = {p: intent for p, intent in self._found.of.items() if p not in done}
            of |= {p: after for p in done if (after := ended[p].after) is not None}
            self._found = replace(self._found, of=of)
            return done


def _until_its_end(_: Prefix, intent: Intent, now: float) -> Intent | None:
    return intent if intent.in_force(now) else None


def _forget(reading: asyncio.Future[Intents | Remembered]) -> None:
    """Keep asyncio from complaining of a reading that nothing waited for."""
    with suppress(asyncio.CancelledError):
        reading.exception()
