"""Lines that are not understood, by what they may decide: all, one neighbour, or one prefix. Pure."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.bgpd_conf.tokens import is_address, network

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy.route import Prefix
    from speaker.migration.bgpd_conf.model import Obstacle
    from speaker.units import IpAddress


class Doubts:
    """What a line says of one neighbour or of one network, it says of no other.

    Args:
        obstacles: the lines, in their order.
    """

    def __init__(self, obstacles: Iterable[Obstacle]) -> None:
        general: list[Obstacle] = []
        self._special: dict[IpAddress | Prefix, list[Obstacle]] = {}
        for obstacle in obstacles:
            what = _about(obstacle)
            if what is None:
                general.append(obstacle)
            else:
                self._special.setdefault(what, []).append(obstacle)
        self._general = tuple(general)

    def of(self, neighbor: IpAddress, prefix: Prefix) -> tuple[Obstacle, ...]:
        """Return the lines that may decide what a neighbour is sent of a prefix.

        Of thousands of lines and prefixes, all that has none of its own has the same tuple.
        """
        special = (*self._special.get(neighbor, ()), *self._special.get(prefix, ()))
        return (*self._general, *special) if special else self._general


def _about(obstacle: Obstacle) -> IpAddress | Prefix | None:
    match obstacle.statement.said:
        case ("neighbor", name, *_) if is_address(name):
            return ip_address(name)
        case ("network", text, *_) if "/" in text:
            with suppress(MigrationError):
                return network(text)
    return None
