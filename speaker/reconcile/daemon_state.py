"""What is believed and what was read back of the daemon's announcements, and what to try again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING

from policy.plan import Announce, Drift, apply
from policy.route import Route

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from policy.plan import Change
    from policy.route import Prefix
    from speaker.backends.base import Reading, SentTo

Seen = Route | Drift | None
FIRST_RETRY = 0.5
LAST_RETRY = 30.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A change that failed: what was asked, why it failed, and when to try again (steady clock)."""

    change: Change
    reason: str
    delay: float
    again_at: float


class DaemonState:
    """The daemon as we know it.

    `believed` is what it should have after the changes that it accepted; a prefix that is not in
    it is unknown, so its change is planned again. `confirmed` is what it said when it was read,
    and `sent` who was sent it: what is to be asked for goes by what the daemon has, because a
    session that is down is sent all of it when it comes up.
    """

    def __init__(self) -> None:
        self.believed: dict[Prefix, Seen] = {}
        self.confirmed: dict[Prefix, Seen] = {}
        self.sent: Mapping[Prefix, SentTo] = {}
        self.failures: dict[Prefix, Failure] = {}
        self.converged = False
        self._unread: dict[Prefix, Change] = {}
        self._announced: AbstractSet[Prefix] | None = None
        self.version = 0
        """Grows with every change of what is believed."""

    @property
    def unread(self) -> bool:
        """Whether anything was changed since the daemon was read."""
        return bool(self._unread)

    @property
    def changed(self) -> AbstractSet[Prefix]:
        """The prefixes that were changed since the daemon was read."""
        return frozenset(self._unread)

    def proven(self, prefix: Prefix) -> bool:
        """Tell whether what `confirmed` has of a prefix was read after its last change."""
        return prefix in self.confirmed and prefix not in self._unread

    def foreseen(self, prefix: Prefix) -> Route | None:
        """Return with which route a prefix that was changed will be announced, None for not at all."""
        change = self._unread.get(prefix)
        return change.route if isinstance(change, Announce) else None

    @property
    def announced(self) -> AbstractSet[Prefix]:
        """The prefixes that are announced in whatever form, as far as we know.

        The same object while nothing changes.
        """
        if self._announced is None:
            seen = {**self.confirmed, **self.believed}
            self._announced = frozenset(p for p, route in seen.items() if route is not None)
        return self._announced

    def ready(
        self, changes: Iterable[Change], now: float, *, at_once: Collection[Prefix] = ()
    ) -> list[Change]:
        """Return the changes to ask for now: not those that failed and are to wait.

        What failed, and is neither in the plan any more nor to be read back, is forgotten.

        Args:
            changes: the whole plan.
            now: seconds on the steady clock.
            at_once: prefixes that wait for nothing, because an operator does.
        """
        changes = [*changes]
        if self.failures:
            planned = {change.prefix for change in changes}
            self.failures = {
                p: f for p, f in self.failures.items() if p in planned or p in self._unread
            }
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
        """Note the outcome of changes. Those that failed become unknown."""
        self._changed()
        self.believed = apply(changes, self.believed)
        for change in changes:
            self._unread[change.prefix] = change
            if change.prefix in failures:
                del self.believed[change.prefix]
                self._fail(change, failures[change.prefix], now)

    def unsure(self, changes: Iterable[Change]) -> None:
        """Note that changes were asked for, and it is not known whether they were made: these prefixes become unknown."""
        asked = {change.prefix for change in changes}
        self.believed = {p: seen for p, seen in self.believed.items() if p not in asked}
        self._changed()

    def read(self, reading: Reading, now: float) -> None:
        """Take over what was read back. What was accepted and did not come to be has failed."""
        for prefix, change in self._unread.items():
            wanted = change.route if isinstance(change, Announce) else None
            found = reading.routes.get(prefix)
            if prefix not in reading.routes:
                if prefix in self.believed:
                    why = "accepted, but there is no place to look whether it is so"
                    self._fail(change, why, now)
            elif found == wanted:
                self.failures.pop(prefix, None)
            elif prefix in self.believed:
                self._fail(change, f"accepted, but read back as {_say(found)}", now)
        self._unread.clear()
        self._changed()
        self.converged = reading.converged
        self.confirmed = dict(reading.routes)
        self.sent = reading.sent
        self.believed = dict(reading.routes)
        for prefix in reading.doubtful:
            self.believed.pop(prefix, None)

    def unreadable(self) -> None:
        """Forget what was read: the daemon can't be asked."""
        self.confirmed = {}
        self.sent = {}
        self._changed()

    def _changed(self) -> None:
        self._announced = None
        self.version += 1

    def _fail(self, change: Change, reason: str, now: float) -> None:
        """Note a failure: the same change waits longer each time."""
        last = self.failures.get(change.prefix)
        again = last is not None and last.change == change
        delay = min(last.delay * 2, LAST_RETRY) if last is not None and again else FIRST_RETRY
        self.failures[change.prefix] = Failure(change, reason, delay, now + delay)

    def retry(self, reasons: Collection[str]) -> None:
        """Try at once again what failed for some reasons, which are no more."""
        self.failures = {
            prefix: replace(failure, again_at=-inf) if failure.reason in reasons else failure
            for prefix, failure in self.failures.items()
        }

    def next_retry(self) -> float | None:
        """Return when the first failed change is to be tried again (steady clock)."""
        return min(
            (
                failure.again_at
                for prefix, failure in self.failures.items()
                if not (prefix in self._unread and prefix in self.believed)
            ),
            default=None,
        )


def _say(seen: Seen) -> str:
    match seen:
        case None:
            return "withdrawn"
        case Drift(found):
            return found
        case _:
            return str(seen)
