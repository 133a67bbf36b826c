"""Asks the other machines for leave to withdraw for bad health: transactions beside the cycles, which wait for none.

See `policy.standing`, which decides all of it. What is asked for is what the cycle kept announced; each look at it reads what etcd has
by the watch, asks what is to be asked, so many prefixes in a transaction, and wakes the reconciler where a verdict changed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Protocol

from policy.decide import Cause
from policy.last import Standing
from policy.site_intent import Extent
from policy.standing import Ask, LeaveCase, LeaveVerdict, Word, Words
from speaker.site.base import MAX_TRANSACTION, EtcdError
from speaker.site.trying import Pauses
from speaker.supervision.cancellation import heed_cancellation
from speaker.supervision.supervisor import end_all
from speaker.supervision.together import together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from policy.decide import Decision
    from policy.route import Prefix
    from policy.site_members import Member, MemberState
    from speaker.clock import Clock
    from speaker.site.base import Compare, Etcd, Put
    from speaker.site.own_words import OwnWords

MOST = MAX_TRANSACTION // 2
"""How many prefixes are asked for in a transaction: each has two things that must be so."""
AT_ONCE = 4
"""How many transactions are under way at once."""
WITHIN = 1.0
"""How long an answer may take, in seconds. It counts after `patience`, too."""
STEP = 200
"""How many prefixes are looked at in a step of the event loop."""
REST, SHARE = 0.01, 4.0
"""How long a look rests before the next one, in seconds; at least so many times as long as it took."""
TICK = 1.0
"""How often it is looked although nothing is heard, in seconds."""
HEARD = 0.05
"""For how long to wait to hear why some of many were not done, in seconds."""


class SharedStates(Protocol):
    """What is needed of the site. `speaker.site.site.WholeSite` has it."""

    @property
    def here(self) -> Extent:
        """This machine."""

    @property
    def etcd(self) -> Etcd:
        """The cluster."""

    @property
    def connected(self) -> bool:
        """Whether what is known is what etcd has now, as far as a watch tells."""

    @property
    def lease(self) -> int:
        """This machine's lease, 0 where it has none."""

    def members(self) -> Sequence[Member]:
        """Return the machines of the site, this one among them."""

    def states(self) -> Mapping[Prefix, Sequence[MemberState]]:
        """Return what the live machines tell of each prefix, this one among them."""

    async def changed(self, within: float) -> None:
        """Wait until any of it changes, or for some seconds."""


class AskedLeave:
    """Leave to withdraw, as a reconciler asks for it: see `speaker.reconcile.leave.Leave`.

    Args:
        site: what etcd has.
        words: what this machine tells there.
        wake: has the reconciler look.
        clock: the time.
        patience: for how long an answer is waited for, in seconds.
        ttl: for how long the word of a data centre that is not there any more counts, in seconds.
    """

    def __init__(
        self,
        site: SharedStates,
        words: OwnWords,
        wake: Callable[[], object],
        clock: Clock,
        patience: float,
        ttl: float,
    ) -> None:
        self._site, self._own, self._wake, self._clock = site, words, wake, clock
        self._patience, self._ttl = patience, ttl
        self._cases: dict[Prefix, LeaveCase] = {}
        self._verdicts: Mapping[Prefix, LeaveVerdict] = {}
        self._dcs: frozenset[str] = frozenset()
        self._under_way: set[Prefix] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._moved = asyncio.Event()
        self._most, self._due, self._not_before = MOST, inf, -inf
        self._pauses = Pauses(str(site.here))
        self._runs = False
        self._failed: BaseException | None = None

    # --- as the cycle has it ---------------------------------------------------------------

    def standing(self) -> Standing:
        """See `Leave.standing`."""
        if not self._runs:
            return Standing(self._verdicts, LeaveVerdict.UNKNOWN)
        # While etcd can't be reached, only witnesses know which data centres live.
        dcs = self._dcs if self._site.connected else frozenset[str]()
        return Standing(self._verdicts, LeaveVerdict.ASKING, dcs)

    def decided(self, decisions: Mapping[Prefix, Decision]) -> None:
        """See `Leave.decided`."""
        for prefix in [p for p in self._cases if not _may_go(decisions.get(p))]:
            self._drop(prefix)
        kept = [p for p, d in decisions.items() if d.cause in (Cause.LAST, Cause.ASKING)]
        now = self._clock.steady()
        for prefix in kept:
            if prefix not in self._cases:
                self._cases[prefix] = LeaveCase(since=now)
                self._moved.set()

    def _drop(self, prefix: Prefix) -> None:
        if self._cases.pop(prefix).granted:
            self._own.stands_again(prefix)
        if prefix in self._verdicts:
            self._verdicts = {p: v for p, v in self._verdicts.items() if p != prefix}

    # --- beside the cycle ------------------------------------------------------------------

    async def run(self) -> None:
        """Ask, for ever."""
        self._runs = True
        try:
            await together({"site: looks at leave": self._keep_looking, "site: heard": self._hear})
        finally:
            self._runs = False
            await end_all((*self._tasks,))

    async def _keep_looking(self) -> None:
        loop = asyncio.get_running_loop()
        while self._failed is None:
            self._moved.clear()
            began = loop.time()
            await self._look()
            await asyncio.sleep(min(max(SHARE * (loop.time() - began), REST), self._patience))
            with suppress(TimeoutError):
                async with asyncio.timeout(max(self._due - self._clock.steady(), 0.0)):
                    await self._moved.wait()
        raise self._failed

    async def _hear(self) -> None:
        """Look whenever anything changes that is known of the site."""
        while True:
            await self._site.changed(TICK)
            self._moved.set()

    async def _look(self) -> None:
        """Look at what is asked for, a few prefixes in a step; ask what is to be asked, and tell the reconciler what changed."""
        found: dict[Prefix, LeaveVerdict] = {}
        asks: list[tuple[Prefix, Ask]] = []
        now, self._due = self._clock.steady(), inf
        for place, prefix in enumerate([*self._cases]):
            if place and not place % STEP:
                await asyncio.sleep(0)
            if prefix in self._cases:
                found[prefix] = self._looked(prefix, now, asks)
        self._tell(found)
        if self._site.lease and now >= self._not_before:
            self._ask(asks)
        elif asks:
            self._due = min(self._due, max(self._not_before, now + REST))

    def _looked(self, prefix: Prefix, now: float, asks: list[tuple[Prefix, Ask]]) -> LeaveVerdict:
        words = self._words(prefix) if self._site.connected else None
        case = self._cases[prefix] = self._cases[prefix].looked(words, now)
        if prefix not in self._under_way and (ask := case.next(words)) is not None:
            asks.append((prefix, ask))
        verdict = case.verdict(words, now, self._patience)
        if verdict is LeaveVerdict.ASKING and case.since is not None:
            self._due = min(self._due, case.since + self._patience)
        return verdict

    def _words(self, prefix: Prefix) -> Words:
        others = []
        for each in self._site.states().get(prefix, ()):
            by = Extent(each.dc, each.machine)
            if by != self._site.here:
                others.append(Word(by, each.announced, each.modified))
        return Words(self._own.revision(prefix), tuple(others))

    def _tell(self, found: Mapping[Prefix, LeaveVerdict]) -> None:
        """Have the reconciler decide again where anything is another. Of a leave that is over meanwhile nothing is told."""
        verdicts = {
            prefix: LeaveVerdict.GRANTED if case.granted else found[prefix]
            for prefix, case in self._cases.items()
            if prefix in found and (case.granted or found[prefix] is not LeaveVerdict.GRANTED)
        }
        verdicts = {p: v for p, v in verdicts.items() if v is not LeaveVerdict.ASKING}
        dcs = self._known_dcs()
        if (verdicts, dcs) != (self._verdicts, self._dcs):
            self._verdicts, self._dcs = verdicts, dcs
            self._wake()

    def _known_dcs(self) -> frozenset[str]:
        """Return the data centres whose machines tell what they announce, or did a moment ago."""
        long_ago = self._clock.steady() - self._ttl
        return frozenset(
            member.dc
            for member in self._site.members()
            if member.live or (member.silent_at is not None and member.silent_at > long_ago)
        )

    # --- asking ----------------------------------------------------------------------------

    def _ask(self, asks: Sequence[tuple[Prefix, Ask]]) -> None:
        asks = [(p, ask) for p, ask in asks if p in self._cases]  # some may be over meanwhile
        for some in _chunks(asks, self._most):
            if len(self._tasks) >= AT_ONCE:
                return  # the next look asks: each answer brings one
            for prefix, ask in some.items():
                self._cases[prefix] = self._cases[prefix].asked(ask)
            self._under_way |= some.keys()
            self._own.asks(some)
            task = asyncio.create_task(self._transact(some), name="site: asking for leave")
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._failed = self._failed or task.exception()

    async def _transact(self, some: Mapping[Prefix, Ask]) -> None:
        """Ask for some prefixes, all or none of which are given leave."""
        done: bool | None = None
        revision = 0
        try:
            answer = await self._site.etcd.transact(*self._parts(some), within=WITHIN)
        except EtcdError:
            heed_cancellation()
            self._not_before = self._clock.steady() + self._pauses.next()
        else:
            self._pauses.over()
            done, revision = answer.done, answer.revision
            self._most = MOST if done else max(1, self._most // 2)
            if not done and len(some) > 1:
                done = None  # some of them are not so: each is asked again, with fewer others
                await self._site.changed(HEARD)
        finally:
            self._answered(some, revision, done=done)

    def _parts(self, some: Mapping[Prefix, Ask]) -> tuple[list[Compare], list[Put]]:
        compares: list[Compare] = []
        puts: list[Put] = []
        for prefix, ask in some.items():
            must_be, put = self._own.transaction(prefix, ask, self._site.lease)
            compares += must_be
            puts.append(put)
        return compares, puts

    def _answered(self, some: Mapping[Prefix, Ask], revision: int, *, done: bool | None) -> None:
        for prefix, ask in some.items():
            if (case := self._cases.get(prefix)) is None:
                continue
            self._cases[prefix] = case.answered(ask, done=done)
            if self._cases[prefix].granted and not case.granted:
                self._own.stood_down(prefix, revision)
        self._under_way -= some.keys()
        self._own.answered(some)
        self._moved.set()


def _may_go(decision: Decision | None) -> bool:
    """Tell whether a prefix is still one that health would withdraw, as far as it was decided."""
    if decision is None:
        return False
    if decision.cause in (Cause.LAST, Cause.ASKING, Cause.GUARD):
        return True
    return decision.cause is Cause.HEALTH and decision.route is None


def _chunks(asks: Sequence[tuple[Prefix, Ask]], most: int) -> Iterator[dict[Prefix, Ask]]:
    rest = iter(asks)
    while some := dict(islice(rest, most)):
        yield some
