"""What etcd has, as far as it was read and heard of since: where its revision stands, whose keys are how old."""

from __future__ import annotations

import asyncio
from heapq import nlargest
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from speaker.site.base import Compare
from speaker.site.heard import sort_out
from speaker.site.keys import KeyKind, SiteKey
from speaker.site.members import Members, machines_of, states_of
from speaker.site.told import MachineTold, StateTold, ToldError, parse_told
from speaker.supervision.bell import Bell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.route import Prefix
    from policy.site_intent import Extent
    from policy.site_members import MemberState
    from speaker.site.base import Changed, Contents
    from speaker.site.heard import HeardKeys
    from speaker.site.members import BothClocks
    from speaker.site.told import ToldValue


STEP = 500
"""How many keys are gone through in a step of the event loop."""
LATEST = 20
"""How many of the latest intents' keys are looked at to tell whether etcd is the one that is known."""


class OwnKey(NamedTuple):
    """A key of this machine: what is stored there with its lease, None where it is not, and at which revision."""

    text: bytes | None
    modified: int


NOT_STORED = OwnKey(None, 0)


class ReadKeys(NamedTuple):
    """All that was read, sorted out.

    Attributes:
        revision: as of which.
        heard: what it is.
        latest: the latest of its intents' keys, the latest last.
        own: this machine's keys.
        machines: what machines tell of themselves, and at which revision.
        states: what they tell of prefixes.
    """

    revision: int
    heard: HeardKeys
    latest: dict[SiteKey, int]
    own: dict[SiteKey, OwnKey]
    machines: Mapping[SiteKey, tuple[ToldValue, int]]
    states: dict[Prefix, dict[Extent, MemberState]]


class Known:
    """What etcd has below a prefix.

    Attributes:
        members: what the machines tell.
        revision: up to which it is known.
        asked_at: at which revision something was asked last.
        asked: at which revision the key of each intent was stored, where it was.
        latest: those of it that were stored last.
        own: this machine's keys.
        faults: the keys that make no sense, and why.
        rivalled: when another process told of a machine of this name last (steady clock).
        bell: rings whenever any of it changes.
    """

    def __init__(self, here: Extent, prefix: str, process: str = "") -> None:
        self.here, self.prefix, self._process = here, prefix, process
        self.members, self.bell = Members(), Bell()
        self.revision = self.asked_at = 0
        self.asked: dict[SiteKey, int] = {}
        self.latest: dict[SiteKey, int] = {}
        self.own: dict[SiteKey, OwnKey] = {}
        self.faults: dict[str, str] = {}
        self.rivalled = -inf

    def sorted_out(self, contents: Contents, lease: int) -> ReadKeys:
        """Sort out all that was read. It takes its time: not for the event loop.

        Args:
            contents: what was read.
            lease: this machine's; 0 where it has none.
        """
        heard = sort_out(
            ((item.key, item.value, item.modified) for item in contents.items), self.prefix
        )
        ours = {f"{self.prefix}{key}": key for key in heard.told if key.extent == self.here}
        own = {
            ours[item.key]: OwnKey(
                item.value if lease and item.lease == lease else None, item.modified
            )
            for item in contents.items
            if item.key in ours
        }
        latest = dict(reversed(nlargest(LATEST, heard.modified.items(), key=lambda each: each[1])))
        machines, states = machines_of(heard.told), states_of(heard.told)
        return ReadKeys(contents.revision, heard, latest, own, machines, states)

    def begin(self, reading: ReadKeys, now: BothClocks) -> None:
        """Take over all that was read.

        Args:
            reading: that.
            now: when.
        """
        self.revision = reading.revision
        self.latest, self.asked_at = reading.latest, max(reading.latest.values(), default=0)
        self.asked, self.faults, self.own = (
            reading.heard.modified,
            reading.heard.faults,
            reading.own,
        )
        self.members.begin(reading.machines, reading.states, now)
        self.bell.ring()

    def heard(self, changes: Sequence[Changed], now: BothClocks) -> HeardKeys:
        """Take over what happened at a revision. Return it, sorted out, without what was known already."""
        if not changes:
            return sort_out((), self.prefix)
        items = [(each.key, each.value, each.revision) for each in changes]
        found = sort_out(items, self.prefix)
        values = {each.key: each for each in changes}
        self.revision = max(self.revision, *(each.revision for each in changes))
        if found.modified:
            self.asked_at = self.revision
        for key, modified in [*found.modified.items()]:
            if modified and self.asked.get(key) == modified and key.prefix is not None:
                found.intents.pop((key.extent, key.prefix), None)  # this machine's own word
            self.stored_at({key: modified})
        for key, (told, revision) in found.told.items():
            self.members.heard(key, told, revision, now)
            if key.extent == self.here:
                self._own(key, values[f"{self.prefix}{key}"])
                if isinstance(told, MachineTold) and told.process != self._process:
                    self.rivalled = now.steady
        for text in found.sound:
            self.faults.pop(text, None)
        self.faults |= found.faults
        self.bell.ring()
        return found

    def _own(self, key: SiteKey, change: Changed) -> None:
        if change.value is None:
            self.own.pop(key, None)
        elif self.own.get(key, NOT_STORED).modified < change.revision:
            self.own[key] = OwnKey(change.value, change.revision)

    def stored_at(self, keys: Mapping[SiteKey, int]) -> None:
        """Note at which revisions keys of intents were stored; 0: they are gone."""
        self.asked |= keys
        for key, modified in keys.items():
            self.latest.pop(key, None)
            self.latest[key] = modified
        while len(self.latest) > LATEST:
            del self.latest[next(iter(self.latest))]

    def as_known(self) -> list[Compare]:
        """Return what must be so, if etcd is still the one that is known: the keys of the latest intents, and this machine's own.

        An etcd that was restored from an old copy counts its revisions again from there: who has not noticed knows another history.
        """
        machine = SiteKey(KeyKind.MACHINE, self.here)
        own = {machine: self.own[machine].modified} if machine in self.own else {}
        return [Compare(f"{self.prefix}{k}", at) for k, at in (self.latest | own).items()]

    def wrote(self, texts: Mapping[SiteKey, bytes | None], revision: int) -> None:
        """Note what this machine stored of itself, or removed, at a revision."""
        for key, text in texts.items():
            if self.own.get(key, NOT_STORED).modified > revision:
                continue  # something later was heard already
            if text is None:
                self.own.pop(key, None)
            else:
                self.own[key] = OwnKey(text, revision)
            if key.kind is KeyKind.STATE:
                self.members.heard(key, _state(text), revision, None)
        self.bell.ring()

    async def disown(self) -> None:
        """Note that what this machine stored has a lease that is over: all must be stored again. So many keys in a step."""
        keys = iter([*self.own])
        while some := [*islice(keys, STEP)]:
            self.own |= {k: OwnKey(None, self.own[k].modified) for k in some if k in self.own}
            await asyncio.sleep(0)


def _state(text: bytes | None) -> StateTold | None:
    try:
        return None if text is None else parse_told(StateTold, text)
    except ToldError:
        return None
