"""The last one standing, exactly: a machine withdraws for bad health by a transaction over what each says of itself. Pure.

Theory of operation. Of each prefix every machine has a word in etcd: whether it announces it. Two rules make the words good for
something. A machine says `true` only once that is confirmed, while it wants to announce, and has no leave to withdraw; and before it withdraws for bad
health it says `false`, by a transaction that is done only where another machine's word is still the very `true` that was
read, and its own is the one that was read. That it was done is its leave, which lasts until it is to announce again.

Why some machine always announces, while each withdraws by leave alone: suppose none does. Of the last leaves that the
machines had, take the one that was given last. At that moment another machine said `true`, so it announced, and had no
leave; it has withdrawn since, so it was given a leave later than the last one. Of two that ask in the same instant one is
first, the other one's transaction is not done; it reads again, finds nobody, and stays. Nothing of it needs a clock, a leader or a
lock that must be let go of; a word that comes late makes a machine stay that could have gone, never the reverse.

What it leaves. A word lasts as long as the lease of its machine: one that died, or is cut off from etcd, counts as announcing until then
(`ttl`). Who was the last one when etcd went away stays so, unless a witness has another data centre's path. Who gets no
answer within `patience` goes by witnesses, as without etcd (`policy.last`). And only bad health asks: what an operator
drains, or what goes with its address, is withdrawn without a word to anyone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policy.site_intent import Extent


class LeaveVerdict(StrEnum):
    """Whether a prefix may be withdrawn for bad health.

    ASKING: not yet. GRANTED: another machine announces it for certain. LAST: no other one does. UNKNOWN: etcd does not say.
    """

    ASKING = "asking"
    GRANTED = "granted"
    LAST = "last"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Word:
    """What a machine says of a prefix, None where it does not know; and at which of etcd's revisions it said so."""

    by: Extent
    announced: bool | None
    modified: int


@dataclass(frozen=True, slots=True)
class Words:
    """What was read of a prefix last: the revision of our own word, 0 where there is none; and the others' words."""

    own: int = 0
    others: tuple[Word, ...] = ()

    @property
    def announcing(self) -> tuple[Word, ...]:
        """The words of those that announce it."""
        return tuple(word for word in self.others if word.announced)


@dataclass(frozen=True, slots=True)
class Ask:
    """A transaction: say `false`, if our own word and another one's `true` are still those that were read."""

    own: int
    other: Word

    def is_of(self, words: Words) -> bool:
        """Tell whether what must be so is what was read last."""
        return self.own == words.own and self.other in words.others


@dataclass(frozen=True, slots=True)
class LeaveCase:
    """How far a machine has come with asking for one prefix.

    `since`: when it began to ask what is not answered yet (steady clock). `ask`: what it asked last, and whether that `is_open`.
    `was_last`: whether nobody else announced it by what was read last: that stands until something else is read.
    """

    since: float | None = None
    ask: Ask | None = None
    is_open: bool = False
    granted: bool = False
    was_last: bool = False

    def looked(self, words: Words | None, now: float) -> LeaveCase:
        """Return what it is once the words were read; None where etcd can't be reached."""
        if self.granted:
            return self
        if words is not None and not words.announcing:
            return replace(self, since=None, was_last=True)
        asking = self if words is None else replace(self, was_last=False)
        return replace(asking, since=now) if self.since is None else asking

    def next(self, words: Words | None) -> Ask | None:
        """Return what to ask now. What was not done is not asked again before it was read what had changed."""
        if words is None or self.granted or self.is_open or not (found := words.announcing):
            return None
        if self.ask is not None and self.ask.is_of(words):
            return None
        return Ask(words.own, found[0])

    def asked(self, ask: Ask) -> LeaveCase:
        """Return what it is once that was asked."""
        return replace(self, ask=ask, is_open=True)

    def answered(self, ask: Ask, *, done: bool | None) -> LeaveCase:
        """Return what it is once that was answered.

        Args:
            ask: what was asked.
            done: whether it was done; None where there was no answer: it may be done yet, and is asked again.
        """
        if ask != self.ask or self.granted:
            return self
        return replace(self, ask=None if done is None else ask, is_open=False, granted=bool(done))

    def verdict(self, words: Words | None, now: float, patience: float) -> LeaveVerdict:
        """Return whether it may withdraw.

        Args:
            words: what was read last; None where etcd can't be reached.
            now: seconds on the steady clock.
            patience: for how long an answer is waited for, in seconds.
        """
        if self.granted:
            return LeaveVerdict.GRANTED
        # Where etcd can't be reached, nobody is known to have come since: who was the last one stays.
        is_last = self.was_last if words is None else not words.announcing
        if is_last:
            return LeaveVerdict.LAST
        waited = 0.0 if self.since is None else now - self.since
        return LeaveVerdict.ASKING if waited < patience else LeaveVerdict.UNKNOWN


NOT_ASKED = LeaveCase()


def own_word(
    asking: LeaveCase | None, *, announced: bool | None, wanted: bool, before: bool | None
) -> bool | None:
    """Return what a machine may say of itself.

    Args:
        asking: how far it has come with asking to withdraw it; None where it does not ask.
        announced: whether it was read back after its last change that it is announced; None where that is not known.
        wanted: whether it is decided to be announced.
        before: what it says now; None, too, where that is not looked at: then what is about to go is not known.

    Returns:
        `true` only where no one can be misled by it; `false` where it is not announced, or was given leave to withdraw it.
    """
    if asking is not None and asking.granted:
        return False
    if asking is not None and asking.is_open:
        return before
    if announced and not wanted:
        return None if before else before
    return announced
