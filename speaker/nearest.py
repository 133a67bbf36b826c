"""What a mistyped word may have meant."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

MOST = 3
"""How many are named."""
ENOUGH = 20_000
"""Among how many it is looked for: of more the rest is left out, because looking takes its time."""
ALIKE, SHORT_ALIKE = 0.75, 0.65
"""How much alike they must be, from 0 to 1; and words of up to SHORT characters, where one of them is much."""
SHORT = 4
LENGTH = 253
"""Characters of a word that can be a name."""


def nearest(word: str, names: Iterable[str]) -> str:
    """Return `; did you mean status?` with the nearest names, nothing where none is near."""
    from difflib import get_close_matches  # slow to import

    few = {name.lower(): name for name in islice(names, ENOUGH)}
    alike = ALIKE if len(word) > SHORT else SHORT_ALIKE
    found = get_close_matches(word[:LENGTH].lower(), few, MOST, alike)
    return f"; did you mean {' or '.join(few[each] for each in found)}?" if found else ""


class Suggestions:
    """Says what mistyped words may have meant, for as many words as looking at ENOUGH names in all allows.

    A file may have thousands of such words beside thousands of names; nobody reads that many.
    """

    def __init__(self) -> None:
        self._left = ENOUGH

    def of(self, word: object, names: Collection[str]) -> str:
        """Return what `nearest` does; nothing once too many names were looked at, or for what is no text."""
        if not isinstance(word, str) or len(names) > self._left:
            return ""
        self._left -= len(names)
        return nearest(word, names)
