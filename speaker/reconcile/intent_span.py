"""For how long what was made of intents holds, so that it is not made again at each look."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

from speaker.state.rows import Intents

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from policy.intent import Intent
    from policy.route import Prefix


class IntentSpan(NamedTuple):
    """From when until when what was made of intents holds: an end comes, or the clock is set back."""

    found: Intents
    prefixes: Collection[Prefix]
    since: float
    until: float

    @classmethod
    def at(
        cls,
        found: Intents,
        prefixes: Collection[Prefix],
        now: float,
        made: Iterable[Intent] = (),
    ) -> IntentSpan:
        """Return the one that begins now (seconds since the epoch); `made` is what was made of them."""
        of = (*found.of.values(), *made)
        ends = (intent.until for intent in of if intent.until is not None)
        return cls(found, prefixes, now, min((end for end in ends if end > now), default=inf))

    def holds(self, found: Intents, prefixes: Collection[Prefix], now: float) -> bool:
        """Tell whether it holds for the very same intents."""
        is_same = self.found is found and self.prefixes is prefixes
        return is_same and self.since <= now < self.until


NEVER = IntentSpan(Intents(), (), inf, -inf)
