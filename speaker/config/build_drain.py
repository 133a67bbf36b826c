"""How VIPs drain softly: `[drain]` under what a VIP says itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.drain import MAX_MORE, DrainRule
from policy.errors import PolicyError
from policy.route import MAX_COPIES, MAX_PREPENDS
from policy.wording import count

if TYPE_CHECKING:
    from speaker.config.fault import Faults, KeyPath
    from speaker.config.schema_drain import DrainTable

MAX_DCS = MAX_COPIES - MAX_PREPENDS - MAX_MORE
"""So many data centres may drain at once, each with a longer AS_PATH than the one before."""


class DrainBuilder:
    """Makes the rules of VIPs. Thousands of VIPs with the same rule share one object.

    Args:
        base: `[drain]`.
        dcs: how many data centres there are.
        faults: where to note what makes no sense.
    """

    def __init__(self, base: DrainTable, dcs: int, faults: Faults) -> None:
        self._base, self._faults = base, faults
        self._rules: dict[DrainRule, DrainRule] = {}
        self.usual = self._rule(("drain",), base) or DrainRule()
        """The rule of a VIP that says nothing of its own."""
        if dcs > MAX_DCS:
            faults.add(
                ("dc",),
                f"{count(dcs, 'data centre')}; an AS_PATH has room for {MAX_DCS} that drain",
            )

    def rule(self, path: KeyPath, own: DrainTable) -> DrainRule:
        """Return the rule of a VIP at a path."""
        if not own.model_fields_set:
            return self.usual
        given = {name: getattr(own, name) for name in own.model_fields_set}
        return self._rule((*path, "drain"), self._base.model_copy(update=given)) or self.usual

    def _rule(self, path: KeyPath, table: DrainTable) -> DrainRule | None:
        try:
            rule = DrainRule(
                table.prepends,
                tuple(sorted({*table.communities})),
                table.settle,
                table.connections,
                table.quiet,
                table.timeout,
                table.then,
                table.return_,
            )
        except PolicyError as error:
            self._faults.add(path, str(error))
            return None
        return self._rules.setdefault(rule, rule)
