"""Owns what the test run itself opens inside a namespace: sockets, made there and kept."""

import ctypes
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from tests.support.lab.netns import Namespace

_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def inside(host: Namespace) -> Iterator[None]:
    """Put this thread into a namespace; a socket that is made there stays there."""
    with _opened("/proc/thread-self/ns/net") as home, _opened(f"/run/netns/{host.name}") as there:
        _enter(there)
        try:
            yield
        finally:
            _enter(home)


@contextmanager
def _opened(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, 0):
        raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def hung(host: Namespace, port: int) -> Iterator[None]:
    """Have a realserver on a host's loopback that answers no connection: who looks at it waits for its time-out."""
    with ExitStack() as stack:
        with inside(host):
            stack.enter_context(socket.create_server(("127.0.0.1", port), backlog=0))
            for _ in range(4):  # more than may wait to be accepted: the kernel drops the next ones
                waiting = stack.enter_context(socket.socket())
                waiting.settimeout(0.0)
                waiting.connect_ex(("127.0.0.1", port))
        yield


class Realservers:
    """Realservers of a host: ports on all its addresses, of TCP and UDP, that accept while they are open."""

    def __init__(self, host: Namespace) -> None:
        self._host = host
        self._listeners: dict[int, tuple[socket.socket, socket.socket]] = {}
        host.cleanup.callback(self.close_all)

    @property
    def open_ports(self) -> set[int]:
        """The ports that are open."""
        return set(self._listeners)

    def open(self, *ports: int) -> None:
        """Start realservers; those that run stay."""
        for port in ports:
            if port in self._listeners:
                continue
            with inside(self._host):
                listener = socket.create_server(
                    ("", port), family=socket.AF_INET6, backlog=1024, dualstack_ipv6=True
                )
                datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
                datagrams.bind(("::", port))
            self._listeners[port] = (listener, datagrams)
            threading.Thread(target=_accept, args=(listener,), daemon=True).start()

    def close(self, *ports: int) -> None:
        """Stop realservers: connections are refused from now on."""
        for port in ports:
            if found := self._listeners.pop(port, None):
                listener, datagrams = found
                datagrams.close()
                # shutdown wakes the thread that waits in accept, which close would not.
                listener.shutdown(socket.SHUT_RDWR)
                listener.close()

    def close_all(self) -> None:
        """Stop them all."""
        self.close(*self._listeners)


def _accept(listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            listener.accept()[0].close()
