"""ExaBGP's neighbours, as it shows them: their configuration, and which are up. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from policy.route import Asn
from speaker.backends.base import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from speaker.units import IpAddress


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A neighbour of ExaBGP's configuration. `families` has 4 and 6."""

    address: IpAddress
    local_address: IpAddress | None
    local_as: Asn
    peer_as: Asn
    families: frozenset[int]
    processes: frozenset[str]

    @property
    def selector(self) -> str:
        """What makes a line go to this neighbour alone."""
        local = f" local-ip {self.local_address}" if self.local_address else ""
        return f"neighbor {self.address}{local} local-as {self.local_as} peer-as {self.peer_as}"


_FAMILIES = {"ipv4 unicast": 4, "ipv6 unicast": 6}


def parse_neighbors(lines: Iterable[str]) -> tuple[Neighbor, ...]:
    """Parse the answer to `show neighbor configuration`.

    Raises:
        BackendError: a neighbour lacks what every neighbour has.
    """
    neighbors = []
    for block in _blocks(lines):
        families = {_FAMILIES[word] for word in block.get("family", []) if word in _FAMILIES}
        try:
            neighbors.append(
                Neighbor(
                    ip_address(block["neighbor"][0]),
                    _optional_address(block.get("local-address", [""])[0]),
                    Asn(int(block["local-as"][0])),
                    Asn(int(block["peer-as"][0])),
                    frozenset(families),
                    frozenset(block.get("processes", [""])[0].strip("[] ").split()),
                )
            )
        except (KeyError, IndexError, ValueError) as error:
            # The block may hold a password: name the neighbour, show nothing else.
            name = block.get("neighbor", ["?"])[0]
            raise BackendError(
                f"ExaBGP: show neighbor configuration: neighbor {name}: {error!r} is missing or "
                "not of a known form; is this ExaBGP 4.2 or 5.0?"
            ) from error
    return tuple(neighbors)


def _optional_address(text: str) -> IPv4Address | IPv6Address | None:
    return None if text in {"", "auto", "None"} else ip_address(text)


def _blocks(lines: Iterable[str]) -> Iterator[dict[str, list[str]]]:
    """Yield a mapping for each neighbour: the words of its keys; `family` has its families."""
    block: dict[str, list[str]] = {}
    section = ""
    for line in lines:
        words = line.strip().rstrip(";").split(maxsplit=1)
        match words:
            case ["neighbor", rest] if rest.endswith("{"):
                block = {"neighbor": [rest.rstrip("{ ")]}
            case [name, "{"]:
                section = name
            case ["}"] if section:
                section = ""
            case ["}"]:
                yield block
            case [first, *rest] if section == "family":
                block.setdefault("family", []).append(" ".join([first, *rest]))
            case ["processes", rest] if section == "api":
                block["processes"] = [rest]
            case [name, rest] if not section:
                block.setdefault(name, []).append(rest)


def parse_sessions(lines: Iterable[str]) -> Mapping[str, bool]:
    """Parse the answer to `show neighbor extensive`: whether each neighbour's session is established."""
    sessions: dict[str, bool] = {}
    address = ""
    for line in lines:
        match line.split():
            case ["Neighbor", address]:
                pass
            case ["state", state] if address:
                sessions[address] = state.lower() == "established"
    return sessions
