"""A VIP that flaps is held down longer each time: RFC 2439's figure of merit, here the penalty.

Each withdrawal for bad health adds to the penalty, which decays by half in each half-life. Above
`suppress` (RFC 2439: the cutoff threshold) the VIP is held down until the penalty is down to
`reuse`; a ceiling bounds the penalty so that this never takes longer than `max_suppress`. Below
half of `reuse` it is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp2, log2

from policy.errors import PolicyError

PENALTY = 1000.0
"""What a withdrawal adds, in the units of the router vendors."""


@dataclass(frozen=True, slots=True)
class DampingRule:
    """How flapping is damped. Times in seconds; `suppress` and `reuse` are penalties."""

    half_life: float = 120.0
    suppress: float = 3000.0
    reuse: float = 1000.0
    max_suppress: float = 600.0

    def __post_init__(self) -> None:
        if self.half_life <= 0 or self.max_suppress <= 0:
            raise PolicyError(
                f"half_life = {self.half_life}, max_suppress = {self.max_suppress}: "
                "must be greater than 0",
                of="damping",
            )
        if not 0 < self.reuse < self.suppress:
            raise PolicyError(
                f"reuse = {self.reuse:g}, suppress = {self.suppress:g}: reuse must be "
                "greater than 0, and suppress greater than reuse",
                of="damping",
            )
        if self.ceiling < self.suppress:
            raise PolicyError(
                f"suppress = {self.suppress:g} is never reached: max_suppress bounds the "
                f"penalty at {self.ceiling:.0f}; make max_suppress longer, or half_life shorter",
                of="damping",
            )

    @property
    def ceiling(self) -> float:
        """The highest penalty, from which it takes `max_suppress` to come down to `reuse`."""
        return self.reuse * exp2(min(self.max_suppress / self.half_life, 64.0))


@dataclass(frozen=True, slots=True)
class Damping:
    """What must be remembered of a prefix that was withdrawn for bad health.

    Attributes:
        penalty: at the last withdrawal.
        at: when that was (seconds on the steady clock).
        damped: whether the prefix has been held down since.
        up: whether its health was good when last known: only what is up can be withdrawn.
    """

    penalty: float
    at: float
    damped: bool
    up: bool

    def now(self, rule: DampingRule, now: float) -> float:
        """Return the penalty at some time. A clock that was set back does not raise it."""
        lives = max(now - self.at, 0.0) / rule.half_life
        penalty = min(self.penalty, rule.ceiling) * exp2(-min(lives, 1000.0))
        return penalty if penalty >= rule.reuse / 2 else 0.0

    def until(self, rule: DampingRule, now: float) -> float | None:
        """Return when the prefix may be announced again, None where it may now."""
        penalty = min(self.penalty, rule.ceiling)
        if not self.damped or penalty <= rule.reuse:
            return None
        end = min(self.at, now) + rule.half_life * log2(penalty / rule.reuse)
        return end if now < end else None


def withdrawn(rule: DampingRule, last: Damping | None, now: float) -> Damping:
    """Return what is to be remembered after one more withdrawal for bad health."""
    before = 0.0 if last is None else last.now(rule, now)
    penalty = min(before + PENALTY, rule.ceiling)
    held = last is not None and last.until(rule, now) is not None
    return Damping(penalty, now, damped=held or penalty >= rule.suppress, up=False)
