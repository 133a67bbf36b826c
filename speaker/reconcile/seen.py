"""What witnesses tell, as the values that a watchdog answers with."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from speaker.seen_status import SeenPath, WitnessStatus

if TYPE_CHECKING:
    from policy.route import Prefix
    from policy.witness import Heard

MOST = 16
"""How many paths of a prefix are told, of all witnesses together: ours among the first."""


class SeenByWitnesses(TypedDict, total=False):
    """That field of `PrefixStatus`."""

    seen: tuple[SeenPath, ...]


def seen(heard: Heard, prefix: Prefix) -> SeenByWitnesses:
    """Return the part of a `PrefixStatus` that has its paths at witnesses."""
    if not heard.witnesses:
        return {}
    found = [*heard.seen(prefix)]
    if len(found) > MOST:  # ours, and those that may be, are what an operator waits for
        found.sort(key=lambda each: (each.dc != heard.here, each.dc != ""))
    paths = (
        SeenPath(
            at=each.witness.name,
            dc=each.dc,
            as_path=tuple(each.path.attributes.as_path),
            best=each.is_best,
        )
        for each in found[:MOST]
    )
    return {"seen": tuple(paths)}


def witnesses(heard: Heard) -> tuple[WitnessStatus, ...]:
    """Return the witnesses."""
    return tuple(
        WitnessStatus(
            name=each.name,
            asn=each.asn,
            hearing=each.hearing,
            reason=each.reason,
            families=tuple(sorted(each.families)),
        )
        for each in heard.witnesses
    )
