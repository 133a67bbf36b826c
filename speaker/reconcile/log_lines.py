"""A change as a line of the log, in the words of the shell toolkit that operators grep for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.decide import Cause
from policy.plan import Announce

if TYPE_CHECKING:
    from policy.decide import Decision
    from policy.health import AddressHealth, HealthRule
    from policy.plan import Change
    from policy.route import Prefix


def change(what: Change, decision: Decision, health: AddressHealth | None, rule: HealthRule) -> str:
    """Return the line for a change that the daemon accepted, and why it was made.

    The toolkit knew realservers alone: where a rule decides, its reason is told.
    """
    announce = isinstance(what, Announce)
    action = "add route" if announce else "delete route"
    prefix = what.prefix
    where = prefix.network_address if prefix.prefixlen == prefix.max_prefixlen else prefix
    if decision.cause is Cause.HEALTH and health is not None and rule.rule is None:
        count = f"more than {rule.thresholds.restore_at}" if announce else f"{health.realservers}"
        return f"{count} realservers available behind {where} > {action}"
    return f"{where}: {decision.reason} > {action}"


def left(prefix: Prefix) -> str:
    """Return the line for a prefix that left the configuration."""
    return f"{prefix}: not in the configuration any more > delete route"
