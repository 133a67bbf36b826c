"""What every backend promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from policy.plan import Change, Drift
    from policy.route import Prefix, Route


class BackendError(SpeakerError):
    """The daemon could not be asked, or its answer could not be understood."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A BGP neighbour. `up` is None where it is not known yet."""

    address: str
    asn: int
    up: bool | None


class Backend(Protocol):
    """A routing daemon that announces what it is told.

    Calls are not made at the same time. Both may take seconds, and may be called again at once.
    """

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        """Ask for changes, at most one to a prefix, and wait until the daemon has taken them.

        Returns:
            The prefixes whose change failed or whose outcome is not known, with the reason.
            All others were accepted, which only `read` can prove.
        """

    async def read(self, prefixes: Collection[Prefix]) -> Mapping[Prefix, Route | Drift | None]:
        """Return what the daemon announces of `prefixes`, None for those that it does not.

        Raises:
            BackendError: it can't be read. Nothing is known then.
        """

    def peers(self) -> Sequence[Peer]:
        """Return the neighbours, as far as they are known."""
