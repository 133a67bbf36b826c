"""Worlds of etcd's contract: one in memory, and a real cluster of three with TLS and users."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from speaker.config.settings_site import SiteSettings
from speaker.site.etcd.client import EtcdClient
from tests.support.fakes.etcd import Client, Cluster
from tests.support.fakes.virtual_time import VirtualLoop
from tests.support.lab.etcd import EtcdCluster
from tests.support.lab.inside import inside
from tests.support.lab.netns import Network
from tests.support.lab.requirements import require

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping
    from pathlib import Path

    from speaker.site.base import Etcd
    from tests.support.fakes.etcd import Copy

T = TypeVar("T")
PREFIX = "/vip-speaker/"
USER, PASSWORD = "vip", "correct-horse"
TOKENS = "--auth-token-ttl=3"
"""Tokens are over after seconds without use: so many a time in these tests."""
QUOTA = "--quota-backend-bytes=4000000"


class World(ABC):
    """A cluster, and clients of it."""

    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        self.stack = ExitStack()
        self._clients: list[Etcd] = []

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine where the clients are; tasks that it leaves go on with the next."""
        return self.loop.run_until_complete(coroutine)

    def client(self) -> Etcd:
        """Return one more client."""
        self._clients.append(made := self._client())
        return made

    def end_clients(self) -> None:
        """Close all clients."""
        for each in self._clients:
            self.run(each.close())
        self._clients.clear()

    def close(self) -> None:
        """Close all."""
        self.end_clients()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.close()
        self.stack.close()

    @abstractmethod
    def _client(self) -> Etcd: ...

    @abstractmethod
    def put(self, key: str, value: bytes | None) -> None:
        """Store a value, or remove a key, as somebody else."""

    @abstractmethod
    def clear(self) -> None:
        """Remove all keys of ours."""

    @abstractmethod
    def contents(self, under: str) -> Mapping[str, bytes]:
        """Return the keys that begin with a text, and their values, as somebody else sees them."""

    @abstractmethod
    def compact(self) -> None:
        """Forget what happened up to now."""

    @abstractmethod
    def copy(self) -> Any:
        """Return a copy of all."""

    @abstractmethod
    def restore(self, copy: Any, *, new_identity: bool) -> None:
        """Have what a copy has."""

    @abstractmethod
    def end_leases(self) -> None:
        """End every lease."""

    @abstractmethod
    def fill(self) -> None:
        """Have no space."""

    @abstractmethod
    def free(self) -> None:
        """Have space again."""

    @abstractmethod
    def take_away(self) -> None:
        """Have no member reached by any client."""

    @abstractmethod
    def hang(self) -> None:
        """Have every member hang."""

    @abstractmethod
    def forbid(self) -> None:
        """Take the clients' rights away."""

    @abstractmethod
    def mend(self) -> None:
        """End what `take_away`, `hang`, `forbid` did."""


class InMemory(World):
    """The stand-in."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self._cluster = Cluster()

    def _client(self) -> Client:
        return self._cluster.client()

    def put(self, key: str, value: bytes | None) -> None:
        self._cluster.put(key, value)

    def clear(self) -> None:
        for key in self.contents(PREFIX):
            self.put(key, None)

    def contents(self, under: str) -> Mapping[str, bytes]:
        return self._cluster.contents(under)

    def compact(self) -> None:
        self._cluster.compact()

    def copy(self) -> Copy:
        return self._cluster.copy()

    def restore(self, copy: Copy, *, new_identity: bool) -> None:
        async def restored() -> None:
            self._cluster.restore(copy, new_identity=new_identity)

        self.run(restored())

    def end_leases(self) -> None:
        self._cluster.end_leases()

    def fill(self) -> None:
        self._cluster.full = True

    def free(self) -> None:
        self._cluster.full = False

    def take_away(self) -> None:
        for each in self._all():
            each.away = True

    def hang(self) -> None:
        for each in self._all():
            each.hangs = True

    def forbid(self) -> None:
        for each in self._all():
            each.refused = "permission denied"

    def mend(self) -> None:
        for each in self._all():
            each.away = each.hangs = False
            each.refused = ""

    def _all(self) -> list[Client]:
        return [each for each in self._clients if isinstance(each, Client)]


class Real(World):
    """A cluster of three members, with TLS and users."""

    def __init__(self) -> None:
        require("etcd", "etcdctl", "openssl")
        super().__init__()
        try:
            self._begin()
        except BaseException:
            self.stack.close()
            raise

    def _begin(self) -> None:
        network = self.stack.enter_context(Network())
        self.cluster = EtcdCluster(network, tls=True, options=[TOKENS, QUOTA])
        self.cluster.start()
        self.cluster.authenticate(USER, PASSWORD, PREFIX)
        self.password_file = network.directory / "password"
        self.password_file.write_text(f"{PASSWORD}\n")
        self._copies = 0
        self.loop = asyncio.new_event_loop()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        with inside(self.cluster.hub):
            return super().run(coroutine)

    def _client(self) -> Etcd:
        return EtcdClient(self.settings())

    def settings(self, *endpoints: str) -> SiteSettings:
        """Return where it is, and who asks."""
        assert self.cluster.shown
        cert, key = self.cluster.shown
        return SiteSettings(
            endpoints or self.cluster.endpoints,
            "lb1",
            PREFIX,
            self.cluster.ca,
            cert,
            key,
            USER,
            self.password_file,
        )

    def put(self, key: str, value: bytes | None) -> None:
        words = ["del", key] if value is None else ["put", key, value.decode()]
        self.cluster.ctl(*words)

    def clear(self) -> None:
        self.cluster.ctl("del", "--prefix", PREFIX)

    def contents(self, under: str) -> Mapping[str, bytes]:
        return self.cluster.get(under)

    def compact(self) -> None:
        self.cluster.compact()

    def copy(self) -> Path:
        self._copies += 1
        path = self.cluster.home / f"copy-{self._copies}"
        self.cluster.snapshot(path)
        return path

    def restore(self, copy: Path, *, new_identity: bool) -> None:
        self.cluster.restore(copy, new_token=new_identity)

    def end_leases(self) -> None:
        for line in self.cluster.ctl("lease", "list").split("\n")[1:]:
            if line:
                with suppress(RuntimeError):  # it ended by itself
                    self.cluster.ctl("lease", "revoke", line)

    def fill(self) -> None:
        self.cluster.fill()

    def free(self) -> None:
        self.cluster.free()

    def take_away(self) -> None:
        self._wrong = True
        for each in self.cluster.members:
            each.link("down")

    def hang(self) -> None:
        self._wrong = True
        for each in self.cluster.members:
            each.pause()

    def forbid(self) -> None:
        self.cluster.ctl("user", "revoke-role", USER, USER)
        self._forbidden = True

    _forbidden = _wrong = False

    def mend(self) -> None:
        if self._wrong:
            self.cluster.heal()
            self._wrong = False
        if self._forbidden:
            self.cluster.ctl("user", "grant-role", USER, USER)
            self._forbidden = False


WORLDS = {"memory": InMemory, "etcd": Real}
