"""One sentence of an explanation, and all that it is told from. Values."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from policy.cases import Facts
    from policy.decide import Decision
    from policy.guard import GuardMemory, GuardRule
    from policy.health import AddressHealth


class About(StrEnum):
    """What a sentence is about, in the order in which they are told."""

    DECISION = "decision"
    OPERATOR = "operator"
    SITE = "site"
    """An order of the site."""
    CHANGE = "change"
    """What would change the decision."""
    HEALTH = "health"
    SOURCE = "source"
    """What a source of the VIP's rule says."""
    SERVICE = "service"
    ADDRESS = "address"
    DAMPING = "damping"
    GUARD = "guard"
    PREFERENCE = "preference"
    PROFILE = "profile"
    DRAIN = "drain"
    """The stage of a soft drain."""
    PEER = "peer"
    SEEN = "seen"
    """A path at a witness."""


class Line(NamedTuple):
    """A sentence, and what it is about."""

    about: About
    text: str


class Decided(NamedTuple):
    """One prefix as it was decided, and now.

    `facts` and `health` are of its last judgement; `now` is seconds on the steady clock, `wall` since the epoch.
    `restrained` is what the guard remembers of all prefixes.
    """

    facts: Facts
    health: AddressHealth | None
    decision: Decision
    guard: GuardRule
    restrained: GuardMemory
    now: float
    wall: float
