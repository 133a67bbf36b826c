"""Owns what an evaluated UPDATE is in a router's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.extended import ExtendedKind
from speaker.migration.updates.evaluate import Hop

if TYPE_CHECKING:
    from speaker.migration.updates.evaluate import Evaluation, Update
    from tests.migration.stage import Stage, Updates

_KINDS = {ExtendedKind.ROUTE_TARGET: "rt", ExtendedKind.SITE_OF_ORIGIN: "ro"}
_ORIGINS = {"igp": "IGP", "egp": "EGP", "incomplete": "Incomplete"}


def expected(evaluation: Evaluation, stage: Stage) -> Updates:
    """Return what the routers of a stage must have got."""
    return {
        str(neighbor): {
            str(prefix): _words(update, _hop(update, str(neighbor), prefix.version, stage))
            for prefix, update in updates.items()
        }
        for neighbor, updates in evaluation.updates.items()
    }


def _hop(update: Update, neighbor: str, version: int, stage: Stage) -> str:
    match update.next_hop:
        case Hop.SELF:
            return stage.local(neighbor)
        case Hop.INTERFACE:
            return stage.address(version)
        case address:
            return str(address)


def _words(update: Update, hop: str) -> dict[str, str]:
    attributes = update.attributes
    words = {
        "BGP.origin": _ORIGINS[attributes.origin],
        "BGP.as_path": str(attributes.as_path),
        "BGP.next_hop": hop,
        # BIRD's own default where none is sent.
        "BGP.local_pref": str(100 if update.local_pref is None else update.local_pref),
    }
    if attributes.med is not None:
        words["BGP.med"] = str(attributes.med)
    if attributes.communities:
        words["BGP.community"] = " ".join(f"({c.high},{c.low})" for c in attributes.communities)
    if attributes.large_communities:
        words["BGP.large_community"] = " ".join(
            f"({c.administrator}, {c.data1}, {c.data2})" for c in attributes.large_communities
        )
    if attributes.extended_communities:
        words["BGP.ext_community"] = " ".join(
            sorted(
                f"({_KINDS[c.kind]}, {c.administrator}, {c.number})"
                for c in attributes.extended_communities
            )
        )
    return words
