"""What is needed of etcd: the contract that its client, and what stands in for it in tests, keep."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    Causes = Mapping[str, Sequence[str]]

SILENCE = 5.0
"""Seconds without a word after which a watch is broken."""
MAX_TRANSACTION = 100
"""How many comparisons, and how many changes, a transaction has at most."""


class EtcdError(SpeakerError):
    """etcd did not do what was asked. Whether it did some of it is not known, but for a `EtcdRefusedError`.

    Attributes:
        causes: why, whatever was asked; and which members said so, or said nothing. Empty where the text has all.
    """

    def __init__(self, text: str, causes: Causes | None = None) -> None:
        super().__init__(text)
        self.causes: Causes = causes or {}


class UnreachableError(EtcdError):
    """No member answered in time, or none has a leader. It may be done, or be done yet."""


class EtcdRefusedError(EtcdError):
    """A member refused: the certificate, user or right is wrong, or its disk is full. Nothing was done."""


class LeaseOverError(EtcdRefusedError):
    """What was to be stored has a lease that is over. Nothing was done: grant another."""


class CompactedError(EtcdError):
    """What happened since the revision that a watch asks for is not kept any more: all must be read again."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A key with its value. Revisions are etcd's; `lease` is 0 where it has none."""

    key: str
    value: bytes
    created: int
    modified: int
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Contents:
    """What a reading found, as it was at a revision.

    `cluster` tells one cluster from others. One that was restored from a copy may have the name that it had before:
    then only its revision tells, if that went back.
    """

    revision: int
    items: tuple[Stored, ...]
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Compare:
    """What must be so: a key was modified at this revision last; 0: there is none."""

    key: str
    modified: int


@dataclass(frozen=True, slots=True)
class Put:
    """Store a value; with a lease, for as long as that lasts."""

    key: str
    value: bytes
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a key, if there is one."""

    key: str


@dataclass(frozen=True, slots=True)
class Transacted:
    """What came of a transaction: done, at a revision; or not, since not all was so that must be."""

    done: bool
    revision: int


@dataclass(frozen=True, slots=True)
class Changed:
    """A key that was stored, or removed where `value` is None; at a revision."""

    key: str
    value: bytes | None
    revision: int


class Etcd(Protocol):
    """A cluster. Each method ends `within` so many seconds at most, with an `EtcdError` where it could not be done."""

    async def read(self, under: str, *, within: float) -> Contents:
        """Return all keys that begin with a text, as a majority has them: in pages, as of one revision."""
        ...

    async def transact(
        self, compares: Sequence[Compare], then: Sequence[Put | Delete], *, within: float
    ) -> Transacted:
        """Do all, if all is so; at most `MAX_TRANSACTION` of each, and no key twice in `then`.

        Raises:
            LeaseOverError: a lease of what is to be stored is over.
            ValueError: they are too many, or a key is there twice.
            EtcdError: it was not done, or nobody said that it was.
        """
        ...

    def watch(self, under: str, since: int) -> AsyncGenerator[Sequence[Changed], None]:
        """Yield what happens to the keys that begin with a text from a revision on, in order, until closed.

        Close it (`contextlib.aclosing`) where it is not read to its error. What happens at one revision is in one item. Also
        an empty item now and then, where nothing happens: who hears nothing for `SILENCE` seconds hears no member any more,
        and gets an `UnreachableError`.

        Raises:
            CompactedError: it is not kept any more.
            EtcdError: it broke; ask again, from what was seen last.
        """
        ...

    async def grant(self, seconds: int, *, within: float) -> int:
        """Return a new lease, which lasts so long unless it is kept."""
        ...

    async def keep(self, lease: int, *, within: float) -> float:
        """Keep a lease, and return for how many seconds; 0 where it is over."""
        ...

    async def revoke(self, lease: int, *, within: float) -> None:
        """End a lease, and remove all that has it."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


def checked(compares: Sequence[Compare], then: Sequence[Put | Delete]) -> None:
    """Check a transaction's form.

    Raises:
        ValueError: it has too many parts, or changes a key twice.
    """
    if len(compares) > MAX_TRANSACTION or len(then) > MAX_TRANSACTION:
        raise ValueError(f"a transaction of {len(compares)} comparisons and {len(then)} changes")
    if len({each.key for each in then}) < len(then):
        raise ValueError("a transaction changes a key twice")


def by_revision(changes: Sequence[Changed]) -> Sequence[Sequence[Changed]]:
    """Return what happened, in order, by the revision at which it did."""
    return [[*group] for _, group in groupby(changes, key=lambda each: each.revision)]
