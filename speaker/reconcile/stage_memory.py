"""What is remembered of the stages of soft drains, as the watchdog uses it; what outlives it is in the state file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from policy.drain import Progress
    from policy.route import Prefix
    from speaker.reconcile.known_intents import KnownIntents
    from speaker.state.store import StageEnd


class StageMemory:
    """What is remembered of each prefix, of whichever intent.

    Args:
        intents: records what follows a stage.
        news: gives what is to be recorded beside the cycle.
        found: what the file has.
    """

    def __init__(
        self,
        intents: KnownIntents,
        news: Callable[[], dict[Prefix, Progress | None]],
        found: Mapping[Prefix, Progress],
    ) -> None:
        self._intents, self._news = intents, news
        self.of: Mapping[Prefix, Progress] = found

    def recall(self, found: Mapping[Prefix, Progress]) -> None:
        """Take over what could not be read until now."""
        self.of = {**found, **self.of}

    def note(self, progress: Mapping[Prefix, Progress | None]) -> None:
        """Remember stages as they are now, None for nothing."""
        changed = {p: each for p, each in progress.items() if each != self.of.get(p)}
        if changed:
            self._news().update(changed)
            self._put(changed)

    async def advance(self, ended: Mapping[Prefix, StageEnd]) -> Collection[Prefix]:
        """Record the ends of stages, durably. Return those whose intent was still what they are of.

        Raises:
            StoreError: it could not be done; nothing was changed.
        """
        done = await self._intents.advance(ended)
        for prefix in done:
            self._news().pop(prefix, None)
        self._put({prefix: ended[prefix].progress for prefix in done})
        return done

    def _put(self, changed: Mapping[Prefix, Progress | None]) -> None:
        kept = {p: each for p, each in self.of.items() if p not in changed}
        self.of = kept | {p: each for p, each in changed.items() if each is not None}
