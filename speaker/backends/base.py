"""What every backend promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from policy.plan import Change, Drift
    from policy.route import Prefix, Route
    from policy.witness import Witness


class BackendError(SpeakerError):
    """The daemon could not be asked, or its answer could not be understood."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A BGP neighbour. `up` is None where it is not known yet.

    `local_as` is the AS that we are on its session. `name` tells its session from all others, and
    is its address where no other session goes there. `reason`: why it is down and what to do, where
    the daemon tells.
    """

    address: str
    asn: int
    up: bool | None
    local_as: int
    name: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.address)


@dataclass(frozen=True, slots=True)
class Daemon:
    """The daemon that runs, as it is called with its version.

    `untested` says what to do where it is not a version that this program is tested with, and is
    empty where it is. What is not `known` may be understood wrongly, or not at all.
    """

    name: str
    untested: str = ""
    known: bool = True


SentTo = Mapping[str, bool | None]
"""Who was sent a prefix, by the session's name (`Peer.name`); only sessions that have its family.

True: the session is up, and was sent it, as read back. False: it is down, or it was sent nothing
or a withdrawal. None: not known.
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a daemon is to announce, read back: None for what it is not, and who was sent it.

    A prefix that `routes` lacks is unknown: there is no place to look. One that `sent` lacks may
    have been sent to anybody. Prefixes with the same answer share one mapping, because there may be
    many. `doubtful` are prefixes of which the daemon's word is no proof: their change must be asked
    for again, whatever was read. `trouble` is what is wrong with the daemon, in words. Where it is
    not `converged`, a session that comes up may still bring back what is withdrawn. `is_untidy` where
    the daemon has, or lacks, lines that are of no prefix alone: to apply nothing tidies them.
    """

    routes: Mapping[Prefix, Route | Drift | None]
    doubtful: Collection[Prefix] = field(default_factory=frozenset)
    trouble: str = ""
    converged: bool = True
    sent: Mapping[Prefix, SentTo] = field(default_factory=dict)
    is_untidy: bool = False


class Informed(Protocol):
    """What may be asked of a daemon's driver at any time: it tells what it knows already."""

    @property
    def read_interval(self) -> float:
        """How often to read although nothing changed, in seconds."""

    @property
    def owes_end_of_rib(self) -> bool:
        """Whether a session is to be told, and was not yet, when all that is wanted was announced."""

    def peers(self) -> Sequence[Peer]:
        """Return the neighbours, as far as they are known."""

    def daemon(self) -> Daemon | None:
        """Return which daemon it is, None where that is not known."""

    def heard(self) -> Sequence[Witness]:
        """Return the sessions that bring routes to us, and what they brought of our prefixes, as far as is known.

        The same object while nothing changes.
        """

    async def until_sent(self, prefixes: Collection[Prefix]) -> None:
        """Wait until the sessions that are up were sent what was accepted of some prefixes.

        Only where that can be seen without asking the daemon, and for about a second at most:
        what became of it, `read` tells.
        """


class Backend(Informed, Protocol):
    """A routing daemon that announces what it is told.

    Calls are not made at the same time. Both may take seconds, and may be called again at once.
    """

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        """Ask for changes, at most one to a prefix, and wait until the daemon has taken them.

        No changes are asked for where only what is untidy is to be tidied.

        Returns:
            The prefixes whose change failed or whose outcome is not known, with the reason.
            All others were accepted, which only `read` can prove.
        """

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        """Return what the daemon announces of `prefixes`.

        Raises:
            BackendError: it can't be read. Nothing is known then.
        """

    async def end_of_rib(self) -> None:
        """Tell the sessions to which that is owed that all that is wanted was announced (RFC 4724).

        Only where the daemon leaves that to us. Where it can't be done it is still owed.
        """
