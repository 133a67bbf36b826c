"""What the state file has, and what is to be recorded in it. Values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from speaker.state.rows import Intents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.damping import Damping
    from policy.drain import Progress
    from policy.health import Service, ServiceMemory
    from policy.route import Prefix
    from speaker.api import HistoryEntry
    from speaker.state.rows import Owned

HISTORY_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Remembered:
    """All of the file but its history, as it was at one moment; and what of it made no sense."""

    intents: Intents = field(default_factory=Intents)
    owned: Mapping[Prefix, Owned] = field(default_factory=dict)
    health: Mapping[Prefix, Mapping[Service, ServiceMemory]] = field(default_factory=dict)
    damping: Mapping[Prefix, Damping] = field(default_factory=dict)
    drains: Mapping[Prefix, Progress] = field(default_factory=dict)
    faults: tuple[str, ...] = ()


@dataclass(slots=True)
class News:
    """What is to be recorded: of each prefix the newest, and all history.

    A prefix that is `gone` is not ours any more. A `damping` or a drain of None forgets it. `expired`: intents
    have ended by themselves until then (seconds since the epoch), which history has to tell.
    """

    owned: dict[Prefix, Owned] = field(default_factory=dict)
    health: dict[Prefix, Mapping[Service, ServiceMemory]] = field(default_factory=dict)
    damping: dict[Prefix, Damping | None] = field(default_factory=dict)
    drains: dict[Prefix, Progress | None] = field(default_factory=dict)
    gone: set[Prefix] = field(default_factory=set)
    history: list[HistoryEntry] = field(default_factory=list)
    expired: float | None = None

    def __bool__(self) -> bool:
        changed = self.owned or self.health or self.damping or self.drains
        return bool(changed or self.gone or self.history) or self.expired is not None

    def __or__(self, newer: News) -> News:
        return News(
            self.owned | newer.owned,
            self.health | newer.health,
            self.damping | newer.damping,
            self.drains | newer.drains,
            self.gone | newer.gone,
            [*self.history, *newer.history][-HISTORY_ROWS:],
            self.expired if newer.expired is None else newer.expired,
        )
