"""What bgpd's configuration says, as values: networks, neighbours, route-maps and lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from policy.route import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from policy.route import Asn, Attributes, Prefix
    from speaker.migration.bgpd_conf.clause_index import ClauseIndex
    from speaker.migration.bgpd_conf.statement import Statement
    from speaker.units import IpAddress


class Dialect(StrEnum):
    """Whose bgpd: their defaults differ."""

    QUAGGA = "quagga"
    FRR = "frr"

    @property
    def brand(self) -> str:
        """Return its name as people write it."""
        return "FRR" if self is Dialect.FRR else "Quagga"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a file is read as, and why."""

    file: str
    dialect: Dialect
    because: str

    def __str__(self) -> str:
        return f"{self.file}: read as {self.dialect.brand}'s: {self.because}"


class Treatment(StrEnum):
    """What becomes of a line."""

    TRANSLATED = "translated"
    HARMLESS = "harmless"
    REFUSED = "refused"


TRANSLATED = ""
"""Instead of a reason why a line has no effect."""


@dataclass(frozen=True, slots=True)
class LineVerdict:
    """What becomes of one line, and why; for a refused one, what to do."""

    statement: Statement
    treatment: Treatment
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.statement.where}: {self.statement}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that changes what is sent, and that can't be translated: the line, and what to do."""

    statement: Statement
    reason: str

    def __str__(self) -> str:
        return f"{self.statement.where}: {self.statement}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Network:
    """What bgpd announces by itself: a `network` line, a prefix that is redistributed by one, or an aggregate.

    `route_map` is None where it names none, `summary_only` where it is no aggregate.
    """

    prefix: Prefix
    route_map: str | None
    statement: Statement
    origin: Origin = Origin.IGP
    med: int = 0
    summary_only: bool | None = None


@dataclass(frozen=True, slots=True)
class BgpPath:
    """A route on its way through bgpd: the AS_PATH is without the AS that eBGP adds at the end.

    `local_pref` and `next_hop` are None where nothing set them.
    """

    prefix: Prefix
    attributes: Attributes
    local_pref: int | None = None
    next_hop: IpAddress | None = None


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause of a route-map.

    Matches tell whether a path is meant, all must; sets change it, in their order. `obstacles` is
    what this clause does beyond that. With a match among them (`dim`), it is not known which
    paths are meant.
    """

    sequence: int
    permit: bool
    statement: Statement
    matches: tuple[Callable[[BgpPath], bool], ...] = ()
    sets: tuple[Callable[[BgpPath], BgpPath], ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    goes_on: int | None = None
    """The least number of the clause after it, where it is not the last that counts."""
    calls: str | None = None
    """The route-map that the path goes through then."""


@dataclass(frozen=True, slots=True)
class RouteMap:
    """A route-map: its clauses in the order of their numbers, and those that may mean a prefix."""

    name: str
    clauses: tuple[Clause, ...]
    index: ClauseIndex


@dataclass(frozen=True, slots=True)
class Filter:
    """A list that a neighbour's routes must pass: its kind (`prefix-list`), its name, and the line."""

    kind: str
    name: str
    statement: Statement


@dataclass(frozen=True, slots=True)
class LocalAs:
    """`local-as`: the AS of a session in place of the router's own, in AS_PATH beside it or instead of it."""

    asn: Asn
    replaces: bool
    statement: Statement


@dataclass(frozen=True, slots=True)
class RemovePrivate:
    """`remove-private-AS`: also where not all of AS_PATH is private (`all`), and whether the own AS takes its place."""

    every: bool
    replaces: bool
    statement: Statement

    @property
    def words(self) -> tuple[str, ...]:
        """Return what follows in the line."""
        return (*(["all"] if self.every else []), *(["replace-AS"] if self.replaces else []))


@dataclass(frozen=True, slots=True)
class FamilySettings:
    """What a neighbour is sent of one family. `filters` are in the order in which bgpd asks them."""

    active: bool
    filters: tuple[Filter, ...] = ()
    route_map: Filter | None = None
    communities: bool = True
    large_communities: bool = True
    remove_private: RemovePrivate | None = None
    extended_communities: bool = True


@dataclass(frozen=True, slots=True)
class Neighbor:
    """A neighbour. Times in seconds; `families` by 4 and 6.

    `local` is the address of update-source, of the interface that it names, or of the interface
    in whose network the neighbour is, where the file tells; `source` the interface that it names.
    `is_inferred`: no update-source tells `local`, so the kernel has the last word.
    """

    address: IpAddress
    asn: Asn
    statement: Statement
    families: Mapping[int, FamilySettings]
    group: str | None = None
    description: str | None = None
    password: str | None = None
    hold_time: int = 180
    local: IpAddress | None = None
    source: str | None = None
    next_hops: Mapping[int, IpAddress] = field(default_factory=dict)
    """The addresses of the session's interface by family, where the file tells."""
    multihop: int | None = None
    ttl_security: int | None = None
    port: int | None = None
    shutdown: bool = False
    local_as: LocalAs | None = None
    obstacles: tuple[Obstacle, ...] = ()
    graceful_restart: int | None = None
    """For how long it is asked to keep routes while the speaker restarts; None for not at all."""
    is_inferred: bool = False


@dataclass(frozen=True, slots=True)
class Configuration:
    """One bgpd's configuration.

    `lists` answer whether a path passes, by kind and name, such as ("ip prefix-list", "VIPS").
    """

    file: str
    read_as: Taken
    asn: Asn
    statement: Statement
    router_id: str | None
    networks: Mapping[Prefix, Network]
    neighbors: tuple[Neighbor, ...]
    route_maps: Mapping[str, RouteMap]
    lists: Mapping[tuple[str, str], Callable[[BgpPath], bool]]
    ebgp_requires_policy: bool
    default_local_pref: int
    obstacles: tuple[Obstacle, ...]
    verdicts: tuple[LineVerdict, ...]
    unread: Mapping[Statement, str] = field(default_factory=dict)
    """Lines of lists that are not understood: obstacles where the list is used."""
