"""Owns the vocabulary of the lab: a BGP session seen from one side, and a route seen at a peer."""

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Literal, Protocol

Family = Literal["ipv4", "ipv6"]
BOTH: tuple[Family, ...] = ("ipv4", "ipv6")


@dataclass(frozen=True, slots=True)
class Session:
    """A BGP session as one end configures it."""

    local: str
    local_asn: int
    remote: str
    remote_asn: int
    families: tuple[Family, ...] = BOTH

    @property
    def transport(self) -> Family:
        """The family of the addresses that the TCP connection runs between."""
        return "ipv6" if isinstance(ip_address(self.local), IPv6Address) else "ipv4"

    def flipped(self) -> "Session":
        """Return the same session as the other end configures it."""
        return Session(self.remote, self.remote_asn, self.local, self.local_asn, self.families)


@dataclass(frozen=True, slots=True)
class SeenRoute:
    """A route as a far peer holds it, in the same words whatever daemon that is."""

    prefix: str
    as_path: tuple[int, ...]
    next_hop: str
    med: int | None = None
    origin: str = "igp"
    communities: frozenset[str] = frozenset()
    large_communities: frozenset[str] = frozenset()
    extended_communities: frozenset[str] = frozenset()
    """Route targets and sites of origin, as `rt:64500:1` and `soo:64500:1`."""


class FarPeer(Protocol):
    """What every far peer of the lab can be asked."""

    def routes(self, neighbor: str | None = None) -> dict[str, SeenRoute]:
        """Return the routes by prefix: those of one neighbour, or the best ones."""
        ...

    def best(self, prefix: str) -> SeenRoute | None:
        """Return the selected route of a prefix."""
        ...

    def sessions(self) -> dict[str, bool]:
        """Return by neighbour address whether the session is established."""
        ...

    def count(self) -> int:
        """Return the number of prefixes, cheaply."""
        ...

    def restart_session(self, neighbor: str) -> None:
        """Drop a session, to be taken up again at once."""
        ...

    def disable(self, neighbor: str) -> None:
        """Drop a session, and refuse it until it is enabled."""
        ...

    def enable(self, neighbor: str) -> None:
        """Accept a session again."""
        ...
