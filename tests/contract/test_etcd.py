"""The contract of etcd: its client at a real cluster, and what stands in for it, do the same."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

import pytest

from speaker.site.base import (
    SILENCE,
    Changed,
    CompactedError,
    Compare,
    Delete,
    EtcdRefusedError,
    LeaseOverError,
    Put,
    Stored,
    UnreachableError,
)
from tests.contract.etcd_worlds import PREFIX, WORLDS
from tests.support.lab.eventually import SLOW

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence
    from typing import Any

    from speaker.site.base import Contents, Etcd
    from tests.contract.etcd_worlds import World

WITHIN = 5.0
SHORT = 0.5


@pytest.fixture(scope="module", params=WORLDS)
def lasting(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world for all tests."""
    world = WORLDS[request.param]()
    yield world
    world.close()


@pytest.fixture
def world(lasting: World) -> Iterator[World]:
    """A world without clients, in which nothing is stored under our prefix."""
    lasting.clear()
    yield lasting
    lasting.mend()
    lasting.end_clients()


class Watcher:
    """Watches, in the background, and keeps what it hears."""

    def __init__(self, etcd: Etcd, since: int, under: str = PREFIX) -> None:
        self.heard: list[Sequence[Changed]] = []
        self.beats = 0
        self._task = asyncio.ensure_future(self._watch(etcd, under, since))

    async def _watch(self, etcd: Etcd, under: str, since: int) -> None:
        async with aclosing(etcd.watch(under, since)) as changes:
            async for each in changes:
                if each:
                    self.heard.append([*each])
                else:
                    self.beats += 1

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds, and fail where the watch ends before."""
        async with asyncio.timeout(SLOW * SILENCE):
            while not holds():
                if self._task.done():
                    self._task.result()
                await asyncio.sleep(0.01)

    async def error(self) -> BaseException | None:
        """Wait for its end, and return why."""
        await asyncio.wait({self._task}, timeout=SLOW * SILENCE)
        return self._task.exception()

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})


def key(name: str) -> str:
    return f"{PREFIX}{name}"


async def stored(etcd: Etcd, *puts: Put | Delete) -> int:
    """Do that, and return the revision."""
    found = await etcd.transact([], puts, within=WITHIN)
    assert found.done
    return found.revision


async def soon(etcd: Etcd) -> Contents:
    """Return what is read at last: the first try may find that what is known of the cluster is of no use any more."""
    async with asyncio.timeout(SLOW * WITHIN):
        while True:
            with suppress(UnreachableError):
                return await etcd.read(PREFIX, within=WITHIN)


async def gone(etcd: Etcd, name: str) -> None:
    """Wait until there is no such key."""
    async with asyncio.timeout(SLOW * 10):
        while (await etcd.read(key(name), within=WITHIN)).items:  # noqa: ASYNC110 - nobody here is told when
            await asyncio.sleep(0.1)


def test_what_is_stored_is_read(world: World) -> None:
    """All keys that begin with a text are read, in order, with what etcd knows of them, and no other."""
    etcd, other = world.client(), world.client()

    async def run() -> None:
        before = await etcd.read(PREFIX, within=WITHIN)
        assert before.items == ()
        first = await stored(etcd, Put(key("b/2"), b"\x00\xff"), Put(key("a"), b""))
        second = await stored(other, Put(key("b/2"), b"two"), Put(key("b0"), b"not under b/"))
        assert before.revision < first < second
        for each in (etcd, other):
            found = await each.read(PREFIX, within=WITHIN)
            assert found.revision >= second
            assert found.cluster == before.cluster != ""
            assert found.items == (
                Stored(key("a"), b"", first, first),
                Stored(key("b/2"), b"two", first, second),
                Stored(key("b0"), b"not under b/", second, second),
            )
        assert [each.key for each in (await etcd.read(key("b/"), within=WITHIN)).items] == [
            key("b/2")
        ]

    world.run(run())


def test_in_pages(world: World) -> None:
    """More keys than are in an answer of etcd are read as of one revision."""
    etcd = world.client()
    names = [key(f"{number:04}") for number in range(1200)]

    async def run() -> None:
        for begin in range(0, 1200, 100):
            last = await stored(etcd, *(Put(name, b"x") for name in names[begin : begin + 100]))
        found = await etcd.read(PREFIX, within=WITHIN)
        assert [each.key for each in found.items] == names
        assert found.revision == last

    world.run(run())


def test_all_or_nothing(world: World) -> None:
    """A transaction does all at one revision if all is so, and else nothing."""
    etcd = world.client()

    async def run() -> None:
        first = await stored(etcd, Put(key("a"), b"1"), Put(key("b"), b"1"))
        for wrong in (
            [Compare(key("a"), first - 1)],
            [Compare(key("a"), first), Compare(key("b"), 0)],
        ):
            said = await etcd.transact(
                wrong, [Put(key("a"), b"2"), Delete(key("b"))], within=WITHIN
            )
            assert not said.done
        assert world.contents(PREFIX) == {key("a"): b"1", key("b"): b"1"}
        right = [Compare(key("a"), first), Compare(key("c"), 0)]
        said = await etcd.transact(
            right, [Put(key("a"), b"2"), Delete(key("b")), Delete(key("no"))], within=WITHIN
        )
        assert said.done
        assert said.revision > first
        found = await etcd.read(PREFIX, within=WITHIN)
        assert found.items == (Stored(key("a"), b"2", first, said.revision),)

    world.run(run())


def test_two_at_once(world: World) -> None:
    """Of two that want the same key as it was, one gets it."""
    clients = [world.client() for _ in range(4)]

    async def run() -> None:
        asked = [
            each.transact([Compare(key("a"), 0)], [Put(key("a"), b"%d" % number)], within=WITHIN)
            for number, each in enumerate(clients)
        ]
        said = await asyncio.gather(*asked)
        assert [each.done for each in said].count(True) == 1
        winner = [each.done for each in said].index(True)
        assert world.contents(PREFIX) == {key("a"): b"%d" % winner}

    world.run(run())


def test_malformed_transactions(world: World) -> None:
    """What no transaction can be is refused before etcd is asked."""
    etcd = world.client()

    async def run() -> None:
        many = [Put(key(str(number)), b"") for number in range(101)]
        cases: list[tuple[list[Compare], list[Put | Delete]]] = [
            ([], [*many]),
            ([Compare(each.key, 0) for each in many], []),
            ([], [Put(key("a"), b""), Delete(key("a"))]),
        ]
        for compares, then in cases:
            with pytest.raises(ValueError, match="a transaction"):
                await etcd.transact(compares, then, within=WITHIN)
        assert await stored(etcd, *many[:100])

    world.run(run())


def test_too_large(world: World) -> None:
    """What is more than a member takes at once is refused, and nothing is done."""
    etcd = world.client()

    async def run() -> None:
        with pytest.raises(EtcdRefusedError, match="too large"):
            await etcd.transact([], [Put(key("a"), b"x" * 1_600_000)], within=WITHIN)
        assert world.contents(PREFIX) == {}

    world.run(run())


def test_watch(world: World) -> None:
    """A watch tells all that happens from a revision on, in order, by revision, and what begins so alone."""
    etcd = world.client()

    async def run() -> None:
        first = await stored(etcd, Put(key("a"), b"1"), Put(key("b"), b"1"))
        second = await stored(etcd, Delete(key("a")))
        watcher = Watcher(etcd, first)
        past = [
            [Changed(key("a"), b"1", first), Changed(key("b"), b"1", first)],
            [Changed(key("a"), None, second)],
        ]
        await watcher.until(lambda: len(watcher.heard) == 2)
        third = await stored(etcd, Put(key("b"), b"2"))
        await watcher.until(lambda: len(watcher.heard) == 3)
        assert watcher.heard == [*past, [Changed(key("b"), b"2", third)]]
        later, narrow = Watcher(etcd, third + 1), Watcher(etcd, first, key("a"))
        await narrow.until(lambda: len(narrow.heard) == 2)
        fourth = await stored(etcd, Put(key("c"), b""))
        await later.until(lambda: later.heard)
        assert later.heard == [[Changed(key("c"), b"", fourth)]]
        assert narrow.heard == [[Changed(key("a"), b"1", first)], past[1]]
        for each in (watcher, later, narrow):
            await each.stop()

    world.run(run())


def test_watch_beats(world: World) -> None:
    """Where nothing happens a watch says so, more often than each `SILENCE`; and loses nothing by it."""
    etcd = world.client()

    async def run() -> None:
        revision = await stored(etcd, Put(key("a"), b""))
        watcher = Watcher(etcd, revision + 1)
        await watcher.until(lambda: watcher.beats >= 2)
        changes = [await stored(etcd, Put(key("a"), b"%d" % number)) for number in range(3)]
        await watcher.until(lambda: len(watcher.heard) == 3)
        assert [each[0].revision for each in watcher.heard] == changes
        await watcher.stop()

    world.run(run())


def test_compacted(world: World) -> None:
    """What was compacted can't be watched; what comes after can. Reading knows of no compaction."""
    etcd = world.client()

    async def run() -> None:
        first = await stored(etcd, Put(key("a"), b"1"))
        await stored(etcd, Put(key("a"), b"2"))
        world.compact()
        assert isinstance(await Watcher(etcd, first).error(), CompactedError)
        found = await etcd.read(PREFIX, within=WITHIN)
        assert [each.value for each in found.items] == [b"2"]
        watcher = Watcher(etcd, found.revision + 1)
        revision = await stored(etcd, Put(key("a"), b"3"))
        await watcher.until(lambda: watcher.heard)
        assert watcher.heard == [[Changed(key("a"), b"3", revision)]]
        await watcher.stop()

    world.run(run())


def test_leases(world: World) -> None:
    """What has a lease stays while that is kept, and goes with it; the others are told, and nothing is stored under it any more."""
    etcd, other = world.client(), world.client()

    async def run() -> None:
        lease = await etcd.grant(2, within=WITHIN)
        revision = await stored(etcd, Put(key("a"), b"", lease), Put(key("b"), b""))
        found = await other.read(PREFIX, within=WITHIN)
        assert [each.lease for each in found.items] == [lease, 0]
        watcher = Watcher(other, revision + 1)
        for _ in range(6):
            assert await etcd.keep(lease, within=WITHIN) >= 2
            await asyncio.sleep(0.5)
        assert {*world.contents(PREFIX)} == {key("a"), key("b")}
        await gone(other, "a")
        await watcher.until(lambda: watcher.heard)
        assert [(each.key, each.value) for each in watcher.heard[0]] == [(key("a"), None)]
        assert {*world.contents(PREFIX)} == {key("b")}
        assert await etcd.keep(lease, within=WITHIN) == 0
        with pytest.raises(LeaseOverError):
            await etcd.transact([], [Put(key("c"), b""), Put(key("a"), b"", lease)], within=WITHIN)
        assert {*world.contents(PREFIX)} == {key("b")}
        await watcher.stop()

    world.run(run())


def test_revoked(world: World) -> None:
    """A lease that is revoked takes all that has it along; twice is as good as once."""
    etcd = world.client()

    async def run() -> None:
        lease = await etcd.grant(60, within=WITHIN)
        await stored(etcd, Put(key("a"), b"", lease))
        await etcd.revoke(lease, within=WITHIN)
        assert world.contents(PREFIX) == {}
        await etcd.revoke(lease, within=WITHIN)
        other = await etcd.grant(60, within=WITHIN)
        assert other != lease
        await stored(etcd, Put(key("a"), b"", other))
        world.end_leases()
        await gone(etcd, "a")
        assert await etcd.keep(other, within=WITHIN) == 0

    world.run(run())


def test_without_a_lease_again(world: World) -> None:
    """What is stored again without a lease, or under another one, does not go with the first."""
    etcd = world.client()

    async def run() -> None:
        one, two = [await etcd.grant(60, within=WITHIN) for _ in range(2)]
        await stored(
            etcd, Put(key("a"), b"", one), Put(key("b"), b"", one), Put(key("c"), b"", one)
        )
        await stored(etcd, Put(key("a"), b""), Put(key("b"), b"", two))
        await etcd.revoke(one, within=WITHIN)
        assert {*world.contents(PREFIX)} == {key("a"), key("b")}
        await etcd.revoke(two, within=WITHIN)
        assert {*world.contents(PREFIX)} == {key("a")}

    world.run(run())


def asked(etcd: Etcd) -> dict[str, Callable[[], Coroutine[Any, Any, object]]]:
    """Return one request of each kind, each of half a second."""
    return {
        "read": lambda: etcd.read(PREFIX, within=SHORT),
        "transact": lambda: etcd.transact([], [Put(key("a"), b"")], within=SHORT),
        "grant": lambda: etcd.grant(10, within=SHORT),
        "keep": lambda: etcd.keep(1, within=SHORT),
        "revoke": lambda: etcd.revoke(1, within=SHORT),
    }


@pytest.mark.parametrize("how", [pytest.param("take_away", marks=pytest.mark.nightly), "hang"])
def test_away(world: World, how: str) -> None:
    """Where no member answers, all that is asked ends in time with an error, and so does a watch; then all goes on.

    Members that hang are the harder case: those that are away are tried at night alone.
    """
    etcd = world.client()

    async def before() -> Watcher:
        watcher = Watcher(etcd, (await etcd.read(PREFIX, within=WITHIN)).revision + 1)
        await watcher.until(lambda: watcher.beats)
        return watcher

    async def meanwhile() -> None:
        loop = asyncio.get_running_loop()
        for name, ask in asked(etcd).items():
            begun = loop.time()
            with pytest.raises(UnreachableError):
                await ask()
            assert loop.time() - begun < SLOW * SHORT, name
        assert isinstance(await watcher.error(), UnreachableError)
        assert isinstance(await Watcher(etcd, 1).error(), UnreachableError)

    async def after() -> None:
        revision = await stored(etcd, Put(key("b"), b""))
        again = Watcher(etcd, revision)
        await again.until(lambda: again.heard)
        await again.stop()

    watcher = world.run(before())
    getattr(world, how)()
    world.run(meanwhile())
    world.mend()
    world.run(after())


def test_refused(world: World) -> None:
    """Whose right was taken away is refused, and nothing is done; a watch ends with that too. Then all goes on."""
    etcd = world.client()

    async def before() -> Watcher:
        watcher = Watcher(etcd, (await etcd.read(PREFIX, within=WITHIN)).revision + 1)
        await watcher.until(lambda: watcher.beats)
        return watcher

    async def meanwhile() -> None:
        for ask in (asked(etcd)["read"], asked(etcd)["transact"]):
            with pytest.raises(EtcdRefusedError, match="permission denied"):
                await ask()
        assert isinstance(await watcher.error(), EtcdRefusedError)
        assert world.contents(PREFIX) == {}

    watcher = world.run(before())
    world.forbid()
    world.run(meanwhile())
    world.mend()
    world.run(stored(etcd, Put(key("b"), b"")))


def test_no_space(world: World) -> None:
    """Without space nothing is stored, and that is said; reading, keeping, removing and watching go on."""
    etcd = world.client()

    async def before() -> tuple[int, Watcher]:
        lease = await etcd.grant(60, within=WITHIN)
        revision = await stored(etcd, Put(key("a"), b"", lease), Put(key("b"), b""))
        return lease, Watcher(etcd, revision + 1)

    async def meanwhile() -> None:
        with pytest.raises(EtcdRefusedError, match="space"):
            await etcd.transact([], [Put(key("c"), b"")], within=WITHIN)
        with pytest.raises(EtcdRefusedError, match="space"):
            await etcd.grant(10, within=WITHIN)
        assert len((await etcd.read(PREFIX, within=WITHIN)).items) == 2
        assert await etcd.keep(lease, within=WITHIN) > 0
        await stored(etcd, Delete(key("b")))
        await watcher.until(lambda: watcher.heard)
        assert watcher.heard[0][0].value is None
        await watcher.stop()

    lease, watcher = world.run(before())
    world.fill()
    world.run(meanwhile())
    world.free()
    world.run(stored(etcd, Put(key("c"), b"")))


@pytest.mark.parametrize("new_identity", [True, pytest.param(False, marks=pytest.mark.nightly)])
def test_restored(world: World, *, new_identity: bool) -> None:
    """A cluster that was restored has what the copy has, leases included. Watches end, and none begins where it has not been yet.

    Its name is another one, if that was seen to; the rest is the same, and so that is tried at night alone.
    """
    etcd = world.client()

    async def before() -> None:
        lease = await etcd.grant(5, within=WITHIN)
        await stored(etcd, Put(key("a"), b"old"), Put(key("leased"), b"", lease))

    async def between() -> tuple[int, str, Watcher]:
        for number in range(20):
            revision = await stored(etcd, Put(key("a"), b"%d" % number), Put(key("b"), b""))
        found = await etcd.read(PREFIX, within=WITHIN)
        watcher = Watcher(etcd, revision + 1)
        await watcher.until(lambda: watcher.beats)
        return revision, found.cluster, watcher

    async def after() -> None:
        assert isinstance(await watcher.error(), UnreachableError)
        found = await soon(etcd)
        assert isinstance(await Watcher(etcd, revision + 1).error(), CompactedError)
        assert [(each.key, each.value) for each in found.items] == [
            (key("a"), b"old"),
            (key("leased"), b""),
        ]
        assert found.revision < revision
        assert (found.cluster != cluster) == new_identity
        await gone(etcd, "leased")

    world.run(before())
    copy = world.copy()
    revision, cluster, watcher = world.run(between())
    world.restore(copy, new_identity=new_identity)
    world.run(after())


def test_closed(world: World) -> None:
    """A client that was closed asks nothing any more, and its watches end."""
    etcd = world.client()

    async def run() -> None:
        watcher = Watcher(etcd, (await etcd.read(PREFIX, within=WITHIN)).revision + 1)
        await watcher.until(lambda: watcher.beats)
        await etcd.close()
        assert isinstance(await watcher.error(), UnreachableError)
        for ask in asked(etcd).values():
            with pytest.raises(UnreachableError):
                await ask()

    world.run(run())
