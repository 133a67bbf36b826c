"""Has what is asked of the site obeyed here, and tells so: only what was read back, and what differs with why.

Theory of operation. What others ask comes into the state file, which the reconciler's turns read. That they did is not
enough to tell the others that this machine obeys: a turn may not have come, the state file may not have been read in it, the
daemon may not have answered, or have something else. So for each prefix of which something else is asked, a turn is taken,
the daemon is read back, and the prefix is looked at as `vip_mgmt status` shows it. Only then the revision of etcd counts that
was taken over before that turn; and what is not as it is asked is named with why. From then on all prefixes are looked at
whenever anything of the reconciler changes, so that what is told stays true.
"""

from __future__ import annotations

import asyncio
import logging
from itertools import islice
from operator import is_
from typing import TYPE_CHECKING

from speaker.errors import SpeakerError
from speaker.reconcile.status import Snapshot
from speaker.site.keys import KeyKind, SiteKey
from speaker.site.showing import (
    NOT_ANNOUNCED,
    NOT_SEEN_YET,
    state_text,
    told_differing,
    unsent,
    why_not,
)
from speaker.site.told import ObeysTold
from speaker.supervision.cancellation import heed_cancellation

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from policy.route import Prefix
    from policy.site_intent import Extent
    from speaker.reconcile.notices import Notice
    from speaker.reconcile.reconciler import Reconciler

log = logging.getLogger(__name__)

AGAIN = 0.25
"""When to try again where the intents could not be read, in seconds."""
TICK = 1.0
"""How often it is looked whether anything changed of which nobody was told, in seconds."""
STEP = 100
"""How many prefixes are looked at in a step: some thousandths of a second."""
SHARE = 5.0
"""So many times as long as a look took it rests at least, before the next one at all prefixes."""


class Obeying:
    """What this machine obeys and shows.

    Args:
        reconciler: obeys.
        here: this machine.
        tell: is called when something else is to be told.
    """

    def __init__(
        self,
        reconciler: Reconciler,
        here: Extent,
        tell: Callable[[], object],
    ) -> None:
        self._reconciler, self._here = reconciler, here
        self._standing_down: set[Prefix] = set()
        self._taken = self._readings = 0
        self._pending: dict[Prefix, None] = {}
        self._under_way: dict[Prefix, None] = {}
        self._differs: dict[Prefix, str] = {}
        self._unsent: dict[Prefix, str] = {}
        self._states: dict[SiteKey, bytes] = {}
        self._keys: dict[Prefix, SiteKey] = {}
        self._looks = 0
        self._doubted: dict[Prefix, int] = {}
        self._due, self._moved = asyncio.Event(), asyncio.Event()
        self._rests_on: tuple[tuple[object, ...], object] = (), None
        self._all: object = None
        self.revision: int | None = None
        """Up to which of etcd's revisions all is obeyed, but for what differs. None before it is known."""
        self._tell = tell

    # --- what is to be obeyed --------------------------------------------------------------

    def pend(self, prefixes: Collection[Prefix], revision: int = 0) -> None:
        """Note that something else may be asked of prefixes, which is recorded; and up to which revision all is."""
        self._pending.update(dict.fromkeys(prefixes))
        self._taken = max(self._taken, revision)
        self._due.set()

    def begin(self, prefixes: Collection[Prefix], revision: int) -> None:
        """Note the same of all that was read, at a revision that may be less than it was: of another etcd, or an older one."""
        self._readings += 1
        self._taken, self.revision = revision, None
        self.pend(prefixes)

    async def obey(self) -> None:
        """Have obeyed what is asked, and look at it, for ever."""
        while True:
            await self._due.wait()
            self._due.clear()
            reading, revision, pending = self._readings, self._taken, [*self._pending]
            self._under_way, self._pending = self._pending, {}
            if not await self._enforced(pending):
                self._pending = dict.fromkeys([*pending, *self._pending])
                self._due.set()
                await asyncio.sleep(AGAIN)
                continue
            is_first = self._all is not self._reconciler.assignments
            await self._look(self._reconciler.assignments if is_first else pending)
            self._under_way = {}
            if reading == self._readings:
                self.revision = revision
            self._tell()

    async def _enforced(self, prefixes: Collection[Prefix]) -> bool:
        """Have what is recorded of prefixes carried out. Return whether it was read for that, and a turn was ours or failed."""
        intents = self._reconciler.durable.intents
        written = intents.written
        concerned = [p for p in prefixes if p in self._reconciler.assignments]
        if not concerned:
            return True
        try:
            await self._reconciler.operator.enforce(concerned)
        except SpeakerError as error:
            heed_cancellation()
            log.error("what the site asks is not carried out yet: %s", error)  # noqa: TRY400 - it says what to do
            return False
        return intents.read_up_to >= written

    def why_not(self, prefixes: Collection[Prefix]) -> str | None:
        """Return why some of these are not obeyed here, nothing where all are; None where that is not known yet."""
        if any(prefix in self._pending or prefix in self._under_way for prefix in prefixes):
            return None
        return next((why for p in prefixes if (why := self._differs.get(p, ""))), "")

    def unsent(self, prefixes: Collection[Prefix]) -> str:
        """Return why nobody is sent some of these, although they are announced here as asked; nothing where all are."""
        return next((why for p in prefixes if (why := self._unsent.get(p, ""))), "")

    # --- what is about to be withdrawn -----------------------------------------------------

    def stand_down(self, prefix: Prefix) -> None:
        """Tell of a prefix that it is not announced, from now on, whatever is seen."""
        self._standing_down.add(prefix)
        self._states[SiteKey(KeyKind.STATE, self._here, prefix)] = NOT_ANNOUNCED
        self._tell()

    def stand_again(self, prefix: Prefix) -> None:
        """Tell of a prefix what is seen of it from now on: not what was seen before."""
        self._standing_down.discard(prefix)
        self._doubted[prefix] = self._looks
        self._states[SiteKey(KeyKind.STATE, self._here, prefix)] = NOT_SEEN_YET
        self._moved.set()

    # --- what is shown ---------------------------------------------------------------------

    def happened(self, _: Notice) -> None:
        """Note that something happened here: it is looked at soon."""
        self._moved.set()

    async def look(self) -> None:
        """Look at all prefixes whenever anything changed, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout(TICK):
                    await self._moved.wait()
            except TimeoutError:
                pass
            self._moved.clear()
            if not self._is_another():
                continue
            began = loop.time()
            await self._look(self._reconciler.assignments)
            self._tell()
            await asyncio.sleep(min(SHARE * (loop.time() - began), TICK))

    def _is_another(self) -> bool:
        """Tell whether anything is another on which it rests how a prefix is shown."""
        reconciler = self._reconciler
        intents = reconciler.durable.intents
        objects = reconciler.assessment, intents.in_force(), reconciler.assignments
        values = (
            reconciler.view.version,
            intents.is_read,
            [(peer.name, peer.up) for peer in reconciler.backend.peers()],
            reconciler.alarms.texts,
            {*self._standing_down},
        )
        (before, were), self._rests_on = self._rests_on, (objects, values)
        is_same = len(before) == len(objects) and all(map(is_, before, objects))
        return not is_same or were != values

    async def _look(self, prefixes: Collection[Prefix]) -> None:
        """Look at some prefixes, so many in a step."""
        reconciler = self._reconciler
        assignments = reconciler.assignments
        self._looks += 1
        look, snapshot = self._looks, Snapshot(reconciler)
        alarms = snapshot.alarms
        wanted = assignments if prefixes is assignments else frozenset(prefixes)
        shown = zip(
            (prefix for prefix in assignments if prefix in wanted),
            snapshot.routes(None if wanted is assignments else wanted),
            strict=True,
        )
        while some := [*islice(shown, STEP)]:
            for prefix, each in some:
                if self._doubted.get(prefix, 0) >= look:
                    continue  # it was seen before what is told of it stopped being so
                self._doubted[prefix] = (
                    look  # of two looks at once, the one that began later counts
                )
                stands_down = prefix in self._standing_down
                key = self._keys.get(prefix) or SiteKey(KeyKind.STATE, self._here, prefix)
                self._keys[prefix] = key
                self._states[key] = state_text(
                    each, snapshot.asked(prefix), stands_down=stands_down
                )
                for found, why in (
                    (self._differs, why_not(each, alarms)),
                    (self._unsent, unsent(each)),
                ):
                    if why:
                        found[prefix] = why
                    else:
                        found.pop(prefix, None)
            await asyncio.sleep(0)
        if len(self._states) > len(assignments):
            self._states = {k: t for k, t in self._states.items() if k.prefix in assignments}
            self._differs = {p: why for p, why in self._differs.items() if p in assignments}
            self._unsent = {p: why for p, why in self._unsent.items() if p in assignments}
            self._keys = {p: key for p, key in self._keys.items() if p in assignments}
        if prefixes is assignments:
            self._all = assignments

    # --- what is told ----------------------------------------------------------------------

    def obeys(self) -> ObeysTold | None:
        """Return what is told of what is obeyed, None where that is not known yet."""
        if self.revision is None:
            return None
        return ObeysTold(
            revision=self.revision,
            differs=told_differing(self._differs),
            unsent=told_differing(self._unsent),
        )

    def states(self) -> dict[SiteKey, bytes]:
        """Return what is told of prefixes, as it was looked at last."""
        return self._states
