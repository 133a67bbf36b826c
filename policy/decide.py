"""The one precedence rule: operator, then guard, then watchdog -> Decision(route or none, reason)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from policy.health import Health
from policy.intent import Mode

if TYPE_CHECKING:
    from policy.health import AddressHealth
    from policy.intent import Intent
    from policy.route import Prefix, Route
    from policy.topology import Address


class Cause(StrEnum):
    """Who decided."""

    OPERATOR = "operator"
    GUARD = "guard"
    HEALTH = "health"
    LAST = "last"
    """Its health is bad, and no other data centre announces it, as far as is known: see `policy.last`."""
    ASKING = "asking"
    """Its health is bad, and the other machines of the site are asked whether one announces it: see `policy.standing`."""
    ADDRESS = "address"
    """The address is not on this machine, so another one has it."""
    DAMPING = "damping"
    """The VIP flapped, and is held down although its health is good again."""
    HOLD = "hold"
    """Health is unknown, so the last known state stays."""
    PREFERENCE = "preference"
    """Other data centres announce it, and this one does not."""
    MEMBERS = "members"
    """An aggregate goes by what is decided of the VIPs' prefixes in it."""
    AGGREGATE = "aggregate"
    """An aggregate with `summary_only` keeps the prefix back, and stands for it."""
    SITE = "site"
    """The orders of the whole site were never read, and it is not announced yet: see `policy.first_reading`."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with one prefix: announce `route`, or withdraw where it is None. And why."""

    prefix: Prefix
    route: Route | None
    cause: Cause
    reason: str


def elsewhere(address: Address) -> Decision:
    """Decide for a prefix that only other data centres announce: whatever an operator or health says."""
    reason = f"not announced here: only {', '.join(address.prefer)}"
    return Decision(address.prefix, None, Cause.PREFERENCE, reason)


def decide(
    route: Route,
    intent: Intent | None,
    health: AddressHealth | None,
    *,
    was_announced: bool,
    here: bool = True,
    damped: str = "",
) -> Decision:
    """Decide for one prefix. The guard may restrain the result.

    Args:
        route: what this data centre announces when it announces; for an intent that is soft, while it drains.
        intent: the operator's intent in force, None for auto.
        health: the watchdog's verdict, None where health is not checked.
        was_announced: whether the prefix was announced when its health was last known.
        here: whether its address is on this machine, or need not be.
        damped: until when it is held down for having flapped, in words; empty where it is not.
    """
    announced: Route | None = route
    if intent is not None and intent.is_soft and not intent.forced:
        alone = decide(route, None, health, was_announced=was_announced, here=here, damped=damped)
        return replace(alone, reason=f"{intent}; {alone.reason}")
    if intent is not None and intent.mode is not Mode.AUTO:
        announced = None if intent.mode is Mode.DRAINED else route
        return Decision(route.prefix, announced, Cause.OPERATOR, str(intent))
    if not here:
        return Decision(route.prefix, None, Cause.ADDRESS, "address not on this machine")
    if health is None:
        return Decision(route.prefix, route, Cause.HEALTH, "health is not checked")
    if damped and health.health is not Health.DOWN:
        reason = f"damped: {damped}; health {health.health}: {health.reason}"
        return Decision(route.prefix, None, Cause.DAMPING, reason)
    if health.health is Health.UNKNOWN:
        announced = route if was_announced else None
        state = "announced" if was_announced else "withdrawn"
        reason = f"health unknown, held {state}: {health.reason}"
        return Decision(route.prefix, announced, Cause.HOLD, reason)
    announced = route if health.health is Health.UP else None
    return Decision(route.prefix, announced, Cause.HEALTH, f"{health.health}: {health.reason}")
