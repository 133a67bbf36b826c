"""VIPs whose rules ask for other VIPs: in which order they are judged, and what another VIP says."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from policy.rule import Said, terms
from policy.ruled import asked_vips, together
from policy.sources import REPORT, VIP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.assignment import Assignment
    from policy.cases import Case
    from policy.route import Prefix


def askers(assignments: Mapping[Prefix, Assignment]) -> tuple[Prefix, ...]:
    """Return the prefixes of VIPs whose rules ask for other VIPs, those that are asked for first.

    There are no circles: vip.toml that has one is refused.
    """
    asked: dict[str, tuple[str, ...]] = {}
    prefixes: dict[str, list[Prefix]] = defaultdict(list)
    for prefix, assignment in assignments.items():
        rule = assignment.vip.health.rule
        if rule is not None and (names := asked_vips(rule)):
            asked[assignment.vip.name] = names
            prefixes[assignment.vip.name].append(prefix)
    ordered: dict[str, None] = {}
    todo = [*reversed(asked)]
    while todo:
        name = todo[-1]
        if missing := [other for other in asked[name] if other in asked and other not in ordered]:
            todo += missing
        else:
            ordered[todo.pop()] = None
    return tuple(prefix for name in ordered for prefix in prefixes[name])


def reported(assignments: Mapping[Prefix, Assignment]) -> Mapping[str, tuple[Prefix, ...]]:
    """Return the prefixes that are announced here and whose rules name a report, by the report's name."""
    found: dict[str, dict[Prefix, None]] = defaultdict(dict)
    for prefix, assignment in assignments.items():
        rule = assignment.vip.health.rule
        for term in () if rule is None or assignment.route is None else terms(rule):
            if term.startswith(REPORT):
                found[term.removeprefix(REPORT)][prefix] = None
    return {name: tuple(prefixes) for name, prefixes in found.items()}


class OtherVips:
    """What VIPs are to the rules of others, as far as they are judged.

    Args:
        assignments: the duties.
        before: the cases of the last time.
        new: those that are judged now. It grows: a VIP's are all there when it is asked for, see `askers`.
    """

    def __init__(
        self,
        assignments: Mapping[Prefix, Assignment],
        before: Mapping[Prefix, Case],
        new: Mapping[Prefix, Case],
    ) -> None:
        self._assignments, self._before, self._new = assignments, before, new
        self._told: dict[str, Said] = {}
        self._prefixes: dict[str, list[Prefix]] = defaultdict(list)
        for prefix, assignment in assignments.items():
            if assignment.route is not None:
                self._prefixes[assignment.vip.name].append(prefix)

    def said(self, prefix: Prefix) -> dict[str, Said]:
        """Return what those say that the rule of a prefix asks for, by the names that it gives them."""
        rule = self._assignments[prefix].vip.health.rule
        return {} if rule is None else {VIP + name: self._said(name) for name in asked_vips(rule)}

    def _said(self, name: str) -> Said:
        if (told := self._told.get(name)) is None:
            cases = [
                self._new.get(prefix) or self._before.get(prefix)
                for prefix in self._prefixes.get(name, ())
            ]
            told = self._told[name] = together(
                None if case is None else case.health for case in cases
            )
        return told
