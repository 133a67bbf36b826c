"""Which keys of two mappings have another object in each: what must be looked at again, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

K = TypeVar("K")
V = TypeVar("V")

_NOTHING = object()


def differing(before: Mapping[K, V], after: Mapping[K, V]) -> set[K]:
    """Return the keys that only one of two mappings has, and those with another object in each.

    Values that are equal, and not the same object, differ: who wants less compares those. Where the
    keys are the same objects in the same order, as in a mapping that was made of the other, none
    is hashed: of ten thousand prefixes that takes most of the time.
    """
    if before is after:
        return set()
    if len(before) == len(after):
        found = []
        for (key, old), (other, new) in zip(before.items(), after.items(), strict=True):
            if key is not other:
                break
            if old is not new:
                found.append(key)
        else:
            return set(found)
    changed = {key for key, new in after.items() if before.get(key, _NOTHING) is not new}
    changed.update(key for key in before if key not in after)
    return changed
