"""The file for node_exporter's textfile collector: replaced in one step, so that none is read half."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

from speaker.errors import SpeakerError
from speaker.files.replacing import replace_file
from speaker.telemetry import exposition
from speaker.telemetry.look import Look

if TYPE_CHECKING:
    from pathlib import Path

    from speaker.reconcile.reconciler import Reconciler

EVERY = 15.0
"""How often a watchdog that stays writes it, in seconds."""
MODE = 0o644
"""Any user may read it: node_exporter is another one."""
SUBJECT = "textfile"


class TextfileError(SpeakerError):
    """It can't be written."""


def write(path: Path, content: bytes) -> None:
    """Put a file in its place. It waits for the disk.

    Raises:
        TextfileError: it can't be; what was there is there still.
    """
    try:
        replace_file(path, content, MODE)
    except OSError as error:
        raise TextfileError(
            f"{path}: {error.strerror}; make its directory writable for vip_watchdog, or "
            "correct metrics.textfile"
        ) from error
    except SpeakerError as error:
        raise TextfileError(f"{error}") from error


def write_now(reconciler: Reconciler) -> None:
    """Write what is so now, where that is wanted. What is wrong is an alarm: a pass is none the worse."""
    path = reconciler.config.settings.metrics.textfile
    if path is None:
        return
    try:
        write(path, exposition.text(Look(reconciler)))
    except TextfileError as error:
        reconciler.alarms.note(SUBJECT, str(error))


async def keep_writing(reconciler: Reconciler) -> NoReturn:
    """Write it now and then, for ever, where that is wanted."""
    while True:
        path = reconciler.config.settings.metrics.textfile
        if path is not None:
            look = Look(reconciler)
            trouble = await asyncio.to_thread(_written, path, look)
            reconciler.alarms.note(SUBJECT, trouble)
        await asyncio.sleep(EVERY)


def _written(path: Path, look: Look) -> str:
    """Write it, and return what is wrong, in words."""
    try:
        write(path, exposition.text(look))
    except TextfileError as error:
        return str(error)
    return ""
