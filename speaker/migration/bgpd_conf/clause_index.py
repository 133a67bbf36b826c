"""Which clauses of a route-map may mean a prefix: thousands of clauses, each with a list of its own, are met by thousands. Pure."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from policy.covering import Covering

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.route import Prefix
    from speaker.migration.bgpd_conf.model import Clause

ListKey = tuple[str, str]
"""A list's kind and name."""


class ClauseIndex:
    """The clauses of a route-map by the prefixes of the list that they match.

    Args:
        clauses: all, in their order.
        limits: of each the list that a prefix has to pass, None where there is none.
        reach: by list the prefixes in which lies whatever it permits; lists that permit others are not in it.
    """

    def __init__(
        self,
        clauses: Sequence[Clause],
        limits: Sequence[ListKey | None],
        reach: Mapping[ListKey, Sequence[Prefix]],
    ) -> None:
        self._clauses = clauses
        self._always: list[int] = []
        self._by_list: dict[ListKey, list[int]] = {}
        for index, key in enumerate(limits):
            if key is None or key not in reach:
                self._always.append(index)
            else:
                self._by_list.setdefault(key, []).append(index)
        self._lists: dict[Prefix, dict[ListKey, None]] = {}
        for key in self._by_list:
            for prefix in reach[key]:
                self._lists.setdefault(prefix, {})[key] = None
        self._covering = Covering(self._lists)

    def meeting(self, prefix: Prefix) -> Sequence[Clause]:
        """Return the clauses that may mean a prefix, in their order; those that are left out do not."""
        if not self._by_list:
            return self._clauses
        around = self._covering.of(prefix.network_address)
        keys = dict.fromkeys(chain.from_iterable(self._lists[each] for each in around))
        found = chain(self._always, *(self._by_list[key] for key in keys))
        return [self._clauses[index] for index in sorted(found)]
