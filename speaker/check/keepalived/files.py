"""Reads keepalived's files from this machine: regular ones, of a bounded size."""

from __future__ import annotations

import errno
import glob
import os
import stat
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from speaker.check.keepalived.lines import MAX_FILES
from speaker.files import bounded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import PurePath


class MachineFiles:
    """The files of this machine."""

    def find(self, pattern: str, folder: PurePath) -> Sequence[PurePath]:
        """Return the files that an include names, in the order of their names. See `Files`."""
        found = sorted(islice(glob.iglob(os.path.join(folder, pattern)), MAX_FILES + 1))  # noqa: PTH118, PTH207 - a pattern
        return [path for path in map(Path, found) if not path.is_dir()]

    def read(self, path: PurePath, limit: int) -> str:
        """Return the text of a file. What is executable is passed over by keepalived. See `Files`."""
        with bounded.regular(path) as descriptor:
            mode = os.fstat(descriptor).st_mode
            if mode & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH):
                raise OSError(errno.EINVAL, "executable, which keepalived does not read")
            return bounded.read(descriptor, limit).decode("utf-8", "backslashreplace")
