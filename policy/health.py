"""Counts of live realservers -> up, down or unknown, with hysteresis, rise and fall."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from policy.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.route import Prefix

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

    def __post_init__(self) -> None:
        limit = 2**32 - 1 if self.protocol == FWMARK else 2**16 - 1
        if self.protocol not in (*PROTOCOLS, FWMARK) or not 0 <= self.number <= limit:
            raise PolicyError(
                f"service: {self}: not of the form tcp/80, udp/53, sctp/2905 or fwmark/8"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `tcp/80`."""
        match = re.fullmatch(r"([a-z]+)/([0-9]{1,10})", text)
        if match is None:
            raise PolicyError(
                f"service: {text!r}: not of the form tcp/80, udp/53, sctp/2905 or fwmark/8"
            )
        return cls(match[1], int(match[2]))

    def __str__(self) -> str:
        return f"{self.protocol}/{self.number}"


@dataclass(frozen=True, slots=True)
class Observation:
    """What a health source saw at one moment.

    `live` maps a prefix to its services and the number of live realservers of each. A prefix
    that is not in it is unknown, and `unknown` says why. A prefix with no services was looked
    for and has none.
    """

    live: Mapping[Prefix, Mapping[Service, int]]
    unknown: str = ""


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
                f"health: drop_at = {self.drop_at}, restore_at = {self.restore_at}: "
                "drop_at must be 0 or more, and restore_at greater than it"
            )
        if self.fall < 0 or self.rise < 0:
            raise PolicyError(f"health: fall = {self.fall}, rise = {self.rise}: not negative")


@dataclass(frozen=True, slots=True)
class HealthRule:
    """How a VIP's addresses are judged: thresholds, those of single services, and how many must be up.

    Services named in `required` must exist; where none is named, those that exist count.
    """

    thresholds: Thresholds = field(default_factory=Thresholds)
    need: Need = Need.ALL
    required: Mapping[Service, Thresholds] = field(default_factory=dict)

    def of(self, service: Service) -> Thresholds:
        """Return the thresholds that hold for a service."""
        return self.required.get(service, self.thresholds)


@dataclass(frozen=True, slots=True)
class ServiceMemory:
    """What must be remembered of a service between two looks.

    `turning_since` is when the count began to say the opposite of `up` (seconds on the steady
    clock), None while it agrees.
    """

    up: bool
    turning_since: float | None = None


@dataclass(frozen=True, slots=True)
class AddressHealth:
    """The verdict on one address: health, live realservers in all its services, and the reason."""

    health: Health
    realservers: int | None
    reason: str
    memory: Mapping[Service, ServiceMemory] = field(default_factory=dict)
    look_again: float | None = None
    """When rise or fall will have passed (seconds on the steady clock), if one is running."""


def judge(
    rule: HealthRule,
    live: Mapping[Service, int] | None,
    memory: Mapping[Service, ServiceMemory],
    *,
    was_announced: bool,
    now: float,
    unknown: str = "",
) -> AddressHealth:
    """Judge one address by the live realservers of its services.

    Args:
        rule: the VIP's rule.
        live: live realservers per service; None where unknown.
        memory: what the last call gave for this address.
        was_announced: what a service without memory is taken to have been, where its count is
            between the thresholds.
        now: seconds on the steady clock.
        unknown: why `live` is None.
    """
    if live is None:
        return AddressHealth(Health.UNKNOWN, None, unknown or "not observed", memory)
    # Where none exists any more, those that were there have none alive: `fall` holds for that too.
    services = rule.required or live or memory
    if not services:
        return AddressHealth(Health.DOWN, 0, "0 realservers: no service exists")
    total = ups = 0
    look_again = None
    notes = []
    remembered = {}
    for service in services:
        count = live.get(service, 0)
        thresholds = rule.of(service)
        state = _remember(
            thresholds, count, memory.get(service), was_announced=was_announced, now=now
        )
        remembered[service] = state
        total += count
        ups += state.up
        if state.turning_since is not None:
            deadline = state.turning_since + _delay(thresholds, state)
            look_again = deadline if look_again is None else min(look_again, deadline)
            word = "falling" if state.up else "rising"
            notes.append(f"{service} {word} for {now - state.turning_since:.1f}s")
        elif not state.up:
            missing = "" if service in live else ", does not exist"
            notes.append(f"{service} down with {count}{missing}")
    up = ups == len(services) if rule.need is Need.ALL else ups > 0
    return AddressHealth(
        Health.UP if up else Health.DOWN, total, _reason(total, notes), remembered, look_again
    )


def _reason(total: int, notes: Sequence[str]) -> str:
    """Return `3 realservers`, and the services that are down or turning: at most three by name."""
    text = "1 realserver" if total == 1 else f"{total} realservers"
    if len(notes) > 3:
        notes = [*notes[:3], f"{len(notes) - 3} more"]
    return f"{text}: {', '.join(notes)}" if notes else text


def _remember(
    thresholds: Thresholds,
    count: int,
    last: ServiceMemory | None,
    *,
    was_announced: bool,
    now: float,
) -> ServiceMemory:
    good = count >= thresholds.restore_at
    bad = count <= thresholds.drop_at
    if last is None:
        return ServiceMemory(up=good or (not bad and was_announced))
    if not (bad if last.up else good):
        return ServiceMemory(up=last.up)
    since = now if last.turning_since is None else min(last.turning_since, now)
    turning = ServiceMemory(last.up, since)
    if now - since >= _delay(thresholds, turning):
        return ServiceMemory(up=not last.up)
    return turning


def _delay(thresholds: Thresholds, state: ServiceMemory) -> float:
    return thresholds.fall if state.up else thresholds.rise
