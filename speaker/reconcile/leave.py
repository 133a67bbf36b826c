"""Leave to withdraw for bad health: how a reconciler asks for it where the machines of the site share etcd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.decide import Decision
    from policy.last import Standing
    from policy.route import Prefix


class Leave(Protocol):
    """Asks for it. `speaker.site.standing.AskedLeave` is one."""

    def standing(self) -> Standing:
        """Return what is known: an equal one while nothing changes. Whoever asks is woken where that changes later."""

    def decided(self, decisions: Mapping[Prefix, Decision]) -> None:
        """Take what was decided by that: what is to be asked for, and which leave is over.

        Args:
            decisions: of each prefix by itself.
        """
