"""What is believed and what was read back of the daemon's announcements, and what to try again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.plan import Announce, apply

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from policy.plan import Change, Drift
    from policy.route import Prefix, Route
    from speaker.backends.base import Reading

FIRST_RETRY = 0.5
LAST_RETRY = 30.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A change that failed: what was asked, why it failed, and when to try again (steady clock)."""

    change: Change
    reason: str
    delay: float
    again_at: float


class View:
    """The daemon as we know it.

    `believed` is what it should have after the changes that it accepted; a prefix that is not in
    it is unknown, so its change is planned again. `confirmed` is what it said when it was read.
    """

    def __init__(self) -> None:
        self.believed: dict[Prefix, Route | Drift | None] = {}
        self.confirmed: dict[Prefix, Route | Drift | None] = {}
        self.failures: dict[Prefix, Failure] = {}
        self.unread: set[Prefix] = set()

    def ready(
        self, changes: Iterable[Change], now: float, *, at_once: Collection[Prefix] = ()
    ) -> list[Change]:
        """Return the changes to ask for now: not those that failed and are to wait.

        Args:
            changes: the plan.
            now: seconds on the steady clock.
            at_once: prefixes that wait for nothing, because an operator does.
        """
        return [
            change
            for change in changes
            if (failure := self.failures.get(change.prefix)) is None
            or failure.again_at <= now
            or failure.change != change
            or change.prefix in at_once
        ]

    def accepted(
        self, changes: Sequence[Change], failures: Mapping[Prefix, str], now: float
    ) -> None:
        """Note the outcome of changes. Those that failed become unknown, and wait longer each time."""
        taken = [change for change in changes if change.prefix not in failures]
        self.believed = apply(taken, self.believed)
        for change in changes:
            self.unread.add(change.prefix)
            if change.prefix not in failures:
                self.failures.pop(change.prefix, None)
                continue
            self.believed.pop(change.prefix, None)
            last = self.failures.get(change.prefix)
            again = last is not None and last.change == change
            delay = min(last.delay * 2, LAST_RETRY) if last is not None and again else FIRST_RETRY
            reason = failures[change.prefix]
            self.failures[change.prefix] = Failure(change, reason, delay, now + delay)

    def read(self, reading: Reading) -> None:
        """Take over what was read back. What failed stays to be tried again."""
        self.confirmed = dict(reading.routes)
        self.believed = {
            prefix: seen
            for prefix, seen in reading.routes.items()
            if prefix not in reading.doubtful
        }
        self.unread.clear()
        for prefix, failure in list(self.failures.items()):
            wanted = failure.change.route if isinstance(failure.change, Announce) else None
            if prefix in self.believed and self.believed[prefix] == wanted:
                del self.failures[prefix]

    def unreadable(self) -> None:
        """Forget what was read: the daemon can't be asked."""
        self.confirmed = {}

    def next_retry(self) -> float | None:
        """Return when the first failed change is to be tried again (steady clock)."""
        return min((failure.again_at for failure in self.failures.values()), default=None)
