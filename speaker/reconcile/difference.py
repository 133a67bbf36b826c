"""What would change now: the difference between what is decided and what the daemon announces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.plan import Announce, plan
from speaker.api import PlannedChange

if TYPE_CHECKING:
    from speaker.reconcile.reconciler import Reconciler


def difference(reconciler: Reconciler) -> list[PlannedChange]:
    """Return the changes that would make the daemon's announcements what is decided."""
    if reconciler.assessment is None:
        return []
    changes = plan(reconciler.assessment.desired, reconciler.view.confirmed)
    return [
        PlannedChange(
            action="announce" if isinstance(change, Announce) else "withdraw",
            prefix=str(change.prefix),
            route=str(change.route) if isinstance(change, Announce) else "",
            reason=reconciler.assessment.decisions[change.prefix].reason,
        )
        for change in changes
    ]
