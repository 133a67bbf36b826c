"""Judges what happened at a site: no intent lost, nothing announced that is drained, no VIP nowhere. Pure.

Theory of operation. What operators asked for at the same time, no observer can put in order; so for each operation it is told
what it surely knew and what it may have known, and from that what must hold and what may. Only what contradicts all that may
be is a violation: a history that this judges to be bad is bad. The rules, which are those of `policy.site_intent` and are
written down here without its code:

- An operation overrules all of its own extent that it knew. That is for good.
- A restore for a narrower extent overrules what it knew of a wider one on its machines, until it ends itself.
- A drain that nothing overrules holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from policy.route import Prefix
    from policy.site_intent import Extent
    from tests.support.site_history import Operation, SiteHistory


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long what may take a while may take, in seconds.

    Attributes:
        lag: until the far router sees what a machine has done.
        converge: until a machine that is healthy and not drained is seen to announce.
        clocks: how much the machines' clocks differ from that of who recorded it.
    """

    lag: float = 1.0
    converge: float = 10.0
    clocks: float = 1.0


@dataclass(frozen=True, slots=True)
class Violation:
    """What must not happen: a drain or a restore that is lost, something drained that is announced, a VIP that is nowhere."""

    kind: str
    at: float
    prefix: Prefix
    text: str

    def __str__(self) -> str:
        return f"{self.at:.3f} {self.prefix}: {self.kind}: {self.text}"


LOST_DRAIN, LOST_RESTORE = "a drain is lost", "a restore is lost"
DRAINED_ANNOUNCED, NOWHERE = "announced, and drained", "announced nowhere"


def violations(history: SiteHistory, bounds: Bounds | None = None) -> list[Violation]:
    """Return all that went wrong, in order of time."""
    judge = _Judge(history, bounds or Bounds())
    found = [*judge.lost(), *judge.drained_announced(), *judge.nowhere()]
    return sorted(found, key=lambda each: (each.at, str(each)))


@dataclass(frozen=True, slots=True)
class WakeUp:
    """How long it took from a `-d` until the far router had lost a route by a machine, in seconds."""

    operation: int
    machine: Extent
    prefix: Prefix
    seconds: float


def wake_ups(history: SiteHistory) -> list[WakeUp]:
    """Return how long others than the asking machine took to withdraw, where they were announcing, and confirmed it."""
    found = []
    for op in history.operations:
        for machine in op.confirmed - {op.where} if op.drains and not op.soft else ():
            for prefix in op.prefixes:
                gone = next(
                    (
                        end
                        for begin, end in announced_spans(history, machine, prefix)
                        if begin <= op.asked < end < inf
                    ),
                    None,
                )
                if gone is not None:
                    found.append(WakeUp(op.number, machine, prefix, gone - op.asked))
    return found


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value below or at which a share of some values is, 0 for none of them."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def announced_spans(
    history: SiteHistory, machine: Extent, prefix: Prefix
) -> list[tuple[float, float]]:
    """Return from when until when the far router had a prefix by a machine; without end where it has it still."""
    changes = [
        (e.at, e.announced) for e in history.seen if (e.machine, e.prefix) == (machine, prefix)
    ]
    return _spans(changes)


def _spans(changes: Iterable[tuple[float, bool]]) -> list[tuple[float, float]]:
    spans: list[tuple[float, float]] = []
    begun: float | None = None
    for at, is_so in changes:
        if is_so and begun is None:
            begun = at
        elif not is_so and begun is not None:
            spans.append((begun, at))
            begun = None
    return [*spans, (begun, inf)] if begun is not None else spans


class _Judge:
    def __init__(self, history: SiteHistory, bounds: Bounds) -> None:
        self.history, self.bounds = history, bounds
        self._sure = {op.number: self._known(op, surely=True) for op in history.operations}
        self._may = {op.number: self._known(op, surely=False) for op in history.operations}
        _close(self._sure)
        _close(self._may)

    def _known(self, op: Operation, *, surely: bool) -> set[int]:
        """Return the numbers of what an operation surely knew, or may have known, of what shares a prefix with it."""
        return {
            other.number
            for other in self.history.operations
            if other is not op
            and not other.prefixes.isdisjoint(op.prefixes)
            and (self._surely_knew(op, other) if surely else self._may_have_known(op, other))
        }

    def _surely_knew(self, op: Operation, other: Operation) -> bool:
        if op.knew is not None:
            return other.number in op.knew
        if not other.is_recorded or other.returned is None or other.returned > op.asked:
            return False
        return op.where == other.where or (other.status == 0 and op.where in other.confirmed)

    def _may_have_known(self, op: Operation, other: Operation) -> bool:
        if op.knew is not None:
            return other.number in op.knew
        ended = inf if op.returned is None else op.returned
        if other.asked > ended:
            return False
        return op.where == other.where or not any(
            place in each.machines and each.since <= other.asked and each.until >= ended
            for each in self.history.hindrances
            for place in (op.where, other.where)
            if each.kind == "cut"
        )

    # --- what holds ------------------------------------------------------------------------

    def must_drain(self, machine: Extent, prefix: Prefix) -> Operation | None:
        """Return a drain that holds at the end, whatever was known to whom."""
        concern = self._concerning(machine, prefix)
        return next(
            (
                op
                for op in concern
                if op.drains
                and op.is_recorded
                and not self._has_ended(op, surely=False)
                and not any(self._may_overrule(other, op) for other in concern)
            ),
            None,
        )

    def may_drain(self, machine: Extent, prefix: Prefix) -> bool:
        """Tell whether any drain may hold at the end."""
        concern = self._concerning(machine, prefix)
        return any(
            op.drains
            and not self._has_ended(op, surely=True)
            and not any(self._surely_overrules(other, op, concern) for other in concern)
            for op in concern
        )

    def _concerning(self, machine: Extent, prefix: Prefix) -> Sequence[Operation]:
        return [
            op
            for op in self.history.operations
            if prefix in op.prefixes and op.extent.covers(machine)
        ]

    def _has_ended(self, op: Operation, *, surely: bool) -> bool:
        if op.until is None:
            return False
        slack = self.bounds.clocks
        return (
            op.until + slack <= self.history.ended
            if surely
            else op.until - slack <= self.history.ended
        )

    def _may_overrule(self, other: Operation, op: Operation) -> bool:
        if op.number not in self._may[other.number]:
            return False
        is_narrower = op.extent.covers(other.extent) and not other.drains
        return other.extent == op.extent or (
            is_narrower and not self._has_ended(other, surely=True)
        )

    def _surely_overrules(
        self, other: Operation, op: Operation, concern: Sequence[Operation]
    ) -> bool:
        if not other.is_recorded or op.number not in self._sure[other.number]:
            return False
        if other.extent == op.extent:
            return True
        is_narrower = op.extent.covers(other.extent) and not other.drains
        return (
            is_narrower
            and not self._has_ended(other, surely=False)
            and not any(
                other.number in self._may[third.number] and third.extent == other.extent
                for third in concern
            )
        )

    # --- the judgements --------------------------------------------------------------------

    def lost(self) -> Iterator[Violation]:
        """Give each intent whose effect is gone at the end, by each machine's own word."""
        for (machine, prefix), is_drained in self.history.drained.items():
            drain = self.must_drain(machine, prefix)
            if drain is not None and not is_drained:
                text = f"{machine} is not drained, as operation {drain.number} asked"
                yield Violation(LOST_DRAIN, self.history.ended, prefix, text)
            if is_drained and not self.may_drain(machine, prefix):
                text = f"{machine} is drained, and each drain was lifted by one that knew it"
                yield Violation(LOST_RESTORE, self.history.ended, prefix, text)

    def drained_announced(self) -> Iterator[Violation]:
        """Give what is seen of a machine after it has confirmed a drain, and before anybody restored anything."""
        for op in self.history.operations:
            if not op.drains or op.soft or op.status != 0 or op.returned is None:
                continue
            for machine in op.confirmed:
                for prefix in op.prefixes:
                    begin = op.returned + self.bounds.lag
                    end = self._first_end(op, machine, prefix)
                    for since, until in announced_spans(self.history, machine, prefix):
                        if since < end and until > begin and begin < end:
                            text = f"{machine}, which confirmed operation {op.number}"
                            yield Violation(DRAINED_ANNOUNCED, max(since, begin), prefix, text)

    def _first_end(self, op: Operation, machine: Extent, prefix: Prefix) -> float:
        """Return when a drain may begin to hold no more: it ends, or something that may overrule it began."""
        ends = [self.history.ended]
        if op.until is not None:
            ends.append(op.until - self.bounds.clocks)
        for other in self._concerning(machine, prefix):
            may = op.number in self._may[other.number] and op.extent.covers(other.extent)
            if may and not other.drains:
                ends.append(other.asked)
            elif may and other.until is not None and other.extent == op.extent:
                ends.append(other.until - self.bounds.clocks)
        return min(ends)

    def nowhere(self) -> Iterator[Violation]:
        """Give each span in which a prefix was announced nowhere, although a machine could have announced it for long enough."""
        for prefix in self.history.prefixes:
            for since, until in self._unannounced(prefix):
                for machine in self.history.machines:
                    for begin, end in self._able(machine, prefix):
                        first = max(since, begin) + self.bounds.converge
                        if first < min(until, end, self.history.ended):
                            text = f"{machine} was healthy, and nobody drained it"
                            yield Violation(NOWHERE, first, prefix, text)

    def _unannounced(self, prefix: Prefix) -> list[tuple[float, float]]:
        spans = [
            span for m in self.history.machines for span in announced_spans(self.history, m, prefix)
        ]
        return _without((-inf, inf), spans)

    def _able(self, machine: Extent, prefix: Prefix) -> list[tuple[float, float]]:
        """Return from when until when a machine should have announced a prefix."""
        healthy = _spans(
            (e.at, e.up) for e in self.history.health if (e.machine, e.prefix) == (machine, prefix)
        )
        hindered = [
            (each.since, each.until)
            for each in self.history.hindrances
            if machine in each.machines and each.kind in ("down", "router")
        ]
        concern = self._concerning(machine, prefix)
        drained = [(op.asked, self._lifted(op, machine, concern)) for op in concern if op.drains]
        return [span for each in healthy for span in _without(each, [*hindered, *drained])]

    def _lifted(self, op: Operation, machine: Extent, concern: Sequence[Operation]) -> float:
        """Return when a drain holds no more on a machine for sure."""
        ends = [inf if op.until is None else op.until + self.bounds.clocks]
        for other in concern:
            if other.drains or other.returned is None:
                continue
            is_here = machine == other.where or machine in other.confirmed
            if is_here and self._surely_overrules(other, op, concern):
                ends.append(other.returned)
        return min(ends)


def _close(known: dict[int, set[int]]) -> None:
    """Have each know what those knew that it knows."""
    for number, found in known.items():
        left = [*found]
        while left:
            more = known[left.pop()] - found - {number}
            found.update(more)
            left += more


def _without(
    span: tuple[float, float], others: Iterable[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Return what is left of a span of time."""
    begin, end = span
    ordered = sorted(others)
    edges = [begin]
    for since, until in ordered:
        edges += [min(max(since, edges[-1]), end), min(max(until, edges[-1]), end)]
    edges.append(end)
    return [(a, b) for a, b in list(pairwise(edges))[::2] if a < b]
