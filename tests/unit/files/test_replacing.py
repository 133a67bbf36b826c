"""A file is replaced as a whole or not at all, whatever stands in its place."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from speaker.files.replacing import replace_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("durable", [False, True])
def test_replaced(tmp_path: Path, durable: bool) -> None:  # noqa: FBT001 - one of two
    """It has its rights whatever the umask, a symbolic link is not followed, and nothing else is left."""
    other, path = tmp_path / "other", tmp_path / "file"
    other.write_text("mine")
    path.symlink_to(other)
    umask = os.umask(0o077)
    try:
        replace_file(path, b"new", 0o644, durable=durable)
    finally:
        os.umask(umask)
    assert (path.is_symlink(), path.read_text(), other.read_text()) == (False, "new", "mine")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert {each.name for each in tmp_path.iterdir()} == {"file", "other"}


def test_not_replaced(tmp_path: Path) -> None:
    """Where that can't be, what is there stays, and nothing else is left."""
    path = tmp_path / "directory"
    (path / "within").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        replace_file(path, b"new", 0o600)
    assert [*tmp_path.iterdir()] == [path]
