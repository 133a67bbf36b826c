"""What this machine tells of the prefixes, and when it must not: so that nobody counts on what may be withdrawn.

What is told is what was read back. Who has not read what the others say may withdraw without asking them (see `policy.last`): so nobody is
told of what this machine has begun to announce before it has. While a transaction is under way by which this machine says that it does not announce a prefix, nothing
else is told of it: that would stand when the leave comes. From the leave on it is told as not announced, until it is to be announced again;
and then nothing that was seen before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from speaker.site.base import Compare, Put
from speaker.site.keys import KeyKind, SiteKey
from speaker.site.known import NOT_STORED
from speaker.site.showing import NOT_ANNOUNCED, NOT_SEEN_YET, says_announced

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from policy.route import Prefix
    from policy.standing import Ask
    from speaker.site.known import Known, OwnKey
    from speaker.site.obeying import Obeying


class OwnWords:
    """This machine's words.

    Args:
        known: what etcd has.
        obeying: has what was read back.
        tell: is called when something else is to be told.
        is_hearing: whether what is known is what etcd has now.
    """

    def __init__(
        self,
        known: Known,
        obeying: Obeying,
        tell: Callable[[], object],
        is_hearing: Callable[[], bool],
    ) -> None:
        self._known, self._obeying, self._tell = known, obeying, tell
        self._is_hearing = is_hearing
        self._asked: set[Prefix] = set()

    def states(self) -> Mapping[SiteKey, bytes]:
        """Return what is told of all prefixes: each as it is in the moment in which it is looked up."""
        return OwnStates(self.word, self._obeying.states)

    def word(self, key: SiteKey) -> bytes:
        """Return what is told of a prefix now.

        Raises:
            KeyError: nothing is.
        """
        if key.prefix in self._asked:
            return self._stored(key)
        text = self._obeying.states()[key]
        return text if self._is_hearing() or not says_announced(text) else self._stored(key)

    def _stored(self, key: SiteKey) -> bytes:
        return self._known.own.get(key, NOT_STORED).text or NOT_SEEN_YET

    def revision(self, prefix: Prefix) -> int:
        """Return at which revision the word of a prefix was stored, as far as it is known; 0 where there is none."""
        return self._own(prefix).modified

    def transaction(self, prefix: Prefix, ask: Ask, lease: int) -> tuple[list[Compare], Put]:
        """Return what must be so, and what is stored then: that this machine does not announce a prefix."""
        own = f"{self._known.prefix}{self._key(prefix)}"
        other = f"{self._known.prefix}{SiteKey(KeyKind.STATE, ask.other.by, prefix)}"
        compares = [Compare(own, ask.own), Compare(other, ask.other.modified)]
        return compares, Put(own, NOT_ANNOUNCED, lease)

    def asks(self, prefixes: Collection[Prefix]) -> None:
        """Note that such transactions are under way."""
        self._asked |= {*prefixes}

    def answered(self, prefixes: Collection[Prefix]) -> None:
        """Note that it is known what came of them."""
        self._asked -= {*prefixes}
        self._tell()

    def stood_down(self, prefix: Prefix, revision: int) -> None:
        """Note that one was done, at a revision."""
        self._obeying.stand_down(prefix)
        self._known.wrote({self._key(prefix): NOT_ANNOUNCED}, revision)

    def stands_again(self, prefix: Prefix) -> None:
        """Note that a prefix is to be announced again."""
        self._obeying.stand_again(prefix)

    def _own(self, prefix: Prefix) -> OwnKey:
        return self._known.own.get(self._key(prefix), NOT_STORED)

    def _key(self, prefix: Prefix) -> SiteKey:
        return SiteKey(KeyKind.STATE, self._known.here, prefix)


class OwnStates(Mapping["SiteKey", bytes]):
    """What is told of prefixes, looked up as it is asked for: who compares thousands does so in steps, in which it may change.

    Args:
        word: returns what is told of a prefix, or raises KeyError.
        states: has those of which something is told.
    """

    def __init__(
        self, word: Callable[[SiteKey], bytes], states: Callable[[], Mapping[SiteKey, bytes]]
    ) -> None:
        self._word, self._states = word, states

    def __getitem__(self, key: SiteKey) -> bytes:
        return self._word(key)

    def __iter__(self) -> Iterator[SiteKey]:
        return iter(self._states())

    def __len__(self) -> int:
        return len(self._states())
