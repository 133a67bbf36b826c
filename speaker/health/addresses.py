"""Which prefixes have an address on an interface of this machine. Of VRRP's pair, one machine has it.

The kernel's rtnetlink tells that some address came or went. Which one is not read of that, because
events may be lost: all addresses are read again. The library that does it is imported then.
"""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

from policy.covering import Covering
from policy.health import Observation, Presence
from speaker.errors import SpeakerError
from speaker.health.throttle import Throttle
from speaker.printable import cause_of
from speaker.supervision.cancellation import heed_cancellation

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Iterable

    from policy.route import Prefix
    from speaker.units import IpAddress

RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR = 0x10, 0x100
IFA_F_DADFAILED, IFA_F_TENTATIVE = 0x08, 0x40
SLOW = 10.0
"""How often to read the addresses when no event has arrived, in seconds."""
CHECK = 1.0
"""How often to see whether events are wanted, in seconds."""
NAMED = 3
"""How many addresses are named that another host has, too."""
MESSAGE = 8192
MESSAGES = 1000


class AddressError(SpeakerError):
    """The addresses of this machine can't be read."""


class HostAddresses(NamedTuple):
    """The addresses of this machine: those that it may use, and those that another host has, too."""

    usable: frozenset[IpAddress]
    duplicate: frozenset[IpAddress] = frozenset()


def present(messages: Iterable[Any]) -> HostAddresses:
    """Return the addresses of RTM_NEWADDR messages that are ours to use (rtnetlink(7)), and those that are not.

    An IPv6 address that another host may have is neither: its duplicate address detection (RFC 4862) goes on.
    """
    usable, duplicate = set(), set()
    for message in messages:
        flags = message.get("IFA_FLAGS") or message.get("flags") or 0
        # On a point-to-point link IFA_ADDRESS is the other end's.
        text = message.get("IFA_LOCAL") or message.get("IFA_ADDRESS")
        if text and flags & IFA_F_DADFAILED:
            duplicate.add(ip_address(text))
        elif text and not flags & IFA_F_TENTATIVE:
            usable.add(ip_address(text))
    return HostAddresses(frozenset(usable), frozenset(duplicate))


async def dump() -> HostAddresses:
    """Read all addresses of this network namespace.

    Raises:
        AddressError: they can't be read.
    """
    try:
        from pyroute2 import AsyncIPRoute  # noqa: PLC0415 - 20 MB, for those who need it

        async with AsyncIPRoute() as route:
            messages: AsyncIterable[Any] = await route.addr("dump")
            return present([message async for message in messages])
    except Exception as error:  # whatever a library raises: nothing is known then
        heed_cancellation()
        raise AddressError(
            f"addresses: netlink: {cause_of(error)}; require_address needs them"
        ) from error


def listen() -> socket.socket:
    """Open a socket that tells of every address that comes or goes."""
    events = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
    )
    try:
        events.setblocking(False)  # noqa: FBT003 - the socket's own
        events.bind((0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
    except BaseException:
        events.close()
        raise
    return events


def drain(events: socket.socket) -> bool:
    """Read what is there, and tell whether anything was, or was lost. Of a flood, a part."""
    heard = False
    for _ in range(MESSAGES):
        try:
            events.recv(MESSAGE)
        except BlockingIOError:
            break
        except OSError:  # ENOBUFS: the kernel had to drop some
            heard = True
            break
        heard = True
    return heard


class AddressSource:
    """Looks which prefixes are here. While no event arrives, it reads nothing.

    Args:
        prefixes: those to look for.
        dump: reads all addresses.
        steady: a clock.
    """

    def __init__(
        self,
        prefixes: Collection[Prefix],
        *,
        dump: Callable[[], Awaitable[HostAddresses]] = dump,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._covering = Covering(prefixes)
        self._dump = dump
        self._steady = steady
        self._events: socket.socket | None = None
        self._due = float("-inf")
        self._observation = Observation({}, presence=Presence(None, "not read yet"))

    async def observe(self) -> Observation:
        """Look once; while nothing changes, so does the object returned.

        Where the addresses can't be read, what was read last is told, and why.
        """
        heard = self._heard()
        if not heard and self._steady() < self._due:
            return self._observation
        self._due = self._steady() + SLOW
        last = self._observation.presence
        try:
            addresses = await self._dump()
        except AddressError as error:
            self._due = float("-inf")
            presence = Presence(None if last is None else last.here, str(error))
        else:
            presence = Presence(
                frozenset(prefix for at in addresses.usable for prefix in self._covering.of(at)),
                self._taken(addresses),
            )
        if presence != last:
            self._observation = Observation({}, presence=presence)
        return self._observation

    def _taken(self, addresses: HostAddresses) -> str:
        """Say which of them another host on the link has, too, so that they are not used here."""
        only = addresses.duplicate - addresses.usable
        taken = sorted((at for at in only if any(self._covering.of(at))), key=str)
        if not taken:
            return ""
        names = ", ".join(map(str, taken[:NAMED])) + (" …" if len(taken) > NAMED else "")
        return (
            f"{names}: another host on the link has this address, too (duplicate address detection failed), so "
            "it is not used here; remove it there, then here, and add it again"
        )

    async def close(self) -> None:
        """Hear no more."""
        if self._events is not None:
            self._events.close()

    def _heard(self) -> bool:
        """Tell whether an address came or went since the last look, or may have."""
        if self._events is None:
            with suppress(OSError):
                self._events = listen()
            return True
        return drain(self._events)


class AddressEvents:
    """Wakes whenever an address comes or goes, where that is wanted.

    Args:
        wanted: tells whether it matters. It may change.
        wake: look now.
    """

    def __init__(self, wanted: Callable[[], bool], wake: Callable[[], None]) -> None:
        self._wanted = wanted
        self._throttle = Throttle(wake)
        self._events: socket.socket | None = None

    async def run(self) -> None:
        """Hear for ever."""
        try:
            while True:
                if self._events is None and self._wanted():
                    with suppress(OSError):  # each interval looks all the same
                        self._open()
                elif self._events is not None and not self._wanted():
                    self._close()
                await asyncio.sleep(CHECK)
        finally:
            self._close()
            self._throttle.stop()

    def _open(self) -> None:
        self._events = listen()
        asyncio.get_running_loop().add_reader(self._events, self._hear, self._events)
        self._throttle.event()

    def _close(self) -> None:
        if self._events is not None:
            asyncio.get_running_loop().remove_reader(self._events)
            self._events.close()
            self._events = None

    def _hear(self, events: socket.socket) -> None:
        if drain(events):
            self._throttle.event()
