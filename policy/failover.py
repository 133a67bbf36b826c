"""Who takes over each address when data centres fail or drain, and what part each then has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.best_path import choices, shares

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from policy.best_path import Choice
    from policy.route import Prefix
    from policy.topology import Topology


@dataclass(frozen=True, slots=True)
class Takeover:
    """For one address: who has it while all data centres live, and who once some do not.

    `equal`: several are to have it at once.
    """

    vip: str
    prefix: Prefix
    before: Choice
    after: Choice
    equal: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """What a data centre has of all addresses: how many, and their share, 0 to 1."""

    addresses: int
    share: float


def takeovers(topology: Topology, without: Collection[str]) -> tuple[Takeover, ...]:
    """Return for each address who has it before and after data centres fail.

    Raises:
        PolicyError: one of them is unknown.
    """
    failed = {topology.dc(name).name for name in without}
    before = choices(topology)
    after = choices(topology, {dc.name for dc in topology.dcs} - failed)
    return tuple(
        Takeover(
            vip.name, address.prefix, before[address.prefix], after[address.prefix], address.equal
        )
        for vip, address in topology
    )


def loads(topology: Topology, held: Collection[Choice]) -> Mapping[str, Load]:
    """Return what each data centre has, by name, where these hold the addresses."""
    parts = shares(topology, held)
    return {name: Load(sum(name in names for names in held), part) for name, part in parts.items()}
