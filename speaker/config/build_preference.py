"""The keys `prefer` and `only` of a VIP or of an address: which data centres announce it, in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from policy.preference import auto, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.topology import DataCentre
    from speaker.config.fault import Faults, KeyPath
    from speaker.config.schema import AddressTable, Only, Prefer, VipTable
    from speaker.config.validate import Form
    from speaker.units import IpAddress


class WhoAnnounces(NamedTuple):
    """What was chosen: the data centres that announce an address, and what orders them."""

    dcs: tuple[DataCentre, ...]
    names: tuple[str, ...]
    prefer: Prefer

    @property
    def is_equal(self) -> bool:
        """Whether all announce it alike."""
        return self.prefer == "equal"

    def order(self, vip: str, nth: int, pair: Sequence[IpAddress]) -> tuple[str, ...]:
        """Return the data centres, first choice first.

        Args:
            vip: the VIP's name.
            nth: the place of the address among those of its family.
            pair: the addresses that must stay together.
        """
        match self.prefer:
            case "spread":
                return spread(self.names, nth)
            case "auto":
                return auto(self.dcs, vip, pair)
            case "equal":
                return self.names
            case _:
                return tuple(self.prefer)


class PreferenceBuilder:
    """Finds out who announces what, and notes every fault on the way."""

    def __init__(self, form: Form, faults: Faults, dcs: Sequence[DataCentre]) -> None:
        self._faults = faults
        self._are_unknown = form.lacks("dc")
        self._names = [dc.name for dc in dcs]
        self._all = WhoAnnounces(tuple(dcs), tuple(self._names), "spread")
        words: tuple[Prefer, ...] = ("spread", "auto", "equal")  # what thousands of VIPs say
        self._usual = {str(word): self._all._replace(prefer=word) for word in words}

    def of(self, path: KeyPath, prefer: Prefer, only: Only) -> WhoAnnounces:
        """Return what a VIP's keys say.

        Args:
            path: of the table that has them.
            prefer: the data centres in their order, or what gives it.
            only: whether those are all that announce it, or which are.
        """
        if self._are_unknown:
            return self._all
        if only is False and isinstance(prefer, str):
            return self._usual[prefer]
        among = self._among(path, prefer, only)
        if among is None or prefer == among.prefer:
            return among or self._all
        if not isinstance(prefer, list):
            return among._replace(prefer=prefer)
        if sorted(prefer) != sorted(among.names):
            self._faults.add((*path, "prefer"), self._wrong(prefer, among.names, only))
            return among
        return among._replace(prefer=prefer)

    def of_address(
        self, path: KeyPath, address: AddressTable, vip: VipTable, usual: WhoAnnounces
    ) -> WhoAnnounces:
        """Return what an address's keys say: what it leaves out is its VIP's.

        Args:
            path: of its table.
            address: its keys.
            vip: those of its VIP.
            usual: what those come to.
        """
        if address.prefer is None and address.only is None:
            return usual
        return self.of(
            path,
            vip.prefer if address.prefer is None else address.prefer,
            vip.only if address.only is None else address.only,
        )

    def _among(self, path: KeyPath, prefer: Prefer, only: Only) -> WhoAnnounces | None:
        """Return the data centres that announce it, None where that makes no sense."""
        if only is False:
            return self._all
        if only is not True:
            names, key = only, "only"
        elif isinstance(prefer, list):
            names, key = prefer, "prefer"
        else:
            self._faults.add(
                (*path, "only"),
                f'true goes with a list of prefer; with "{prefer}" name the data centres: '
                f"only = {self._names[:2]}",
            )
            return None
        if not names or len({*names}) < len(names) or not {*names} <= {*self._names}:
            self._faults.add(
                (*path, key),
                f"{names} must name some of the data centres, each once: {', '.join(self._names)}"
                + self._near(names),
            )
            return None
        dcs = tuple(dc for dc in self._all.dcs if dc.name in names)
        return WhoAnnounces(dcs, tuple(dc.name for dc in dcs), "spread")

    def _wrong(self, prefer: list[str], among: Sequence[str], only: Only) -> str:
        """Say why a list does not name those that announce it."""
        left_out = [name for name in among if name not in prefer]
        if isinstance(only, list):
            return f"{prefer} must name each of only once: {only}"
        if left_out and len({*prefer}) == len(prefer) and {*prefer} < {*among}:
            return (
                f"{prefer} must name each data centre once: {', '.join(left_out)} is left out; add it, "
                "or write only = true where it is not to announce this"
            )
        return f"{prefer} must name each data centre once: {', '.join(self._names)}{self._near(prefer)}"

    def _near(self, names: Sequence[str]) -> str:
        return self._faults.near((name for name in names if name not in self._names), self._names)
