"""Which addresses are on this machine, as the kernel tells it, and when that is read."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from policy.health import Presence
from speaker.health.addresses import (
    IFA_F_DADFAILED,
    IFA_F_TENTATIVE,
    SLOW,
    AddressError,
    AddressEvents,
    AddressSource,
    HostAddresses,
    dump,
    listen,
    present,
)
from tests.support.lab.inside import inside
from tests.support.lab.netns import Network
from tests.support.lab.requirements import require
from tests.support.night_page import sections

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.lab.netns import Namespace

V4, V6 = ip_network("192.0.2.1/32"), ip_network("2001:db8::1/128")
WIDE = ip_network("198.51.100.0/24")
PREFIXES = (V4, V6, WIDE)


class Machine:
    """Addresses as a test sets them."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = {*addresses}
        self.taken: set[str] = set()
        self.fails = False
        self.reads = 0
        self.now = 1000.0
        self.source = AddressSource(PREFIXES, dump=self.dump, steady=lambda: self.now)

    async def dump(self) -> HostAddresses:
        self.reads += 1
        if self.fails:
            raise AddressError("no netlink")
        taken = frozenset(map(ip_address, self.taken))
        return HostAddresses(frozenset(map(ip_address, self.addresses)), taken)

    async def look(self) -> Presence:
        presence = (await self.source.observe()).presence
        assert presence is not None
        return presence


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ({"IFA_ADDRESS": "192.0.2.1", "IFA_LOCAL": "192.0.2.1", "IFA_FLAGS": 0x80}, "192.0.2.1"),
        ({"IFA_ADDRESS": "192.0.2.254", "IFA_LOCAL": "192.0.2.1"}, "192.0.2.1"),
        ({"IFA_ADDRESS": "2001:db8::1", "IFA_FLAGS": 0x80}, "2001:db8::1"),
        ({"IFA_ADDRESS": "2001:db8::1", "IFA_FLAGS": 0x80 | IFA_F_TENTATIVE}, None),
        ({"IFA_ADDRESS": "2001:db8::1", "IFA_FLAGS": IFA_F_DADFAILED}, None),
        ({"IFA_ADDRESS": "2001:db8::1", "flags": IFA_F_TENTATIVE}, None),
        ({"IFA_LABEL": "lo"}, None),
    ],
)
def test_messages(message: dict[str, object], found: str | None) -> None:
    """An address of ours is one that we may use: not the other end's, not one that is in doubt."""
    assert present([message]).usable == ({ip_address(found)} if found else set())


@pytest.mark.parametrize(
    ("flags", "is_taken"),
    [
        (IFA_F_DADFAILED, True),
        (IFA_F_DADFAILED | IFA_F_TENTATIVE, True),
        (IFA_F_TENTATIVE, False),
        (0, False),
    ],
)
def test_another_host_has_it(flags: int, *, is_taken: bool) -> None:
    """Of an address whose duplicate address detection failed it is known that another host has it."""
    found = present([{"IFA_ADDRESS": "2001:db8::1", "IFA_FLAGS": flags}]).duplicate
    assert found == ({ip_address("2001:db8::1")} if is_taken else set())


def test_duplicate_is_told() -> None:
    """That another host has an address of a VIP is trouble; of another address, or one that is usable, it is not."""
    machine = Machine("192.0.2.1")
    machine.taken = {"2001:db8::99", "2001:db8::1", "192.0.2.1"}

    async def look() -> Presence:
        seen = await machine.look()
        await machine.source.close()
        return seen

    seen = asyncio.run(look())
    (shown,) = sections()["A duplicate address"]
    assert shown["status"][0].fullmatch(
        f"TROUBLE: addresses: {seen.trouble}".replace("2001:db8::1:", "2001:db8::7:")
    )
    assert seen == Presence(
        frozenset({V4}),
        "2001:db8::1: another host on the link has this address, too (duplicate address detection failed), so "
        "it is not used here; remove it there, then here, and add it again",
    )


def test_what_is_here() -> None:
    """An address is here when it is; a wider prefix when some address in it is."""

    async def main() -> None:
        machine = Machine("192.0.2.1", "198.51.100.7", "203.0.113.1")
        assert await machine.look() == Presence(frozenset({V4, WIDE}))
        await machine.source.close()

    asyncio.run(main())


def test_read_when_something_happened() -> None:
    """While nothing is told of nothing is read, but slowly; the same object is returned meanwhile."""

    async def main() -> None:
        machine = Machine("192.0.2.1")
        await machine.look()
        machine.addresses.clear()
        reads = machine.reads
        first = await machine.source.observe()
        machine.now += SLOW - 0.1
        assert (await machine.source.observe()) is first
        assert machine.reads <= reads + 1  # this machine may have told of something of its own
        machine.now += SLOW
        assert await machine.look() == Presence(frozenset())
        await machine.source.close()

    asyncio.run(main())


def test_unreadable() -> None:
    """What can't be read stays as it was read last, says why, and is read again at each look."""

    async def main() -> None:
        machine = Machine("192.0.2.1")
        machine.fails = True
        assert await machine.look() == Presence(None, "no netlink")
        machine.fails = False
        assert await machine.look() == Presence(frozenset({V4}))
        machine.fails = True
        machine.now += SLOW
        assert await machine.look() == Presence(frozenset({V4}), "no netlink")
        machine.addresses = {"2001:db8::1"}
        machine.fails = False
        assert await machine.look() == Presence(frozenset({V6}))
        await machine.source.close()

    asyncio.run(main())


# --- a real kernel -------------------------------------------------------------------------------


@pytest.fixture
def host() -> Iterator[Namespace]:
    require()
    with Network() as network:
        yield network.host("addresses")


async def until(check: Callable[[], object]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(20.0):
            while not check():  # noqa: ASYNC110 - nothing tells when it is so
                await asyncio.sleep(0.001)
    assert check()


def test_the_kernel_tells(host: Namespace) -> None:
    """An address that comes or goes is told of, and read at once; nothing else is."""

    async def main() -> None:
        wakes: list[int] = []
        wanted = [True]
        source = AddressSource(PREFIXES)
        events = AddressEvents(lambda: wanted[0], lambda: wakes.append(1))
        task = asyncio.create_task(events.run())
        await until(lambda: len(wakes) == 2)  # once it hears, and once more
        first = await source.observe()
        assert first.presence == Presence(frozenset())
        assert await source.observe() is first
        for prefix, text in (
            (V4, "192.0.2.1/32"),
            (V6, "2001:db8::1/128"),
            (WIDE, "198.51.100.9/32"),
        ):
            for action in ("add", "del"):
                wakes.clear()
                nodad = ["nodad"] if ":" in text else []
                host.run("ip", "address", action, text, "dev", "lo", *nodad)
                await until(lambda: wakes)
                seen = (await source.observe()).presence
                assert seen == Presence(frozenset({prefix} if action == "add" else ()))
                await until(lambda: events._throttle.resting)
        wakes.clear()
        host.run("ip", "link", "add", "other", "type", "veth", "peer", "name", "end")
        await until(lambda: events._throttle.resting)
        assert not wakes
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await source.close()

    with inside(host):
        asyncio.run(main())


def test_without_privileges(host: Namespace) -> None:
    """Anybody may read addresses, and hear of them."""
    with inside(host):
        os.seteuid(65534)
        try:
            assert ip_address("127.0.0.1") in asyncio.run(dump()).usable
            listen().close()
        finally:
            os.seteuid(0)


def test_in_doubt(host: Namespace) -> None:
    """An IPv6 address that is still being checked for duplicates is not here."""
    host.run("ip", "link", "add", "one", "type", "veth", "peer", "name", "two")
    for device in ("one", "two"):
        host.run("ip", "link", "set", device, "up")
    host.run("ip", "address", "add", "2001:db8::1/128", "dev", "one", "nodad")
    host.run("ip", "address", "add", "2001:db8::2/64", "dev", "one")
    with inside(host):
        found = asyncio.run(dump()).usable
    assert ip_address("2001:db8::1") in found
    assert ip_address("2001:db8::2") not in found
