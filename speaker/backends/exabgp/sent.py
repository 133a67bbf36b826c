"""Who was sent each prefix: by what ExaBGP tells of each UPDATE, else by its Adj-RIB-Out; and waiting for that."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from policy.route import Prefix
    from speaker.backends.base import SentTo
    from speaker.backends.exabgp.neighbors import ConfiguredNeighbor, ConfiguredNeighbors
    from speaker.backends.exabgp.told import Told


# So long it may take, in seconds, until what was accepted is sent: for one prefix, and for each.
SENT_WITHIN = 1.0
SENT_WITHIN_EACH = 0.001


async def wait_until_sent(
    prefixes: Collection[Prefix], news: asyncio.Event, is_waiting: Callable[[Prefix], bool]
) -> None:
    """Wait until some prefixes do not wait to be sent any more, but not for long.

    Args:
        prefixes: those.
        news: set when anything was told.
        is_waiting: whether a prefix waits.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(SENT_WITHIN + SENT_WITHIN_EACH * len(prefixes)):
            for prefix in prefixes:
                while is_waiting(prefix):
                    news.clear()
                    await news.wait()


class WhoWasSent(Mapping["Prefix", "SentTo"]):
    """Who was sent each of some prefixes, as it is known when it is looked at.

    It is no copy, because what ExaBGP tells comes after what it answers: a reading that had to wait
    for that would have to be made again and again.

    Args:
        prefixes: of which there is a place to look.
        neighbors: those of ExaBGP.
        has: of a neighbour, what tells whether it was sent a prefix, by the prefix and its text;
            None where not known.
    """

    def __init__(
        self,
        prefixes: Collection[Prefix],
        neighbors: ConfiguredNeighbors,
        has: Callable[[ConfiguredNeighbor], Callable[[Prefix, str], bool | None]],
    ) -> None:
        self._prefixes = prefixes
        self._concerned: Mapping[
            int, Sequence[tuple[str, Callable[[Prefix, str], bool | None]]]
        ] = {
            version: [(neighbors.name(n), has(n)) for n in neighbors.carrying(version)]
            for version in (4, 6)
        }
        self._shared: dict[tuple[int | bool | None, ...], SentTo] = {}

    def __getitem__(self, prefix: Prefix) -> SentTo:
        """Return who was sent a prefix; prefixes with the same answer share it."""
        if prefix not in self._prefixes:
            raise KeyError(prefix)
        concerned, text = self._concerned[prefix.version], str(prefix)
        values = tuple(has(prefix, text) for _, has in concerned)
        key = (prefix.version, *values)
        if key not in self._shared:
            names = (name for name, _ in concerned)
            self._shared[key] = dict(zip(names, values, strict=True))
        return self._shared[key]

    def __iter__(self) -> Iterator[Prefix]:
        """Yield the prefixes."""
        return iter(self._prefixes)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._prefixes)


def who_was_sent(
    prefixes: Collection[Prefix],
    held: Mapping[ConfiguredNeighbor, Collection[Prefix]],
    neighbors: ConfiguredNeighbors,
    told: Told,
    up: Mapping[ConfiguredNeighbor, bool],
) -> Mapping[Prefix, SentTo]:
    """Return who was sent each prefix: by what ExaBGP tells, else what it holds for it is the best there is."""

    def has(neighbor: ConfiguredNeighbor) -> Callable[[Prefix, str], bool | None]:
        sendings, holds = told.of(neighbor), held.get(neighbor, ())
        if sendings is not None:
            return lambda _, text: sendings.has(text)
        return lambda prefix, _: up.get(neighbor) and prefix in holds

    return WhoWasSent(prefixes, neighbors, has)
