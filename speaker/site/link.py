"""The connection to etcd: all is read, then it is watched; and again from the beginning, whatever broke.

Theory of operation. There is one way by which this machine comes to know: it reads all that is stored below the prefix, as
of one revision, takes it over, and watches from the next revision on. What breaks a watch, or makes what is known doubtful
(nobody answers, the history was compacted, etcd was restored from an old copy), ends in reading all again. What etcd lacks
then is handed on: so what was lost there comes back from each machine that has it.

Reading and telling are apart: where etcd takes nothing (its disk is full, the right to store was withdrawn), what others ask
is heard as long as it lets itself be read. Neither is ever waited for by a cycle, and nothing that is in force changes while
etcd is away.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, NoReturn, Protocol

from speaker.site.base import EtcdError, UnreachableError
from speaker.site.members import BothClocks
from speaker.site.troubles import in_words
from speaker.site.trying import Pauses, for_ever
from speaker.state.store import StoreError
from speaker.supervision.cancellation import heed_cancellation
from speaker.supervision.together import together

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from policy.route import Prefix
    from policy.site_intent import Extent, SiteIntent
    from speaker.clock import Clock
    from speaker.site.base import Changed, Etcd
    from speaker.site.handing_on import HandingOn
    from speaker.site.heard import HeardKeys
    from speaker.site.known import Known
    from speaker.site.obeying import Obeying
    from speaker.site.presence import OwnPresence

    Rows = Mapping[tuple[Extent, Prefix], Collection[SiteIntent]]

READ = 120.0
"""How long reading all may take, in seconds: all machines of a site may read at once, after etcd was away."""
MOST = 2_000_000
"""How many keys are read at most: 10,000 VIPs of fifty machines are half a million."""
RETRY = 1.0
"""When to try again to record what others ask, in seconds."""


class Recording(Protocol):
    """Takes over what is asked into the state file."""

    async def __call__(self, rows: Rows, *, whole: bool) -> Collection[Prefix]:
        """Do so with some of what etcd has, or with all. Return the prefixes whose intent here is another."""


class Link:
    """The connection of one machine.

    Args:
        etcd: the cluster.
        known: what it has.
        record: takes over what is asked into the state file.
        obeying: has it obeyed.
        handing_on: hands on what etcd lacks.
        presence: tells of this machine.
        clock: the time.
    """

    def __init__(
        self,
        etcd: Etcd,
        known: Known,
        record: Recording,
        obeying: Obeying,
        handing_on: HandingOn,
        presence: OwnPresence,
        clock: Clock,
    ) -> None:
        self._etcd, self._known, self._record = etcd, known, record
        self._obeying, self._handing_on, self._presence = obeying, handing_on, presence
        self._clock = clock
        self._troubles: dict[str, str | EtcdError] = {}
        self._heard: dict[tuple[Extent, Prefix], Collection[SiteIntent]] = {}
        self._something = asyncio.Event()
        self._name = str(known.here)
        self.connected = False

    @property
    def trouble(self) -> str:
        """What is wrong, in words; nothing where all is well."""
        return in_words(self._troubles.values())

    def note(self, part: str, found: str | EtcdError) -> None:
        """Note what is wrong with a part of it; an empty text where all is well."""
        if str(self._troubles.get(part, "")) != str(found):
            self._troubles[part] = found
            self._known.bell.ring()

    async def run(self) -> None:
        """Know and tell, for ever."""
        steps = {
            "lease": self._presence.keep_lease,
            "machine": self._presence.tell,
            "states": self._presence.tell_states,
            "handing on": self._handing_on.step,
        }
        telling = {
            f"site: {part}": partial(for_ever, step, self._name, partial(self.note, part))
            for part, step in steps.items()
        }
        try:
            await together({"site: hearing": self._hear_for_ever, **telling})
        finally:
            self.connected = False

    async def _hear_for_ever(self) -> None:
        pauses = Pauses(self._name)
        while True:
            try:
                await self._hear(pauses)
            except EtcdError as error:
                heed_cancellation()
                self.connected = False
                self.note("hearing", error)
            await asyncio.sleep(pauses.next())

    async def _hear(self, pauses: Pauses) -> None:
        """Read all, and watch, until that breaks.

        Raises:
            EtcdError: it did.
        """
        known = self._known
        contents = await self._etcd.read(known.prefix, within=READ)
        if len(contents.items) > MOST:
            raise UnreachableError(
                f"etcd: {known.prefix}: {len(contents.items)} keys, {MOST} at most; does another program store there?"
            )
        reading = await asyncio.to_thread(known.sorted_out, contents, self._presence.lease)
        known.begin(reading, BothClocks(self._clock.wall(), self._clock.steady()))
        self._heard.clear()
        changed = await self._take(reading.heard.intents, whole=True)
        self._obeying.begin(changed, known.asked_at)
        self._connected(pauses)
        watching = partial(self._watch, contents.revision + 1)
        await together({"site: taking": self._take_for_ever, "site: watching": watching})

    async def _watch(self, since: int) -> NoReturn:
        async with aclosing(self._etcd.watch(self._known.prefix, since)) as watch:
            async for changes in watch:
                self._take_over(changes)
        raise UnreachableError("etcd: the watch ended; all is read again")

    def _connected(self, pauses: Pauses) -> None:
        self.connected = True
        self.note("hearing", "")
        pauses.over()
        self._handing_on.due.set()
        self._presence.bell.ring()
        self._presence.states_bell.ring()
        self._known.bell.ring()

    def _take_over(self, changes: Collection[Changed]) -> None:
        """Note what happened; what is asked is recorded beside this.

        Raises:
            UnreachableError: it is older than what is known.
        """
        known = self._known
        if any(each.revision <= known.revision for each in changes):
            raise UnreachableError("etcd: what it has is older than it was; all is read again")
        heard: HeardKeys = known.heard(
            [*changes], BothClocks(self._clock.wall(), self._clock.steady())
        )
        self._heard.update(heard.intents)
        if heard.modified:
            self._something.set()

    async def _take_for_ever(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            revision, heard = self._known.asked_at, dict(self._heard)
            self._heard.clear()
            changed = await self._take(heard, whole=False) if heard else ()
            self._obeying.pend(changed, revision)
            if heard:
                self._handing_on.due.set()

    async def _take(self, rows: Rows, *, whole: bool) -> Collection[Prefix]:
        """Take over what is asked, as soon as it can be recorded. Return the prefixes of which something else is asked."""
        while True:
            try:
                changed = await self._record(rows, whole=whole)
            except StoreError as error:
                self.note("recording", f"what others ask can't be recorded: {error}")
                await asyncio.sleep(RETRY)
                continue
            self.note("recording", "")
            return changed
