"""What a mistyped word may have meant."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST = 3
"""How many are named."""
ENOUGH = 20_000
"""Among how many it is looked for: of more the rest is left out, because looking takes its time."""
ALIKE = 0.75
"""How much alike they must be, from 0 to 1."""
LENGTH = 253
"""Characters of a word that can be a name."""


def nearest(word: str, names: Iterable[str]) -> str:
    """Return `; did you mean status?` with the nearest names, nothing where none is near."""
    from difflib import get_close_matches  # slow to import

    few = islice(names, ENOUGH)
    found = get_close_matches(word[:LENGTH].lower(), few, MOST, ALIKE)
    return f"; did you mean {' or '.join(found)}?" if found else ""
