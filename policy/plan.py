"""(desired, announced, owned) -> the ordered changes that make them equal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from policy.route import Prefix, Route


@dataclass(frozen=True, slots=True)
class Drift:
    """A prefix that is announced, but not as one whole route: what was found instead."""

    found: str


@dataclass(frozen=True, slots=True)
class Announce:
    """Announce a route, in place of whatever its prefix has now."""

    route: Route

    @property
    def prefix(self) -> Prefix:
        """The prefix that changes."""
        return self.route.prefix


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Withdraw a prefix."""

    prefix: Prefix


Change = Announce | Withdraw


def plan(
    desired: Mapping[Prefix, Route | None],
    announced: Mapping[Prefix, Route | Drift | None],
    owned: Iterable[Prefix] = (),
) -> tuple[Change, ...]:
    """Return the changes from what is announced to what is desired: withdrawals first.

    A withdrawal is urgent: traffic goes to where nothing answers. No two changes are of one
    prefix, so they may be interrupted anywhere, and planning again gives what is left.

    Args:
        desired: the whole desired set: a route, or None for withdrawn.
        announced: what is announced now: None for not announced; a prefix that is not in it is
            unknown, so its change is always in the plan.
        owned: our prefixes that are not desired any more, such as those that left the
            configuration. What is neither desired nor owned is never touched.
    """
    unset = Drift("")
    withdraw: list[Change] = []
    announce: list[Change] = []
    for prefix, route in desired.items():
        if announced.get(prefix, unset) == route:
            continue
        if route is None:
            withdraw.append(Withdraw(prefix))
        else:
            announce.append(Announce(route))
    withdraw += (
        Withdraw(prefix)
        for prefix in dict.fromkeys(owned)
        if prefix not in desired and announced.get(prefix, unset) is not None
    )
    return (*withdraw, *announce)


def apply(
    changes: Iterable[Change], announced: Mapping[Prefix, Route | Drift | None]
) -> dict[Prefix, Route | Drift | None]:
    """Return what is announced once the changes are made."""
    result = dict(announced)
    for change in changes:
        result[change.prefix] = change.route if isinstance(change, Announce) else None
    return result
