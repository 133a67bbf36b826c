"""Whether keepalived runs, and since when: without it nothing keeps the table of IPVS.

Any user may give a process its name. So only one counts that is root's, runs a program of that name
where that may be seen, and is in this network namespace.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from policy.health import Checker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROC = Path("/proc")
NAME = b"keepalived"
RESCAN = 10.0
"""How often to look for processes that were not there, in seconds: a checker may be replaced."""
OVERLAP = 10.0
"""How long at most one that ends may be in the way of one that starts, in seconds."""
MISSED = 1.0
"""... where there is none, and after its start: its children come a little later. No more often,
because a look at all processes takes milliseconds."""


def is_running(proc: Path = PROC) -> bool:
    """Tell whether keepalived runs."""
    return bool(_scan(proc))


def arguments(proc: Path = PROC) -> list[list[str]]:
    """Return the arguments of each keepalived that may check realservers here."""
    found = _scan(proc)
    pids = {process.pid for process in found}
    mains = [process.pid for process in found if process.parent not in pids]
    lines = [_read(proc, pid, "cmdline").decode("utf-8", "backslashreplace") for pid in mains]
    return [line.split("\0")[1:-1] for line in lines if line]


@dataclass(frozen=True, slots=True)
class Process:
    """A process. `started` is in clock ticks since the machine's start: with `pid`, it is its own."""

    pid: int
    parent: int
    started: int
    state: str

    @property
    def ended(self) -> bool:
        """Whether only its exit status is left of it."""
        return self.state in {"Z", "X"}


@dataclass(frozen=True, slots=True)
class ProcessSeen:
    """What a look gave. `busy`: it was at work in that moment, perhaps on the table."""

    checker: Checker
    busy: bool = False


class Keepalived:
    """Looks for keepalived, cheaply where it is still the same.

    Args:
        steady: the steady clock.
        proc: where the processes are.
        uptime: seconds since the machine's start.
    """

    def __init__(
        self,
        steady: Callable[[], float],
        *,
        proc: Path = PROC,
        uptime: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._steady = steady
        self._proc = proc
        self._uptime = uptime
        self._known: frozenset[tuple[int, int]] = frozenset()
        self._children: frozenset[int] = frozenset()
        self._scan_at = self._changed_at = float("-inf")
        self._checker = Checker()
        self._overlaps_since: float | None = None
        self._overlapped_at = float("-inf")

    def look(self) -> ProcessSeen:
        """Look once. What stays the same is the same object."""
        now = self._steady()
        found = [process for pid, _ in self._known if (process := _process(self._proc, pid))]
        if (
            now >= self._scan_at
            or self._overlaps_since is not None
            or (self._known and _identities(found) != self._known)
            or self._has_new_children(found)
        ):
            found = _scan(self._proc)
            overlapped = self._overlaps(found, now)
            self._take(_identities(found), now, overlapped=overlapped)
        busy = any(process.state != "S" for process in found)
        return ProcessSeen(self._checker, busy)

    def _has_new_children(self, found: list[Process]) -> bool:
        """Tell whether a main process has another child than at the last look, as a new checker is.

        That must not wait for the next look at all processes: one that is not known is not seen to
        be at work, however busy the machine. Where the kernel does not tell, it has to.
        """
        pids = {each.pid for each in found}
        mains = [each.pid for each in found if each.parent not in pids]
        texts = [_read(self._proc, pid, f"task/{pid}/children") for pid in mains]
        children = frozenset(int(child) for text in texts for child in text.split())
        changed = children != self._children
        self._children = children
        return bool(children) and changed

    def _overlaps(self, found: list[Process], now: float) -> bool:
        """Tell whether a checker whose main process was killed still empties the table of the next.

        A process that has neither a parent nor children of its name is on its way out, or in.
        """
        parents, pids = {each.parent for each in found}, {each.pid for each in found}
        alone = [each for each in found if each.pid not in parents and each.parent not in pids]
        if not alone or len(alone) == len(found) == 1:
            self._overlaps_since = None
            return False
        if self._overlaps_since is None:
            self._overlaps_since = now
        if now - self._overlaps_since > OVERLAP:
            return False
        self._overlapped_at = now
        return True

    def _take(self, known: frozenset[tuple[int, int]], now: float, *, overlapped: bool) -> None:
        if known != self._known:
            self._changed_at = now
        is_old = known and now - self._changed_at >= RESCAN
        self._scan_at = now + (RESCAN if is_old else MISSED)
        if known == self._known and not overlapped:
            return
        self._known = known
        if not known:
            self._checker = Checker()
            return
        age = self._uptime() - max(ticks for _, ticks in known) / os.sysconf("SC_CLK_TCK")
        self._checker = Checker(max(now - max(age, 0.0), self._overlapped_at))


def _identities(processes: list[Process]) -> frozenset[tuple[int, int]]:
    return frozenset((process.pid, process.started) for process in processes)


def _scan(proc: Path) -> list[Process]:
    """Return keepalived's main processes that may check realservers, and their children.

    Of the children of those, scripts that it runs, some still have its name for a moment.
    """
    found = {process.pid: process for process in _named(proc)}
    mains = {
        pid
        for pid, process in found.items()
        if process.parent not in found and _is_here(proc, pid) and not _is_vrrp_only(proc, pid)
    }
    return [p for p in found.values() if p.pid in mains or p.parent in mains]


def _named(proc: Path) -> Iterator[Process]:
    try:
        names = os.listdir(proc)  # noqa: PTH208 - the quickest
    except OSError:
        return
    for pid in (int(name) for name in names if name.isascii() and name.isdigit()):
        if (
            _read(proc, pid, "comm").rstrip(b"\n") == NAME
            and _is_roots(proc, pid)
            and _is_program(proc, pid)
            and (process := _process(proc, pid))
        ):
            yield process


def _process(proc: Path, pid: int) -> Process | None:
    """Return a process of that name, None where it has ended. See proc_pid_stat(5)."""
    before, _, after = _read(proc, pid, "stat").rpartition(b") ")
    fields = after.split()
    if before.partition(b" (")[2] != NAME or len(fields) < 20:
        return None
    process = Process(pid, int(fields[1]), int(fields[19]), fields[0].decode("ascii"))
    return None if process.ended else process


def _read(proc: Path, pid: int, name: str) -> bytes:
    with suppress(OSError), open(f"{proc}/{pid}/{name}", "rb", buffering=0) as file:  # noqa: PTH123 - the quickest
        return file.read()
    return b""  # it ended while we looked


def _is_roots(proc: Path, pid: int) -> bool:
    """Tell whether a process is root's in all of real, effective, saved and file system's user."""
    found = re.search(rb"^Uid:(.*)$", _read(proc, pid, "status"), re.MULTILINE)
    return found is not None and found[1].split() == [b"0"] * 4


def _is_program(proc: Path, pid: int) -> bool:
    """Tell whether a process runs a program of that name, where its link may be read: root may."""
    try:
        program = os.readlink(f"{proc}/{pid}/exe")  # noqa: PTH115 - the link's text
    except PermissionError:
        return True
    except OSError:
        return False
    # An upgrade replaces the file of one that runs.
    return os.path.basename(program.removesuffix(" (deleted)")) == NAME.decode()  # noqa: PTH119 - the same text


def _is_here(proc: Path, pid: int) -> bool:
    """Tell whether a process is in our network namespace.

    The link in its `ns` may be read by its own user only. The files in its `net` by any user, and
    each namespace has its own.
    """
    try:
        return os.stat(f"{proc}/{pid}/net/dev").st_ino == os.stat(f"{proc}/self/net/dev").st_ino  # noqa: PTH116 - no Path for each process
    except OSError:
        return False


def _is_vrrp_only(proc: Path, pid: int) -> bool:
    """Tell whether it was started to do VRRP only (`-P`)."""
    arguments = _read(proc, pid, "cmdline").split(b"\0")[1:]
    return any(re.fullmatch(rb"--vrrp|-[A-Za-z]*P[A-Za-z]*", word) for word in arguments)
