"""etcd for `./dev demo --site`: three members on loopback, and a line to them for each machine, which can be cut."""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from demo.process import Program
from demo.router import UnseenError

if TYPE_CHECKING:
    from pathlib import Path

INSTALL = "it needs etcd, which is not on the PATH; on Debian: apt-get install etcd-server"
NAME = "etcd"
_MEMBERS = 3


def program() -> str | None:
    """Return the path of etcd, None where it is not installed. Debian has it in /usr/bin."""
    return shutil.which(NAME)


class Cluster:
    """Three members, each on an address of its own."""

    def __init__(self, subnet: str, directory: Path) -> None:
        """Make it, with nothing running.

        Args:
            subnet: the first three numbers of a part of loopback.
            directory: where its files go.
        """
        directory.mkdir()
        self._directory = directory
        self._clients = [_free(f"{subnet}.{11 + n}") for n in range(_MEMBERS)]
        self._peers = [_free(f"{subnet}.{11 + n}") for n in range(_MEMBERS)]
        self._programs: list[Program] = []
        self._lines: list[Line] = []

    async def start(self) -> None:
        """Start the members, and wait until each knows a leader.

        Raises:
            UnseenError: they did not in time.
        """
        names = [f"m{n}" for n in range(1, _MEMBERS + 1)]
        urls = [f"http://{host}:{port}" for host, port in self._peers]
        every = ",".join(f"{name}={url}" for name, url in zip(names, urls, strict=True))
        for name, url, (host, port) in zip(names, urls, self._clients, strict=True):
            client = f"http://{host}:{port}"
            argv = [program() or NAME, "--name", name, "--data-dir", str(self._directory / name)]
            argv += ["--listen-client-urls", client, "--advertise-client-urls", client]
            argv += ["--listen-peer-urls", url, "--initial-advertise-peer-urls", url]
            argv += ["--initial-cluster", every, "--initial-cluster-state", "new"]
            log = self._directory / f"{name}.log"
            self._programs.append(await Program.start(argv, {}, log))
        deadline = time.monotonic() + 30
        for client_at in self._clients:
            while not await _is_healthy(*client_at):
                if time.monotonic() > deadline:
                    raise UnseenError(f"etcd did not start; see {self._directory}")
                await asyncio.sleep(0.1)

    async def line(self, address: str) -> Line:
        """Return a new line to all members, which begins at an address."""
        line = Line(address, self._clients)
        self._lines.append(line)
        await line.restore()
        return line

    async def stop(self) -> None:
        """Cut all lines and stop the members."""
        for line in self._lines:
            line.cut()
        await asyncio.gather(*(program.stop() for program in self._programs))


class Line:
    """What one machine reaches etcd by: a port for each member, passed on byte by byte while the line is whole."""

    def __init__(self, address: str, members: list[tuple[str, int]]) -> None:
        """Make it, cut.

        Args:
            address: where it begins.
            members: where it ends.
        """
        self._ways = [(*_free(address), member) for member in members]
        self._servers: list[asyncio.Server] = []
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def endpoints(self) -> list[str]:
        """What vip.toml has as etcd's."""
        return [f"http://{host}:{port}" for host, port, _ in self._ways]

    async def restore(self) -> None:
        """Let all through."""
        for host, port, (to, at) in self._ways:

            async def joined(
                reader: asyncio.StreamReader,
                writer: asyncio.StreamWriter,
                to: str = to,
                at: int = at,
            ) -> None:
                await self._join(reader, writer, to, at)

            self._servers.append(await asyncio.start_server(joined, host, port))

    def cut(self) -> None:
        """Refuse connections, and drop those that are there."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        for writer in self._writers:
            writer.transport.abort()

    async def _join(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: str, at: int
    ) -> None:
        self._writers.add(writer)
        try:
            there, back = await asyncio.open_connection(to, at)
        except OSError:
            writer.close()
            self._writers.discard(writer)
            return
        self._writers.add(back)
        try:
            await asyncio.gather(_copy(reader, back), _copy(there, writer))
        finally:
            for each in (writer, back):
                each.close()
                self._writers.discard(each)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _is_healthy(host: str, port: int) -> bool:
    """Ask a member whether it is well, as it answers over HTTP."""
    try:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(f"GET /health HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        answer = await reader.read()
    except OSError:
        return False
    writer.close()
    return b'"health":"true"' in answer


def _free(address: str) -> tuple[str, int]:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
    return address, port
