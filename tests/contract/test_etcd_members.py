"""The client of etcd at a real cluster of which a member fails, or does not trust it: what a stand-in can't show."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from speaker.site.base import SILENCE, EtcdRefusedError, Put, UnreachableError
from speaker.site.etcd.client import EtcdClient
from tests.contract.etcd_worlds import PASSWORD, PREFIX, USER, Real
from tests.support.lab.eventually import SLOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.lab.etcd import EtcdMember

WITHIN = 3.0


@pytest.fixture(scope="module")
def lasting() -> Iterator[Real]:
    """A cluster for all tests."""
    world = Real()
    yield world
    world.close()


@pytest.fixture
def world(lasting: Real) -> Iterator[Real]:
    """A cluster that is well."""
    yield lasting
    lasting.cluster.heal()
    lasting.end_clients()


def client_of(world: Real, first: EtcdMember) -> EtcdClient:
    """Return a client that asks a member first."""
    made = world.client()
    assert isinstance(made, EtcdClient)
    made._order.sort(key=lambda each: first.address not in each.url)
    return made


async def put(etcd: EtcdClient, name: str) -> None:
    said = await etcd.transact([], [Put(f"{PREFIX}{name}", b"")], within=WITHIN)
    assert said.done


async def begun(etcd: EtcdClient, since: int) -> asyncio.Task[None]:
    """Return a watch that has begun, and ends with an error."""
    there = asyncio.Event()

    async def watch() -> None:
        async with aclosing(etcd.watch(PREFIX, since)) as changes:
            async for _ in changes:
                there.set()

    task = asyncio.ensure_future(watch())
    beat = asyncio.ensure_future(there.wait())
    await asyncio.wait({task, beat}, return_when=asyncio.FIRST_COMPLETED)
    beat.cancel()
    return task


def kill(world: Real, member: EtcdMember) -> None:
    del world
    member.kill()


def pause(world: Real, member: EtcdMember) -> None:
    del world
    member.pause()


def part(world: Real, member: EtcdMember) -> None:
    world.cluster.isolate(member)


@pytest.mark.parametrize(
    "fault",
    [pause, *(pytest.param(each, marks=pytest.mark.nightly) for each in (part, kill))],
    ids=lambda each: each.__name__,
)
def test_the_leader_fails(world: Real, fault: Callable[[Real, EtcdMember], None]) -> None:
    """Where the leader, which a client is at, hangs, or reaches no other member, its watch ends with an error and the others do all.

    One that is parted from the others, and one that was killed, are easier cases, which are tried at night alone.
    """
    leader = world.cluster.leader()
    etcd = client_of(world, leader)

    async def before() -> asyncio.Task[None]:
        return await begun(etcd, (await etcd.read(PREFIX, within=WITHIN)).revision + 1)

    async def meanwhile() -> None:
        async with asyncio.timeout(SLOW * SILENCE):
            while True:  # there is an election
                try:
                    await put(etcd, "a")
                    break
                except UnreachableError:
                    continue
            await asyncio.wait({watch})
        assert isinstance(watch.exception(), UnreachableError)
        # Who answers is asked first now: no share is waited for.
        loop = asyncio.get_running_loop()
        at = loop.time()
        await etcd.read(PREFIX, within=SLOW * WITHIN)
        assert loop.time() - at < SLOW * WITHIN / 3
        again = await begun(etcd, 1 + (await etcd.read(PREFIX, within=WITHIN)).revision)
        assert not again.done()
        again.cancel()
        await asyncio.wait({again})

    watch = world.run(before())
    fault(world, leader)
    world.run(meanwhile())


def test_another_password(world: Real) -> None:
    """A password that is changed in etcd and then in the file is used without a restart; between, the user is refused."""
    etcd = client_of(world, world.cluster.members[0])
    world.run(put(etcd, "a"))

    def change(password: str) -> None:
        world.cluster.hub.run(
            "sh", "-c", f"echo '{password}' | {world.cluster.command('user', 'passwd', USER, '--interactive=false')}"
        )  # fmt: skip

    change("another-one")
    with pytest.raises(EtcdRefusedError, match="authentication failed"):
        world.run(put(etcd, "a"))
    world.password_file.write_text("another-one\n")
    world.run(put(etcd, "a"))
    change(PASSWORD)
    world.password_file.write_text(PASSWORD)
    world.run(put(etcd, "a"))


@pytest.mark.parametrize(
    ("days", "subject", "said"),
    [
        (-1, "/O=vip-speaker", "certificate"),
        (30, "/CN=lb1", "has a CommonName"),
    ],
    ids=["expired", "with-a-name"],
)
def test_certificates(world: Real, days: int, subject: str, said: str) -> None:
    """A client whose certificate etcd does not take is refused, with the reason; a new one in its place is shown without a restart."""
    world.cluster.certify(days=days, subject=subject)
    etcd = client_of(world, world.cluster.members[0])
    with pytest.raises(EtcdRefusedError, match=said):
        world.run(put(etcd, "a"))
    world.cluster.certify()
    world.run(put(etcd, "a"))
