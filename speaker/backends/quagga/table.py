"""bgpd's tables of routes, row by row, and the paths among them that it originates itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.asn import parse_asn
from policy.errors import PolicyError
from policy.route import AsPath, Origin
from policy.route import parse_prefix as parse
from speaker.backends.quagga.running_config import is_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from policy.route import Prefix


LOCAL_WEIGHT = 32768


@dataclass(frozen=True, slots=True)
class TablePath:
    """A path of the table that this bgpd originates. `med` is None where the table shows none.

    One that is `passing` is being removed, or not sorted in yet.
    """

    valid: bool
    best: bool
    med: int | None
    as_path: AsPath
    origin: Origin
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a table has what, taken from its head: every version of bgpd has its own.

    Attributes:
        network: where prefixes begin; the status codes stand in front of them.
        metric: where metrics end, counted from where the next hop begins.
        weight: where weights end.
    """

    network: int
    metric: int
    weight: int

    @classmethod
    def of(cls, line: str) -> Columns | None:
        """Return the columns of a head; None for every other line."""
        match = _HEAD.fullmatch(line)
        if match is None:
            return None
        hop = match.start("hop")
        return cls(match.start("network"), match.end("metric") - hop, match.end("weight") - hop)


_HEAD = re.compile(
    r" +(?P<network>Network) +(?P<hop>Next Hop) +(?P<metric>Metric) +LocPrf +(?P<weight>Weight) +Path *"
)
_END = re.compile(r"(?:Displayed|Total number of prefixes) +[0-9]+\b.*")
_ORIGINS = {"i": Origin.IGP, "e": Origin.EGP, "?": Origin.INCOMPLETE}
_CODES = re.compile(r"[ *sdhrSRiuVIN=>]*")
_LOCAL = re.compile(r"(?:0\.0\.0\.0|::)(?:\(\S*\))?")
_PLACES = re.compile(r"(?P<network>\S*) *(?P<hop>\S*)")
# MED, LOCAL_PREF and weight are two blanks or more apart, or not at all; the path has one between ASes.
_NUMBERS = re.compile(r"[ 0-9]*  (?P<weight>[0-9]{1,10}) (?P<path>(?:\S+ )*)(?P<origin>[ie?]) *")


@dataclass(frozen=True, slots=True)
class TableRow:
    """A path of a table, as words. `prefix` is None where it is none that could be ours."""

    codes: str
    prefix: Prefix | None
    hop: str
    med: str
    weight: int
    as_path: Sequence[str]
    origin: str


def parse_tables(lines: Iterable[str]) -> dict[Prefix, TablePath]:
    """Parse `show bgp ipv4 unicast`, and others behind it: the paths that this bgpd originates.

    In the table those have the unspecified next hop and weight 32768.
    """
    paths: dict[Prefix, TablePath] = {}
    for row in rows(lines):
        if row.prefix is None or row.weight != LOCAL_WEIGHT or not _LOCAL.fullmatch(row.hop):
            continue
        try:
            as_path = AsPath(tuple(map(parse_asn, row.as_path)))
        except PolicyError:
            continue  # an aggregate with a set of ASes: not ours
        paths[row.prefix] = TablePath(
            "*" in row.codes,
            ">" in row.codes,
            int(row.med) if row.med.isascii() and row.med.isdigit() else None,
            as_path,
            _ORIGINS[row.origin],
            "R" in row.codes or "u" in row.codes,
        )
    return paths


def rows(lines: Iterable[str]) -> Iterator[TableRow]:
    """Yield the paths of tables."""
    table: _Table | None = None
    for line in lines:
        if (columns := Columns.of(line)) is not None:
            table = _Table(columns)
        elif not line.strip():
            table = None
        elif table is not None and (row := table.row(line)) is not None:
            yield row


class _Table:
    """A table as it is read, line by line.

    A long prefix has a line of its own, and so has a long next hop; the second path of a prefix
    does not name it again.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._prefix: Prefix | None = None
        self._codes = self._hop = ""
        self._alone = False  # whether the line before has a prefix and nothing else

    def row(self, line: str) -> TableRow | None:
        """Take a line, and return the path that it ends."""
        if self._hop:
            return self._wrapped(line)
        if self._columns.network == 3 and line[0] in "VIN":
            line = line[1:]  # FRR 8.4 writes RPKI's states in front of the codes, without a column
        codes = line[: self._columns.network]
        places = _PLACES.match(line, self._columns.network)
        if places is None or not _CODES.fullmatch(codes):
            return None
        if places["network"]:
            self._prefix = _network(places["network"])
        if places["network"] or not self._alone:
            self._codes = codes
        self._alone = not places["hop"]
        hop, start = places["hop"], places.start("hop")
        if line[places.end() :].strip():
            numbers = _NUMBERS.fullmatch(line, places.end())
            return numbers and self._row(hop, numbers, start + self._columns.metric)
        self._hop = hop
        return None

    def _wrapped(self, line: str) -> TableRow | None:
        """Take the numbers of a long next hop.

        Versions begin them in different columns, so that the weight has to tell where the MED ends.
        """
        hop, self._hop = self._hop, ""
        numbers = _NUMBERS.fullmatch(line)
        between = self._columns.weight - self._columns.metric
        return numbers and self._row(hop, numbers, numbers.end("weight") - between)

    def _row(self, hop: str, numbers: re.Match[str], metric: int) -> TableRow:
        """Make a row.

        Args:
            hop: the next hop.
            numbers: the MED and all behind it.
            metric: where the MED ends.
        """
        return TableRow(
            self._codes,
            self._prefix,
            hop,
            numbers.string[metric - 10 : metric].strip(),
            int(numbers["weight"]),
            numbers["path"].split(),
            numbers["origin"],
        )


def answered(lines: Sequence[str], tables: int) -> bool:
    """Tell whether running-config and this many tables behind it are whole, empty ones included."""
    seen, open_ = 0, False
    for line in lines:
        if Columns.of(line) is not None:
            open_ = True
        elif line.startswith(_EMPTY) or (open_ and _END.fullmatch(line)):
            seen, open_ = seen + 1, False
    return is_whole(lines) and seen == tables and not open_


_EMPTY = ("No BGP network exists", "No BGP prefixes displayed")


def _network(text: str) -> Prefix | None:
    """Parse a prefix as a table shows it: Quagga leaves out the length of a classful one."""
    try:
        if "/" in text or ":" in text:
            return parse(text)
        if text == "0.0.0.0":  # noqa: S104 - the default route
            return parse(f"{text}/0")
        first = int(text.split(".", maxsplit=1)[0])
        return parse(f"{text}/{8 if first < 128 else 16 if first < 192 else 24}")
    except (PolicyError, ValueError):
        return None
