"""What the machines of a site tell of themselves, and what came of an order to several. Values, pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policy.intent import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.route import Prefix

CLOCK_OFF = 5.0
"""From how many seconds on another machine's clock is a fault."""


@dataclass(frozen=True, slots=True)
class Member:
    """A machine of the site, as it told last; what it did not tell is empty.

    Attributes:
        dc: its data centre.
        machine: its name there.
        live: whether it holds its lease.
        version: of this program, there.
        config: tells what its vip.toml says of the site from what another one says.
        clock_off: how many seconds its clock is ahead of this machine's, None where that is not known. Up to a second comes of the way.
        revision: all that etcd has up to it, it obeys; but for `differs`.
        differs: what it does not obey, and why. Where there is a text for None, any prefix may differ.
        unsent: what it obeys, and can't send to anybody, and why; None likewise.
        silent_since: since when it is not live, as far as it is known (seconds since the epoch).
        silent_at: the same on this machine's steady clock.
    """

    dc: str
    machine: str
    live: bool
    version: str = ""
    config: str = ""
    clock_off: float | None = None
    revision: int = 0
    differs: Mapping[Prefix | None, str] = field(default_factory=dict)
    unsent: Mapping[Prefix | None, str] = field(default_factory=dict)
    silent_since: float | None = None
    silent_at: float | None = None

    def why_not(self, prefix: Prefix) -> str:
        """Return why it does not obey what is asked of a prefix; nothing where it does, up to `revision`."""
        return self.differs.get(prefix) or self.differs.get(None, "")

    def why_unsent(self, prefix: Prefix) -> str:
        """Return why nobody is sent a prefix that it announces as asked; nothing where that is not so."""
        return self.unsent.get(prefix) or self.unsent.get(None, "")


@dataclass(frozen=True, slots=True)
class MemberState:
    """What a live machine told last of a prefix, as it read it back.

    Attributes:
        dc: its data centre.
        machine: its name there.
        announced: whether it announces it, None where it does not know.
        as_path: with which AS_PATH; empty where it announces none.
        health: up, down or unknown.
        intent: what it obeys, in words: the mode, by whom, and why.
        modified: etcd's revision of that.
    """

    dc: str
    machine: str
    announced: bool | None
    as_path: str = ""
    health: str = ""
    intent: str = ""
    modified: int = 0

    @property
    def drains(self) -> bool:
        """Whether what it obeys is a drain, of either kind."""
        return is_drain(self.intent)


def is_drain(intent: str) -> bool:
    """Tell whether an intent in words, as a machine tells it, is a drain, of either kind."""
    return intent.startswith((Mode.DRAINED, Mode.DRAINING))


@dataclass(frozen=True, slots=True)
class MemberOutcome:
    """Whether a machine obeys an order; else why not, in words. `unsent`: why nobody is sent what it announces by it, in words."""

    dc: str
    machine: str
    live: bool
    obeys: bool
    why: str = ""
    unsent: str = ""


@dataclass(frozen=True, slots=True)
class SiteOutcome:
    """What came of an order.

    Attributes:
        committed: whether etcd has it, at `revision`. Else it is recorded here, and handed on once etcd is there.
        revision: of etcd.
        members: the machines that it is for, this one among them where it is; the silent ones, too, as far as they are known.
        why: why it is not committed, in words.
    """

    committed: bool
    revision: int
    members: tuple[MemberOutcome, ...]
    why: str = ""

    @property
    def complete(self) -> bool:
        """Whether etcd has it, and each live machine obeys."""
        return self.committed and all(each.obeys for each in self.members if each.live)
