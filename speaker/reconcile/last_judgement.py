"""What the last judgement went by: where all of it is the same, nothing is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.decide import Decision
    from policy.health import AddressHealth
    from policy.route import Prefix


class LastJudgement(NamedTuple):
    """What the last judgement said, and who was held to be up after it."""

    decisions: Mapping[Prefix, Decision]
    health: Mapping[Prefix, AddressHealth]
    were_up: frozenset[Prefix]
