"""Owns files of keepalived's for tests, without a disk."""

from __future__ import annotations

import errno
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from speaker.check.keepalived.servers import Conf, conf_of
from speaker.check.keepalived.tree import ConfStatement, Tree, read_tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import PurePath

MAIN = PurePosixPath("/etc/keepalived/keepalived.conf")


class Texts:
    """Files by their paths; those without a text can't be read."""

    def __init__(self, texts: Mapping[str, str | None]) -> None:
        self._texts = {PurePosixPath(path): text for path, text in texts.items()}

    def find(self, pattern: str, folder: PurePath) -> Sequence[PurePath]:
        """Return the files that match."""
        return sorted(path for path in self._texts if fnmatch(str(path), str(folder / pattern)))

    def read(self, path: PurePath, limit: int) -> str:
        """Return a text."""
        if path not in self._texts:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        text = self._texts[PurePosixPath(path)]
        if text is None:
            raise PermissionError(errno.EACCES, "Permission denied")
        if len(text) > limit:
            raise OSError(errno.EFBIG, "too large")
        return text


def tree(text: str, config_id: str = "lb1", **more: str | None) -> Tree:
    """Return the tree of a main file; others lie beside it, under their names with `_` for a dot."""
    others = {f"{MAIN.parent}/{name.replace('_', '.')}": each for name, each in more.items()}
    return read_tree(MAIN, Texts({str(MAIN): text, **others}), config_id)


def conf(text: str) -> Conf:
    """Return what a main file means."""
    return conf_of(tree(text))


def shown(statement: ConfStatement) -> list[object]:
    """Return a block as lists: words, and the list of their block."""
    found: list[object] = []
    for each in statement.block:
        found.append(" ".join(each.words))
        if each.block:
            found.append(shown(each))
    return found
