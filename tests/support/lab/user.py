"""Another user than root, in this process, and a folder that any user may reach."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.lab.installed import NOBODY


@contextmanager
def nobody() -> Iterator[None]:
    """Be `nobody`, still in root's groups. Needs root."""
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def reachable(mode: int) -> Iterator[Path]:
    """Make a folder beside pytest's, whose parents are root's alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(mode)
        yield Path(name)
