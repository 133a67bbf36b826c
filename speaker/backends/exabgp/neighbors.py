"""ExaBGP's neighbours, as it shows them: their configuration, and which are up. No I/O."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

from policy.route import Asn
from speaker.backends.base import BackendError, Peer
from speaker.backends.exabgp.sections import parse_sections

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from speaker.backends.exabgp.sections import Section
    from speaker.units import IpAddress


class Ends(NamedTuple):
    """What tells a session from all others: its two addresses.

    `local` is None where ExaBGP chooses it, and has not yet.
    """

    peer: IpAddress
    local: IpAddress | None

    @classmethod
    @lru_cache(maxsize=1024)
    def parse(cls, peer: str, local: str) -> Ends:
        """Parse both as ExaBGP writes them.

        Raises:
            ValueError: one is no address.
        """
        return cls(ip_address(peer), None if local in _CHOSEN else ip_address(local))


_CHOSEN = {"auto", "None"}


@dataclass(frozen=True, slots=True)
class ConfiguredNeighbor:
    """A neighbour of ExaBGP's configuration. `families` has 4 and 6.

    `told` are those of `processes` that receive each UPDATE as it is sent, `hears` those that receive
    each that comes. `manual_eor`: End-of-RIB is left to a process.
    """

    address: IpAddress
    local_address: IpAddress | None
    local_as: Asn
    peer_as: Asn
    families: frozenset[int]
    processes: frozenset[str]
    told: frozenset[str] = frozenset()
    manual_eor: bool = False
    hears: frozenset[str] = frozenset()

    @property
    def ends(self) -> Ends:
        """Its session's addresses, as far as they are configured."""
        return Ends(self.address, self.local_address)

    @property
    def selector(self) -> str:
        """What makes a line go to this neighbour alone.

        A local address that ExaBGP chooses is None in the name by which it selects, even when it
        has chosen.
        """
        return (
            f"neighbor {self.address} local-ip {self.local_address} "
            f"local-as {self.local_as} peer-as {self.peer_as}"
        )


class ConfiguredNeighbors:
    """The neighbours of a configuration, to be found by what ExaBGP says of sessions.

    Args:
        neighbors: all that ExaBGP has.
        process: the name of our process, whose neighbours are those that list it; None where any may
            be ours.
        refused: which families a session does not carry that is up, as `parse_refused` says.
    """

    def __init__(
        self,
        neighbors: Iterable[ConfiguredNeighbor] = (),
        process: str | None = None,
        refused: Mapping[Ends, Collection[int]] | None = None,
    ) -> None:
        self.all = tuple(neighbors)
        self.ours = tuple(
            neighbor
            for neighbor in self.all
            if neighbor.processes and (process is None or process in neighbor.processes)
        )
        ours = frozenset(self.ours)
        self.others = tuple(neighbor for neighbor in self.all if neighbor not in ours)
        self._by_ends = {neighbor.ends: neighbor for neighbor in self.all}
        self._to = Counter(neighbor.address for neighbor in self.all)
        self._refused = {self.of(ends): versions for ends, versions in (refused or {}).items()}

    def of(self, ends: Ends) -> ConfiguredNeighbor | None:
        """Return the neighbour of a session: where no other has its local address, ExaBGP chose it."""
        return self._by_ends.get(ends) or self._by_ends.get(Ends(ends.peer, None))

    def of_family(self, version: int) -> Sequence[ConfiguredNeighbor]:
        """Return our neighbours that have IPv4 or IPv6 unicast."""
        return [neighbor for neighbor in self.ours if version in neighbor.families]

    def carries(self, neighbor: ConfiguredNeighbor, version: int) -> bool:
        """Tell whether a neighbour that has a family can be sent its routes, for all that is known: not where its peer refused it."""
        return version not in self._refused.get(neighbor, ())

    def carrying(self, version: int) -> Sequence[ConfiguredNeighbor]:
        """Return those of `of_family` that can be sent its routes: who did not negotiate a family has no say in it.

        ExaBGP holds its routes for them, too, and sends none: it is to hold them, for a session that negotiates it later.
        """
        return [n for n in self.of_family(version) if self.carries(n, version)]

    def select(self, neighbors: Sequence[ConfiguredNeighbor]) -> str:
        """Return what makes a line go to some neighbours alone: to all, nothing is needed.

        A neighbour that does not have the family of a line's routes must not get it: ExaBGP would
        log that, for each of them.
        """
        if len(neighbors) == len(self.all):
            return ""
        return " , ".join(neighbor.selector for neighbor in neighbors)

    def name(self, neighbor: ConfiguredNeighbor) -> str:
        """Return what people call it: its address, and from where, if several sessions go there."""
        if self._to[neighbor.address] < 2:
            return str(neighbor.address)
        return f"{neighbor.address} from {neighbor.local_address or 'auto'}"

    def peers(
        self,
        up: Mapping[ConfiguredNeighbor, bool],
        reasons: Mapping[ConfiguredNeighbor, str] | None = None,
    ) -> tuple[Peer, ...]:
        """Return ours as peers. A session that `up` lacks is not known to be up or down.

        Args:
            up: whether their sessions are up.
            reasons: why those that are down are.
        """
        return tuple(
            Peer(
                str(neighbor.address),
                neighbor.peer_as,
                up.get(neighbor),
                neighbor.local_as,
                self.name(neighbor),
                "" if up.get(neighbor) is not False else (reasons or {}).get(neighbor, ""),
            )
            for neighbor in self.ours
        )


_FAMILIES = {"ipv4 unicast": 4, "ipv6 unicast": 6}


def parse_neighbors(lines: Iterable[str]) -> tuple[ConfiguredNeighbor, ...]:
    """Parse the answer to `show neighbor configuration`.

    A neighbour without a process can't be one of those that we speak to: where it is of a form that
    is not known, such as a range of addresses, it is passed over.

    Raises:
        BackendError: a neighbour with a process lacks what every neighbour has, or the sections are
            not closed.
    """
    neighbors = []
    for section in parse_sections(lines):
        kind, _, name = section.head.partition(" ")
        if kind != "neighbor":
            raise _unknown_form(f"a section {section.head.split(' ')[0]!r}")
        try:
            neighbors.append(_neighbor(name, section))
        except (TypeError, ValueError) as error:
            if any(_apis(section)):
                # The section may hold a password: name the neighbour, show nothing else.
                what = "an address, an AS number or a family"
                raise _unknown_form(f"neighbor {name}: {what} is missing or") from error
    return tuple(neighbors)


def _unknown_form(what: str) -> BackendError:
    return BackendError(
        f"ExaBGP: show neighbor configuration: {what} not of a known form; "
        "is this ExaBGP 4.2 or 5.0?"
    )


def _neighbor(name: str, section: Section) -> ConfiguredNeighbor:
    families = {
        _FAMILIES[family]
        for each in section.named("family")
        for family in each.statements
        if family in _FAMILIES
    }
    ends = Ends.parse(name, section.value("local-address") or "auto")
    return ConfiguredNeighbor(
        ends.peer,
        ends.local,
        Asn(int(section.value("local-as") or "")),
        Asn(int(section.value("peer-as") or "")),
        frozenset(families),
        frozenset(process for process, _ in _apis(section)),
        frozenset(process for process, api in _apis(section) if _is_told(api, "send")),
        section.value("manual-eor") == "true",
        frozenset(process for process, api in _apis(section) if _is_told(api, "receive")),
    )


def _apis(section: Section) -> Iterator[tuple[str, Section]]:
    """Yield each process of a neighbour with its `api` section, of which each process has one."""
    for api in section.named("api"):
        for process in (api.value("processes") or "").strip("[] ").split():
            yield process, api


def _is_told(api: Section, way: str) -> bool:
    return any({"parsed", "update"} <= {*each.statements} for each in api.named(way))


def parse_sessions(lines: Iterable[str]) -> Mapping[Ends, float | None]:
    """Parse the answer to `show neighbor extensive`: for how long each session is established.

    In seconds, None where it is not. What has no addresses of a single session, such as a range of
    neighbours, is passed over.
    """
    sessions: dict[Ends, float | None] = {}
    for ends, words in _by_session(lines):
        match words:
            case ["state", state]:
                sessions[ends] = 0.0 if state.lower() == "established" else None
            case ["up", "for", *duration] if sessions.get(ends) is not None:
                sessions[ends] = _seconds(" ".join(duration))
    return sessions


def parse_refreshable(lines: Iterable[str]) -> frozenset[Ends]:
    """Parse which sessions can ask their peer to send all again (RFC 2918), of the answer to `show neighbor extensive`."""
    can = ["route-refresh:", "enabled", "enabled"]
    return frozenset(ends for ends, words in _by_session(lines) if words == can)


def parse_refused(lines: Iterable[str]) -> Mapping[Ends, frozenset[int]]:
    """Parse which families sessions that are up do not carry, since the peer did not negotiate them (RFC 4760), of the answer to `show neighbor extensive`."""
    is_up: set[Ends] = set()
    refused: dict[Ends, frozenset[int]] = {}
    for ends, words in _by_session(lines):
        match words:
            case ["state", state] if state.lower() == "established":
                is_up.add(ends)
            case [("ipv4" | "ipv6") as name, "unicast:", _, "disabled", *_] if ends in is_up:
                refused[ends] = refused.get(ends, frozenset()) | {int(name[-1])}
    return refused


def _by_session(lines: Iterable[str]) -> Iterator[tuple[Ends, list[str]]]:
    """Yield the words of each line that is about a session, with its ends."""
    peer, ends = "", None
    for line in lines:
        match line.split():
            case ["Neighbor", peer]:
                ends = None
            case ["local", local] if peer:
                ends = _ends(peer, local)
            case words if ends is not None:
                yield ends, words


_DURATION = re.compile(r"(?:([0-9]{1,9}) days?, )?([0-9]{1,9}):([0-9]{1,9}):([0-9]{1,9})(?:\.\d+)?")


def _seconds(text: str) -> float:
    """Parse a duration as Python writes it; one that is not so is taken for short."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return 0.0
    days, hours, minutes, seconds = (int(each or 0) for each in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _ends(peer: str, local: str) -> Ends | None:
    try:
        return Ends.parse(peer, local)
    except ValueError:
        return None
