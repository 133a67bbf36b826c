"""What the last judgement and the last confirmation went by: where all of it is the same, nothing is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.decide import Decision
    from policy.health import AddressHealth
    from policy.route import Prefix
    from speaker.reconcile.daemon_state import Seen
    from speaker.state.store import Owned


class LastJudgement(NamedTuple):
    """What the last judgement said, and who was held to be up after it."""

    decisions: Mapping[Prefix, Decision]
    health: Mapping[Prefix, AddressHealth]
    were_up: frozenset[Prefix]


class LastConfirmation(NamedTuple):
    """All that the last confirmation went by. Where it is the same of a prefix, there is nothing new."""

    decisions: Mapping[Prefix, Decision]
    read: Mapping[Prefix, Seen]
    were_up: frozenset[Prefix]
    owned: Mapping[Prefix, Owned]
