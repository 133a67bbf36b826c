"""A fault of vip.toml as a value: the path of its key, and what is wrong there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from speaker.config.toml_text import toml_path
from speaker.nearest import Suggestions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

KeyPath = tuple[int | str, ...]
"""Where a key stands: names of tables and keys, and the places of lists' items from 0."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a key: what was found, and what to do. Without a path, of the whole file."""

    path: KeyPath
    message: str

    def __str__(self) -> str:
        return f"{toml_path(self.path)}: {self.message}" if self.path else self.message


class Faults:
    """Collects faults in their order, each once."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults = dict.fromkeys(faults)
        self._suggestions = Suggestions()

    def add(self, path: KeyPath, message: str) -> None:
        """Note a fault."""
        self._faults[Fault(path, message)] = None

    def near(self, words: Iterable[str], names: Collection[str]) -> str:
        """Return `; did you mean par1?` for the first unknown word, or nothing. See `Suggestions`."""
        return self._suggestions.of(next(iter(words), None), names)

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)

    def __bool__(self) -> bool:
        return bool(self._faults)
