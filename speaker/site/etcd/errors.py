"""What it means that a member of etcd refuses: by gRPC's code and etcd's words, which the gateway hands on."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from speaker.printable import printable
from speaker.site.base import (
    CompactedError,
    EtcdError,
    EtcdRefusedError,
    LeaseOverError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHOWN = 200
"""How many characters of a member's words are shown."""


class GrpcCode(IntEnum):
    """Codes of gRPC that are told apart."""

    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    UNAUTHENTICATED = 16


class MemberError(EtcdError):
    """One member failed: another one may not. Its text has no object: who asks adds that."""


class NotAskedError(MemberError):
    """A member could not be asked: nothing was done there."""


class TlsError(NotAskedError):
    """A member and this machine don't trust one another."""


class TooMuchError(MemberError):
    """An answer is larger than is read of one."""


class TokenError(EtcdError):
    """The token that was shown is over, unknown, or older than a change of rights: log in again. Nothing was done."""


class NoLoginError(EtcdError):
    """The cluster has no users: nobody logs in."""


class LeaseExistsError(EtcdError):
    """There is a lease of this number already."""


def words(text: str) -> str:
    """Return a member's words as they are shown: on one line, and not many."""
    return printable(text.removeprefix("etcdserver: ")[:_SHOWN])


_MEANINGS: Sequence[tuple[GrpcCode, str, type[EtcdError], str]] = (
    (GrpcCode.UNAUTHENTICATED, "", TokenError, "log in again"),
    (GrpcCode.INVALID_ARGUMENT, "auth store is old", TokenError, "log in again"),
    (GrpcCode.INVALID_ARGUMENT, "user name is empty", TokenError, "log in"),
    (
        GrpcCode.INVALID_ARGUMENT,
        "authentication failed",
        EtcdRefusedError,
        "see site.user and its file",
    ),
    (GrpcCode.PERMISSION_DENIED, "", EtcdRefusedError, "give its role readwrite on site.prefix"),
    (GrpcCode.NOT_FOUND, "lease not found", LeaseOverError, "grant another"),
    (GrpcCode.OUT_OF_RANGE, "compacted", CompactedError, "read all again"),
    (
        GrpcCode.RESOURCE_EXHAUSTED,
        "space",
        EtcdRefusedError,
        "compact, defragment, disarm its alarm",
    ),
    (GrpcCode.FAILED_PRECONDITION, "not enabled", NoLoginError, "go on without a user"),
    (GrpcCode.FAILED_PRECONDITION, "already exists", LeaseExistsError, "use it"),
    (GrpcCode.INVALID_ARGUMENT, "", EtcdRefusedError, "see its version and log"),
    (GrpcCode.NOT_FOUND, "", EtcdRefusedError, "see its version and log"),
    (GrpcCode.FAILED_PRECONDITION, "", EtcdRefusedError, "see its version and log"),
    (GrpcCode.UNIMPLEMENTED, "", EtcdRefusedError, "see its version and log"),
)
"""By code and what the words have: which error it is, and what to do. The first that fits."""


def refusal(code: int, text: str) -> EtcdError:
    """Return the error that a member's refusal is.

    Args:
        code: gRPC's.
        text: what the member says.
    """
    for known, part, kind, remedy in _MEANINGS:
        if code == known and part in text:
            return kind(f"{words(text)}; {remedy}")
    # No leader, a time-out between members, too many requests: it may be done.
    return MemberError(words(text))
