"""What ExaBGP may still hold for a peer in an earlier shape, sans I/O: what must be asked for again, and when.

Theory of operation. ExaBGP acknowledges a line when it has taken it, and sends it later. Until then, and
for a session that is down, it keeps what was asked for in its Adj-RIB-Out, which is a cache with faults of
its own (docs/exabgp.md has them as they were measured). So two of its words are no proof:

- that a prefix is *absent*: what was withdrawn while a session was down, or before it had sent its table,
  is sent all the same when the session comes up. Withdrawing again heals that.
- that a prefix is there in some *shape*: what changed again before it was sent may go out in its earlier
  shape. `flush adj-rib out` heals that: everything is sent again, as it is listed. It is asked for when
  nothing has changed for `calm`, because a flush in the middle of changes would be one of those faults. Where
  ExaBGP tells what it sends, it is known of most changes that they were sent, and they mix with none that follows.

Both are demands: raised by an event, and met by a reading that began after it. `RAISES` and `MEETS` are the
whole table. A demand that is raised while a reading is under way is still there after it: nothing is taken
away and put back, so a reading that fails changes nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from policy.plan import Announce

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from policy.plan import Change
    from policy.route import Prefix

SETTLE = (1.0, 10.0)
"""How long after a session came up its routes are doubted, in seconds: more than once, because a large
table is still being sent at first."""
DOUBT = 60.0
"""How long after the start sessions may have come up of which nothing was heard, in seconds."""
RARELY = 3600.0
"""How often what is absent is doubted without an event, in seconds: ExaBGP logs a line for each prefix."""
MIXED = 10.0
"""What changes again within this many seconds may be sent in an earlier shape, unless it was told of."""
CALM = 3.0
"""For how long nothing may have changed before everything is sent again, in seconds."""


class Demand(StrEnum):
    """What a reading has to do about what may be stale."""

    WITHDRAW_ABSENT = "withdraw again what is absent"
    SEND_ALL = "have all sent again"


class Event(StrEnum):
    """What happens to ExaBGP's cache, or is done about it."""

    STARTED = "vip_watchdog starts: a session may have come up before"
    SETTLING = "a session came up, and may still send its table"
    SETTLED = "a session came up, and has sent its table"
    CHANGED_AGAIN = (
        "a prefix changes again within 10 s, and it is not known that its last change was sent"
    )
    MISSING = "a session that is up was not sent what is held for it"
    HOURLY = "an hour has passed since what is absent was doubted"
    READ = "a reading is complete, and what is absent is withdrawn again"
    FLUSHED = "a session is up, nothing changed for 3 s, and a flush was acknowledged"


RAISES: Mapping[Event, frozenset[Demand]] = {
    Event.STARTED: frozenset({Demand.WITHDRAW_ABSENT, Demand.SEND_ALL}),
    Event.SETTLING: frozenset({Demand.WITHDRAW_ABSENT}),
    Event.SETTLED: frozenset({Demand.WITHDRAW_ABSENT, Demand.SEND_ALL}),
    Event.CHANGED_AGAIN: frozenset({Demand.SEND_ALL}),
    Event.MISSING: frozenset({Demand.SEND_ALL}),
    Event.HOURLY: frozenset({Demand.WITHDRAW_ABSENT}),
}
MEETS: Mapping[Event, Demand] = {
    Event.READ: Demand.WITHDRAW_ABSENT,
    Event.FLUSHED: Demand.SEND_ALL,
}


class Attempt(NamedTuple):
    """What was demanded when a reading began."""

    at: int
    """The number of the last event until then."""
    demands: frozenset[Demand]
    mixed: frozenset[Prefix]
    """Prefixes that changed again, and may be at a peer in any shape, or although they are absent."""
    is_calm: bool

    def may_flush(self, *, some_up: bool) -> bool:
        """Tell whether all can be sent again now."""
        return some_up and self.is_calm

    @property
    def must_flush(self) -> bool:
        """Whether all must be sent again, as soon as it can be."""
        return Demand.SEND_ALL in self.demands


class LastChange(NamedTuple):
    """The last change of a prefix that was asked for, and when."""

    change: Change
    when: float
    turns: bool
    """Whether every session had the opposite until then: one that has it now was sent this change."""

    def was_sent(self, had: bool | None) -> bool:  # noqa: FBT001 - what all sessions have, if they agree
        """Tell whether all sessions were surely sent it, by what they have."""
        return self.turns and had is isinstance(self.change, Announce)


class Staleness:
    """Remembers what may be stale. Times are in seconds on the event loop's clock, and handed in."""

    def __init__(self, settle: Sequence[float] = SETTLE, calm: float = CALM) -> None:
        self._settle = settle
        self._calm = calm
        self._events = 0
        self._raised: dict[Demand, int] = {}
        """The demands that are not met, with the number of the event that raised each last."""
        self._changes: dict[Prefix, LastChange] = {}
        self._mixed: dict[Prefix, int] = {}
        self._settles_at = 0.0
        self._doubted = 0.0
        # What was seen to be missing, or not known, at the last reading: acted on once for the same.
        self._missing: frozenset[tuple[str, str]] = frozenset()
        self._unknown: frozenset[Prefix] = frozenset()
        self.happened(Event.STARTED)

    # --- events ----------------------------------------------------------------------------

    def happened(self, event: Event) -> None:
        """Raise what an event demands."""
        self._events += 1
        for demand in RAISES[event]:
            self._raised[demand] = self._events

    def began(self, now: float) -> None:
        """Note when ExaBGP began to be listened to."""
        self._settles_at = now + DOUBT

    def session_came_up(self, now: float) -> Sequence[tuple[float, Event]]:
        """Note that a session came up; return what happens then, and in how many seconds."""
        *early, last = self._settle
        self._settles_at = max(self._settles_at, now + last)
        return [*((delay, Event.SETTLING) for delay in early), (last, Event.SETTLED)]

    def changed(
        self,
        changes: Sequence[Change],
        now: float,
        had: Callable[[Prefix], bool | None] = lambda _: None,
    ) -> float | None:
        """Note changes that were asked for.

        Args:
            changes: those.
            now: the time.
            had: whether all sessions had a prefix when they were asked for, by what was told; None
                where they differ, or it is not known of each.

        Returns:
            In how many seconds a reading may have all sent again, where that is demanded because one
            of them, or one before, changed again before ExaBGP has surely sent its last change.
        """
        self._changes = {p: last for p, last in self._changes.items() if now - last.when < MIXED}
        again, asked = [], {}
        for change in changes:
            prefix, found = change.prefix, had(change.prefix)
            last = self._changes.get(prefix)
            is_sent = last is None or (last.was_sent(found) and prefix not in self._mixed)
            if last is not None and last.change != change and not is_sent:
                again.append(prefix)
            turns = found is not None and found is not isinstance(change, Announce)
            asked[prefix] = LastChange(change, now, turns)
        if again:
            self.happened(Event.CHANGED_AGAIN)
            self._mixed.update(dict.fromkeys(again, self._events))
        self._changes |= asked
        return self._calm + 0.1 if self._mixed else None

    def change_of(self, prefix: Prefix) -> Change | None:
        """Return what was asked for last of a prefix, if that was not long ago."""
        found = self._changes.get(prefix)
        return None if found is None else found.change

    # --- a reading -------------------------------------------------------------------------

    def begin(self, now: float) -> Attempt:
        """Begin a reading."""
        if now - self._doubted >= RARELY:
            self.happened(Event.HOURLY)
        last = max((asked.when for asked in self._changes.values()), default=0.0)
        is_calm = now - last >= self._calm
        return Attempt(self._events, frozenset(self._raised), frozenset(self._mixed), is_calm)

    def end(self, attempt: Attempt, now: float, *, flushed: bool) -> None:
        """End a reading that is complete: what was demanded before it began is met.

        Args:
            attempt: what it began with.
            now: the time.
            flushed: whether all could be sent again, and was where that was demanded.
        """
        if Demand.WITHDRAW_ABSENT in attempt.demands:
            self._doubted = now
        self._meet(Event.READ, attempt)
        if flushed:
            self._meet(Event.FLUSHED, attempt)
            self._mixed = {p: number for p, number in self._mixed.items() if number > attempt.at}

    def _meet(self, event: Event, attempt: Attempt) -> None:
        demand = MEETS[event]
        if self._raised.get(demand, attempt.at) <= attempt.at:
            self._raised.pop(demand, None)

    def newly_unknown(self, unknown: Collection[Prefix]) -> frozenset[Prefix]:
        """Return what was known at the last reading, or not asked for, of what is not known now."""
        new = frozenset(unknown) - self._unknown
        self._unknown = frozenset(unknown)
        return new

    def is_newly_missing(self, missing: frozenset[tuple[str, str]]) -> bool:
        """Tell whether sessions lack what they did not lack at the last reading: `(session, prefix)`."""
        is_new = bool(missing - self._missing)
        self._missing = missing
        if is_new:
            self.happened(Event.MISSING)
        return is_new

    def is_settling(self, now: float) -> bool:
        """Tell whether a session that came up may still be sending its table."""
        return now <= self._settles_at

    def is_mixed(self) -> bool:
        """Whether some prefix may be at a peer in an earlier shape."""
        return bool(self._mixed)
