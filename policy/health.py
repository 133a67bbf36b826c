"""What is known of a VIP's health, and the rules for judging it: values only."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, Self

from policy.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.damping import DampingRule
    from policy.route import Prefix
    from policy.rule import Rule, Said

_NEAR = 6
"""To how many digits a share of some counts as a whole number of them: 0.07 * 100 is one."""

PROTOCOLS = ("tcp", "udp", "sctp")
FWMARK = "fwmark"


class Health(StrEnum):
    """What is known of a VIP's address. Unknown is not down."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


class Need(StrEnum):
    """How many of an address's services must be up for the address to be up."""

    ALL = "all"
    ANY = "any"


@dataclass(frozen=True, slots=True, order=True)
class Service:
    """A virtual server of a VIP: `tcp/80`, `udp/53`, `sctp/2905`, or a firewall mark, `fwmark/8`.

    `number` is the port (0 is IPVS's port of persistent services for all ports) or the mark.
    """

    protocol: str
    number: int
    _hash: int = field(init=False, repr=False, compare=False)  # looked up in each cycle

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.protocol, self.number)))
        limit = 2**32 - 1 if self.protocol == FWMARK else 2**16 - 1
        if self.protocol in (*PROTOCOLS, FWMARK) and not 0 <= self.number <= limit:
            kind = "mark" if self.protocol == FWMARK else "port"
            raise PolicyError(
                f"service: {self}: {self.number} is no {kind} from 0 to {limit}; correct it"
            )
        if self.protocol not in (*PROTOCOLS, FWMARK):
            raise PolicyError(
                f"service: {self}: not of the form tcp/80, udp/53, sctp/2905 or fwmark/8"
            )

    @classmethod
    @lru_cache(maxsize=1_000)
    def parse(cls, text: str) -> Self:
        """Parse `tcp/80`."""
        match = re.fullmatch(r"([a-z]+)/([0-9]{1,10})", text)
        if match is None:
            raise PolicyError(
                f"service: {text!r}: not of the form tcp/80, udp/53, sctp/2905 or fwmark/8"
            )
        return cls(match[1], int(match[2]))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return f"{self.protocol}/{self.number}"


@dataclass(frozen=True, slots=True)
class Checker:
    """The program that checks the realservers and keeps the table of services: keepalived.

    `started` is when (seconds on the steady clock); None where it does not run.
    """

    started: float | None = None

    @property
    def running(self) -> bool:
        """Whether it runs: nothing keeps the table otherwise."""
        return self.started is not None


@dataclass(frozen=True, slots=True)
class Presence:
    """Which of the prefixes that must be on this machine are: some address of theirs is.

    `here` is None where that was never known; with a `trouble` it may be what was known last.
    """

    here: frozenset[Prefix] | None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a health source saw at one moment.

    `live` maps a prefix to its services and the number of live realservers of each. A prefix
    that is not in it is unknown, and `unknown` says why: of all of them, where `doubts` does not tell of that one
    alone. A prefix with no services was looked for and has none. `checker` and `presence` are None where they were
    not asked for. `unsettled`: something is changing right now and should be looked at again at once. `said` is what
    the other sources of rules say, of each prefix that has any: while nothing changes of it, it is the same object.
    """

    live: Mapping[Prefix, Mapping[Service, int]]
    unknown: str = ""
    checker: Checker | None = None
    unsettled: bool = False
    presence: Presence | None = None
    said: Mapping[Prefix, Mapping[str, Said]] = field(default_factory=dict)
    doubts: Mapping[Prefix, str] = field(default_factory=dict)

    def doubt(self, prefix: Prefix) -> str:
        """Return why a prefix is unknown; nothing where it is known."""
        return "" if prefix in self.live else self.doubts.get(prefix, self.unknown)


def so_many(share: float, of: int) -> int:
    """Return how many of some must be up where at least a share of them (0 to 1) must: one at least."""
    return max(ceil(round(share * of, _NEAR)), 1)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a service goes down and comes back. Counts of live realservers; times in seconds.

    Between `drop_at` and `restore_at` it stays what it was.
    """

    drop_at: int = 0
    restore_at: int = 1
    fall: float = 0.0
    rise: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.drop_at < self.restore_at:
            raise PolicyError(
                f"drop_at = {self.drop_at}, restore_at = {self.restore_at}: "
                "drop_at must be 0 or more, and restore_at greater than it",
                of="health",
            )
        if self.fall < 0 or self.rise < 0:
            raise PolicyError(f"fall = {self.fall}, rise = {self.rise}: not negative", of="health")


@dataclass(frozen=True, slots=True)
class CheckerRule:
    """What a checker's end and start mean for the services that it keeps. Times in seconds.

    Attributes:
        required: whether a table without a running checker is worth nothing.
        restart_grace: how long a service that vanished may still come back.
        warm_up: how long after its start the checker has not yet checked all.
    """

    required: bool = False
    restart_grace: float = 0.0
    warm_up: float = 0.0

    def __post_init__(self) -> None:
        if self.restart_grace < 0 or self.warm_up < 0:
            raise PolicyError(
                f"health: restart_grace = {self.restart_grace}, warm_up = {self.warm_up}: "
                "not negative"
            )


@dataclass(frozen=True, slots=True)
class HealthRule:
    """How a VIP's addresses are judged: thresholds, those of single services, and how many must be up.

    Services named in `required` must exist; where none is named, those that exist count. With
    `require_address`, the address must be on this machine besides; with `damping`, a VIP that flaps
    is held down. With a `rule`, that decides, and the services are one of its sources.
    """

    thresholds: Thresholds = field(default_factory=Thresholds)
    need: Need = Need.ALL
    required: Mapping[Service, Thresholds] = field(default_factory=dict)
    checker: CheckerRule = field(default_factory=CheckerRule)
    require_address: bool = False
    damping: DampingRule | None = None
    rule: Rule | None = None
    _hash: int = field(init=False, repr=False, compare=False)  # looked up in each cycle

    def __post_init__(self) -> None:
        required = frozenset(self.required.items())
        alone = (self.thresholds, self.need, self.checker, self.require_address, self.damping)
        object.__setattr__(self, "_hash", hash((required, *alone, self.rule)))

    def __hash__(self) -> int:
        return self._hash

    def of(self, service: Service) -> Thresholds:
        """Return the thresholds that hold for a service."""
        return self.required.get(service, self.thresholds)


class State(StrEnum):
    """What a service is, between two looks. See `policy/service_state.py` for how it changes."""

    NEW = "new"
    """Nothing is remembered of it."""
    UP = "up"
    FALLING = "falling"
    """Up, and has too few realservers."""
    MISSING = "missing"
    """Up, and not in IPVS; it may come back."""
    LOST = "lost"
    """Up, and not in IPVS for so long that it falls."""
    RETURNED = "returned"
    """Up, and in IPVS again with too few; they may not have been checked."""
    DOWN = "down"
    GONE = "gone"
    """Down, and not in IPVS."""
    APPEARED = "appeared"
    """Down, and in IPVS again; it is not believed yet."""
    RISING = "rising"
    """Down, and has enough realservers."""


_UP_STATES = {State.UP, State.FALLING, State.MISSING, State.LOST, State.RETURNED}


@dataclass(frozen=True, slots=True)
class ServiceMemory:
    """What must be remembered of a service between two looks. Times are on the steady clock.

    Attributes:
        state: what it is.
        since: since when it falls or rises, or when it returned or appeared; else None.
        gone_since: when it was first missed: while it is not in IPVS, and until it is believed again.
        proven_at: when the checker that runs now was first seen to have filled it.
    """

    state: State
    since: float | None = None
    gone_since: float | None = None
    proven_at: float | None = None

    @property
    def up(self) -> bool:
        """What it is taken for while nothing is known."""
        return self.state in _UP_STATES


NEW = ServiceMemory(State.NEW)


@dataclass(frozen=True, slots=True)
class AddressHealth:
    """The verdict on one address: health, live realservers in all its services, and the reason."""

    health: Health
    realservers: int | None
    reason: str
    memory: Mapping[Service, ServiceMemory] = field(default_factory=dict)
    look_again: float | None = None
    """When time alone may change the verdict (seconds on the steady clock), if it may."""
    settling: bool = False
    """Whether it is unknown only because those that its rule asks have not answered often enough yet."""
