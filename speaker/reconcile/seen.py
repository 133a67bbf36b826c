"""What witnesses tell, as the values that a watchdog answers with."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, TypedDict

from policy.explain import About, Line
from speaker.seen_status import SeenPath, WitnessStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from policy.route import Prefix
    from policy.witness import Heard

MOST = 16
"""How many paths of a prefix are told, of all witnesses together."""


class SeenByWitnesses(TypedDict, total=False):
    """That field of `PrefixStatus`."""

    seen: tuple[SeenPath, ...]


def seen(heard: Heard, prefix: Prefix) -> SeenByWitnesses:
    """Return the part of a `PrefixStatus` that has its paths at witnesses."""
    if not heard.witnesses:
        return {}
    paths = (
        SeenPath(
            at=each.witness.name,
            dc=each.dc,
            as_path=tuple(each.path.attributes.as_path),
            best=each.is_best,
        )
        for each in heard.seen(prefix)
    )
    return {"seen": tuple(islice(paths, MOST))}


def witnesses(heard: Heard) -> tuple[WitnessStatus, ...]:
    """Return the witnesses."""
    return tuple(
        WitnessStatus(name=each.name, asn=each.asn, hearing=each.hearing, reason=each.reason)
        for each in heard.witnesses
    )


def seen_lines(paths: Sequence[SeenPath], told_by: Sequence[WitnessStatus]) -> Iterable[Line]:
    """Say who has a prefix, and of which witnesses not all is known."""
    yield from (Line(About.SEEN, str(path).removeprefix("seen ")) for path in paths)
    if told_by and not paths:
        yield Line(About.SEEN, f"at none of {len(told_by)} witnesses")
    for each in told_by:
        if not each.is_whole:
            yield Line(About.SEEN, f"not all that {each.name} has is known: {each.reason}")
