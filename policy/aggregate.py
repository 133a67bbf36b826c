"""Aggregates: a covering prefix, announced while enough of the VIPs' prefixes in it are.

Theory of operation. What is decided of an aggregate follows from what is decided of its members in the
same cycle, and from nothing else but what an operator wants of the aggregate itself. So health, damping,
the guard and the operators' intents act on members, and through them on it: a member whose health is
unknown counts as it is held. Members of an aggregate with `summary_only` are decided like all others,
and then kept back: the daemon is never asked to announce them.

Changes are made in an order in which an aggregate attracts nothing that no member answers for: see `stages`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from policy.covering import Covering
from policy.decide import Cause, Decision, decide
from policy.health import AddressHealth, Health
from policy.plan import Announce
from policy.wording import count

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from policy.assignment import Assignment
    from policy.intent import Intent
    from policy.plan import Change
    from policy.route import Prefix
    from policy.topology import AggregateRule

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Aggregates:
    """What aggregates a data centre has to announce, and which prefixes are their members.

    `members` are the VIPs' prefixes inside, by aggregate; one prefix may be in several. `keepers`
    has, by member, the aggregates with `summary_only` that keep it back.
    """

    members: Mapping[Prefix, tuple[Prefix, ...]] = field(default_factory=dict)
    keepers: Mapping[Prefix, tuple[Prefix, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, assignments: Mapping[Prefix, Assignment]) -> Aggregates:
        """Return those among a data centre's duties. What only others announce is none, and in none."""
        rules = {
            prefix: assignment.vip.aggregate
            for prefix, assignment in assignments.items()
            if assignment.vip.aggregate is not None and assignment.route is not None
        }
        if not rules:
            return NO_AGGREGATES
        members: dict[Prefix, list[Prefix]] = {prefix: [] for prefix in rules}
        keepers: dict[Prefix, tuple[Prefix, ...]] = {}
        covering = Covering(rules)
        for prefix, assignment in assignments.items():
            if assignment.vip.aggregate is not None or assignment.route is None:
                continue
            around = [a for a in covering.of(prefix.network_address) if is_inside(prefix, a)]
            for aggregate in around:
                members[aggregate].append(prefix)
            if keeping := tuple(a for a in around if rules[a].summary_only):
                keepers[prefix] = keeping
        return cls({a: tuple(inside) for a, inside in members.items()}, keepers)

    def __bool__(self) -> bool:
        return bool(self.members)

    def together(self, prefixes: Collection[Prefix]) -> frozenset[Prefix]:
        """Return some prefixes with all those by which one of them, or its aggregate, is decided."""
        concerned = [
            (aggregate, *inside)
            for aggregate, inside in self.members.items()
            if aggregate in prefixes or any(member in prefixes for member in inside)
        ]
        return frozenset(prefixes).union(*concerned)

    def standing_for(
        self, announced: Collection[Prefix], were_announced: Collection[Prefix]
    ) -> frozenset[Prefix]:
        """Return the members that are kept back and whose clients come all the same.

        They count as announced wherever it matters who would lose something.

        Args:
            announced: the prefixes that the daemon announces.
            were_announced: those that were up when their health was last known.
        """
        return frozenset(
            prefix
            for prefix, keepers in self.keepers.items()
            if prefix in were_announced and any(keeper in announced for keeper in keepers)
        )


NO_AGGREGATES = Aggregates()


def is_inside(prefix: Prefix, aggregate: Prefix) -> bool:
    """Tell whether a prefix is more specific than an aggregate that has its first address."""
    return prefix.version == aggregate.version and prefix.prefixlen > aggregate.prefixlen


@dataclass(frozen=True, slots=True)
class Aggregated:
    """What is decided of aggregates and of the members that they keep back, and aggregates' health.

    `alone` has what each decision replaces: what is decided of the prefix by itself.
    """

    decisions: Mapping[Prefix, Decision] = field(default_factory=dict)
    health: Mapping[Prefix, AddressHealth] = field(default_factory=dict)
    alone: Mapping[Prefix, Decision] = field(default_factory=dict)


NOTHING_AGGREGATED = Aggregated()


def aggregate(
    aggregates: Aggregates,
    assignments: Mapping[Prefix, Assignment],
    decisions: Mapping[Prefix, Decision],
    intents: Mapping[Prefix, Intent],
    before: Aggregated = NOTHING_AGGREGATED,
) -> Aggregated:
    """Decide aggregates by their members, and keep back what they stand for.

    Args:
        aggregates: those there are.
        assignments: this data centre's duties.
        decisions: what is decided of every prefix by itself, the guard included.
        intents: the operator's intents that are in force.
        before: what the last call gave: what has not changed is the same object again.
    """
    if not aggregates:
        return NOTHING_AGGREGATED
    decided: dict[Prefix, Decision] = {}
    health: dict[Prefix, AddressHealth] = {}
    alone: dict[Prefix, Decision] = {}
    for prefix, members in aggregates.members.items():
        intent = intents.get(prefix)
        rule, route = assignments[prefix].vip.aggregate, assignments[prefix].announced(intent)
        if rule is None or route is None:  # which is in no `Aggregates`
            continue
        verdict = _same(before.health.get(prefix), _health(rule, members, decisions))
        made = decide(route, intent, verdict, was_announced=False)
        if made.cause is Cause.HEALTH:
            made = replace(made, cause=Cause.MEMBERS)
        health[prefix], alone[prefix] = verdict, decisions[prefix]
        decided[prefix] = _same(before.decisions.get(prefix), made)
    for prefix, keepers in aggregates.keepers.items():
        own = decisions[prefix]
        if own.route is not None:
            reason = f"kept back by {keepers[0]}, summary_only; {own.reason}"
            kept_back = Decision(prefix, None, Cause.AGGREGATE, reason)
            alone[prefix] = own
            decided[prefix] = _same(before.decisions.get(prefix), kept_back)
    return Aggregated(decided, health, alone)


def _same(before: T | None, now: T) -> T:
    return before if before is not None and before == now else now


def _health(
    rule: AggregateRule, members: Collection[Prefix], decisions: Mapping[Prefix, Decision]
) -> AddressHealth:
    """Return an aggregate's health: how many of its members are to be announced, and must be."""
    announced = sum(decisions[member].route is not None for member in members)
    state = Health.UP if announced >= rule.at_least else Health.DOWN
    what = "up, and kept back" if rule.summary_only else "announced"
    reason = f"{announced} of {count(len(members), 'prefix')} in it {what}; needs {rule.at_least}"
    return AddressHealth(state, None, reason, {})


def waits(change: Change, aggregates: Aggregates, failed: Collection[Prefix]) -> str:
    """Say what a change of a later stage waits for, where one of an earlier stage failed; else nothing."""
    keepers = aggregates.keepers.get(change.prefix, ())
    if isinstance(change, Announce) or not any(keeper in failed for keeper in keepers):
        return ""
    return f"waits until {next(keeper for keeper in keepers if keeper in failed)} is announced"


def stages(
    changes: Iterable[Change], aggregates: Aggregates, ours: Collection[Prefix]
) -> Iterator[list[Change]]:
    """Yield changes in the order in which they must be made: each list before the next is begun.

    An aggregate goes before its members go, and comes after they came. What it stands for, and what
    it may have stood for until it left the configuration, goes only once all else is there: until
    then it answers for clients that nothing else attracts.

    Args:
        changes: the plan.
        aggregates: those there are.
        ours: the prefixes of the configuration.
    """
    first: list[Change] = []
    usual: list[Change] = []
    covering: list[Change] = []
    last: list[Change] = []
    for change in changes:
        prefix = change.prefix
        if prefix in aggregates.members:
            (covering if isinstance(change, Announce) else first).append(change)
        elif prefix in aggregates.keepers or (
            prefix not in ours and prefix.prefixlen < prefix.max_prefixlen
        ):
            last.append(change)
        else:
            usual.append(change)
    return (stage for stage in (first, usual, covering, last) if stage)
