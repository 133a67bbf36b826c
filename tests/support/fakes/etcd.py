"""An etcd in memory: one store, and clients of it that each have faults of their own to switch on.

It keeps what tests/contract/test_etcd.py proves of the real one. Leases end with the event loop's clock, so in virtual time at
once. Nothing in here waits for anything real.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from speaker.site.base import (
    SILENCE,
    Changed,
    CompactedError,
    Contents,
    EtcdError,
    EtcdRefusedError,
    LeaseOverError,
    Put,
    Stored,
    Transacted,
    UnreachableError,
    by_revision,
    checked,
)
from speaker.site.etcd.requests import PAGE_WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from speaker.site.base import Compare, Delete

T = TypeVar("T")
BEAT = SILENCE / 2
"""Seconds between two empty items of a watch where nothing happens."""
MAX_REQUEST = 1_500_000
"""How many bytes of values a member takes at once."""
FULL = "mvcc: database space exceeded"


@dataclass
class _Lease:
    seconds: int
    ends: float


@dataclass
class Copy:
    """What a cluster had at one moment, its history and leases included."""

    revision: int = 1
    compacted: int = 0
    items: dict[str, Stored] = field(default_factory=dict)
    history: list[Changed] = field(default_factory=list)
    leases: dict[int, _Lease] = field(default_factory=dict)


class Cluster:
    """The store: what a majority of members has. `full`: no member has space for what is to be stored.

    Leases need an event loop that runs; the rest of it does not.
    """

    def __init__(self) -> None:
        self.identity = "cluster 1"
        self.full = False
        self.watches: set[_Watch] = set()
        self._has = Copy()
        self._next_lease = 1000

    def client(self) -> Client:
        """Return one more client of this store."""
        return Client(self)

    @property
    def revision(self) -> int:
        """The revision of what was done last."""
        return self._has.revision

    def contents(self, under: str = "") -> Mapping[str, bytes]:
        """Return all keys that begin with a text, and their values."""
        return {key: each.value for key, each in self._has.items.items() if key.startswith(under)}

    def stored(self, under: str = "") -> tuple[Stored, ...]:
        """Return all that is stored under keys that begin with a text, in the order of keys."""
        found = (each for key, each in self._has.items.items() if key.startswith(under))
        return tuple(sorted(found, key=lambda each: each.key))

    def put(self, key: str, value: bytes | None) -> int:
        """Store a value, or remove a key, as somebody else does. Return the revision."""
        self._commit({key: value}, 0)
        return self.revision

    def compact(self) -> None:
        """Forget what happened up to now: no watch can begin before the revision that comes next."""
        self._has.compacted = self._has.revision
        self._has.history.clear()

    def copy(self) -> Copy:
        """Return a copy of all: a snapshot."""
        return deepcopy(self._has)

    def restore(self, copy: Copy, *, new_identity: bool = True) -> None:
        """Have what a copy has, and nothing else. All watches break; leases that it has begin again.

        Args:
            copy: what `copy` returned.
            new_identity: whether it is another cluster by its name, which depends on how it is restored.
        """
        self._has = deepcopy(copy)
        if new_identity:
            self.identity = f"cluster {int(self.identity.rpartition(' ')[2]) + 1}"
        for lease in self._has.leases:
            self._last(lease)
        for watch in tuple(self.watches):
            watch.end()

    def new_leader(self) -> None:
        """Have another leader: every lease lasts from now on as long as it was granted for."""
        for lease in self._has.leases:
            self._last(lease)

    def end_leases(self) -> None:
        """End every lease, though whoever has it lives."""
        for lease in tuple(self._has.leases):
            self.end_lease(lease)

    # What clients do:

    def transact(self, compares: Sequence[Compare], then: Sequence[Put | Delete]) -> Transacted:
        """Do all, if all is so."""
        items = self._has.items
        for each in compares:
            found = items.get(each.key)
            if each.modified != (found.modified if found else 0):
                return Transacted(done=False, revision=self.revision)
        puts = [each for each in then if isinstance(each, Put)]
        if puts and self.full:
            raise EtcdRefusedError(f"etcd: stored: {FULL}; free some space")
        if sum(len(put.value) for put in puts) > MAX_REQUEST:
            raise EtcdRefusedError("etcd: stored: request is too large; store less at once")
        for put in puts:
            if put.lease and put.lease not in self._has.leases:
                raise LeaseOverError(f"etcd: stored: lease {put.lease:x} is over; grant another")
        leases = {put.key: put.lease for put in puts}
        self._commit({each.key: getattr(each, "value", None) for each in then}, 0, leases)
        return Transacted(done=True, revision=self.revision)

    def grant(self, seconds: int) -> int:
        """Return a new lease."""
        if self.full:
            raise EtcdRefusedError(f"etcd: lease: {FULL}; free some space")
        self._next_lease += 1
        self._has.leases[self._next_lease] = _Lease(seconds, 0.0)
        self._last(self._next_lease)
        return self._next_lease

    def keep(self, lease: int) -> float:
        """Have a lease last from now on; return for how many seconds, 0 where it is over."""
        if lease not in self._has.leases:
            return 0.0
        self._last(lease)
        return float(self._has.leases[lease].seconds)

    def end_lease(self, lease: int) -> None:
        """End a lease, and remove all that has it."""
        if self._has.leases.pop(lease, None):
            gone = [key for key, each in self._has.items.items() if each.lease == lease]
            self._commit(dict.fromkeys(gone), 0)

    def since(self, revision: int, under: str) -> list[Changed]:
        """Return what happened to keys that begin with a text, from a revision on.

        Raises:
            CompactedError: it is not kept any more, or has not been yet: the cluster was restored from a copy.
        """
        if revision > self.revision + 1:
            raise CompactedError(
                f"etcd: watched: revision {self.revision} comes before {revision - 1}; read all again"
            )
        if revision <= self._has.compacted:
            raise CompactedError(f"etcd: watched: revision {revision} is compacted; read all again")
        return [
            each
            for each in self._has.history
            if each.revision >= revision and each.key.startswith(under)
        ]

    def _last(self, lease: int) -> None:
        loop = asyncio.get_running_loop()
        had = self._has.leases[lease]
        had.ends = loop.time() + had.seconds
        loop.call_at(had.ends, self._end_in_time, lease, had.ends)

    def _end_in_time(self, lease: int, ends: float) -> None:
        had = self._has.leases.get(lease)
        if had and had.ends == ends:  # else it was kept meanwhile
            self.end_lease(lease)

    def _commit(
        self,
        changes: Mapping[str, bytes | None],
        lease: int,
        leases: Mapping[str, int] | None = None,
    ) -> None:
        items = self._has.items
        real = {k: v for k, v in changes.items() if v is not None or k in items}
        if not real:
            return
        self._has.revision = now = self._has.revision + 1
        for key, value in real.items():
            self._has.history.append(Changed(key, value, now))
            if value is None:
                del items[key]
                continue
            had = items.get(key)
            own = (leases or {}).get(key, lease)
            items[key] = Stored(key, value, had.created if had else now, now, own)
        for watch in self.watches:
            watch.wake()


class _Watch:
    """A watch of a client: what wakes it."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()
        self.ended = False

    def wake(self) -> None:
        self.woken.set()

    def end(self) -> None:
        self.ended = True
        self.woken.set()


class Client:
    """A client, and what is wrong between it and the cluster, for all that it asks from then on.

    Attributes:
        away: no member can be reached: all is answered at once, by an error; a watch breaks after `SILENCE`.
        hangs: no member says anything: an error after all of `within`.
        slow: seconds for a request, half of it until it is carried out. What takes longer than `within` fails, and may be done.
        lost: of so many requests to come the answer is lost: all is done, and an error comes.
        held: seconds after which a request to come is carried out that got no answer, by a member that hung meanwhile. 0: none.
        refused: what a member says who refuses all; a watch breaks at once.
        deaf: a watch that is there hears nothing, and breaks after `SILENCE`; the rest works.
        late: seconds until a watch hears of a change.
        closed: whether it was closed.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.away = self.hangs = self.deaf = self.closed = False
        self.slow = self.late = self.held = 0.0
        self.lost = 0
        self.refused = ""
        self.asked = 0
        """How many requests it has made, watches included."""
        self._watches: set[_Watch] = set()

    def break_watches(self) -> None:
        """Break all its watches, once: the member that they were at is gone, others are there."""
        for watch in self._watches:
            watch.end()

    async def read(self, under: str, *, within: float) -> Contents:
        """See `Etcd.read`."""
        return await self._ask(
            lambda: Contents(
                self.cluster.revision, self.cluster.stored(under), self.cluster.identity
            ),
            min(within, PAGE_WITHIN),  # all of it is one page
        )

    async def transact(
        self, compares: Sequence[Compare], then: Sequence[Put | Delete], *, within: float
    ) -> Transacted:
        """See `Etcd.transact`."""
        checked(compares, then)
        return await self._ask(lambda: self.cluster.transact(compares, then), within)

    async def grant(self, seconds: int, *, within: float) -> int:
        """See `Etcd.grant`."""
        return await self._ask(lambda: self.cluster.grant(seconds), within)

    async def keep(self, lease: int, *, within: float) -> float:
        """See `Etcd.keep`."""
        return await self._ask(lambda: self.cluster.keep(lease), within)

    async def revoke(self, lease: int, *, within: float) -> None:
        """See `Etcd.revoke`."""
        await self._ask(lambda: self.cluster.end_lease(lease), within)

    async def close(self) -> None:
        """See `Etcd.close`."""
        self.closed = True
        self.break_watches()

    async def watch(self, under: str, since: int) -> AsyncGenerator[Sequence[Changed], None]:
        """See `Etcd.watch`."""
        self.asked += 1
        watch = _Watch()
        self._watches.add(watch)
        self.cluster.watches.add(watch)
        loop = asyncio.get_running_loop()
        heard = loop.time()
        try:
            while True:
                watch.woken.clear()
                self._hears(watch)
                if not (self.away or self.hangs or self.deaf):
                    for items in by_revision(self.cluster.since(since, under)):
                        if self.late:
                            await asyncio.sleep(self.late)
                        yield items
                        since = items[0].revision + 1
                        heard = loop.time()
                    if loop.time() >= heard + BEAT:
                        heard = loop.time()
                        yield ()
                elif loop.time() >= heard + SILENCE:
                    raise UnreachableError(f"etcd: watched: no word for {SILENCE:g} s; try again")
                await _woken(watch.woken, BEAT)
        finally:
            self._watches.discard(watch)
            self.cluster.watches.discard(watch)

    def _hears(self, watch: _Watch) -> None:
        if self.refused:
            raise EtcdRefusedError(f"etcd: watched: {self.refused}; see its log")
        if watch.ended:
            raise UnreachableError("etcd: watched: the connection broke; try again")

    async def _ask(self, do: Callable[[], T], within: float) -> T:
        self.asked += 1
        if self.closed:
            raise UnreachableError("etcd: asked: closed; open it again")
        if self.away:
            raise UnreachableError("etcd: asked: no member could be reached; see to the members")
        if self.refused:
            raise EtcdRefusedError(f"etcd: asked: {self.refused}; see its log")
        if self.held:
            asyncio.get_running_loop().call_later(within + self.held, _try, do)
        if self.hangs or self.held or self.slow / 2 > within:
            await asyncio.sleep(within)
            raise UnreachableError(f"etcd: asked: no answer in {within:g} s; see to the members")
        if self.slow:
            await asyncio.sleep(self.slow / 2)
        done = do()
        if self.slow:
            await asyncio.sleep(min(self.slow, within) - self.slow / 2)
        if self.lost or self.slow > within:
            self.lost = max(0, self.lost - 1)
            raise UnreachableError("etcd: asked: the connection broke; it may be done")
        return done


async def _woken(event: asyncio.Event, within: float) -> None:
    try:
        async with asyncio.timeout(within):
            await event.wait()
    except TimeoutError:
        pass


def _try(do: Callable[[], object]) -> None:
    with suppress(EtcdError):
        do()
