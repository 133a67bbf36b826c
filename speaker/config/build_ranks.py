"""The profiles of all ranks: those of the site, of a VIP, or of an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.order import ranks_fault
from policy.topology import Profile
from policy.wording import count, named
from speaker.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.order import Order
    from speaker.config.fault import Faults, KeyPath
    from speaker.config.validate import Form

_NAMED = 10
"""How many names are listed of those that are known: each of thousands of faults may list them."""


class Ranks:
    """Finds profiles by their names, and checks that ranks are enough and can be told apart."""

    def __init__(self, form: Form, faults: Faults, *, allow_ties: bool) -> None:
        self._form = form
        self._faults = faults
        self._allow_ties = allow_ties
        self._dcs = len(form.document.dc)
        self._uses: dict[Order, int] = {}
        self._profiles = {
            name: Profile(
                name,
                profile.prepends,
                profile.med,
                profile.origin,
                tuple(profile.communities),
                tuple(profile.large_communities),
                extended_communities=tuple(profile.extended_communities),
            )
            for name, profile in form.document.profile.items()
        }

    def of_site(self) -> tuple[Profile, ...] | None:
        """Return those of `[policy]`. See `named`."""
        policy = self._form.document.policy
        if policy.ranks is not None:
            if policy.prepends is not None:
                self._faults.add(("policy",), "prepends and ranks are both set; keep one")
            return self.named(("policy", "ranks"), policy.ranks)
        prepends = policy.prepends
        if prepends is None:
            prepends = list(range(1, max(3, self._dcs) + 1))
        return tuple(map(Profile.plain, prepends))

    def named(self, path: KeyPath, names: Sequence[str]) -> tuple[Profile, ...] | None:
        """Return the profiles that a key names, in their order; None where one is not known."""
        missing = [name for name in names if name not in self._profiles]
        unknown = [name for name in missing if not self._form.lacks("profile", name)]
        if unknown:
            near = self._faults.near(unknown, self._profiles)
            self._faults.add(
                path,
                f"{', '.join(map(printable, unknown))} have no [profile.…]; known are {named(self._profiles, _NAMED)}{near}",
            )
        if missing:
            return None
        return tuple(self._profiles[name] for name in names)

    def check_site(self, ranks: Sequence[Profile] | None) -> None:
        """Check those of `[policy]`, once all is known that has them."""
        policy = self._form.document.policy
        path = ("policy", "prepends" if policy.ranks is None else "ranks")
        uses = self._uses or {policy.order: self._dcs}
        for order, needed in uses.items():
            self.check(path, ranks, order, needed)

    def use_site(self, order: Order, needed: int) -> None:
        """Note that an address has the ranks of `[policy]`. See `check`."""
        self._uses[order] = max(needed, self._uses.get(order, 0))

    def check(
        self, path: KeyPath, ranks: Sequence[Profile] | None, order: Order, needed: int
    ) -> None:
        """Check that ranks are enough, and can be told apart.

        Args:
            path: of the key that names them.
            ranks: those, as `named` returns them.
            order: by what they are ordered.
            needed: how many data centres they are for; 0 where those are equal, and one rank does.
        """
        if ranks is None:
            return
        if len(ranks) < max(needed, 1):
            self._faults.add(
                path,
                f"{count(len(ranks), 'rank')} for {count(max(needed, 1), 'data centre')}; give each one",
            )
        fault = None if self._allow_ties or not needed else ranks_fault(ranks, order)
        if fault is not None:
            self._faults.add(path, fault)
