"""The profiles of all ranks: those of the site, of a VIP, or of an address."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from policy.topology import Profile, ranks_fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.config.fault import Faults, KeyPath
    from speaker.config.validate import Form

_NAMED = 10
"""How many names are listed of those that are known: each of thousands of faults may list them."""


class Ranks:
    """Finds profiles by their names, and checks that ranks can be told apart."""

    def __init__(self, form: Form, faults: Faults, *, allow_ties: bool) -> None:
        self._form = form
        self._faults = faults
        self._allow_ties = allow_ties
        self._dcs = len(form.document.dc)
        self._profiles = {
            name: Profile(
                name,
                profile.prepends,
                profile.med,
                profile.origin,
                tuple(profile.communities),
                tuple(profile.large_communities),
            )
            for name, profile in form.document.profile.items()
        }

    def of_site(self) -> tuple[Profile, ...]:
        """Return those of `[policy]`."""
        policy = self._form.document.policy
        if policy.ranks is not None:
            if policy.prepends is not None:
                self._faults.add(("policy",), "prepends and ranks are both set; keep one")
            return self.named(("policy", "ranks"), policy.ranks)
        prepends = policy.prepends
        if prepends is None:
            prepends = list(range(1, max(3, self._dcs) + 1))
        ranks = tuple(map(Profile.plain, prepends))
        self._check(("policy", "prepends"), ranks)
        return ranks

    def named(self, path: KeyPath, names: Sequence[str]) -> tuple[Profile, ...]:
        """Return the profiles that a key names, in their order; none where one is not known."""
        missing = [name for name in names if name not in self._profiles]
        unknown = [name for name in missing if not self._form.lacks("profile", name)]
        if unknown:
            known = [*islice(self._profiles, _NAMED)]
            more = f" and {len(self._profiles) - _NAMED} more" * (len(self._profiles) > _NAMED)
            self._faults.add(path, f"{unknown} have no [profile.…]; known are {known}{more}")
        if missing:
            return ()
        ranks = tuple(self._profiles[name] for name in names)
        self._check(path, ranks)
        return ranks

    def _check(self, path: KeyPath, ranks: Sequence[Profile]) -> None:
        if len(ranks) < self._dcs:
            self._faults.add(
                path, f"{len(ranks)} ranks for {self._dcs} data centres; give each one"
            )
        fault = None if self._allow_ties else ranks_fault(ranks)
        if fault is not None:
            self._faults.add(path, fault)
