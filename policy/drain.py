"""A soft drain and the way back: what each stage waits for, and what follows it. Pure: time is handed in.

Theory of operation. An operator's intent names the stage that a prefix is in:

    draining ----> drained              returning ----> (no intent)
    the drain      withdrawn            the drain       the rank's
    profile                             profile         profile
       |
       +---------> (no intent, or forced as before) where who takes over is gone, unless the operator insisted

A stage begins once the daemon has what it asks for: until then nobody was asked to leave, and a wait would
prove nothing. `draining` ends when the connections have been at or below `connections` for `quiet`, not before
`settle`, and at `timeout` at the latest; there `then` says whether what is left is cut. A count that is not
known is none: it waits for `timeout`. `returning` ends after `back`.

What is remembered of a stage is a `Progress`, which outlives the process. It is of one intent, which its time
names: an operator's next word makes it void. All times are on the steady clock; where that was set back between two processes, what was
remembered is taken to have been just now, which only makes a stage longer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.intent import Intent, Mode
from policy.route import Community
from policy.wording import count, span

if TYPE_CHECKING:
    from policy.connections import ConnectionCount

GRACEFUL_SHUTDOWN = Community(65535, 0)
"""Asks a neighbour to prefer every other path (RFC 8326)."""
GONE = "no other data centre announces it any more, as far as witnesses tell"
LEFT = "no other machine announces it any more, as etcd has it"
MAX_MORE = 32
"""How many prepends a drain may have beyond the longest path."""


class Then(StrEnum):
    """What becomes of the connections that are left at the time limit."""

    WITHDRAW = "withdraw"
    STAY = "stay"


@dataclass(frozen=True, slots=True)
class DrainRule:
    """How a VIP drains softly. Times in seconds.

    Attributes:
        prepends: how many more than the longest path of any rank of any data centre.
        communities: those that a route has while it drains, beside the rank's.
        settle: for how long it is announced so, at least.
        connections: how many active ones are few enough.
        quiet: for how long there must be no more.
        timeout: for how long it waits for that, at most.
        then: what becomes of it at that time.
        back: for how long a VIP that comes back softly is announced so.

    Raises:
        PolicyError: a value that makes no sense.
    """

    prepends: int = 3
    communities: tuple[Community, ...] = (GRACEFUL_SHUTDOWN,)
    settle: float = 30.0
    connections: int = 0
    quiet: float = 5.0
    timeout: float = 900.0
    then: Then = Then.WITHDRAW
    back: float = 60.0

    def __post_init__(self) -> None:
        if not 1 <= self.prepends <= MAX_MORE:
            raise PolicyError(f"prepends: {self.prepends}: not a number from 1 to {MAX_MORE}")
        if min(self.settle, self.quiet, self.back, self.connections) < 0:
            raise PolicyError("settle, quiet, return and connections: must not be negative")
        if self.timeout < max(self.settle, self.quiet):
            raise PolicyError(
                f"timeout: {self.timeout:g}s: is shorter than settle or quiet; make it longer"
            )


USUAL_RULE = DrainRule()
"""How a VIP drains of which nothing else is said."""


class TakenOver(StrEnum):
    """What is known of a data centre to which what drains goes.

    UNKNOWN: nobody can tell. SEEN: a witness that is live has its path, or a machine there tells that it announces it. GONE: it was seen
    since the stage began, and no witness that is live has it any more. LEFT: the machines there that announced it do not any more.
    Nothing follows from what is not known.
    """

    UNKNOWN = "unknown"
    SEEN = "seen"
    GONE = "gone"
    LEFT = "left"


_WHY_GONE = {TakenOver.GONE: GONE, TakenOver.LEFT: LEFT}


@dataclass(frozen=True, slots=True)
class Progress:
    """What is remembered of a stage.

    Attributes:
        stage: which.
        of: since when the intent is that asks for it (seconds since the epoch).
        began: when it began.
        quiet_since: since when the connections are few enough, None where they are not.
        left: how many were active when it was withdrawn, None where that is not known.
    """

    stage: Mode
    of: float
    began: float
    quiet_since: float | None = None
    left: int | None = None

    def is_of(self, intent: Intent) -> bool:
        """Tell whether it is of an intent's stage."""
        return self.stage is intent.mode and self.of == intent.since


@dataclass(frozen=True, slots=True)
class StageStep:
    """What comes of looking at a stage once.

    Attributes:
        progress: what is to be remembered, None where the stage has not begun.
        follows: the intent's next mode, None while it stays as it is.
        why: why that follows, in words.
        due: when time alone may change it (steady clock), if it may.
    """

    progress: Progress | None
    follows: Mode | None = None
    why: str = ""
    due: float | None = None


def step(
    rule: DrainRule,
    intent: Intent,
    before: Progress | None,
    connections: ConnectionCount | None,
    now: float,
    *,
    in_effect: bool,
    takeover: TakenOver = TakenOver.UNKNOWN,
) -> StageStep:
    """Look at a stage once. An intent that is of no stage has none: nothing is to be remembered.

    Args:
        rule: the VIP's.
        intent: the operator's, in force.
        before: what was remembered, of whichever intent.
        connections: its connections, None where they are not known.
        now: seconds on the steady clock.
        in_effect: whether the daemon was read to have what the stage asks for.
        takeover: what is known of who takes over. Where that is gone, what drains is announced again as before, but
            where the operator insisted.
    """
    gone = _WHY_GONE.get(takeover, "")
    if intent.mode is Mode.DRAINING and gone and not intent.insisted:
        return StageStep(None, Mode.FORCED if intent.forced else Mode.AUTO, gone)
    if before is not None and not before.is_of(intent):
        before = None
    if not intent.is_soft:
        return StageStep(before)
    if before is None:
        if not in_effect:
            return StageStep(None)
        before = Progress(intent.mode, intent.since, now)
    since = min(before.began, now)
    if intent.mode is Mode.RETURNING:
        return _returning(rule, replace(before, began=since), now)
    return _draining(rule, replace(before, began=since), connections, now)


def _returning(rule: DrainRule, progress: Progress, now: float) -> StageStep:
    end = progress.began + rule.back
    if now < end:
        return StageStep(progress, due=end)
    return StageStep(None, Mode.AUTO, f"announced softly for {span(rule.back)}")


def _draining(
    rule: DrainRule, progress: Progress, connections: ConnectionCount | None, now: float
) -> StageStep:
    is_quiet = connections is not None and connections.active <= rule.connections
    quiet_since = None
    if is_quiet:
        quiet_since = now if progress.quiet_since is None else min(progress.quiet_since, now)
    progress = replace(progress, quiet_since=quiet_since)
    settled, end = progress.began + rule.settle, progress.began + rule.timeout
    left = None if connections is None else connections.active
    if quiet_since is not None:
        ready = max(settled, quiet_since + rule.quiet)
        if now >= ready:
            why = f"{few(rule.connections)} for {span(rule.quiet)}, {cut(left)}"
            return StageStep(_over(progress, now, left), Mode.DRAINED, why)
    else:
        ready = None
    limit = end if rule.then is Then.WITHDRAW else None
    if limit is not None and now >= limit:
        return StageStep(
            _over(progress, now, left), Mode.DRAINED, f"timeout {span(rule.timeout)}, {cut(left)}"
        )
    return StageStep(progress, due=min((t for t in (ready, limit) if t is not None), default=None))


def _over(progress: Progress, now: float, left: int | None) -> Progress:
    return Progress(Mode.DRAINED, progress.of, now, None, left)


def few(connections: int) -> str:
    """Say how many connections are few enough."""
    return count(connections, "connection") + (" or fewer" if connections else "")


def until_few(connections: int) -> str:
    """Say what a drain waits for."""
    return f"waits until {few(connections)} {'are' if connections > 1 else 'is'} left"


def cut(left: int | None) -> str:
    """Say how many connections a withdrawal cuts."""
    if left is None:
        return "how many connections are cut is not known"
    return f"{count(left, 'connection')} {'are' if left > 1 else 'is'} cut"


def at_time(
    intent: Intent, progress: Progress | None, rule: DrainRule, now: float
) -> Intent | None:
    """Return what is in force of an intent at a time, None for nothing.

    A soft drain that was for some time comes back softly: from its end on it is `returning`, for `back`. That follows from what
    is recorded and the time alone, so it needs nobody who was there at its end.

    Args:
        intent: as it is recorded.
        progress: what is remembered of a stage, of whichever intent.
        rule: the VIP's.
        now: seconds since the epoch.
    """
    if intent.in_force(now):
        return intent
    if intent.until is None or intent.restores:
        return None
    until = intent.until + rule.back
    back = Intent(Mode.RETURNING, intent.owner, intent.until, intent.reason, until)
    is_of = progress is not None and (progress.is_of(intent) or progress.is_of(back))
    was_soft = intent.mode is Mode.DRAINING or is_of
    return back if was_soft and back.in_force(now) else None


def resolved(asked: Intent, was: Intent | None) -> Intent:
    """Return the intent that is to be in force, where an operator asks for a stage.

    What is withdrawn is not announced to be drained, and what is announced as always is not made to return. Asked
    for twice, a stage goes on, and the last word says whether it is insisted. Who drains what was forced, drains it whatever its health.

    Args:
        asked: what the operator wants.
        was: what is in force until then, None for nothing.
    """
    mode = Mode.AUTO if was is None else was.mode
    if asked.mode is Mode.DRAINING:
        if mode is Mode.DRAINED:
            return replace(asked, mode=Mode.DRAINED, insisted=False)
        if mode is Mode.DRAINING and was is not None:
            return replace(asked, since=was.since, forced=was.forced)
        return replace(asked, forced=mode is Mode.FORCED)
    if asked.mode is Mode.RETURNING:
        if mode is Mode.RETURNING and was is not None:
            return replace(asked, since=was.since)
        if mode not in (Mode.DRAINED, Mode.DRAINING):
            return replace(asked, mode=Mode.AUTO)
    return asked


def next_intent(intent: Intent, follows: Mode) -> Intent | None:
    """Return the intent of the stage that follows, None where none is in force then."""
    if follows is Mode.AUTO:
        return None
    return replace(intent, mode=follows, forced=False, insisted=False)
