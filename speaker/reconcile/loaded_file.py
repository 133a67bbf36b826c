"""Whether vip.toml, as it is on the disk, is what was loaded of it; and whether it could be loaded.

The content is compared, because a time of change tells less than it seems to: copies keep it, and
two changes may share it. It is read in a thread, and no more than one: a disk may hang.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from speaker.api import ConfigurationStatus
from speaker.clock import SystemClock
from speaker.config import MAX_SIZE, ConfigError, digest
from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from speaker.clock import Clock
    from speaker.config import ConfigFile
    from speaker.reconcile.alarms import Alarms

WITHIN = 1.0
"""How long a disk is waited for, in seconds."""

VIP_TOML = "vip.toml"
"""What an alarm about the configuration's file is called."""


class FileState(StrEnum):
    """What is so of the file. Scripts rely on these words."""

    LOADED = "loaded"
    CHANGED = "changed"
    FAULTY = "faulty"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """What is so, and what is wrong with that, in words."""

    state: FileState = FileState.LOADED
    trouble: str = ""


class LoadedFile:
    """What is known of the file on the disk beside what was loaded of it."""

    def __init__(self, file: ConfigFile | None, clock: Clock | None = None) -> None:
        """Begin with a file that was just loaded; None where there is none."""
        self._loaded = file
        self._clock = clock or SystemClock()
        self._loaded_at = self._clock.wall()
        self._reading: asyncio.Future[str] | None = None
        self._found = ""
        """The content that was read last."""
        self._tried: tuple[str, str] = ("", "")
        """The content that was tried last, and why it can't be loaded."""
        self.verdict = FileVerdict()
        self.used: Mapping[str, str] = {}
        """The paths of `[node]` that are used since the start, by their keys; none where nothing serves."""

    def status(self) -> ConfigurationStatus:
        """Return what is known of it, as it is told."""
        file = self._loaded
        return ConfigurationStatus(
            file=str(file.path) if file else "",
            digest=file.digest if file else "",
            state=self.verdict.state,
            trouble=self.verdict.trouble,
            used=dict(self.used),
            loaded=round(self._loaded_at, 3) if file else None,
        )

    def loaded(self, file: ConfigFile | None) -> None:
        """Take over that another content was loaded."""
        self._loaded, self.verdict = file, FileVerdict()
        self._loaded_at = self._clock.wall()

    async def look(self) -> None:
        """Compare the file with what was loaded."""
        loaded = self._loaded
        if loaded is None:
            return
        try:
            self._found = await self._read(loaded)
        except TimeoutError:
            self.verdict = FileVerdict(
                FileState.UNKNOWN, f"{loaded.path}: its disk does not answer"
            )
        except BlockingIOError as error:  # no thread
            self.verdict = FileVerdict(
                FileState.UNKNOWN,
                f"{loaded.path}: not read: {error.strerror}; the loaded configuration stays in use",
            )
        except OSError as error:
            self.verdict = FileVerdict(
                FileState.FAULTY,
                f"{loaded.path}: {error.strerror}; the loaded configuration stays in use, "
                "put the file back",
            )
        else:
            if loaded is self._loaded:  # else another content was loaded meanwhile
                self.verdict = self._compared(loaded)

    async def judge(self, load: Callable[[], object]) -> None:
        """Compare, and try once whether what is there now could be loaded.

        Args:
            load: loads it, and raises what is wrong with it. It may take seconds, in a thread.
        """
        await self.look()
        found = self._found
        if self.verdict.state is FileState.CHANGED and found != self._tried[0]:
            self._tried = found, await _fault_of(load)
            await self.look()

    async def _read(self, file: ConfigFile) -> str:
        """Return the digest of what is there. All who ask meanwhile wait for the same reading."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.ensure_future(asyncio.to_thread(_digest, file))
        await asyncio.wait({self._reading}, timeout=WITHIN)
        if not self._reading.done():
            raise TimeoutError
        return self._reading.result()

    def _compared(self, loaded: ConfigFile) -> FileVerdict:
        if self._found == loaded.digest:
            return FileVerdict()
        tried, fault = self._tried
        if self._found == tried and fault:
            return FileVerdict(
                FileState.FAULTY,
                f"{loaded.path} was changed since it was loaded, and cannot be loaded: {fault}; the "
                "loaded configuration stays in use: correct the file, then vip_mgmt reload",
            )
        return FileVerdict(
            FileState.CHANGED,
            f"{loaded.path} was changed since it was loaded; load it by vip_mgmt reload",
        )


def _digest(file: ConfigFile) -> str:
    with file.path.open("rb") as opened:
        return digest(opened.read(MAX_SIZE + 1))


async def _fault_of(load: Callable[[], object]) -> str:
    """Return why a file can't be loaded: the first of its faults, and how many there are."""
    try:
        await asyncio.to_thread(load)
    except ConfigError as error:
        first, *more = error.faults
        return f"{first}{f' (and {len(more)} more)' if more else ''}"
    except SpeakerError as error:
        return str(error)
    return ""


async def look_at_file(
    file: LoadedFile, alarms: Alarms, load: Callable[[], object] | None = None
) -> None:
    """Note where vip.toml is not what was loaded of it.

    Args:
        file: what was loaded.
        alarms: where to note it.
        load: tries to load it where it is not, to say why it can't be; None to try nothing now.
    """
    await (file.look() if load is None else file.judge(load))
    alarms.note(VIP_TOML, file.verdict.trouble)
