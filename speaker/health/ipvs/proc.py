"""Reads the table of IPVS from /proc/net/ip_vs: quick, and consistent in itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from speaker.health.ipvs.proc_text import Parser, TextError
from speaker.health.ipvs.table import TableAccessError, TableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from speaker.health.ipvs.table import IpvsTable

PATH = Path("/proc/net/ip_vs")


class ProcReader:
    """Reads the table from a file of /proc.

    Args:
        path: the file.
        fetch: reads a file.
        tries: how often to read a table that changes while it is read.
    """

    def __init__(
        self,
        path: Path = PATH,
        *,
        fetch: Callable[[Path], bytes] = Path.read_bytes,
        tries: int = 5,
    ) -> None:
        self._path = path
        self._fetch = fetch
        self._tries = tries
        self._parser = Parser()
        self._last: IpvsTable | None = None

    async def read(self) -> IpvsTable:
        """Read the whole table, consistent in itself. It does not wait: this takes milliseconds.

        Raises:
            TableAccessError: the file may not be read, or /proc is not there.
            TableError: there is no ip_vs, or the file is not what ip_vs writes.
        """
        before: IpvsTable | None = None
        problem = ""
        for _ in range(self._tries):
            try:
                seen = self._parser.parse(fetched(self._path, self._fetch))
            except TextError as error:
                before, problem = None, str(error)
                continue
            if seen in (before, self._last):
                self._last = seen
                return seen
            before, problem = seen, "changes while it is being read"
        raise TableError(f"IPVS: {self._path}: {problem}; read {self._tries} times")


def fetched(path: Path, fetch: Callable[[Path], bytes]) -> bytes:
    """Read the table's file.

    Raises:
        TableAccessError: it may not be read, or /proc is not there.
        TableError: there is no ip_vs.
    """
    try:
        return fetch(path)
    except FileNotFoundError as error:
        if path.parent.is_dir():
            raise TableError(
                f"IPVS: {path}: no such file; this kernel has no ip_vs, or its module is "
                "not loaded: modprobe ip_vs, or start keepalived"
            ) from error
        raise TableAccessError(f"IPVS: {path}: there is no {path.parent}; mount /proc") from error
    except OSError as error:
        raise TableAccessError(
            f"IPVS: {path}: {error.strerror}; it must be readable for this user"
        ) from error
