"""bgpd's tables, `show bgp … unicast`: the paths that it originates itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.route import Asn, AsPath, Origin
from policy.route import parse_prefix as parse
from speaker.backends.quagga_running_config import is_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from policy.route import Prefix

LOCAL_WEIGHT = 32768


@dataclass(frozen=True, slots=True)
class Path:
    """A path of the table that this bgpd originates. `med` is None where the table shows none."""

    valid: bool
    best: bool
    med: int | None
    as_path: AsPath
    origin: Origin


_ORIGINS = {"i": Origin.IGP, "e": Origin.EGP, "?": Origin.INCOMPLETE}
_ROW = re.compile(r"(?P<codes>[ *sdhrSRi=>]{3})(?P<network>\S*)(?P<rest>(?: .*)?)")
_LOCAL = re.compile(r"\s+(?:0\.0\.0\.0|::)(?:\(\S+\))?(?:\s.*)?")
_END = re.compile(r"\s(?P<path>(?:[0-9]+ )*)(?P<origin>[ie?])\s*")


def parse_tables(lines: Iterable[str]) -> dict[Prefix, Path]:
    """Parse `show bgp ipv4 unicast`, and others behind it: the paths that this bgpd originates.

    In the table those have the unspecified next hop and weight 32768. A long prefix has a line of
    its own, and the second path of a prefix does not name it again. Numbers end below the end of
    their column's name.
    """
    paths: dict[Prefix, Path] = {}
    prefix: Prefix | None = None
    codes = head = ""
    for line in lines:
        if is_head(line):
            head = line
            continue
        if not line.strip():
            head = ""
        match = _ROW.fullmatch(line) if head else None
        if match is None:
            continue
        if match["network"]:
            prefix, codes = _network(match["network"]), match["codes"]
        elif match["codes"].strip():
            codes = match["codes"]
        if prefix is not None and _LOCAL.fullmatch(match["rest"]):
            path = _local_path(codes, line, head)
            if path is not None:
                paths[prefix] = path
    return paths


def is_head(line: str) -> bool:
    """Tell whether a line is the head of a table of routes."""
    return line.startswith("   Network ") and "Weight" in line


_EMPTY = ("No BGP network exists", "No BGP prefixes displayed")


def answered(lines: Sequence[str], tables: int) -> bool:
    """Tell whether running-config and so many tables behind it are whole, empty ones included."""
    seen = sum(is_head(line) or line.startswith(_EMPTY) for line in lines)
    return is_whole(lines) and seen == tables


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


def _local_path(codes: str, line: str, head: str) -> Path | None:
    metric, weight = (head.index(name) + len(name) for name in ("Metric", "Weight"))
    end = _END.fullmatch(line, weight)
    if end is None or line[:weight].rsplit(maxsplit=1)[-1] != str(LOCAL_WEIGHT):
        return None
    med = line[metric - 10 : metric].strip()
    return Path(
        "*" in codes,
        ">" in codes,
        int(med) if med.isdigit() else None,
        AsPath(tuple(Asn(int(value)) for value in end["path"].split())),
        _ORIGINS[end["origin"]],
    )
