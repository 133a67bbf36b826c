"""What a watchdog is asked for a whole site, and what it answers: values, with their JSON. See `speaker.api`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Protocol

from pydantic import Field, Strict

from policy.errors import PolicyError
from policy.site_intent import EVERYWHERE, Extent
from policy.site_members import CLOCK_OFF
from policy.site_view import Level  # noqa: TC001 - pydantic reads the form by it
from speaker.api import (
    Count,
    IntentOutcome,
    IntentRequest,
    MaybeTruth,
    Operations,
    RecordedIntent,
    Text,
    Time,
    Truth,
)
from speaker.json_value import Value
from speaker.site_words import DC, HERE, MACHINE, MAX_WITHIN, SITE

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
"""A machine's own name; see `speaker.config.schema_site`."""


def is_machine_name(text: str) -> bool:
    """Tell whether a text can be a machine's own name, and is no option where it stands as a word of a command."""
    return _NAME.fullmatch(text) is not None and not text.startswith("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOrder(IntentRequest):
    """An intent, and for whom it is; nothing for this machine alone, and an answer about that alone.

    `within`: for how long to wait for the others, in seconds; None for as long as vip.toml says. `own`: it overrules only what was
    asked so for the same reason, and no operator's word; see `policy.site_intent`.

    Raises:
        PolicyError: `own`, and not for a machine that is named.
    """

    extent: Text = ""
    within: Annotated[float, Strict(), Field(gt=0, le=MAX_WITHIN)] | None = None
    own: Truth = False

    def __post_init__(self) -> None:
        """Refuse what no order can be."""
        IntentRequest.__post_init__(self)
        if self.own and not self.extent.startswith(MACHINE):
            raise PolicyError(f"own: goes with an extent {MACHINE}NAME/MACHINE alone")

    def whom(self, here: Extent, dcs: Collection[str]) -> Extent:
        """Return for whom it is.

        Args:
            here: this machine.
            dcs: the names of all data centres.

        Raises:
            PolicyError: there is no such data centre.
        """
        if self.extent in ("", HERE):
            return here
        if self.extent == SITE:
            return EVERYWHERE
        kind, _, name = self.extent.partition(":")
        dc, _, machine = name.partition("/")
        is_dc, is_machine = kind == DC[:-1] and name == dc, kind == MACHINE[:-1]
        if dc not in dcs or not (is_dc or (is_machine and _NAME.fullmatch(machine))):
            raise PolicyError(
                f"extent: {self.extent[:80]!r}: must be {HERE}, {SITE}, {DC}NAME or {MACHINE}NAME/MACHINE of a data centre that "
                f"the watchdog has loaded ({', '.join([*dcs][:10])})"
            )
        return Extent(dc, machine)

    def body(self) -> dict[str, object]:
        """Return it as JSON, without what says no more than its absence: an older watchdog does not know that."""
        body = self.to_json()
        for name in ("last", "extent", "within", "own"):
            if not body[name]:
                del body[name]
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineReport(Value):
    """Whether a machine, `par1/lb1`, has confirmed that it obeys an order; and why not, in words.

    `unsent`: why nobody is sent what it announces by it, in words: no session of it is up.
    """

    machine: Text
    obeys: Truth
    why: Text = ""
    unsent: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteReport(Value):
    """What became of an order at all machines for which it is.

    `extent`: for whom, in words. `here`: this machine; `is_here`: whether it is among them. `committed`: whether etcd has it; else
    `trouble` says why not. `machines`: the live ones of the extent, with what each has confirmed after `within` seconds at most.
    `silent`: those of it from which nothing is heard, in words. `still`: what keeps some of them drained, in words.
    """

    extent: Text
    here: Text
    is_here: Truth
    committed: Truth
    trouble: Text = ""
    machines: tuple[MachineReport, ...] = ()
    silent: tuple[Text, ...] = ()
    still: tuple[Text, ...] = ()
    within: Time = 0.0


@dataclass(frozen=True, slots=True)
class Ordered:
    """What became of an order: of each prefix here, and at the machines of the site; None where it was for this machine alone."""

    outcomes: Sequence[IntentOutcome | RecordedIntent]
    site: SiteReport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineStatus(Value):
    """A machine of the site.

    `same_file`: whether its vip.toml has the same, but for what is a machine's own; None where that is not known. `clock_off`: by
    how many seconds its clock is ahead of this one's, None where that is not known. `silent_since`: since when nothing is heard
    from it, in seconds since the epoch. `differs`: of how many prefixes it has something else than was ordered; `why`: of one of them.
    """

    dc: Text
    machine: Text
    live: Truth
    version: Text = ""
    same_file: MaybeTruth = None
    clock_off: Annotated[float, Strict()] | None = None
    silent_since: Annotated[float, Strict()] | None = None
    differs: Count = 0
    why: Text = ""

    @property
    def name(self) -> str:
        """The data centre's and its own."""
        return f"{self.dc}/{self.machine}"

    @property
    def is_off(self) -> bool:
        """Whether its clock is known to be off."""
        return self.clock_off is not None and abs(self.clock_off) > CLOCK_OFF


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineState(Value):
    """What a machine said last of a prefix. `announced` is None where that is not known: also where it is silent."""

    machine: Text
    announced: MaybeTruth = None
    as_path: Text = ""
    health: Text = ""
    intent: Text = ""
    differs: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePrefix(Value):
    """A prefix at all machines that are to announce it. `why`: of its level, in words."""

    vip: Text
    prefix: Text
    level: Level
    why: Text = ""
    states: tuple[MachineState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteVip(Value):
    """A VIP whose prefixes are all announced by each machine that is to: those of these data centres."""

    vip: Text
    prefixes: Count
    dcs: tuple[Text, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteStatus(Value):
    """The site, as this machine knows it.

    `queued`: how many orders etcd is not known to have. `prefixes`: where not all was asked for, those that need attention, worst
    first, and `left` says how many more there are of each level; `well` are VIPs that need none, and `well_left` counts more of them.
    """

    dc: Text
    machine: Text
    connected: Truth
    trouble: Text = ""
    queued: Count = 0
    machines: tuple[MachineStatus, ...] = ()
    prefixes: tuple[SitePrefix, ...] = ()
    left: dict[Text, Count] = field(default_factory=dict)
    well: tuple[SiteVip, ...] = ()
    well_left: Count = 0


class SiteOperations(Operations, Protocol):
    """What can be asked of a machine of a site. All of it raises SpeakerError where there is no answer."""

    def order(self, order: SiteOrder) -> Ordered:
        """Apply an operator's intent for a machine, a data centre or all, durably; return what became of it."""
