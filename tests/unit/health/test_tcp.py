"""Proves what a TCP connection says of a realserver, with real sockets on loopback."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import ExitStack
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from policy.health import Observation, Service
from speaker.health.tcp import TcpSource, open_socket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from policy.route import Prefix
    from speaker.units import Endpoint

VIP = ip_network("192.0.2.1/32")
OTHER = ip_network("2001:db8::1/128")
HTTP = Service("tcp", 80)
HTTPS = Service("tcp", 443)


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    """Close the sockets of a test at its end."""
    with ExitStack() as stack:
        yield stack


def listening(sockets: ExitStack, host: str = "127.0.0.1") -> tuple[socket.socket, Endpoint]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = sockets.enter_context(socket.socket(family))
    listener.bind((host, 0))
    listener.listen()
    return listener, (ip_address(host), listener.getsockname()[1])


def refusing(sockets: ExitStack) -> Endpoint:
    """Bind without listening: nobody else gets the port."""
    bound = sockets.enter_context(socket.socket())
    bound.bind(("127.0.0.1", 0))
    return ip_address("127.0.0.1"), bound.getsockname()[1]


def silent(sockets: ExitStack) -> Endpoint:
    """Listen with a full queue: the kernel leaves further SYNs unanswered."""
    listener = sockets.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    port = listener.getsockname()[1]
    for _ in range(4):
        client = sockets.enter_context(open_socket(socket.AF_INET))
        client.connect_ex(("127.0.0.1", port))
    return ip_address("127.0.0.1"), port


def observe(
    realservers: Mapping[Prefix, Mapping[Service, tuple[Endpoint, ...]]],
    *,
    timeout: float = 0.2,
    in_flight: int = 64,
    opener: Callable[[socket.AddressFamily], socket.socket] = open_socket,
) -> Observation:
    source = TcpSource(realservers, timeout=timeout, in_flight=in_flight, opener=opener)

    async def look() -> Observation:
        seen = await source.observe()
        await source.close()
        return seen

    return asyncio.run(look(), debug=True)


def test_live_and_dead(sockets: ExitStack) -> None:
    """A realserver that accepts is live; one that refuses or is silent is not."""
    _, live = listening(sockets)
    endpoints = (live, refusing(sockets), silent(sockets))
    assert observe({VIP: {HTTP: endpoints}}) == Observation({VIP: {HTTP: 1}})


def test_ipv6(sockets: ExitStack) -> None:
    """Realservers may have IPv6 addresses."""
    _, live = listening(sockets, "::1")
    assert observe({OTHER: {HTTP: (live,)}}) == Observation({OTHER: {HTTP: 1}})


def test_none_live(sockets: ExitStack) -> None:
    """A service whose realservers are all dead has none: it is known."""
    assert observe({VIP: {HTTP: (refusing(sockets),)}}) == Observation({VIP: {HTTP: 0}})


def test_no_services() -> None:
    """Nothing to connect to is nothing to see."""
    assert observe({}) == Observation({})
    assert observe({VIP: {}}) == Observation({VIP: {}})
    assert observe({VIP: {HTTP: ()}}) == Observation({VIP: {HTTP: 0}})


def test_one_connection_a_look(sockets: ExitStack) -> None:
    """A realserver gets one connection a look, and counts once in each service that lists it."""
    listener, live = listening(sockets)
    seen = observe({VIP: {HTTP: (live, live), HTTPS: (live,)}, OTHER: {HTTP: (live,)}})
    assert seen.live == {VIP: {HTTP: 1, HTTPS: 1}, OTHER: {HTTP: 1}}
    listener.settimeout(0)
    listener.accept()[0].close()
    with pytest.raises(BlockingIOError):
        listener.accept()


class Opener:
    """Counts the sockets that are open at once; refuses more than a limit."""

    def __init__(self, limit: int = 10**6) -> None:
        self.limit = limit
        self.open: set[socket.socket] = set()
        self.most = 0
        self.made: list[socket.socket] = []

    def __call__(self, family: socket.AddressFamily) -> socket.socket:
        self.open = {made for made in self.open if made.fileno() >= 0}
        if len(self.open) >= self.limit:
            raise OSError(errno.EMFILE, "Too many open files")
        made = open_socket(family)
        self.open.add(made)
        self.made.append(made)
        self.most = max(self.most, len(self.open))
        return made


def test_bounded(sockets: ExitStack) -> None:
    """No more connections than allowed are under way at once; all realservers get their turn."""
    endpoints = tuple(listening(sockets)[1] for _ in range(20))
    opener = Opener()
    seen = observe({VIP: {HTTP: endpoints}}, in_flight=3, opener=opener)
    assert seen == Observation({VIP: {HTTP: 20}})
    assert opener.most <= 3


def test_at_once(sockets: ExitStack) -> None:
    """Silent realservers are waited for together, not one after another."""
    endpoints = tuple(silent(sockets) for _ in range(20))
    opener = Opener()
    assert observe({VIP: {HTTP: endpoints}}, opener=opener) == Observation({VIP: {HTTP: 0}})
    assert opener.most == 20


def test_closed(sockets: ExitStack) -> None:
    """No socket outlives a look, whatever became of it."""
    opener = Opener()
    endpoints = (listening(sockets)[1], refusing(sockets), silent(sockets))
    observe({VIP: {HTTP: endpoints}}, opener=opener)
    assert [made.fileno() for made in opener.made] == [-1] * 3


@pytest.mark.parametrize(
    "code",
    [
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.EADDRNOTAVAIL,
        errno.ENETUNREACH,
        errno.EACCES,
        errno.EPERM,
        errno.EAFNOSUPPORT,
    ],
)
def test_faults_of_this_machine(code: int) -> None:
    """Where this machine can't even try, the prefix is unknown, and the fault is named."""

    def opener(_family: socket.AddressFamily) -> socket.socket:
        raise OSError(code, "the fault")

    seen = observe({VIP: {HTTP: ((ip_address("127.0.0.1"), 80),)}}, opener=opener)
    expected = "tcp: 127.0.0.1 port 80: the fault; a fault of this machine"
    assert seen == Observation({}, expected)


def test_no_route() -> None:
    """An address to which there is no route is a fault of this machine."""
    seen = observe({VIP: {HTTP: ((ip_address("255.255.255.255"), 80),)}})
    assert seen.live == {}
    assert "255.255.255.255 port 80" in seen.unknown


def test_other_prefixes_stay_known(sockets: ExitStack) -> None:
    """A fault leaves out the prefixes that it meets, and no others."""
    _, live = listening(sockets)
    fault = (ip_address("255.255.255.255"), 80)
    seen = observe({VIP: {HTTP: (live,), HTTPS: (live, fault)}, OTHER: {HTTP: (live,)}})
    assert seen.live == {OTHER: {HTTP: 1}}
    assert "255.255.255.255" in seen.unknown


def test_many_faults() -> None:
    """Of many faults one is told in full, and how many more there are."""
    endpoints = tuple((ip_address("127.0.0.1"), port) for port in (81, 80, 82))
    seen = observe({VIP: {HTTP: endpoints}}, opener=Opener(limit=0))
    assert seen.unknown.startswith("tcp: 127.0.0.1 port 80 (and 2 more): Too many open files")


class Connected(socket.socket):
    """A socket whose connection the kernel has made before anyone hears of it."""

    def connect(self, address: object) -> None:
        self.settimeout(5)
        super().connect(address)  # type: ignore[arg-type]
        self.settimeout(0)
        raise BlockingIOError


def test_a_late_look_is_no_silence(sockets: ExitStack) -> None:
    """A connection that the kernel made counts, though the event loop heard of it too late."""
    _, live = listening(sockets)
    seen = observe(
        {VIP: {HTTP: (live,)}},
        timeout=0,
        opener=lambda family: Connected(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK),
    )
    assert seen == Observation({VIP: {HTTP: 1}})


class Itself(socket.socket):
    """A socket whose own port is the one that it connects to."""

    def connect(self, address: object) -> None:
        self.bind(address)  # type: ignore[arg-type]
        super().connect(address)  # type: ignore[arg-type]


def test_connected_to_itself(sockets: ExitStack) -> None:
    """A socket that meets itself on loopback has found no realserver."""
    free = refusing(sockets)
    sockets.close()
    seen = observe(
        {VIP: {HTTP: (free,)}},
        opener=lambda family: Itself(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK),
    )
    assert seen == Observation({VIP: {HTTP: 0}})
