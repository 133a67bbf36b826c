"""Extended communities in a route-map of bgpd: a line for each kind, which adds them to those that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.extended import ExtendedCommunity, ExtendedKind, in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

KINDS = tuple(f"extcommunity {kind}" for kind in ExtendedKind)
"""What a line sets, after `set`."""


def extended_lines(communities: Iterable[ExtendedCommunity]) -> Iterator[str]:
    """Yield the lines that set them."""
    given = in_order(communities)
    for kind in ExtendedKind:
        values = [each.value for each in given if each.kind is kind]
        if values:
            yield f"set extcommunity {kind} {' '.join(values)}"


def extended_of(kind: str, values: Sequence[str]) -> tuple[ExtendedCommunity, ...]:
    """Parse what follows `set extcommunity`, sorted.

    FRR keeps, and shows, also a line that it refuses for its value.

    Raises:
        PolicyError: it sets nothing, or what is not translated.
    """
    return in_order(ExtendedCommunity.parse(f"{kind}:{value}") for value in values or ("",))
