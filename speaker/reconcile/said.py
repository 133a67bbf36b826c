"""What the sources of a prefix's rule say, as `status` tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from policy.assess import Assessment
    from policy.route import Prefix


class SaidBySources(TypedDict):
    """Those fields of `PrefixStatus`."""

    sources: dict[str, str]
    expires: dict[str, float]


def said(assessment: Assessment | None, prefix: Prefix) -> SaidBySources:
    """Return what was said when the prefix was last judged."""
    case = assessment.memory.cases.get(prefix) if assessment else None
    found = case.facts.said if case else {}
    return {
        "sources": {name: str(each.health) for name, each in found.items()},
        "expires": {n: each.expires for n, each in found.items() if each.expires is not None},
    }
