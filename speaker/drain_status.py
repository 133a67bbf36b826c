"""DrainStatus: the stage of a soft drain, as a watchdog answers with it, with its JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Strict

from speaker.json_value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainStatus(Value):
    """The stage of a soft drain. `stage` is draining, drained (at the end of one) or returning.

    `began`: when the daemon was first read to have it so, None before. `ends`: when it is over at the latest; where it
    `stays`, nothing is cut then. `returns`: the operator's, or the report's, time is over first: what drains comes back at `ends`. `few`: how many active connections are few enough. `connections`
    are active and `inactive` all others, None where they are not known, which `unknown` says why. `left`:
    how many were active when it was withdrawn, None where that is not known. `force`: it drains on, whatever becomes of who takes over.
    """

    stage: Annotated[str, Strict()]
    began: Annotated[float, Strict()] | None = None
    ends: Annotated[float, Strict()] | None = None
    stays: Annotated[bool, Strict()] = False
    returns: Annotated[bool, Strict()] = False
    few: Annotated[int, Strict()] = 0
    connections: Annotated[int, Strict()] | None = None
    inactive: Annotated[int, Strict()] | None = None
    left: Annotated[int, Strict()] | None = None
    unknown: Annotated[str, Strict()] = ""
    force: Annotated[bool, Strict()] = False


STAYS = "it stays announced softly"
"""What becomes of a drain at its time limit with `then = "stay"`."""


def insisted(drains: Sequence[DrainStatus]) -> str:
    """Say that all of some drains go on, whatever becomes of who takes over; nothing where one does not."""
    return ", even if who takes over dies (--force)" if all(d.force for d in drains) else ""
